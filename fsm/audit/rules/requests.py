"""Rules about tools, and about what else a client sends: cancels, commits, truncations."""

from __future__ import annotations

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import ResponseState, ToolCall
from fsm.audit.observations import (
    AskedForNothing,
    CommitUnanswered,
    ErrorReported,
    ResponseEnded,
    RoundUnasked,
    ToolAnswered,
    ToolAnsweredEarly,
    ToolUnanswered,
    ToolUnknown,
)
from fsm.audit.record import Evidence, seconds
from fsm.audit.rules.rule import AuditRule, RuleJudgement, explained, lines, on
from fsm.audit.spec_links import SpecLink


def _named(call: ToolCall) -> str:
    return f"{call.name or 'a tool'} ({call.id})"


def _answered_twice(answered: ToolAnswered, conversation: LoggedConversation) -> RuleJudgement | None:
    call = answered.call
    if answered.times < 2:
        return None
    text = f"{_named(call)} was answered {answered.times} times"
    return RuleJudgement(True, text, lines(call.evidence, *call.outputs, answered.evidence))


def _answered_early(answered: ToolAnsweredEarly, conversation: LoggedConversation) -> RuleJudgement:
    call = answered.call
    text = f"the output of {_named(call)} was sent before its parent's response.done; it was taken"
    return RuleJudgement(False, text, lines(call.evidence, answered.evidence, answered.parent_done))


def _never_answered(left: ToolUnanswered, conversation: LoggedConversation) -> RuleJudgement:
    call, turn, dead_air_ms = left.call, conversation.caller.turn, conversation.options.dead_air_ms
    moved_on = turn is not None and turn.at_ms > call.at_ms + dead_air_ms
    parent = conversation.responses.by_id.get(call.response_id)
    shown = conversation.log.sees_items and (parent is None or not parent.begin.unseen)
    hidden = call.followed is not None and not shown  # the agent went on; its output is in what is not logged
    if call.refused is not None:
        text = f"{_named(call)} has no output: the one that was sent was rejected"
        return RuleJudgement(True, text, lines(call.evidence, call.refused), at_ms=call.at_ms)
    # without times: did anything happen after the response that called?
    done_at, later = call.parent_done_at, conversation.log.later_events
    passed = not conversation.has_clock and done_at is not None and later > done_at
    is_long = left.waited_ms > dead_air_ms or moved_on
    harm = (is_long or passed) and not hidden
    after = f"{seconds(left.waited_ms)} later" if harm and is_long else "by the end of the session"
    return RuleJudgement(harm, f"{_named(call)} has no output {after}", lines(call.evidence), at_ms=call.at_ms)


def _unasked(left: RoundUnasked, conversation: LoggedConversation) -> RuleJudgement:
    call = left.call
    harm = left.waited_ms > conversation.options.dead_air_ms
    text = f"the output of {_named(call)} was sent, and nobody asked for an answer"
    text += f" for {seconds(left.waited_ms)}" if harm else " before the session ended"
    return RuleJudgement(harm, text, lines(call.evidence, left.evidence), at_ms=call.answered_ms)


def _of_no_call(unknown: ToolUnknown, conversation: LoggedConversation) -> RuleJudgement:
    text = f"an output for {unknown.call_id or 'no call'}, a call this log does not show"
    return RuleJudgement(False, text, lines(unknown.evidence))


# --- cancels, commits, truncations ------------------------------------------------------------------------------------


def _shown(reported: ErrorReported) -> tuple[Evidence, ...]:
    return lines(reported.request.evidence if reported.request else None, reported.evidence)


def _cancel_refused(reported: ErrorReported, conversation: LoggedConversation) -> RuleJudgement | None:
    if reported.error.about != "response.cancel":
        return None
    return RuleJudgement(True, explained(reported.error), _shown(reported))


def _cancel_let_pass(asked: AskedForNothing, conversation: LoggedConversation) -> RuleJudgement | None:
    if asked.request.type != "response.cancel":
        return None
    return RuleJudgement(False, "a cancel when nothing was active was let pass", lines(asked.request.evidence))


def _cancel_hit_next(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    response, before = ended.response, ended.response.begin.cancelled_before
    is_cancelled = response.state is ResponseState.CANCELLED and response.reason == "client_cancelled"
    if before is None or response.cancel is not None or not is_cancelled:
        return None
    text = f"a cancel without a response id, sent when nothing was active, hit the next response: {response.id}"
    return RuleJudgement(True, text, lines(before, response.evidence, ended.evidence), "hit the next")


def _commit_in_vad(asked: AskedForNothing, conversation: LoggedConversation) -> RuleJudgement | None:
    if asked.request.type != "input_audio_buffer.commit":
        return None
    text = f"a commit although {conversation.session.mode.vad} commits by itself"
    return RuleJudgement(False, text, lines(asked.request.evidence), "in VAD mode")


def _commit_open(left: CommitUnanswered, conversation: LoggedConversation) -> RuleJudgement | None:
    if left.request.idle:
        return None
    text = f"a commit has neither input_audio_buffer.committed nor an error {seconds(left.waited_ms)} later"
    return RuleJudgement(conversation.timed, text, lines(left.request.evidence), "unanswered")


def _commit_refused(reported: ErrorReported, conversation: LoggedConversation) -> RuleJudgement | None:
    if reported.error.about != "input_audio_buffer.commit":
        return None
    request = reported.request
    mode = " in VAD mode" if request is not None and request.idle else ""
    had = f" after {request.note} of audio" if request is not None else ""
    return RuleJudgement(True, f"a commit{mode}{had}: {explained(reported.error)}", _shown(reported))


def _truncation_refused(reported: ErrorReported, conversation: LoggedConversation) -> RuleJudgement | None:
    if reported.error.about != "conversation.item.truncate":
        return None
    at = f"truncated at {reported.request.note}: " if reported.request is not None else ""
    return RuleJudgement(False, at + explained(reported.error), _shown(reported))


_ASK = SpecLink("emitter", "create_response", "the row that asks when the outputs of a round are there")
_SEEN = SpecLink("event", "tool.called.seen", "a call is run once")
_LATE = SpecLink("event", "tool.returned.late", "a second result for a call is not an event")
RULES = (
    AuditRule(
        "tool-answered-twice", "A tool call was answered twice",
        "The model reads two results, or the second is rejected; often the tool itself ran twice.",
        "runs a call once, by its id, and takes one result.",
        on(ToolAnswered, _answered_twice), (_SEEN, _LATE),
    ),
    AuditRule(
        "tool-answered-early", "A tool output before its parent's response.done",
        "It is taken, but a create sent with it collides with the response that called.",
        "sends the output at once, too; only the create waits.",
        on(ToolAnsweredEarly, _answered_early), (_ASK,),
    ),
    AuditRule(
        "tool-unanswered", "A tool call was never answered",
        "The model waits for a result and says nothing.",
        "answers in the tool's place when its deadline passes.",
        on(ToolUnanswered, _never_answered),
        (SpecLink("deadline", "tools_overdue", "tools have {after}; then they are answered for"),),
    ),
    AuditRule(
        "tool-round-unasked", "Silence after a tool result",
        "The provider does not go on by itself after a tool's output: nobody asked it to.",
        "asks as soon as all outputs of a round are there and nobody speaks.",
        on(RoundUnasked, _unasked), (_ASK, SpecLink("greeting", "", "tools: an answer is owed after them")),
    ),
    AuditRule(
        "tool-unknown", "A tool output for no call",
        "The provider may reject it, and the round stays without its result.",
        "answers calls it has seen, and no others.",
        on(ToolUnknown, _of_no_call), (_LATE,),
    ),
    AuditRule(
        "cancel-of-nothing", "A cancel of nothing",
        "Rejected at best; a cancel without an id hits whatever response comes next.",
        "cancels by id, and only what is active.",
        on(ErrorReported, _cancel_refused) | on(AskedForNothing, _cancel_let_pass)
        | on(ResponseEnded, _cancel_hit_next),
        (SpecLink("effect", "cancel_response", "cancel_response needs {when}"),),
    ),
    AuditRule(
        "commit", "A commit of too little, or of what the provider commits itself",
        "The turn is not there: nothing is committed and nothing answered.",
        "commits only where it holds the turns, and never less than 100 ms.",
        on(ErrorReported, _commit_refused) | on(AskedForNothing, _commit_in_vad) | on(CommitUnanswered, _commit_open),
        (SpecLink("effect", "commit_audio", "commit_audio needs {when}"),
         SpecLink("deadline", "commit_overdue", "a commit has {after}")),
    ),
    AuditRule(
        "truncate-beyond", "A truncation beyond the end",
        "Nothing is truncated, and nothing had to be: the caller notices nothing of it.",
        "truncates to what was heard, never beyond what was received less 85 ms.",
        on(ErrorReported, _truncation_refused),
        (SpecLink("effect", "truncate_items", "each item is cut to min(heard, received less the margin)"),),
    ),
)  # fmt: skip
