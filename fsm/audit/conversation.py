"""What a log shows of one conversation: its session, the caller's turns, responses, tool calls, requests. Bounded.

Values only, each part with the fields it owns. How an event changes them is in fsm.audit.tracking, what happened to
them is an observation (fsm.audit.observations), whether that is bad is for fsm.audit.rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import attrs

from fsm.audit.exchange import (
    KEPT,
    AgentAudio,
    CallerAudio,
    CallerSide,
    ClientRequest,
    Creates,
    LoggedResponses,
    Response,
    ToolCalls,
)
from fsm.audit.live_side import LiveSide
from fsm.audit.record import Evidence, Record
from fsm.audit.turn_owner import TurnOwnerSide

_PARTS = ("response.output_", "response.content_", "response.audio", "response.text", "response.function_call")
_ASKED = frozenset({"response.create", "response.cancel"})
_MANY = 12  # kinds of a log that leaves out none on purpose
_TAIL_MS = 250.0  # of an answer that is as good as heard


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
    formats: Mapping[str, str] = attrs.field(factory=dict)  # asked for: of the input, of the output


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


# --- all of it --------------------------------------------------------------------------------------------------------


@attrs.define
class LogView:
    """What the log itself shows: which side, which conversations (a session has one; more are several calls)."""

    server_events: int = 0
    later_events: int = 0  # of the provider, that show that time has passed
    shows_provider: bool = False  # what the provider sends, and not its errors alone
    sees_client: bool = False  # what the client sends, not only what the provider says
    sees_items: bool = False  # items that join the conversation
    kinds: set[str] = attrs.field(factory=set)  # types of the call so far, in sessions before this one, too
    partial: int = 0  # events of the provider of which the log has the name, and not the fields
    is_journal: bool = False  # one of ours
    conversation_id: str = ""
    conversation_ids: set[str] = attrs.field(factory=set)

    @property
    def is_selection(self) -> bool:
        """Does the log leave out kinds of events? Of what it never shows, nothing can be missing."""
        ended, kinds = "response.done" in self.kinds, self.kinds
        without_begin = "response.created" not in kinds and any(k.startswith("response.") for k in kinds - _ASKED)
        without_parts = ended and not any(k.startswith(_PARTS) for k in kinds) and len(kinds) < _MANY
        return without_begin or without_parts or 2 * self.partial > self.server_events

    def may_miss(self, *kinds: str) -> bool:
        """Could the log have shown an event of one of these kinds (by the beginning of its name)?"""
        return not self.is_selection or any(kind.startswith(kinds) for kind in self.kinds)


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
    tools: ToolCalls = attrs.field(factory=ToolCalls)
    requests: deque[ClientRequest] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    live: LiveSide = attrs.field(factory=LiveSide)
    owner: TurnOwnerSide = attrs.field(factory=TurnOwnerSide)

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


def mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
