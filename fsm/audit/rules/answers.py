"""Rules about asking for answers: creates that collide, that come in bursts, that nobody answers; responses that go
wrong. One cause for each rejection, so that a collision is counted once.
"""

from __future__ import annotations

from functools import partial

from fsm.audit.conversation import LoggedConversation, ProviderError
from fsm.audit.exchange import Asks, Content, Create, ResponseState
from fsm.audit.observations import (
    AnswersCut,
    BurstEnded,
    CreateAccepted,
    CreateRejected,
    CreateUnanswered,
    ResponseEnded,
    ResponseStuck,
)
from fsm.audit.realtime_errors import of_error
from fsm.audit.record import Evidence, seconds
from fsm.audit.rules.rule import AuditRule, Judges, RuleJudgement, lines, on
from fsm.audit.spec_links import SpecLink
from fsm.audit.tracking.session import BUSY

_WORD = SpecLink("effect", "create_response", "create_response needs {when}")
_ROW = SpecLink("emitter", "create_response", "the one row that asks, for what is owed")
_BUSY_ROW = SpecLink(
    "answer", "create_rejected.busy", "a rejected create is asked again after response.done, if still owed"
)


def _is_busy(error: ProviderError) -> bool:
    return error.code == BUSY or error.message.startswith("Conversation already has an active")


def cause(rejected: CreateRejected) -> str:
    """Why a create was rejected: the rule it belongs to."""
    create = rejected.create
    if not _is_busy(rejected.error):
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
    if create.owed is not None or rejected.response is not None:
        return "create-while-owed"
    return "create-rejected"


def _rejected_as(rule: str) -> Judges:
    return on(CreateRejected, partial(_rejected, rule))


def _rejected(rule: str, rejected: CreateRejected, conversation: LoggedConversation) -> RuleJudgement | None:
    """Finding: a create was rejected for this cause."""
    if cause(rejected) != rule:
        return None
    create, error = rejected.create, rejected.error
    shown = lines(create.evidence if create else None, _met(create), rejected.evidence)
    return RuleJudgement(True, f"{_what(rejected, conversation)}: {error.message or error.code}", shown)


def _met(create: Create | None) -> Evidence | None:
    if create is None:
        return None
    if create.active is not None:
        return create.active.evidence
    return create.other.evidence if create.other else create.owed.evidence if create.owed else None


def _what(rejected: CreateRejected, conversation: LoggedConversation) -> str:
    create = rejected.create
    if create is None:
        return "a create was rejected that this log does not show"
    if create.other is not None:
        after_tool = f" after the output of {create.tool.id}," if create.tool is not None else ""
        gap = f" {seconds(create.at_ms - create.other.at_ms)}" if conversation.has_clock else ""
        return f"a create{after_tool}{gap} after another create that still waited"
    if create.active is not None:
        since = f" since {seconds(create.at_ms - create.active.at_ms)}" if conversation.has_clock else ""
        return f"a create while {create.active.id} was active{since}"
    if create.owed is not None:
        return f"a create while the provider was about to answer turn {create.owed.number} by itself"
    return f"a create that crossed {rejected.response.id}" if rejected.response else "a create was rejected"


def _taken_while_active(accepted: CreateAccepted, conversation: LoggedConversation) -> RuleJudgement | None:
    create = accepted.create
    if create.is_outside or create.active is None:
        return None
    text = f"a create while {create.active.id} was active was accepted"
    return RuleJudgement(False, text, lines(create.active.evidence, create.evidence), "accepted")


def _taken_while_owed(accepted: CreateAccepted, conversation: LoggedConversation) -> RuleJudgement | None:
    create = accepted.create
    if create.is_outside or create.owed is None or create.active is not None:
        return None
    text = f"a create while the provider was about to answer turn {create.owed.number} by itself was accepted"
    return RuleJudgement(False, text, lines(create.owed.evidence, create.evidence), "accepted")


def _refused(rejected: CreateRejected, conversation: LoggedConversation) -> RuleJudgement | None:
    judgement, meaning = _rejected("create-refused", rejected, conversation), of_error(rejected.error)
    if judgement is None or not meaning:
        return judgement
    return RuleJudgement(True, f"{judgement.text} ({meaning})", judgement.evidence)


def _burst(ended: BurstEnded, conversation: LoggedConversation) -> RuleJudgement:
    burst, rejected = ended.burst, ended.rejected
    text = f"{burst.creates} creates within {seconds(burst.until_ms - burst.since_ms)}, {rejected} of them rejected"
    return RuleJudgement(rejected > 0, text, lines(burst.first, burst.last), at_ms=burst.since_ms)


def _unanswered(left: CreateUnanswered, conversation: LoggedConversation) -> RuleJudgement:
    harm = left.waited_ms > conversation.options.dead_air_ms
    after = f"{seconds(left.waited_ms)} later" if harm else "by the end of the session"
    text = f"a create has neither a response nor a rejection {after}"
    return RuleJudgement(harm, text, lines(left.create.evidence), at_ms=left.create.at_ms)


def _answered_twice(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    response, repeats = ended.response, ended.response.repeats
    if repeats is None:
        return None
    earlier, deliberate = repeats.earlier, repeats.deliberate
    what = f"turn {response.turn.number}" if response.turn else "the opening of the call"
    asked = response.create.evidence if response.create else None
    text = f"{what} was answered by {earlier.id} and again by {response.id}"
    shown = lines(earlier.evidence, asked, response.evidence)
    return RuleJudgement(not deliberate, text, shown, "deliberate" * deliberate, response.at_ms)


def _not_spoken(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    """An answer to a spoken turn that is text alone, in a session that speaks."""
    response, mode = ended.response, conversation.session.mode
    is_text = Content.TEXT in response.content and Content.SOUND not in response.content
    wanted = response.create is not None and Asks.IN_TEXT in response.create.asks
    is_answer = response.turn is not None and response.state is ResponseState.COMPLETED and not response.is_outside
    if not is_text or not is_answer or wanted or not mode.described or not mode.speaks:
        return None
    turn = response.turn
    text = f"turn {turn.number if turn else 0} was answered by {response.id} in text alone: nobody heard it"
    return RuleJudgement(True, text, lines(turn.evidence if turn else None, response.evidence, ended.evidence))


def _cut_at_once(cut: AnswersCut, conversation: LoggedConversation) -> RuleJudgement:
    when = " right after they began" if cut.at_once else ""
    text = f"{len(cut.cut)} of {cut.answers} answers were cut by a turn{when}"
    text += ": the agent hears itself, or noise, as the caller"
    return RuleJudgement(True, text, lines(*cut.cut[:3], cut.evidence), at_ms=cut.cut[0].at_ms)


def _never_done(stuck: ResponseStuck, conversation: LoggedConversation) -> RuleJudgement:
    response = stuck.response
    harm = stuck.waited_ms > 2 * conversation.options.dead_air_ms
    after = f"{seconds(stuck.waited_ms)} later" if harm else "by the end of the session"
    text = f"{response.id} has no response.done {after}"
    return RuleJudgement(harm, text, lines(response.evidence), at_ms=response.at_ms)


def _ended_badly(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    response = ended.response
    has_own_rule = response.state is ResponseState.INCOMPLETE and (response.has_words or response.is_outside)
    if response.state not in (ResponseState.FAILED, ResponseState.INCOMPLETE) or has_own_rule:
        return None
    status = response.state.value
    detail = ": ".join(part for part in (response.reason, ended.failure) if part)
    text = f"{response.id} ended {status}" + (f" ({detail})" if detail else "")
    return RuleJudgement(response.state is ResponseState.FAILED, text, lines(response.evidence, ended.evidence), status)


RULES = (
    AuditRule(
        "create-while-active", "Asked for an answer while one was being given",
        "The provider gives one response at a time and rejects the second; a client that then waits for it waits "
        "endlessly.",
        "keeps what is owed and asks after response.done, and only if it is still owed.",
        _rejected_as("create-while-active") | on(CreateAccepted, _taken_while_active), (_WORD, _ROW, _BUSY_ROW),
    ),
    AuditRule(
        "create-while-owed", "Asked for an answer the provider was about to give by itself",
        "In VAD mode the provider answers a turn it has found; the client's create crosses it and one of them is "
        "rejected, or the caller hears two answers.",
        "waits for the provider's own answer and asks only when it is overdue or has failed.",
        _rejected_as("create-while-owed") | on(CreateAccepted, _taken_while_owed),
        (_WORD, SpecLink("deadline", "answer_overdue", "the provider's own answer has {after}"), _BUSY_ROW),
    ),
    AuditRule(
        "create-per-tool", "Each tool result asked for an answer",
        "Two results of one round ask at once: the second create is rejected, or the first answer lacks the second "
        "result.",
        "sends each output at once and asks one time, when all outputs of the round are there.",
        _rejected_as("create-per-tool"),
        (_ROW, SpecLink("counter", "tools.overflowed", "the tools that still run; may_ask waits for none"), _WORD),
    ),
    AuditRule(
        "create-twice", "Asked twice before the first was answered",
        "Between a create and its response.created the client does not know of the response it has asked for.",
        "holds one create in flight; whoever else wants an answer finds it sent.",
        _rejected_as("create-twice"),
        (_WORD, SpecLink("moved", "create_response", "our own create, from sending to response.created or rejection")),
    ),
    AuditRule(
        "create-rejected", "A create met an active response",
        "The provider gives one response at a time; the rejected answer is not given later by itself.",
        "adopts the response that is in the way and asks again after its end, if it is still owed.",
        _rejected_as("create-rejected"), (_WORD, _BUSY_ROW),
    ),
    AuditRule(
        "create-refused", "A create was refused for what it said",
        "The answer that was asked for is not given.",
        "asks again a little later, two times at most, then begins a new session.",
        on(CreateRejected, _refused),
        (SpecLink("event", "create_failed.ours", "a create refused for another reason than an active response"), _WORD),
    ),
    AuditRule(
        "create-crowd", "Asked over and over",
        "Creates follow events instead of what is owed: some are rejected, the others make the agent answer itself.",
        "asks for the greeting, after tools, and for an answer that is overdue; for nothing else.",
        on(BurstEnded, _burst), (_ROW, SpecLink("greeting", "", "the answer we have to ask for")),
    ),
    AuditRule(
        "create-unanswered", "A create without any answer",
        "The answer that was asked for never came.",
        "presumes the create lost when its deadline passes, and asks again.",
        on(CreateUnanswered, _unanswered),
        (SpecLink("deadline", "create_overdue", "a create has {after} to be answered"),),
    ),
    AuditRule(
        "turn-answered-twice", "Answered twice",
        "The caller hears two answers to one thing said.",
        "takes any response that begins for the answer that was owed, and asks for no other.",
        on(ResponseEnded, _answered_twice),
        (SpecLink("answer", "response.created.own", "the provider's own response settles what is owed"), _WORD),
    ),
    AuditRule(
        "answer-not-heard", "Answered in text alone",
        "The caller hears nothing: the model wrote its answer and did not speak it.",
        "counts an answer as given when the caller has heard it, and asks again when nothing is heard.",
        on(ResponseEnded, _not_spoken),
        (SpecLink("deadline", "response_overdue", "a response has {after} to bring audio or end"),),
    ),
    AuditRule(
        "self-interruption", "The agent interrupts itself",
        "Its own voice, or noise of the line, comes back as a turn of the caller; no answer is heard to its end.",
        "cuts what plays when the provider hears a turn, too; what it heard stands in the journal: take the echo out "
        "of what is sent, or raise the threshold of the detection.",
        on(AnswersCut, _cut_at_once),
        (SpecLink("answer", "input_audio_buffer.speech_started.new", "a turn cuts what plays"),),
    ),
    AuditRule(
        "response-never-done", "A response that never ended",
        "A client that waits for response.done says nothing any more.",
        "cancels a response that is overdue, presumes it lost when even that has no answer, and continues.",
        on(ResponseStuck, _never_done),
        (SpecLink("deadline", "response_overdue", "a response has {after} to bring audio or end"),
         SpecLink("deadline", "close_overdue", "its end has {after} after a cancel")),
    ),
    AuditRule(
        "response-failed", "A response ended badly",
        "What was to be said was not said, or not to its end.",
        "asks again for an answer that failed, a little later, two times at most.",
        on(ResponseEnded, _ended_badly),
        (SpecLink("answer", "response.done.failed", "a failed answer is owed again"),
         SpecLink("deadline", "retry_due", "and asked for after {after}")),
    ),
)  # fmt: skip
