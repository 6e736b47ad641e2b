"""What passes between caller, client and provider: requests, responses, turns, audio, tool calls. Values only, bounded.

They refer to each other: a response to the create it answers and to the turn, a create to the response that was active.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum, Flag, auto
from typing import Any

import attrs

from fsm.audit.record import Evidence

BURST = 12  # creates that make a burst, if they come within BURST_MS
BURST_MS = 10_000.0
KEPT = 64  # of each kind of thing: what is older is forgotten


def keep(things: dict[str, Any], bound: int = KEPT) -> None:
    """Forgets the oldest of too many."""
    while len(things) > bound:
        things.pop(next(iter(things)))


# --- requests ---------------------------------------------------------------------------------------------------------


class Asks(Flag):
    """What a create asks for that is not ordinary."""

    NOTHING = 0
    OUTSIDE = auto()  # conversation: none - runs beside the default conversation
    DIRECTED = auto()  # says by itself what is to be said
    IN_TEXT = auto()  # wants it written


@attrs.define(eq=False)
class Create:
    """A response.create, and what was going on when it was sent."""

    evidence: Evidence
    at_ms: float
    event_id: str
    asks: Asks
    metadata: Mapping[str, object]  # carried, so that its response can be known from the provider's own
    active: Response | None = None
    rejected_before: int = 0
    other: Create | None = None  # another create without an answer yet
    owed: CallerTurn | None = None  # a turn the provider was about to answer by itself
    tool: ToolCall | None = None  # the tool output sent just before
    after_commit: bool = False  # it followed a commit of the caller's turn at once

    @property
    def is_outside(self) -> bool:
        return Asks.OUTSIDE in self.asks


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
    after_commits: list[Evidence] = attrs.field(factory=list)


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
    silent: bool = False  # our playout found no sound in it


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
    is_empty: bool = False  # it ended, and there was nothing in it
    followed: bool = False  # by another response to the same turn

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
    heard: int = 0  # in which our playout found a sound, or which it has begun to play
    unspoken: list[Response] = attrs.field(factory=list)  # in which it found none
    incomplete: list[Response] = attrs.field(factory=list)  # that were cut in the middle by a limit or a filter
    cut_by_turns: list[Evidence] = attrs.field(factory=list)  # at any time
    cut_at_once: list[Evidence] = attrs.field(factory=list)  # by a turn, right after they began


# --- the caller -------------------------------------------------------------------------------------------------------


class TurnFacts(Flag):
    """What has become of a turn; each may be without the others, as a log may lack any event."""

    NOTHING = 0
    COMMITTED = auto()
    HEARD = auto()  # its answer, or the begin of it
    LATE = auto()  # its answer began after too long a silence
    CUT_OFF = auto()  # the client committed it while the caller was still speaking
    EMPTY = auto()  # its transcript holds no word
    TIMEOUT = auto()  # the provider made it of a silence


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
    answer: Response | None = None
    overlap: Response | None = None
    failed: Response | None = None  # an answer that ended before its first sound
    facts: TurnFacts = TurnFacts.NOTHING


@attrs.define
class CallerSide:
    """The caller's side: the turn that is spoken, the one that waits, inputs of any kind so far."""

    turn: CallerTurn | None = None
    waiting: CallerTurn | None = None
    turns: int = 0
    inputs: int = 0
    by_item: dict[str, CallerTurn] = attrs.field(factory=dict)
    empty: list[CallerTurn] = attrs.field(factory=list)  # in which nobody said anything, and what came of it
    failed: list[Evidence] = attrs.field(factory=list)  # transcriptions
    transcribed: int = 0
    committed_at: int = -1  # events of the provider at the last commit
    committed_ms: float = 0.0


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


class ToolRound(Enum):
    """Whether somebody is to ask for the answer after a tool."""

    OPEN = auto()
    ASKED = auto()
    SEEDED = auto()  # nobody: the client gave it to the session, as part of a history


@attrs.define(eq=False)
class ToolCall:
    """A tool call. `early` is an output that was sent before its parent's response.done, and was not rejected."""

    id: str
    name: str
    evidence: Evidence
    at_ms: float
    response_id: str
    turns: int  # of the caller, so far
    parent_done_at: int | None = None  # later events at its parent's end
    outputs: list[Evidence] = attrs.field(factory=list)
    echoes: list[str] = attrs.field(factory=list)  # the items its outputs have become
    early: Evidence | None = None
    answered_ms: float = 0.0
    round: ToolRound = ToolRound.OPEN
    arguments: str = ""
    refused: Evidence | None = None  # its output was rejected
    followed: Evidence | None = None  # a response that came after it, with nothing said by the caller between


@attrs.define
class ToolCalls:
    """Tool calls; outputs of calls that have not been seen yet; the output that was sent last."""

    calls: dict[str, ToolCall] = attrs.field(factory=dict)
    unclaimed: dict[str, Evidence] = attrs.field(factory=dict)
    last_output: ToolCall | None = None
    loop: list[ToolCall] = attrs.field(factory=list)  # the same call, again and again, nothing said between
