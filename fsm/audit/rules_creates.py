"""Rules about asking for answers: creates that collide, that crowd, that nobody answers; responses that go wrong.

Never here: bookkeeping. One cause for each rejection, so that a collision is counted once.
"""

from __future__ import annotations

from functools import partial

from fsm.audit.anchors import Anchor
from fsm.audit.explain import of_fault
from fsm.audit.record import Evidence, seconds
from fsm.audit.rule import Rule, Verdict, lines
from fsm.audit.talk import Create, Moment, Talk
from fsm.audit.track_errors import BUSY

_WORD = Anchor("effect", "create_response", "create_response needs {when}")
_ROW = Anchor("choice", "next_answer", "the one row that asks, for what is owed", "create_response")
_BUSY_ROW = Anchor("cell", "response_pending", "a rejected create is asked again after response.done, if still owed",
                   "create_rejected.busy")  # fmt: skip


def _is_busy(moment: Moment) -> bool:
    fault = moment.fault
    return fault is not None and (fault.code == BUSY or fault.message.startswith("Conversation already has an active"))


def cause(moment: Moment) -> str:
    """Why a create was rejected: the rule it belongs to."""
    create = moment.create
    if not _is_busy(moment):
        return "create-refused"
    if create is None:
        return "create-rejected"
    other = create.other or (create.active.create if create.active else None)
    if create.tool is not None and other is not None and other.tool is not None:
        return "create-per-tool"
    if create.other is not None:
        return "create-twice"
    if create.active is not None:
        return "create-while-active"
    if create.owed is not None or moment.response is not None:
        return "create-while-owed"
    return "create-rejected"


def _rejected(rule: str, moment: Moment, talk: Talk) -> Verdict | None:
    """Finding: a create was rejected for this cause."""
    if cause(moment) != rule or moment.fault is None:
        return None
    create = moment.create
    shown = lines(create.evidence if create else None, _met(create), moment.evidence)
    return Verdict(True, f"{_told(create, moment, talk)}: {moment.fault.message or moment.fault.code}", shown)


def _met(create: Create | None) -> Evidence | None:
    if create is None:
        return None
    if create.active is not None:
        return create.active.evidence
    return create.other.evidence if create.other else create.owed.evidence if create.owed else None


def _told(create: Create | None, moment: Moment, talk: Talk) -> str:
    if create is None:
        return "a create was rejected that this log does not show"
    if create.other is not None:
        after_tool = f" after the output of {create.tool.id}," if create.tool is not None else ""
        gap = f" {seconds(create.at_ms - create.other.at_ms)}" if talk.has_clock else ""
        return f"a create{after_tool}{gap} after another create that still waited"
    if create.active is not None:
        since = f" since {seconds(create.at_ms - create.active.at_ms)}" if talk.has_clock else ""
        return f"a create while {create.active.id} was active{since}"
    if create.owed is not None:
        return f"a create while the provider was about to answer turn {create.owed.number} by itself"
    return f"a create that crossed {moment.response.id}" if moment.response else "a create was rejected"


def _judge_active(moment: Moment, talk: Talk) -> Verdict | None:
    create, response = moment.create, moment.response
    if moment.name == "create_rejected":
        return _rejected("create-while-active", moment, talk)
    if create is None or create.outside or create.active is None or response is None:
        return None
    return Verdict(False, f"a create while {create.active.id} was active was accepted",
                   lines(create.active.evidence, create.evidence), "accepted")  # fmt: skip


def _judge_owed(moment: Moment, talk: Talk) -> Verdict | None:
    create = moment.create
    if moment.name == "create_rejected":
        return _rejected("create-while-owed", moment, talk)
    if create is None or create.outside or create.owed is None or create.active is not None:
        return None
    text = f"a create while the provider was about to answer turn {create.owed.number} by itself was accepted"
    return Verdict(False, text, lines(create.owed.evidence, create.evidence), "accepted")


def _judge_refused(moment: Moment, talk: Talk) -> Verdict | None:
    verdict = _rejected("create-refused", moment, talk)
    meaning = of_fault(moment.fault) if moment.fault else ""
    if verdict is None or not meaning:
        return verdict
    return Verdict(True, f"{verdict.text} ({meaning})", verdict.evidence)


def _judge_crowd(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    crowd = moment.crowd
    if crowd is None:
        return None
    text = f"{crowd.creates} creates within {seconds(crowd.until_ms - crowd.since_ms)}, {moment.count} of them rejected"
    return Verdict(moment.count > 0, text, lines(crowd.first, crowd.last), at_ms=crowd.since_ms)


def _judge_unanswered(moment: Moment, talk: Talk) -> Verdict | None:
    create = moment.create
    if create is None:
        return None
    harm = moment.ms > talk.options.dead_air_ms
    after = f"{seconds(moment.ms)} later" if harm else "by the end of the session"
    text = f"a create has neither a response nor a rejection {after}"
    return Verdict(harm, text, lines(create.evidence), at_ms=create.at_ms)


def _judge_twice(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    response = moment.response
    if response is None or response.again is None:
        return None
    earlier = response.again
    what = f"turn {response.turn.number}" if response.turn else "the opening of the call"
    asked = response.create.evidence if response.create else None
    text = f"{what} was answered by {earlier.id} and again by {response.id}"
    shown = lines(earlier.evidence, asked, response.evidence)
    return Verdict(not response.deliberate, text, shown, "deliberate" * response.deliberate, response.at_ms)


def _judge_stuck(moment: Moment, talk: Talk) -> Verdict | None:
    response = moment.response
    if response is None:
        return None
    harm = moment.ms > 2 * talk.options.dead_air_ms
    after = f"{seconds(moment.ms)} later" if harm else "by the end of the session"
    return Verdict(harm, f"{response.id} has no response.done {after}", lines(response.evidence), at_ms=response.at_ms)


def _judge_ended(moment: Moment, talk: Talk) -> Verdict | None:
    del talk
    response = moment.response
    if response is None or response.status not in ("failed", "incomplete"):
        return None
    detail = ": ".join(part for part in (response.reason, moment.text) if part)
    text = f"{response.id} ended {response.status}" + (f" ({detail})" if detail else "")
    return Verdict(response.status == "failed", text, lines(response.evidence, moment.evidence), response.status)


RULES = (
    Rule(
        "create-while-active", "Asked for an answer while one was being given",
        "The provider gives one response at a time and rejects the second; a client that then waits for it waits for "
        "ever.",
        "keeps what is owed and asks after response.done, and only if it is still owed.",
        ("create_rejected", "create_accepted"), _judge_active, (_WORD, _ROW, _BUSY_ROW),
    ),
    Rule(
        "create-while-owed", "Asked for an answer the provider was about to give by itself",
        "In VAD mode the provider answers a turn it has found; the client's create crosses it and one of them is "
        "rejected, or the caller hears two answers.",
        "waits for the provider's own answer and asks only when it is overdue or has failed.",
        ("create_rejected", "create_accepted"), _judge_owed,
        (_WORD, Anchor("deadline", "answer_overdue", "the provider's own answer has {after}"), _BUSY_ROW),
    ),
    Rule(
        "create-per-tool", "Each tool result asked for an answer",
        "Two results of one round ask at once: the second create is rejected, or the first answer lacks the second "
        "result.",
        "sends each output at once and asks one time, when all outputs of the round are there.",
        ("create_rejected",), partial(_rejected, "create-per-tool"),
        (_ROW, Anchor("variable", "tools_running", "the tools that still run; may_ask waits for none"), _WORD),
    ),
    Rule(
        "create-twice", "Asked twice before the first was answered",
        "Between a create and its response.created the client does not know of the response it has asked for.",
        "holds one create in flight; whoever else wants an answer finds it sent.",
        ("create_rejected",), partial(_rejected, "create-twice"),
        (_WORD, Anchor("variable", "create", "our own create, from sending to response.created or rejection")),
    ),
    Rule(
        "create-rejected", "A create met an active response",
        "The provider gives one response at a time; the rejected answer is not given later by itself.",
        "adopts the response that is in the way and asks again after its end, if it is still owed.",
        ("create_rejected",), partial(_rejected, "create-rejected"), (_WORD, _BUSY_ROW),
    ),
    Rule(
        "create-refused", "A create was refused for what it said",
        "The answer that was asked for is not given.",
        "asks again a little later, two times at most, then begins a new session.",
        ("create_rejected",), _judge_refused,
        (Anchor("event", "create_failed.ours", "a create refused for another reason than an active response"), _WORD),
    ),
    Rule(
        "create-crowd", "Asked over and over",
        "Creates follow events instead of what is owed: some are rejected, the others make the agent answer itself.",
        "asks for the greeting, after tools, and for an answer that is overdue; for nothing else.",
        ("crowded",), _judge_crowd, (_ROW, Anchor("variable", "owed", "the answer we have to ask for")),
    ),
    Rule(
        "create-unanswered", "A create without any answer",
        "The answer that was asked for never came.",
        "presumes the create lost when its deadline passes, and asks again.",
        ("create_unanswered",), _judge_unanswered,
        (Anchor("deadline", "create_overdue", "a create has {after} to be answered"),),
    ),
    Rule(
        "turn-answered-twice", "Answered twice",
        "The caller hears two answers to one thing said.",
        "takes any response that begins for the answer that was owed, and asks for no other.",
        ("response_ended",), _judge_twice,
        (Anchor("cell", "response_pending", "the provider's own response settles what is owed",
                "response.created.own"), _WORD),
    ),
    Rule(
        "response-never-done", "A response that never ended",
        "A client that waits for response.done says nothing any more.",
        "cancels a response that is overdue, presumes it lost when even that has no answer, and goes on.",
        ("response_stuck",), _judge_stuck,
        (Anchor("deadline", "response_overdue", "a response has {after} to bring audio or end"),
         Anchor("deadline", "close_overdue", "its end has {after} after a cancel")),
    ),
    Rule(
        "response-failed", "A response ended badly",
        "What was to be said was not said, or not to its end.",
        "asks again for an answer that failed, a little later, two times at most.",
        ("response_ended",), _judge_ended,
        (Anchor("cell", "responding", "a failed answer is owed again", "response.done.failed"),
         Anchor("deadline", "retry_due", "and asked for after {after}")),
    ),
)  # fmt: skip
