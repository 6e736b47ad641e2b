"""What may happen in a conversation, as values: one small class for each, and the union of them all.

Tracking gives observations, rules judge them; each holds what it happened to and nothing else. Those of `OF_THE_END`
are given when a session is over: what was waited for did not come.
"""

from __future__ import annotations

import attrs

from fsm.audit.conversation import ProviderError, Update
from fsm.audit.exchange import CallerTurn, ClientRequest, Create, CreateBurst, Cut, Response, ToolCall
from fsm.audit.live_side import DelegatedCall
from fsm.audit.observed import Observed
from fsm.audit.record import Evidence
from fsm.audit.turn_owner import (
    AnswerOwed,
    AudioLate,
    CallEnded,
    CallNotAnswered,
    CallsBlocked,
    EndingOverlooked,
    FunctionCalled,
    SettingsMisplaced,
    TurnEmpty,
    TurnTaken,
    VoiceBegan,
)

# --- creates ----------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class CreateSent(Observed):
    create: Create


@attrs.frozen(eq=False)
class CreateAccepted(Observed):
    create: Create
    response: Response


@attrs.frozen(eq=False)
class CreateRejected(Observed):
    """`create` is None if the log does not show it; `response` is what was active."""

    error: ProviderError
    create: Create | None
    response: Response | None


@attrs.frozen(eq=False)
class CreateUnanswered(Observed):
    create: Create
    waited_ms: float


@attrs.frozen(eq=False)
class BurstEnded(Observed):
    burst: CreateBurst
    rejected: int


# --- responses --------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class ResponseBegan(Observed):
    response: Response


@attrs.frozen(eq=False)
class ResponseEnded(Observed):
    """`failure` is the message of the error it ended with."""

    response: Response
    failure: str


@attrs.frozen(eq=False)
class ResponseStuck(Observed):
    response: Response
    waited_ms: float


@attrs.frozen(eq=False)
class AnswersCut(Observed):
    """At the end of a session: so many of its answers were cut by a turn; `at_once`: right after they began."""

    cut: tuple[Evidence, ...]
    answers: int
    at_once: bool


@attrs.frozen(eq=False)
class AnswerIncomplete(Observed):
    """At the end of a session: an answer that a limit or a filter cut in the middle. Was it continued?"""

    response: Response
    continued: bool


@attrs.frozen(eq=False)
class AnswerSilent(Observed):
    """At the end of a session: an answer without a sound. Was the caller given another one?"""

    response: Response
    made_good: bool


@attrs.frozen(eq=False)
class CallSilent(Observed):
    """A call of ours in which the caller never heard anything."""

    lasted_ms: float


@attrs.frozen(eq=False)
class CreatesAfterCommits(Observed):
    """At the end of a session whose provider answers turns by itself: creates that followed commits."""

    creates: tuple[Evidence, ...]
    rejected: int


@attrs.frozen(eq=False)
class AudioBegan(Observed):
    response: Response
    quiet_since_ms: float


@attrs.frozen(eq=False)
class AudioResumed(Observed):
    response: Response
    quiet_since_ms: float


@attrs.frozen(eq=False)
class PlayedAfterCut(Observed):
    response: Response
    cut: Cut


# --- turns ------------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class TurnBegan(Observed):
    turn: CallerTurn


@attrs.frozen(eq=False)
class TurnEnded(Observed):
    turn: CallerTurn
    stopped: Evidence


@attrs.frozen(eq=False)
class TurnCommitted(Observed):
    turn: CallerTurn


@attrs.frozen(eq=False)
class TurnAnswered(Observed):
    turn: CallerTurn
    response: Response
    waited_ms: float


@attrs.frozen(eq=False)
class TurnLeft(Observed):
    """Nobody has answered a turn. `spoke_again` is where the caller went on, None at the end of a session."""

    turn: CallerTurn
    spoke_again: Evidence | None
    waited_ms: float


@attrs.frozen(eq=False)
class TurnEndless(Observed):
    turn: CallerTurn
    lasted_ms: float


@attrs.frozen(eq=False)
class TurnCutOff(Observed):
    """The client had committed a turn while the caller was still speaking, and the agent began to answer."""

    turn: CallerTurn
    response: Response
    overlap_ms: float


@attrs.frozen(eq=False)
class TurnsEmpty(Observed):
    """At the end of a session: turns in which nobody said anything."""

    turns: tuple[CallerTurn, ...]


@attrs.frozen(eq=False)
class TranscriptionsFailed(Observed):
    """At the end of a session: transcriptions that failed, and how many did not."""

    failed: tuple[Evidence, ...]
    succeeded: int


@attrs.frozen(eq=False)
class GreetingMissing(Observed):
    """A session is over in which nobody said anything."""


# --- tools ------------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class ToolCalled(Observed):
    call: ToolCall


@attrs.frozen(eq=False)
class ToolLooped(Observed):
    """At the end of a loop: the same call with the same arguments, again and again, nothing said between."""

    calls: tuple[ToolCall, ...]


@attrs.frozen(eq=False)
class ToolAnswered(Observed):
    call: ToolCall
    times: int


@attrs.frozen(eq=False)
class ToolAnsweredEarly(Observed):
    call: ToolCall
    parent_done: Evidence


@attrs.frozen(eq=False)
class ToolUnknown(Observed):
    call_id: str


@attrs.frozen(eq=False)
class ToolUnanswered(Observed):
    call: ToolCall
    waited_ms: float


@attrs.frozen(eq=False)
class RoundUnasked(Observed):
    call: ToolCall
    waited_ms: float


# --- the session, errors, other requests ------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class UpdateConfirmed(Observed):
    update: Update
    confirmed: Evidence


@attrs.frozen(eq=False)
class FormatDiffers(Observed):
    """The session has another audio format than was asked for. `side` is input or output."""

    update: Update
    side: str
    asked: str
    got: str


@attrs.frozen(eq=False)
class UpdateRejected(Observed):
    error: ProviderError
    update: Update | None


@attrs.frozen(eq=False)
class UpdateLost(Observed):
    update: Update


@attrs.frozen(eq=False)
class UpdateOpen(Observed):
    """No answer by the end of the session, which ended soon."""

    update: Update


@attrs.frozen(eq=False)
class RejectionLivedWith(Observed):
    error: ProviderError
    responses: int


@attrs.frozen(eq=False)
class ErrorReported(Observed):
    error: ProviderError
    request: ClientRequest | None


@attrs.frozen(eq=False)
class AskedForNothing(Observed):
    """A request for which there was nothing it could have been for, and nobody has rejected it."""

    request: ClientRequest


@attrs.frozen(eq=False)
class CommitUnanswered(Observed):
    request: ClientRequest
    waited_ms: float


@attrs.frozen(eq=False)
class Closed(Observed):
    code: int
    reason: str


@attrs.frozen(eq=False)
class UnknownType(Observed):
    name: str


@attrs.frozen(eq=False)
class UnknownField(Observed):
    name: str


@attrs.frozen(eq=False)
class NonsenseNumber(Observed):
    """A field that holds a number beyond all bounds: it is taken for missing."""

    name: str


@attrs.frozen(eq=False)
class CallsMixed(Observed):
    """Several calls are in a log, and nothing tells them apart."""


# --- GPT-Live ---------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class BatchPartial(Observed):
    """A continuation while calls had no output; `given`: outputs that were there."""

    missing: tuple[DelegatedCall, ...]
    given: int


@attrs.frozen(eq=False)
class ContinuedWithoutOutputs(Observed):
    missing: tuple[DelegatedCall, ...]


@attrs.frozen(eq=False)
class OutputVoid(Observed):
    """An output for a call of a response that had failed."""

    call: DelegatedCall


@attrs.frozen(eq=False)
class DelegationUnanswered(Observed):
    """`what` of it: the delegation, a call, a round, its continuation."""

    what: str
    waited_ms: float


@attrs.frozen(eq=False)
class LiveSilent(Observed):
    """The model was not heard after words of the caller's, or after it was asked to speak."""

    waited_ms: float


@attrs.frozen(eq=False)
class SpeechLate(Observed):
    late_ms: float


Observation = (
    CreateSent | CreateAccepted | CreateRejected | CreateUnanswered | BurstEnded | ResponseBegan | ResponseEnded
    | ResponseStuck | AnswersCut | AudioBegan | AudioResumed | PlayedAfterCut | TurnBegan | TurnEnded | TurnCommitted
    | TurnAnswered | TurnLeft | TurnEndless | GreetingMissing | ToolCalled | ToolAnswered | ToolAnsweredEarly
    | ToolUnknown | ToolUnanswered | RoundUnasked | UpdateConfirmed | UpdateRejected | UpdateLost | UpdateOpen
    | RejectionLivedWith | ErrorReported | AskedForNothing | CommitUnanswered | Closed | UnknownType | UnknownField
    | NonsenseNumber | CallsMixed | AnswerIncomplete | AnswerSilent | CallSilent | CreatesAfterCommits | TurnCutOff
    | TurnsEmpty | TranscriptionsFailed | ToolLooped | FormatDiffers | BatchPartial | ContinuedWithoutOutputs
    | OutputVoid | DelegationUnanswered | LiveSilent | SpeechLate | AnswerOwed | AudioLate | CallEnded
    | CallNotAnswered | CallsBlocked | EndingOverlooked | FunctionCalled | SettingsMisplaced | TurnEmpty | TurnTaken
    | VoiceBegan
)  # fmt: skip
OF_THE_END = (
    ResponseStuck, AnswersCut, CreateUnanswered, TurnLeft, TurnEndless, CommitUnanswered, AskedForNothing,
    GreetingMissing, AnswerIncomplete, AnswerSilent, CallSilent, CreatesAfterCommits, TurnsEmpty, TranscriptionsFailed,
    ToolUnanswered, RoundUnasked, UpdateLost, UpdateOpen, RejectionLivedWith, DelegationUnanswered, LiveSilent,
    AnswerOwed, CallNotAnswered, EndingOverlooked, TurnEmpty,
)  # fmt: skip
