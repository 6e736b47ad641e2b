"""What a log says a conversation is at: its creates, responses, turns, tool calls. Values only, bounded.

Never here: how an event changes them (the track_* modules), whether any of it is bad (the rules).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import attrs

from fsm.audit.record import Evidence, Record

CROWD = 12  # creates that make a crowd, if they come within CROWD_MS
CROWD_MS = 10_000.0
_TAIL_MS = 250.0  # of an answer that is as good as heard
KEPT = 64  # of each kind of thing: what is older is forgotten


@attrs.define
class Options:
    """What the reader of a report may choose. `dead_air_ms` is how long somebody may wait in silence."""

    dead_air_ms: float = 5000.0
    overlap_ms: float = 1000.0


@attrs.define(eq=False)
class Fault:
    """An `error` of the provider. `about` is the type of the client's event it is about, "" if that is not known."""

    evidence: Evidence
    code: str
    message: str
    param: str
    event_id: str
    event: str = ""
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


@attrs.define(eq=False)
class Create:
    """A response.create, and what was going on when it was sent."""

    evidence: Evidence
    at_ms: float
    event_id: str
    outside: bool  # conversation: none - runs beside the default conversation
    directed: bool  # says by itself what is to be said
    metadata: Mapping[str, object]  # carried, so that its response can be told from the provider's own
    active: Response | None = None
    rejected_before: int = 0
    other: Create | None = None  # another create without an answer yet
    owed: Turn | None = None  # a turn the provider was about to answer by itself
    speaking: bool = False
    tool: Call | None = None  # the tool output sent just before


@attrs.define(eq=False)
class Crowd:
    """Creates that follow each other closely: CROWD of them within CROWD_MS, and on from there."""

    first: Evidence
    last: Evidence
    since_ms: float
    until_ms: float
    creates: int
    rejected_before: int


@attrs.define(eq=False)
class Response:
    """A response. `input_no` is what it answers: the count of inputs when it began."""

    id: str
    evidence: Evidence
    at_ms: float
    create: Create | None
    outside: bool
    turn: Turn | None
    input_no: int
    over_caller: bool  # it began while the caller was speaking
    unsure: bool = False  # whether it answers `create`, or the provider gave it by itself and rejects that yet
    unseen: bool = False  # the log shows its end alone
    nameless: bool = False  # it says it is of no conversation; some servers say so of every response
    status: str = ""
    reason: str = ""
    said: bool = False
    first_word: bool = False  # the first that was heard in its turn, or in the call
    again: Response | None = None  # another response has answered the same before
    deliberate: bool = False  # asked for a good while after the other: a caller who says nothing was spoken to again
    called: bool = False
    ended_ms: float = 0.0
    audio_ms: float = 0.0
    deltas: int = 0
    deltas_over_caller: int = 0
    over_ms: float = 0.0  # for how long its audio kept coming after the caller had begun to speak
    late_until_ms: float = 0.0
    first_delta: Evidence | None = None
    flushed: Evidence | None = None
    flushed_ms: float = 0.0
    late_deltas: int = 0
    late_ms: float = 0.0
    first_late: Evidence | None = None
    played_late: Evidence | None = None
    cancel: Evidence | None = None
    cancelled_before: Evidence | None = None  # a cancel that named nothing, sent before this response began


@attrs.define(eq=False)
class Turn:
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
    said: bool = False
    resumed: bool = False  # the caller went on before anybody could answer
    overlap: Response | None = None
    late: bool = False  # its answer began after too long a silence


@attrs.define(eq=False)
class Call:
    """A tool call. `early` tells that its output was sent before its parent's response.done."""

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
    seeded: bool = False  # told to the session by the client, as part of a history
    followed: Evidence | None = None  # a response that came after it, with nothing said by the caller between


@attrs.define(eq=False)
class Asked:
    """Any other control event of the client that can be refused: a cancel, a commit, a truncation, an item."""

    evidence: Evidence
    at_ms: float
    type: str
    event_id: str
    note: str = ""
    idle: bool = False  # there was nothing it could have been for
    settled: bool = False
    rejected: bool = False


@attrs.frozen(eq=False)
class Moment:
    """Something happened that a rule may judge. `subject` is what it happened to, `other` what it collided with."""

    name: str
    evidence: Evidence
    at_ms: float
    create: Create | None = None
    response: Response | None = None
    turn: Turn | None = None
    call: Call | None = None
    update: Update | None = None
    fault: Fault | None = None
    asked: Asked | None = None
    before: Evidence | None = None
    crowd: Crowd | None = None
    text: str = ""
    ms: float = 0.0
    count: int = 0


@attrs.define
class Sound:
    """How audio is counted. Bytes of a millisecond each way; what was sent since the last commit or clear."""

    in_bytes_ms: float = 48.0
    out_bytes_ms: float = 48.0
    sent_ms: float = 0.0
    pending_ms: float = 0.0
    appends: int = 0
    live: bool = False  # the caller's audio came as fast as it is spoken: where a log has no times, it is the clock
    heard_until_ms: float = 0.0
    logged: bool = False  # the log shows when audio comes
    known: bool = False  # an agent's audio of believable length was seen: its payloads are in the log
    playing: Response | None = None
    told: bool = False  # the log says what its playout did, so that nothing has to be reckoned
    is_heard: bool = False  # by those facts: `playing` is being heard
    guessed: bool = False  # a length was guessed from the usage
    buffer_events: bool = False  # output_audio_buffer.*: the provider plays

    def carried(self) -> Sound:
        """What of it outlasts a session: our playout goes on while a new one is opened."""
        if not self.told:
            return Sound()
        return Sound(
            told=True, known=True, logged=True, is_heard=self.is_heard, playing=self.playing,
            heard_until_ms=self.heard_until_ms,
        )  # fmt: skip


@attrs.define
class Mode:
    """The session's turn detection as last confirmed. `vad` is none, unknown or the name of the detection."""

    described: bool = False  # a session has said what it is
    vad: str = "unknown"
    create_response: bool = True
    interrupt_response: bool = True
    transcription_only: bool = False
    speaks: bool = True

    @property
    def provider_answers(self) -> bool:
        return self.vad != "none" and self.create_response


@attrs.define
class Talk:
    """One session of a log. `now_ms` is the log's time; without any, the audio the caller has sent is the clock."""

    options: Options
    now_ms: float = 0.0
    timed: bool = False
    began_ms: float = 0.0
    mode: Mode = attrs.field(factory=Mode)
    sound: Sound = attrs.field(factory=Sound)
    created: Evidence | None = None
    configured: Evidence | None = None
    configured_ms: float | None = None
    updates: deque[Update] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    creates: deque[Create] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    active: Response | None = None
    responses: dict[str, Response] = attrs.field(factory=dict)
    items: dict[str, str] = attrs.field(factory=dict)
    turn: Turn | None = None
    waiting: Turn | None = None
    turns: int = 0
    input_no: int = 0
    said_for: tuple[int, Response | None] = (-1, None)
    calls: dict[str, Call] = attrs.field(factory=dict)
    outputs: dict[str, Evidence] = attrs.field(factory=dict)  # of calls that have not been seen yet
    asked: deque[Asked] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    bare_cancel: Evidence | None = None
    last_output: Call | None = None
    last_output_ms: float = 0.0
    responses_begun: int = 0
    responses_ended: int = 0
    greeted: bool = False
    server_events: int = 0
    sees_client: bool = False  # the log shows what the client sends, not only what the provider says
    sees_items: bool = False  # the log shows items that join the conversation
    conversation: str = ""
    conversations: set[str] = attrs.field(factory=set)  # a session has one; more are several calls, or a lost begin
    rejected_update: Fault | None = None
    lived_with: int = 0
    rejections: int = 0
    recent: deque[Create] = attrs.field(factory=lambda: deque(maxlen=CROWD))
    crowd: Crowd | None = None
    truncated: dict[str, float] = attrs.field(factory=dict)

    @property
    def names_conversations(self) -> bool:
        """Do responses say of which conversation they are? Some servers never do."""
        return bool(self.conversations)

    @property
    def seen_from_start(self) -> bool:
        """Is it known what the provider was at? Not at the begin of a log that begins in the middle of a call."""
        return self.created is not None or self.configured is not None or self.responses_ended > 0

    @property
    def has_clock(self) -> bool:
        """Is the time between two events known?"""
        return self.timed or self.sound.live

    @property
    def speaking(self) -> bool:
        """Does the caller have the floor, as the provider hears it?"""
        return self.turn is not None and self.turn.ended_ms is None

    @property
    def in_speech(self) -> bool:
        """Is the agent being heard now, as far as is known?"""
        return self.timed and (self.sound.is_heard or self.sound.heard_until_ms > self.now_ms + _TAIL_MS)

    def response_of(self, record: Record) -> Response | None:
        """The response an event belongs to, by its id or its item's."""
        name = record.text("response_id") or self.items.get(record.text("item_id"), "")
        return self.responses.get(name)


def keep(things: dict[str, Any], bound: int = KEPT) -> None:
    """Forgets the oldest of too many."""
    while len(things) > bound:
        things.pop(next(iter(things)))


def mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
