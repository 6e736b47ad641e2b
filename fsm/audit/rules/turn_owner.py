"""Rules about providers that own their turns (Deepgram, Gemini Live): settings, calls, late audio, silence."""

from __future__ import annotations

from fsm.audit.conversation import LoggedConversation
from fsm.audit.record import seconds
from fsm.audit.rules.rule import AuditRule, RuleJudgement, lines, on
from fsm.audit.spec_links import SpecLink
from fsm.audit.turn_owner import (
    AnswerOwed,
    AudioLate,
    CallEnded,
    CallNotAnswered,
    CallsBlocked,
    EndingOverlooked,
    SettingsMisplaced,
    TurnEmpty,
)

_SETTINGS = SpecLink("effect", "start_session", "start_session needs {when}")
_CALLS = SpecLink("deadline", "tools_overdue", "calls are answered after {after} at the latest")
_WITHDRAWN = SpecLink("answer", "tool.withdrawn.running", "a call that is withdrawn is not answered")
_CUT = SpecLink("answer", "user.started_speaking.over", "what the provider drops is flushed at once")
_ANSWER = SpecLink("deadline", "answer_overdue", "an answer is asked for again after {after}")
_RENEWAL = SpecLink("deadline", "renewal_due", "a session that ends soon is replaced in the next quiet moment")
_HOW_LATE = {
    "on": "went on",
    "again": "was played again",
    "began": "came as if it were the next answer, of which nothing had been said,",
}


def _misplaced(found: SettingsMisplaced, _: LoggedConversation) -> RuleJudgement:
    where = lines(found.other, found.evidence)
    if found.how == "twice":
        return RuleJudgement(True, "the settings of a session were sent a second time", where, found.how)
    if found.how == "late":
        text = f"the settings were sent {seconds(found.waited_ms)} after the socket had opened"
        return RuleJudgement(True, text, where, found.how)
    return RuleJudgement(True, f"{found.evidence.type} was sent before the settings", where, "not first")


def _unanswered(found: CallNotAnswered, _: LoggedConversation) -> RuleJudgement:
    text = f"a call of '{found.call.name or '?'}' had no answer in {seconds(found.waited_ms)}"
    return RuleJudgement(True, text, lines(found.evidence), found.call.name)


def _in_vain(found: CallEnded, _: LoggedConversation) -> RuleJudgement:
    call = found.call
    if call is None:
        return RuleJudgement(True, "an answer to a call that was never made", lines(found.evidence), "unknown")
    if call.withdrawn is not None:
        text = f"a call of '{call.name or '?'}' was answered after it had been withdrawn"
        return RuleJudgement(True, text, lines(call.evidence, call.withdrawn, found.evidence), "withdrawn")
    text = f"a call of '{call.name or '?'}' was answered a second time"
    return RuleJudgement(True, text, lines(call.evidence, call.answered, found.evidence), "twice")


def _blocked(found: CallsBlocked, _: LoggedConversation) -> RuleJudgement:
    names = ", ".join(call.name or "?" for call in found.calls)
    text = f"the provider closed with {found.code} while calls were open ({names})"
    text += f", during which the caller's audio was sent {found.audio} times" if found.audio else ""
    return RuleJudgement(True, text, lines(*(call.evidence for call in found.calls), found.evidence))


def _late(found: AudioLate, _: LoggedConversation) -> RuleJudgement:
    text = f"an answer that the provider had dropped {_HOW_LATE[found.how]} {seconds(found.late_ms)} later"
    return RuleJudgement(True, text, lines(found.cut.evidence, found.evidence), found.how)


def _empty(found: TurnEmpty, conversation: LoggedConversation) -> RuleJudgement:
    harm = found.waited_ms > conversation.options.dead_air_ms
    then = "and something was said after" if found.is_answered else "and nothing was said in the"
    text = f"a turn ended without a word after {found.awaited.what}, {then} {seconds(found.waited_ms)}"
    return RuleJudgement(harm, text, lines(found.awaited.evidence, found.evidence))


def _overlooked(found: EndingOverlooked, _: LoggedConversation) -> RuleJudgement:
    if found.is_forgotten:
        text = "a session began anew, without the handle there was, and without what had been said"
        return RuleJudgement(True, text, lines(found.evidence), "not taken up")
    text = "the provider had said that the connection would end, and it ended before another had taken its place"
    return RuleJudgement(True, text, lines(found.evidence, found.then), "in mid-call")


def _owed(found: AnswerOwed, _: LoggedConversation) -> RuleJudgement:
    text = f"{seconds(found.waited_ms)} of silence after {found.awaited.what}"
    return RuleJudgement(True, text, lines(found.evidence), found.awaited.what)


RULES: tuple[AuditRule, ...] = (
    AuditRule(
        "settings-misplaced", "The settings of a session were not its first and only message",
        "The provider takes them once, before anything else; what comes otherwise ends the session.",
        "turnspec sends them when the session is open, and the rest when they are confirmed.",
        on(SettingsMisplaced, _misplaced), (_SETTINGS,),
    ),
    AuditRule(
        "call-unanswered", "A function call that nobody answered",
        "The provider goes on when each call has its answer; until then the caller hears nothing.",
        "turnspec answers every call by its id, and tells the model at a deadline that a tool has failed.",
        on(CallNotAnswered, _unanswered), (_CALLS,),
    ),
    AuditRule(
        "call-answered-in-vain", "A result for a call that did not wait for one",
        "The provider drops it or closes; what the tool has done for a caller who changed his mind stays done.",
        "turnspec stops a call that is withdrawn and answers each of the others once.",
        on(CallEnded, _in_vain), (_WITHDRAWN,),
    ),
    AuditRule(
        "call-blocked", "The session was closed while a call held the model up",
        "Audio, or a result, that comes while a blocking call is open can end the session.",
        "turnspec holds the caller's audio back while such a call is open, for so long as it may.",
        on(CallsBlocked, _blocked), (_CALLS,),
    ),
    AuditRule(
        "audio-after-cut", "An answer went on after the provider had dropped it",
        "The agent talks over the caller, with words that the model believes nobody has heard.",
        "turnspec flushes at once and drops late audio until the next answer begins.",
        on(AudioLate, _late), (_CUT,),
    ),
    AuditRule(
        "turn-empty", "A turn in which the model said nothing",
        "The caller waits for an answer that has ended already.",
        "turnspec asks again at a deadline, then opens another session.",
        on(TurnEmpty, _empty), (_ANSWER,),
    ),
    AuditRule(
        "ending-overlooked", "The end of a connection was announced and not prepared for",
        "The call breaks off in the middle, or goes on with a model that has forgotten it.",
        "turnspec replaces the session in a quiet moment, by its handle or with what was said.",
        on(EndingOverlooked, _overlooked), (_RENEWAL,),
    ),
    AuditRule(
        "answer-owed", "The model was to speak and was not heard",
        "The caller hears nothing, and does not know whether anybody is there.",
        "turnspec asks twice, then opens another session with what was said.",
        on(AnswerOwed, _owed), (_ANSWER,),
    ),
)  # fmt: skip
