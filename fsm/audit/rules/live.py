"""Rules about GPT-Live: rounds of tools that are refused, work that is never answered, silence, late speech."""

from __future__ import annotations

from fsm.audit.conversation import LoggedConversation
from fsm.audit.observations import (
    BatchPartial,
    ContinuedWithoutOutputs,
    DelegationUnanswered,
    LiveSilent,
    OutputVoid,
    SpeechLate,
)
from fsm.audit.rules.rule import AuditRule, RuleJudgement, lines, on
from fsm.audit.spec_links import SpecLink

_ROUND = SpecLink("effect", "continue_delegation", "continue_delegation needs {when}")
_VOID = SpecLink("answer", "delegation.ended.failed", "the calls of a failed response are void")
_WORK = SpecLink("deadline", "delegation_overdue", "a delegation is waited for {after}")
_ANSWER = SpecLink("deadline", "answer_overdue", "an answer is asked for again after {after}")


def _partial(batch: BatchPartial, _: LoggedConversation) -> RuleJudgement:
    names = ", ".join(call.name or "?" for call in batch.missing)
    text = f"a continuation with {batch.given} outputs, and {len(batch.missing)} calls had none ({names}): refused"
    return RuleJudgement(True, text, lines(*(call.evidence for call in batch.missing), batch.evidence))


def _empty(found: ContinuedWithoutOutputs, _: LoggedConversation) -> RuleJudgement:
    if not found.missing:
        return RuleJudgement(True, "a continuation, and no call was open: it is refused", lines(found.evidence), "none")
    text = f"a continuation before any output of {len(found.missing)} open calls: it is refused"
    return RuleJudgement(True, text, lines(*(call.evidence for call in found.missing), found.evidence), "early")


def _void(found: OutputVoid, _: LoggedConversation) -> RuleJudgement:
    text = f"an output for '{found.call.name or '?'}', whose response had failed: it is refused"
    return RuleJudgement(True, text, lines(found.call.evidence, found.evidence))


def _unanswered(found: DelegationUnanswered, _: LoggedConversation) -> RuleJudgement:
    text = f"{found.what} was not answered in {found.waited_ms / 1000:.1f} s"
    return RuleJudgement(True, text, lines(found.evidence), found.what)


def _silent(found: LiveSilent, _: LoggedConversation) -> RuleJudgement:
    who = "the caller's words" if found.evidence.type == "session.input_transcript.delta" else "what it was to say"
    text = f"{found.waited_ms / 1000:.1f} s of silence after {who}"
    return RuleJudgement(True, text, lines(found.evidence), who)


def _late(found: SpeechLate, _: LoggedConversation) -> RuleJudgement:
    text = f"the last of what the model said was played {found.late_ms / 1000:.1f} s after it had ended"
    return RuleJudgement(True, text, lines(found.evidence))


RULES: tuple[AuditRule, ...] = (
    AuditRule(
        "partial-batch", "A round of tools that was continued in part",
        "The provider refuses the continuation, and an unanswered call holds every later one.",
        "turnspec sends every output of a round and then one continuation.",
        on(BatchPartial, _partial), (_ROUND,),
    ),
    AuditRule(
        "continuation-without-outputs", "A continuation with nothing to continue",
        "The provider refuses it; the caller waits for an answer that nobody makes.",
        "turnspec continues once, when all outputs of the round are there.",
        on(ContinuedWithoutOutputs, _empty), (_ROUND,),
    ),
    AuditRule(
        "output-void", "An output for a response that had failed",
        "The calls of a failed response are discarded, and an output for one is refused.",
        "turnspec forgets such calls and tells the voice model that the work has failed.",
        on(OutputVoid, _void), (_VOID,),
    ),
    AuditRule(
        "delegation-unanswered", "Work that the model delegated, and nobody answered",
        "The model has promised something to the caller and never hears of it.",
        "turnspec gives a delegation a deadline and then tells the model that it has failed.",
        on(DelegationUnanswered, _unanswered), (_WORK,),
    ),
    AuditRule(
        "live-silence", "The model was to speak and was not heard",
        "The caller hears nothing, and does not know whether anybody is there.",
        "turnspec asks twice, then opens another session with what was said.",
        on(LiveSilent, _silent), (_ANSWER,),
    ),
    AuditRule(
        "drift", "What the model says is heard too late",
        "A queue that only grows shifts the whole call: both sides talk over each other.",
        "turnspec drops silence, never speech, until it has caught up.",
        on(SpeechLate, _late), (SpecLink("event", "voice.ended.current", "where an utterance ends"),),
    ),
)  # fmt: skip
