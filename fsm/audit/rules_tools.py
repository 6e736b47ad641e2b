"""Rules about tools, and about what else a client sends: cancels, commits, truncations.

Never here: bookkeeping.
"""

from __future__ import annotations

from fsm.audit.anchors import Anchor
from fsm.audit.record import seconds
from fsm.audit.rule import Rule, Verdict, lines, told
from fsm.audit.talk import Moment, Talk


def _judge_tool_twice(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    call = moment.call
    if call is None or moment.count < 2:
        return None
    return Verdict(True, f"{call.name or 'a tool'} ({call.id}) was answered {moment.count} times",
                   lines(call.evidence, *call.outputs, moment.evidence))  # fmt: skip


def _judge_tool_early(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    call = moment.call
    if call is None:
        return None
    text = f"the output of {call.name or 'a tool'} ({call.id}) was sent before its parent's response.done; it was taken"
    return Verdict(False, text, lines(call.evidence, moment.evidence, moment.before))


def _judge_tool_open(moment: Moment, talk: Talk) -> Verdict | None:
    call = moment.call
    if call is None:
        return None
    moved_on = talk.turn is not None and talk.turn.at_ms > call.at_ms + talk.options.dead_air_ms
    parent = talk.responses.get(call.response_id)
    shown = talk.sees_items and (parent is None or not parent.unseen)
    hidden = call.followed is not None and not shown  # the agent went on; its output is in what is not logged
    harm = (moment.ms > talk.options.dead_air_ms or moved_on) and not hidden
    text = f"{call.name or 'a tool'} ({call.id}) has no output {seconds(moment.ms)} later"
    if not harm:
        text = f"{call.name or 'a tool'} ({call.id}) has no output by the end of the session"
    return Verdict(harm, text, lines(call.evidence), at_ms=call.at_ms)


def _judge_round(moment: Moment, talk: Talk) -> Verdict | None:
    call = moment.call
    if call is None:
        return None
    harm = moment.ms > talk.options.dead_air_ms
    text = f"the output of {call.name or 'a tool'} ({call.id}) was sent, and nobody asked for an answer"
    text += f" for {seconds(moment.ms)}" if harm else " before the session ended"
    return Verdict(harm, text, lines(call.evidence, moment.evidence), at_ms=call.answered_ms)


def _judge_tool_unknown(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    return Verdict(False, f"an output for {moment.text or 'no call'}, a call this log does not show",
                   lines(moment.evidence))  # fmt: skip


def _judge_cancel(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    if moment.name == "response_ended":
        response = moment.response
        hit = response is not None and response.cancel is None and response.cancelled_before is not None
        if response is None or not hit or (response.status, response.reason) != ("cancelled", "client_cancelled"):
            return None
        text = f"a cancel without a response id, sent when nothing was active, hit the next response: {response.id}"
        return Verdict(True, text, lines(response.cancelled_before, response.evidence, moment.evidence), "hit the next")
    asked = moment.asked
    if moment.name == "asked_for_nothing":
        if asked is None or asked.type != "response.cancel":
            return None
        return Verdict(False, "a cancel when nothing was active was let pass", lines(asked.evidence))
    if moment.fault is None or moment.fault.about != "response.cancel":
        return None
    return Verdict(True, told(moment.fault), lines(asked.evidence if asked else None, moment.evidence))


def _judge_commit(moment: Moment, talk: Talk) -> Verdict | None:
    asked = moment.asked
    if moment.name == "asked_for_nothing":
        if asked is None or asked.type != "input_audio_buffer.commit":
            return None
        return Verdict(
            False, f"a commit although {talk.mode.vad} commits by itself", lines(asked.evidence), "in VAD mode"
        )
    if moment.name == "commit_unanswered":
        if asked is None or asked.idle:
            return None
        text = f"a commit has neither input_audio_buffer.committed nor an error {seconds(moment.ms)} later"
        return Verdict(talk.timed, text, lines(asked.evidence), "unanswered")
    if moment.fault is None or moment.fault.about != "input_audio_buffer.commit":
        return None
    mode = " in VAD mode" if asked is not None and asked.idle else ""
    had = f" after {asked.note} of audio" if asked is not None else ""
    text = f"a commit{mode}{had}: {told(moment.fault)}"
    return Verdict(True, text, lines(asked.evidence if asked else None, moment.evidence))


def _judge_truncate(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    if moment.fault is None or moment.fault.about != "conversation.item.truncate":
        return None
    asked = moment.asked
    at = f"truncated at {asked.note}: " if asked is not None else ""
    return Verdict(True, at + told(moment.fault), lines(asked.evidence if asked else None, moment.evidence))


_ASK = Anchor("choice", "next_answer", "the row that asks when the outputs of a round are there", "create_response")
_SEEN = Anchor("event", "tool.called.seen", "a call is run once")
_LATE = Anchor("event", "tool.returned.late", "a second result for a call is no event")
RULES = (
    Rule(
        "tool-answered-twice", "A tool call was answered twice",
        "The model reads two results, or the second is rejected; often the tool itself ran twice.",
        "runs a call once, by its id, and takes one result.",
        ("tool_answered",), _judge_tool_twice, (_SEEN, _LATE),
    ),
    Rule(
        "tool-answered-early", "A tool output before its parent's response.done",
        "It is taken, but a create sent with it collides with the response that called.",
        "sends the output at once, too; only the create waits.",
        ("tool_answered_early",), _judge_tool_early, (_ASK,),
    ),
    Rule(
        "tool-unanswered", "A tool call was never answered",
        "The model waits for a result and says nothing.",
        "answers in the tool's place when its deadline passes.",
        ("tool_unanswered",), _judge_tool_open,
        (Anchor("deadline", "tools_overdue", "tools have {after}; then they are answered for"),),
    ),
    Rule(
        "tool-round-unasked", "Silence after a tool result",
        "The provider does not go on by itself after a tool's output: nobody asked it to.",
        "asks as soon as all outputs of a round are there and nobody speaks.",
        ("round_unasked",), _judge_round, (_ASK, Anchor("variable", "owed", "tools: an answer is owed after them")),
    ),
    Rule(
        "tool-unknown", "A tool output for no call",
        "The provider may reject it, and the round stays without its result.",
        "answers calls it has seen, and no others.",
        ("tool_unknown",), _judge_tool_unknown, (_LATE,),
    ),
    Rule(
        "cancel-of-nothing", "A cancel of nothing",
        "Rejected at best; a cancel without an id hits whatever response comes next.",
        "cancels by id, and only what is active.",
        ("error", "asked_for_nothing", "response_ended"), _judge_cancel,
        (Anchor("effect", "cancel_response", "cancel_response needs {when}"),),
    ),
    Rule(
        "commit", "A commit of too little, or of what the provider commits itself",
        "The turn is not there: nothing is committed and nothing answered.",
        "commits only where it holds the turns, and never less than 100 ms.",
        ("error", "asked_for_nothing", "commit_unanswered"), _judge_commit,
        (Anchor("effect", "commit_audio", "commit_audio needs {when}"),
         Anchor("deadline", "commit_overdue", "a commit has {after}")),
    ),
    Rule(
        "truncate-beyond", "A truncation beyond the end",
        "Nothing is truncated: the model believes the caller has heard it all.",
        "truncates to what was heard, never beyond what was received less 85 ms.",
        ("error",), _judge_truncate,
        (Anchor("effect", "truncate_items", "each item is cut to min(heard, received less the margin)"),),
    ),
)  # fmt: skip
