"""What a log shows of one conversation: its session, the caller's turns, responses, tool calls, requests. Bounded.

Values only, each part with the fields it owns. How an event changes them is in fsm.audit.tracking, what happened to
them is an observation (fsm.audit.observations), whether that is bad is for fsm.audit.rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum, Flag, auto
from typing import Any

import attrs

from fsm.audit.record import Evidence, Record

BURST = 12  # creates that make a burst, if they come within BURST_MS
BURST_MS = 10_000.0
_TAIL_MS = 250.0  # of an answer that is as good as heard
KEPT = 64  # of each kind of thing: what is older is forgotten


@attrs.define
class AuditOptions:
    """What the reader of a report may choose. `dead_air_ms` is how long somebody may wait in silence."""

    dead_air_ms: float = 5000.0
    overlap_ms: float = 1000.0


# --- the session ------------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class ProviderError:
    """An `error` of the provider. `about` is the type of the client's event it is about, "" if that is not known."""

    evidence: Evidence
    code: str
    message: str
    param: str
    event_id: str
    about: str = ""


@attrs.define(eq=False)
class Update:
    """A session.update. `early` is before session.created; `events_before` and `ended_before` were the counts then."""

    evidence: Evidence
    at_ms: float
    early: bool
    event_id: str = ""
    events_before: int = 0
    ended_before: int = 0


@attrs.define
class Mode:
    """The session's turn detection as last confirmed. `vad` is none, unknown or the name of the detection."""

    described: bool = False  # a session has said what it is
    vad: str = "unknown"
    create_response: bool = True
    transcription_only: bool = False
    speaks: bool = True

    @property
    def provider_answers(self) -> bool:
        return self.vad != "none" and self.create_response


@attrs.define
class LoggedSession:
    """How the session was opened and configured, and what it refused."""

    began_ms: float = 0.0
    mode: Mode = attrs.field(factory=Mode)
    created: Evidence | None = None
    configured: Evidence | None = None
    configured_ms: float | None = None
    updates: deque[Update] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    rejected_update: ProviderError | None = None
    lived_with: int = 0  # responses since then


# --- requests ---------------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Create:
    """A response.create, and what was going on when it was sent."""

    evidence: Evidence
    at_ms: float
    event_id: str
    outside: bool  # conversation: none - runs beside the default conversation
    directed: bool  # says by itself what is to be said
    in_text: bool  # wants it written
    metadata: Mapping[str, object]  # carried, so that its response can be known from the provider's own
    active: Response | None = None
    rejected_before: int = 0
    other: Create | None = None  # another create without an answer yet
    owed: CallerTurn | None = None  # a turn the provider was about to answer by itself
    speaking: bool = False
    tool: ToolCall | None = None  # the tool output sent just before


@attrs.define(eq=False)
class CreateBurst:
    """Creates that follow each other closely: BURST of them within BURST_MS, and on from there."""

    first: Evidence
    last: Evidence
    since_ms: float
    until_ms: float
    creates: int
    rejected_before: int


@attrs.define
class Creates:
    """Creates that nobody has answered yet, and how closely they came."""

    waiting: deque[Create] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    recent: deque[Create] = attrs.field(factory=lambda: deque(maxlen=BURST))
    burst: CreateBurst | None = None
    rejections: int = 0


class RequestState(Enum):
    """What has become of a request."""

    OPEN = auto()
    SETTLED = auto()
    REJECTED = auto()


@attrs.define(eq=False)
class ClientRequest:
    """Any other control event of the client that can be refused: a cancel, a commit, a truncation, an item."""

    evidence: Evidence
    at_ms: float
    type: str
    event_id: str
    note: str = ""
    call_id: str = ""  # of a tool's output
    idle: bool = False  # there was nothing it could have been for
    state: RequestState = RequestState.OPEN


# --- responses --------------------------------------------------------------------------------------------------------


class ResponseState(Enum):
    """Where a response is; the values are the statuses of the wire."""

    ACTIVE = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENDED = "unknown"  # the log has cut off how


class ResponseScope(Enum):
    """Of which conversation a response is. Some servers say of every response that it is of none: UNNAMED."""

    INSIDE = auto()
    UNNAMED = auto()
    OUTSIDE = auto()


class Content(Flag):
    """What a response has brought."""

    NOTHING = 0
    WORDS = auto()
    CALLS = auto()
    SOUND = auto()
    TEXT = auto()  # written, not spoken


@attrs.frozen(eq=False)
class Begin:
    """What was going on when a response began. `input_no` is what it answers: the count of inputs."""

    input_no: int
    over_caller: bool  # the caller was speaking
    unseen: bool  # the log shows its end alone
    cancelled_before: Evidence | None  # a cancel that named nothing, sent before


@attrs.define(eq=False)
class ResponseAudio:
    """The audio of a response, as far as it was not cut before it came."""

    ms: float = 0.0
    pieces: int = 0
    began_ms: float = 0.0
    first: Evidence | None = None
    over_caller: int = 0  # pieces that came while the caller spoke
    over_ms: float = 0.0  # for how long it kept coming after the caller had begun to speak


@attrs.define(eq=False)
class Cut:
    """The client or the provider stopped playing a response; what came of it all the same."""

    evidence: Evidence
    at_ms: float
    late_pieces: int = 0
    late_ms: float = 0.0
    late_until_ms: float = 0.0
    first_late: Evidence | None = None
    played: Evidence | None = None  # it was heard again


@attrs.frozen(eq=False)
class Repeat:
    """An answer to what `earlier` had answered. `deliberate`: there was a reason to speak again, or there may be."""

    earlier: Response
    deliberate: bool


@attrs.define(eq=False)
class Response:
    """A response, from its begin to its end."""

    id: str
    evidence: Evidence
    at_ms: float
    turn: CallerTurn | None
    scope: ResponseScope
    begin: Begin
    create: Create | None
    create_presumed: bool  # it may be the provider's own, and the create's rejection is still to come
    state: ResponseState = ResponseState.ACTIVE
    reason: str = ""
    ended_ms: float = 0.0
    content: Content = Content.NOTHING
    first_word: bool = False  # the first that was heard in its turn, or in the call
    audio: ResponseAudio = attrs.field(factory=ResponseAudio)
    cut: Cut | None = None
    cancel: Evidence | None = None
    repeats: Repeat | None = None

    @property
    def is_active(self) -> bool:
        return self.state is ResponseState.ACTIVE

    @property
    def is_outside(self) -> bool:
        return self.scope is ResponseScope.OUTSIDE

    @property
    def has_words(self) -> bool:
        return Content.WORDS in self.content


@attrs.define
class LoggedResponses:
    """The responses of a conversation. `said_for` is the last that said something, and the input it answered."""

    by_id: dict[str, Response] = attrs.field(factory=dict)
    of_item: dict[str, str] = attrs.field(factory=dict)
    active: Response | None = None
    begun: int = 0
    ended: int = 0
    greeted: bool = False
    said_for: tuple[int, Response | None] = (-1, None)
    bare_cancel: Evidence | None = None
    truncated: dict[str, float] = attrs.field(factory=dict)
    answers: int = 0  # that began to be heard
    cut_at_once: list[Evidence] = attrs.field(factory=list)  # by a turn, right after they began


# --- the caller -------------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class CallerTurn:
    """A turn of the caller. `ended_ms` is when the provider said so; `answer` the first response that came of it."""

    number: int
    evidence: Evidence
    at_ms: float
    item_id: str
    expects: bool  # somebody is to answer it
    stopped: Evidence | None = None
    ended_ms: float | None = None
    committed: bool = False
    answer: Response | None = None
    heard: bool = False  # its answer, or the begin of it
    overlap: Response | None = None
    late: bool = False  # its answer began after too long a silence


@attrs.define
class CallerSide:
    """The caller's side: the turn that is spoken, the one that waits, inputs of any kind so far."""

    turn: CallerTurn | None = None
    waiting: CallerTurn | None = None
    turns: int = 0
    inputs: int = 0


@attrs.define
class CallerAudio:
    """The caller's audio, by its bytes; what was sent since the last commit or clear."""

    bytes_ms: float = 48.0
    sent_ms: float = 0.0
    pending_ms: float = 0.0
    appends: int = 0
    live: bool = False  # it came as fast as it is spoken: where a log has no times, it is the clock


# --- the agent's audio ------------------------------------------------------------------------------------------------


class Shown(Flag):
    """What a log shows of the agent's audio."""

    NOTHING = 0
    TIMES = auto()  # when it comes
    LENGTHS = auto()  # its payloads: a piece of believable length was seen
    TOKENS = auto()  # its usage alone, from which a length was guessed
    PLAYOUT = auto()  # what a playout did, so that nothing has to be reckoned


@attrs.define
class AgentAudio:
    """What the caller hears of the agent, and until when."""

    bytes_ms: float = 48.0
    shown: Shown = Shown.NOTHING
    playing: Response | None = None
    is_heard: bool = False  # by what a playout reports: `playing` is being heard
    heard_until_ms: float = 0.0

    def carried(self) -> AgentAudio:
        """What of it outlasts a session: our playout goes on while a new one is opened."""
        if Shown.PLAYOUT not in self.shown:
            return AgentAudio()
        return attrs.evolve(self, bytes_ms=48.0, shown=Shown.TIMES | Shown.LENGTHS | Shown.PLAYOUT)


# --- tools ------------------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class ToolCall:
    """A tool call. `early` is an output that was sent before its parent's response.done."""

    id: str
    name: str
    evidence: Evidence
    at_ms: float
    response_id: str
    turns: int  # of the caller, so far
    parent_done: bool = False
    outputs: list[Evidence] = attrs.field(factory=list)
    echoes: list[str] = attrs.field(factory=list)  # the items its outputs have become
    early: bool = False
    answered_ms: float = 0.0
    asked: bool = False
    seeded: bool = False  # given to the session by the client, as part of a history
    refused: Evidence | None = None  # its output was rejected
    done_at: int = 0  # later events at its parent's end
    followed: Evidence | None = None  # a response that came after it, with nothing said by the caller between


@attrs.define
class Tools:
    """Tool calls; outputs of calls that have not been seen yet; the output that was sent last."""

    calls: dict[str, ToolCall] = attrs.field(factory=dict)
    unclaimed: dict[str, Evidence] = attrs.field(factory=dict)
    last_output: ToolCall | None = None


# --- all of it --------------------------------------------------------------------------------------------------------


@attrs.define
class LogView:
    """What the log itself shows: which side, which conversations (a session has one; more are several calls)."""

    server_events: int = 0
    later_events: int = 0  # of the provider, that show that time has passed
    shows_provider: bool = False  # what the provider sends, and not its errors alone
    sees_client: bool = False  # what the client sends, not only what the provider says
    sees_items: bool = False  # items that join the conversation
    conversation_id: str = ""
    conversation_ids: set[str] = attrs.field(factory=set)


@attrs.define
class LoggedConversation:
    """One session of a log. `now_ms` is the log's time; without any, the audio the caller has sent is the clock."""

    options: AuditOptions
    now_ms: float = 0.0
    timed: bool = False
    log: LogView = attrs.field(factory=LogView)
    session: LoggedSession = attrs.field(factory=LoggedSession)
    caller: CallerSide = attrs.field(factory=CallerSide)
    caller_audio: CallerAudio = attrs.field(factory=CallerAudio)
    agent_audio: AgentAudio = attrs.field(factory=AgentAudio)
    creates: Creates = attrs.field(factory=Creates)
    responses: LoggedResponses = attrs.field(factory=LoggedResponses)
    tools: Tools = attrs.field(factory=Tools)
    requests: deque[ClientRequest] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    @property
    def names_conversations(self) -> bool:
        """Do responses say of which conversation they are? Some servers never do."""
        return bool(self.log.conversation_ids)

    @property
    def seen_from_start(self) -> bool:
        """Is it known what the provider was at? Not at the begin of a log that begins in the middle of a call."""
        return self.session.created is not None or self.session.configured is not None or self.responses.ended > 0

    @property
    def has_clock(self) -> bool:
        """Is the time between two events known?"""
        return self.timed or self.caller_audio.live

    @property
    def speaking(self) -> bool:
        """Does the caller have the floor, as the provider hears it?"""
        return self.caller.turn is not None and self.caller.turn.ended_ms is None

    @property
    def in_speech(self) -> bool:
        """Is the agent being heard now, as far as is known?"""
        agent = self.agent_audio
        return self.timed and (agent.is_heard or agent.heard_until_ms > self.now_ms + _TAIL_MS)

    def response_of(self, record: Record) -> Response | None:
        """The response an event belongs to, by its id or its item's."""
        name = record.text("response_id") or self.responses.of_item.get(record.text("item_id"), "")
        return self.responses.by_id.get(name)


def keep(things: dict[str, Any], bound: int = KEPT) -> None:
    """Forgets the oldest of too many."""
    while len(things) > bound:
        things.pop(next(iter(things)))


def mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
