"""Rules about the session: its updates, errors and closes, and what is new on the wire.

Never here: bookkeeping.
"""

from __future__ import annotations

from fsm.audit import explain
from fsm.audit.anchors import Anchor
from fsm.audit.rule import Judge, Rule, Verdict, lines, told
from fsm.audit.talk import Fault, Moment, Talk

_UPDATE = Anchor("effect", "update_session", "update_session needs {when}")
_REJECTED = Anchor("cell", "configuring", "a rejected update ends the call with an apology", "session.update_rejected")


def _judge_early(moment: Moment, talk: Talk) -> Verdict | None:
    update = moment.update
    if update is None or not update.early:
        return None
    if moment.name == "update_confirmed":
        if talk.created is None:
            text = "a session.update on a socket without session.created (a sideband, or a log that begins later)"
            return Verdict(False, f"{text} was honoured", lines(update.evidence, moment.before), "sideband")
        text = "a session.update before session.created was honoured"
        return Verdict(False, text, lines(update.evidence, talk.created), "honoured")
    if moment.name == "update_lost":
        text = (
            "a session.update before session.created was lost: no session.updated, and the session went on without it"
        )
        return Verdict(True, text, lines(update.evidence, talk.created), "lost")
    text = f"a session.update before session.created was rejected: {told(moment.fault)}"
    return Verdict(True, text, lines(update.evidence, moment.evidence), "rejected")


def _judge_lost(moment: Moment, talk: Talk) -> Verdict | None:
    update = moment.update
    if update is None or update.early:
        return None
    del talk
    shown = lines(update.evidence)
    if moment.name == "update_open":
        return Verdict(False, "a session.update has no answer by the end of the session", shown)
    return Verdict(True, "a session.update was never confirmed, and the session went on without it", shown)


def _judge_rejected(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    fault = moment.fault
    if fault is None or _is_voice(fault) or (moment.update is not None and moment.update.early):
        return None
    if moment.name == "lived_with":
        text = f"the session went on without what was rejected: {moment.count} responses, {told(fault)}"
        return Verdict(True, text, lines(moment.evidence), "lived with")
    update = moment.update
    return Verdict(True, told(fault), lines(update.evidence if update else None, moment.evidence), fault.param)


def _is_voice(fault: Fault) -> bool:
    return fault.code == "cannot_update_voice" or fault.message.startswith("Cannot update a conversation's voice")


def _judge_voice(moment: Moment, talk: Talk) -> Verdict | None:
    fault, update = moment.fault, moment.update
    if fault is None or not _is_voice(fault):
        return None
    del talk
    if moment.name == "lived_with":
        return Verdict(True, f"the session went on with the old voice and without the rest of the update "
                       f"({moment.count} responses)", lines(moment.evidence), "lived with")  # fmt: skip
    return Verdict(True, told(fault), lines(update.evidence if update else None, moment.evidence))


_OWN_RULES = frozenset({"response.cancel", "input_audio_buffer.commit", "conversation.item.truncate"})


def _kind(fault: Fault) -> str:
    if fault.about in _OWN_RULES:
        return ""
    if fault.code == "beta_api_shape_disabled":
        return "beta-shape"
    if fault.code == "session_expired":
        return "session-expired"
    return "refused" if fault.code in explain.REFUSALS else "error"


def _judge_beta(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    if moment.name == "closed":
        if "beta_api_shape_disabled" not in moment.text:
            return None
        text = f"closed with {moment.count} {moment.text}: {explain.of_close(moment.count, moment.text)}"
        return Verdict(True, text, lines(moment.evidence), "closed")
    if moment.fault is None or _kind(moment.fault) != "beta-shape":
        return None
    return Verdict(True, told(moment.fault), lines(moment.evidence))


def _judge_error(kind: str) -> Judge:
    def judge(moment: Moment, talk: Talk) -> Verdict | None:
        del talk
        fault = moment.fault
        if fault is None or _kind(fault) != kind:
            return None
        asked = moment.asked
        return Verdict(True, told(fault), lines(asked.evidence if asked else None, moment.evidence), fault.code)

    return judge


def _judge_close(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    if "beta_api_shape_disabled" in moment.text:
        return None
    harm = moment.count not in explain.ORDERLY or "maximum duration" in moment.text
    reason = f" {moment.text}" if moment.text else ""
    text = f"closed with {moment.count or 'no code'}{reason}: {explain.of_close(moment.count, moment.text)}"
    return Verdict(harm, text, lines(moment.evidence), str(moment.count))


def _judge_mixed(moment: Moment, talk: Talk) -> Verdict | None:
    del moment, talk
    text = (
        "events of a session come after the next one has begun: several calls are in this log, one through the other, "
        "and nothing tells them apart; only what the provider itself calls an error is told as a finding"
    )
    return Verdict(False, text, ())


def _judge_strange(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    what = "event" if moment.name == "unknown_type" else "field"
    return Verdict(False, f"{what} {moment.text} is not in the vocabulary", lines(moment.evidence), moment.text)


_APOLOGY = Anchor("event", "provider.refused", "an error after which the session is of no use: apology, polite close")
RULES = (
    Rule(
        "update-early", "session.update before session.created",
        "What is sent before the provider has spoken may be lost; the call then runs on the defaults: no "
        "instructions, no tools.",
        "waits for session.created, sends its update, and waits for session.updated before anything else.",
        ("update_confirmed", "update_lost", "update_rejected"), _judge_early,
        (_UPDATE, Anchor("cell", "awaiting_session_created", "the row that sends the update", "session.created"),
         Anchor("deadline", "update_overdue", "an update has {after} to be confirmed")),
    ),
    Rule(
        "update-lost", "A session.update without an answer",
        "Nobody knows whether the session has its instructions and tools.",
        "goes on after a deadline, in a state that says the session is unconfirmed.",
        ("update_lost", "update_open"), _judge_lost,
        (Anchor("deadline", "update_overdue", "an update has {after} to be confirmed"), _UPDATE),
    ),
    Rule(
        "update-rejected", "A session.update was rejected",
        "The provider drops the whole update: the session runs without its instructions, tools and formats.",
        "apologizes, closes politely and logs the field; it guesses no dialect.",
        ("update_rejected", "lived_with"), _judge_rejected,
        (_REJECTED, Anchor("event", "session.update_rejected", "what an error about our update is")),
    ),
    Rule(
        "voice-change", "A change of voice was rejected",
        "The voice is locked once the agent has spoken; everything else in the same update is dropped with it.",
        "sends one update, before anything is said.",
        ("update_rejected", "lived_with"), _judge_voice, (_UPDATE, _REJECTED),
    ),
    Rule(
        "beta-shape", "The provider refused the beta protocol",
        "The provider speaks GA only: one error, then close 4000; no call comes about.",
        "speaks GA; refused for what cannot be mended, it apologizes and does not try again.",
        ("error", "closed"), _judge_beta,
        (_APOLOGY,
         Anchor("cell", "awaiting_session_created", "a close that cannot be mended", "provider.closed.fatal")),
    ),
    Rule(
        "refused", "The provider refused the session",
        "Key, account or model: another attempt does not help.",
        "apologizes, hangs up politely and does not try again.",
        ("error",), _judge_error("refused"), (_APOLOGY,),
    ),
    Rule(
        "session-expired", "The session reached its maximum duration",
        "The provider ends the session in the middle of the call.",
        "opens a new session, tells it what was said, and goes on.",
        ("error",), _judge_error("session-expired"),
        (Anchor("cell", "configured", "a lost session is opened anew", "provider.closed.retryable"),),
    ),
    Rule(
        "error", "The provider reported an error",
        "Something the client sent was not done.",
        "knows which of its requests an error is about by the event id on each of them.",
        ("error",), _judge_error("error"),
        (Anchor("event", "error.unrelated", "an error that names nothing of ours releases nothing"),),
    ),
    Rule(
        "closed", "How the connection ended",
        "The call has lost its voice.",
        "reconnects what can be mended, two times, with the history; apologizes where it cannot.",
        ("closed",), _judge_close,
        (Anchor("cell", "responding", "a lost session is opened anew", "provider.closed.retryable"),
         Anchor("cell", "responding", "what cannot be mended ends with an apology", "provider.closed.fatal")),
    ),
    Rule(
        "calls-mixed", "Several calls, one through the other",
        "Whose event it is cannot be told, so nobody can say what was missing.",
        "writes a journal for each call.",
        ("mixed",), _judge_mixed,
    ),
    Rule(
        "not-in-vocabulary", "New on the wire",
        "The provider says something this version does not know.",
        "passes it by; nothing waits for it.",
        ("unknown_type", "unknown_field"), _judge_strange,
    ),
)  # fmt: skip
