"""What a log shows of a session whose provider owns its turns (Deepgram's Voice Agent, Gemini Live), and what happened.

Bounded; values only. How an event changes it is in fsm.audit.tracking.turn_owner.
Source: docs/facts/deepgram_agent.md sections 2 to 7, docs/facts/gemini_live.md sections 2 to 6.
"""

from __future__ import annotations

import attrs

from fsm.audit.observed import Observed
from fsm.audit.record import Evidence

CLIENT_TYPES = frozenset(
    {"Settings", "KeepAlive", "UpdatePrompt", "UpdateSpeak", "UpdateThink", "UpdateListen", "InjectUserMessage",
     "InjectAgentMessage", "ForceEndTurn", "setup", "realtimeInput", "clientContent", "toolResponse", "contextUpdate",
     "FunctionCallResponse"}
)  # fmt: skip
EITHER_SIDE = frozenset({"FunctionCallResponse"})
"""The client answers a call by it, and the provider tells of a call that it has run by itself."""
SERVER_TYPES = frozenset(
    {"Welcome", "SettingsApplied", "ConversationText", "UserStartedSpeaking", "EndOfTurn", "AgentThinking",
     "AgentStartedSpeaking", "AgentAudioDone", "FunctionCallRequest", "FunctionCallCancelled", "PromptUpdated",
     "SpeakUpdated", "ThinkUpdated", "ListenUpdated", "InjectionRefused", "History", "LatencyReport", "Warning",
     "turn.accepted", "turn.taken", "session.welcomed", "setupComplete", "sessionResumptionUpdate", "goAway",
     "inputTranscription", "outputTranscription", "interrupted", "generationComplete", "turnComplete", "toolCall",
     "toolCallCancellation", "usageMetadata", "voiceActivity", "waitingForInput"}
)  # fmt: skip
OPENINGS = frozenset({"Welcome", "session.welcomed"})
"""What a session of either protocol begins with, as our codecs have it."""


@attrs.define(eq=False)
class LoggedFunctionCall:
    """A call that the provider has made. `withdrawn`, `answered`: by what."""

    evidence: Evidence
    since_ms: float
    name: str
    withdrawn: Evidence | None = None
    answered: Evidence | None = None


@attrs.frozen(eq=False)
class AnswerCut:
    """The provider has dropped the answer `speech_id`; nothing of it is to be heard from then on."""

    evidence: Evidence
    at_ms: float
    speech_id: str


@attrs.frozen(eq=False)
class Awaited:
    """What the provider is to answer, in words, and since when."""

    evidence: Evidence
    since_ms: float
    what: str


@attrs.define(eq=False)
class Setup:
    """The one message that says what the session is to be, and the handles by which it can be taken up."""

    sent: Evidence | None = None
    is_confirmed: bool = False
    handle: Evidence | None = None
    """The last that the provider gave, and nobody has used."""
    left_out: Evidence | None = None
    """A setup that named no handle, though there was one."""
    ending: Evidence | None = None
    """The provider has said that the connection, or the session, ends soon."""


@attrs.define(eq=False)
class TurnOwnerSide:
    """`opened` is None in a log of another protocol."""

    opened: Evidence | None = None
    opened_ms: float = 0.0
    setup: Setup = attrs.field(factory=Setup)
    calls: dict[str, LoggedFunctionCall] = attrs.field(factory=dict)
    audio_in_calls: int = 0
    """Pieces of the caller's audio that were sent while a call was open."""
    is_caller_speaking: bool = False
    """By the provider, or by our own ear while nothing is played."""
    awaited: Awaited | None = None
    is_told: bool = False
    """That nothing was heard for so long."""
    empty: Evidence | None = None
    """The turn that is awaited came to an end, and nothing had been said in it."""
    sounding: str | None = None
    """The answer that is being sent, by its id."""
    playing: str | None = None
    """What the caller hears, as our playout tells it."""
    cut: AnswerCut | None = None
    is_gate_open: bool = True
    """Something has said that what follows the cut is another answer."""
    unflushed: AnswerCut | None = None
    """It is still played."""
    heard_ms: float = 0.0
    """When an answer was sent or heard last."""

    def carried(self) -> TurnOwnerSide:
        """What of it outlasts a session."""
        return TurnOwnerSide(setup=Setup(handle=self.setup.handle), playing=self.playing)


# --- what happened ----------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class TurnTaken(Observed):
    """The provider says that a turn of the caller's is over."""


@attrs.frozen(eq=False)
class VoiceBegan(Observed):
    """An answer begins, by its id."""

    speech_id: str


@attrs.frozen(eq=False)
class FunctionCalled(Observed):
    call: LoggedFunctionCall


@attrs.frozen(eq=False)
class CallNotAnswered(Observed):
    call: LoggedFunctionCall
    waited_ms: float


@attrs.frozen(eq=False)
class CallEnded(Observed):
    """An answer to a call that waits for none: it was withdrawn, it was answered before, it was never made (None)."""

    call: LoggedFunctionCall | None


@attrs.frozen(eq=False)
class CallsBlocked(Observed):
    """The socket was closed, with `code`, while calls were open; `audio`: pieces of it that were sent meanwhile."""

    code: int
    calls: tuple[LoggedFunctionCall, ...]
    audio: int


@attrs.frozen(eq=False)
class AudioLate(Observed):
    """Sound of an answer after its cut. `how`: played on, played again, or the next answer began out of nothing."""

    cut: AnswerCut
    how: str
    late_ms: float


@attrs.frozen(eq=False)
class TurnEmpty(Observed):
    """Nothing was said in a turn that was awaited; `waited_ms` until something was, or until the end of the session."""

    awaited: Awaited
    waited_ms: float
    is_answered: bool


@attrs.frozen(eq=False)
class SettingsMisplaced(Observed):
    """The settings came twice or late, or something came before them. `other`: the message that they should follow."""

    how: str
    other: Evidence | None
    waited_ms: float = 0.0


@attrs.frozen(eq=False)
class EndingOverlooked(Observed):
    """The end of a connection was announced: it came in mid-call, or the next session was not told what it was."""

    then: Evidence
    is_forgotten: bool


@attrs.frozen(eq=False)
class AnswerOwed(Observed):
    awaited: Awaited
    waited_ms: float
