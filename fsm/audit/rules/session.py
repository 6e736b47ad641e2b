"""Rules about the session: its updates, errors and closes, and what is new on the wire."""

from __future__ import annotations

from functools import partial

from fsm.audit import realtime_errors
from fsm.audit.conversation import LoggedConversation, ProviderError
from fsm.audit.observations import (
    CallsMixed,
    Closed,
    ErrorReported,
    NonsenseNumber,
    RejectionLivedWith,
    UnknownField,
    UnknownType,
    UpdateConfirmed,
    UpdateLost,
    UpdateOpen,
    UpdateRejected,
)
from fsm.audit.record import Evidence
from fsm.audit.rules.rule import AuditRule, RuleJudgement, explained, lines, on
from fsm.audit.spec_links import SpecLink

_UPDATE = SpecLink("effect", "update_session", "update_session needs {when}")
_REJECTED = SpecLink("answer", "session.update_rejected", "a rejected update ends the call with an apology")


# --- updates ----------------------------------------------------------------------------------------------------------


def _early_honoured(confirmed: UpdateConfirmed, conversation: LoggedConversation) -> RuleJudgement | None:
    update, created = confirmed.update, conversation.session.created
    if not update.early:
        return None
    if created is None:
        text = "a session.update on a socket without session.created (a sideband, or a log that begins later)"
        return RuleJudgement(False, f"{text} was honoured", lines(update.evidence, confirmed.confirmed), "sideband")
    text = "a session.update before session.created was honoured"
    return RuleJudgement(False, text, lines(update.evidence, created), "honoured")


def _early_lost(lost: UpdateLost, conversation: LoggedConversation) -> RuleJudgement | None:
    if not lost.update.early:
        return None
    text = "a session.update before session.created was lost: no session.updated, and the session went on without it"
    return RuleJudgement(True, text, lines(lost.update.evidence, conversation.session.created), "lost")


def _early_rejected(rejected: UpdateRejected, conversation: LoggedConversation) -> RuleJudgement | None:
    if rejected.update is None or not rejected.update.early:
        return None
    text = f"a session.update before session.created was rejected: {explained(rejected.error)}"
    return RuleJudgement(True, text, _shown(rejected), "rejected")


def _lost(lost: UpdateLost, conversation: LoggedConversation) -> RuleJudgement | None:
    if lost.update.early:
        return None
    text = "a session.update was never confirmed, and the session went on without it"
    return RuleJudgement(True, text, lines(lost.update.evidence))


def _open(left: UpdateOpen, conversation: LoggedConversation) -> RuleJudgement | None:
    if left.update.early:
        return None
    text = "a session.update has no answer by the end of the session"
    return RuleJudgement(False, text, lines(left.update.evidence))


def _rejected(rejected: UpdateRejected, conversation: LoggedConversation) -> RuleJudgement | None:
    if _is_voice(rejected.error) or (rejected.update is not None and rejected.update.early):
        return None
    return RuleJudgement(True, explained(rejected.error), _shown(rejected), rejected.error.param)


def _lived_with(lived: RejectionLivedWith, conversation: LoggedConversation) -> RuleJudgement | None:
    if _is_voice(lived.error):
        return None
    text = f"the session went on without what was rejected: {lived.responses} responses, {explained(lived.error)}"
    return RuleJudgement(True, text, lines(lived.evidence), "lived with")


def _voice_rejected(rejected: UpdateRejected, conversation: LoggedConversation) -> RuleJudgement | None:
    return RuleJudgement(True, explained(rejected.error), _shown(rejected)) if _is_voice(rejected.error) else None


def _old_voice(lived: RejectionLivedWith, conversation: LoggedConversation) -> RuleJudgement | None:
    if not _is_voice(lived.error):
        return None
    text = f"the session went on with the old voice and without the rest of the update ({lived.responses} responses)"
    return RuleJudgement(True, text, lines(lived.evidence), "lived with")


def _is_voice(error: ProviderError) -> bool:
    return error.code == "cannot_update_voice" or error.message.startswith("Cannot update a conversation's voice")


def _shown(rejected: UpdateRejected) -> tuple[Evidence, ...]:
    return lines(rejected.update.evidence if rejected.update else None, rejected.evidence)


# --- errors and closes ------------------------------------------------------------------------------------------------

_OWN_RULES = frozenset({"response.cancel", "input_audio_buffer.commit", "conversation.item.truncate"})


def _kind(error: ProviderError) -> str:
    if error.about in _OWN_RULES:
        return ""
    if error.code == "beta_api_shape_disabled":
        return "beta-shape"
    if error.code == "session_expired":
        return "session-expired"
    return "refused" if error.code in realtime_errors.REFUSALS else "error"


def _beta_refused(reported: ErrorReported, conversation: LoggedConversation) -> RuleJudgement | None:
    if _kind(reported.error) != "beta-shape":
        return None
    return RuleJudgement(True, explained(reported.error), lines(reported.evidence))


def _closed_for_beta(closed: Closed, conversation: LoggedConversation) -> RuleJudgement | None:
    if "beta_api_shape_disabled" not in closed.reason:
        return None
    text = f"closed with {closed.code} {closed.reason}: {realtime_errors.of_close(closed.code, closed.reason)}"
    return RuleJudgement(True, text, lines(closed.evidence), "closed")


def _reported(kind: str, reported: ErrorReported, conversation: LoggedConversation) -> RuleJudgement | None:
    error, request = reported.error, reported.request
    if _kind(error) != kind:
        return None
    shown = lines(request.evidence if request else None, reported.evidence)
    return RuleJudgement(True, explained(error), shown, error.code)


def _closed(closed: Closed, conversation: LoggedConversation) -> RuleJudgement | None:
    code, reason = closed.code, closed.reason
    if "beta_api_shape_disabled" in reason:
        return None
    harm = code not in realtime_errors.ORDERLY or "maximum duration" in reason
    text = f"closed with {code or 'no code'}{f' {reason}' if reason else ''}: {realtime_errors.of_close(code, reason)}"
    return RuleJudgement(harm, text, lines(closed.evidence), str(code))


# --- what the log is --------------------------------------------------------------------------------------------------


def _mixed(mixed: CallsMixed, conversation: LoggedConversation) -> RuleJudgement:
    text = (
        "events of a session come after the next one has begun: several calls are in this log, one through the other, "
        "and nothing tells them apart; only what the provider itself calls an error is a finding"
    )
    return RuleJudgement(False, text, ())


def _unknown_type(unknown: UnknownType, conversation: LoggedConversation) -> RuleJudgement:
    return RuleJudgement(False, f"event {unknown.name} is not in the vocabulary", lines(unknown.evidence), unknown.name)


def _unknown_field(unknown: UnknownField, conversation: LoggedConversation) -> RuleJudgement:
    return RuleJudgement(False, f"field {unknown.name} is not in the vocabulary", lines(unknown.evidence), unknown.name)


def _nonsense(nonsense: NonsenseNumber, conversation: LoggedConversation) -> RuleJudgement:
    text = f"field {nonsense.name} holds a number beyond all bounds; it was taken for missing"
    return RuleJudgement(False, text, lines(nonsense.evidence), nonsense.name)


_APOLOGY = SpecLink("event", "provider.refused", "an error after which the session is of no use: apology, polite close")
RULES = (
    AuditRule(
        "update-early", "session.update before session.created",
        "What is sent before the provider has spoken may be lost; the call then runs on the defaults: no "
        "instructions, no tools.",
        "waits for session.created, sends its update, and waits for session.updated before anything else.",
        on(UpdateConfirmed, _early_honoured) | on(UpdateLost, _early_lost) | on(UpdateRejected, _early_rejected),
        (_UPDATE, SpecLink("answer", "session.created", "the row that sends the update"),
         SpecLink("deadline", "update_overdue", "an update has {after} to be confirmed")),
    ),
    AuditRule(
        "update-lost", "A session.update without an answer",
        "Nobody knows whether the session has its instructions and tools.",
        "continues after a deadline, in a state that says the session is unconfirmed.",
        on(UpdateLost, _lost) | on(UpdateOpen, _open),
        (SpecLink("deadline", "update_overdue", "an update has {after} to be confirmed"), _UPDATE),
    ),
    AuditRule(
        "update-rejected", "A session.update was rejected",
        "The provider drops the whole update: the session runs without its instructions, tools and formats.",
        "apologizes, closes politely and logs the field; it guesses no dialect.",
        on(UpdateRejected, _rejected) | on(RejectionLivedWith, _lived_with),
        (_REJECTED, SpecLink("event", "session.update_rejected", "what an error about our update is")),
    ),
    AuditRule(
        "voice-change", "A change of voice was rejected",
        "The voice is locked once the agent has spoken; everything else in the same update is dropped with it.",
        "sends one update, before anything is said.",
        on(UpdateRejected, _voice_rejected) | on(RejectionLivedWith, _old_voice), (_UPDATE, _REJECTED),
    ),
    AuditRule(
        "beta-shape", "The provider refused the beta protocol",
        "The provider speaks GA only: one error, then close 4000; there is no call.",
        "speaks GA; refused for good, it apologizes and does not try again.",
        on(ErrorReported, _beta_refused) | on(Closed, _closed_for_beta),
        (_APOLOGY,
         SpecLink("answer", "provider.closed.fatal", "a close that is final")),
    ),
    AuditRule(
        "refused", "The provider refused the session",
        "Key, account or model: another attempt does not help.",
        "apologizes, hangs up politely and does not try again.",
        on(ErrorReported, partial(_reported, "refused")), (_APOLOGY,),
    ),
    AuditRule(
        "session-expired", "The session reached its maximum duration",
        "The provider ends the session in the middle of the call.",
        "opens a new session, gives it what was said, and continues.",
        on(ErrorReported, partial(_reported, "session-expired")),
        (SpecLink("answer", "provider.closed.retryable", "a lost session is opened anew"),),
    ),
    AuditRule(
        "error", "The provider reported an error",
        "Something the client sent was not done.",
        "knows which of its requests an error is about by the event id on each of them.",
        on(ErrorReported, partial(_reported, "error")),
        (SpecLink("event", "error.unrelated", "an error that names nothing of ours releases nothing"),),
    ),
    AuditRule(
        "closed", "How the connection ended",
        "The call has lost its voice.",
        "reconnects where that can help, two times, with the history; apologizes where it cannot.",
        on(Closed, _closed),
        (SpecLink("answer", "provider.closed.retryable", "a lost session is opened anew"),
         SpecLink("answer", "provider.closed.fatal", "what is final ends with an apology")),
    ),
    AuditRule(
        "calls-mixed", "Several calls, one through the other",
        "Whose event it is cannot be told, so nobody can say what was missing.",
        "writes a journal for each call.",
        on(CallsMixed, _mixed),
    ),
    AuditRule(
        "nonsense-number", "A number beyond all bounds",
        "Nobody can make anything of it; it is taken for missing.",
        "takes a field of another type, or out of its range, for missing.",
        on(NonsenseNumber, _nonsense),
    ),
    AuditRule(
        "not-in-vocabulary", "New on the wire",
        "The provider says something this version does not know.",
        "passes it by; nothing waits for it.",
        on(UnknownType, _unknown_type) | on(UnknownField, _unknown_field),
    ),
)  # fmt: skip
