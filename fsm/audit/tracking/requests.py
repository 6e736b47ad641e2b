"""Tracking of what a client asks for: creates, what each met, which response answers it; tool calls, their outputs.

Which response answers which create is known by metadata, by conversation, else by order. A tool call is known from the
item or the response that holds it, as fsm.machine.wire reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.audit.conversation import LoggedConversation, ProviderError, mapping
from fsm.audit.exchange import (
    BURST,
    BURST_MS,
    KEPT,
    Asks,
    ClientRequest,
    Content,
    Create,
    CreateBurst,
    ToolCall,
    ToolRound,
    keep,
)
from fsm.audit.observations import (
    BurstEnded,
    CreateSent,
    CreateUnanswered,
    Observation,
    RoundUnasked,
    ToolAnswered,
    ToolAnsweredEarly,
    ToolCalled,
    ToolLooped,
    ToolUnanswered,
    ToolUnknown,
)
from fsm.audit.record import Evidence, Record
from fsm.machine.wire import at_path

_STALE_MS = 15000.0
_LOOPS = 3  # times the same call with nothing said between is a loop
_ARGUMENTS = 2000  # characters of arguments that are compared
_AT_ONCE_EVENTS = 4  # of the provider, after a commit
_AT_ONCE_MS = 1000.0
_OUTPUTS = 4  # of a call that are kept


# --- creates ----------------------------------------------------------------------------------------------------------


def create_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.create, with all it met."""
    creates, body = conversation.creates, mapping(record.event.get("response"))
    create = Create(
        record.evidence(), conversation.now_ms, record.text("event_id"),
        asks=_asks(record, body),
        metadata=mapping(body.get("metadata")),
        active=conversation.responses.active,
        rejected_before=creates.rejections,
        other=next((c for c in reversed(creates.waiting) if not c.is_outside), None),
        owed=conversation.caller.waiting if conversation.session.mode.provider_answers else None,
        tool=conversation.tools.last_output,
    )  # fmt: skip
    yield from _given_up(conversation)
    _after_commit(conversation, create)
    creates.waiting.append(create)
    yield from _burst(conversation, create)
    rounds_asked(conversation)
    conversation.tools.last_output = None
    yield CreateSent(create.evidence, conversation.now_ms, create)


def _after_commit(conversation: LoggedConversation, create: Create) -> None:
    """Does a create follow a commit at once, where the provider answers what is committed?"""
    caller = conversation.caller
    near = conversation.log.server_events - caller.committed_at <= _AT_ONCE_EVENTS
    soon = conversation.now_ms - caller.committed_ms < _AT_ONCE_MS or not conversation.has_clock
    answers = conversation.session.mode.provider_answers and conversation.session.mode.vad != "unknown"
    if caller.committed_at >= 0 and near and soon and answers and not create.is_outside and create.tool is None:
        caller.committed_at = -1
        create.after_commit = True
        if len(conversation.creates.after_commits) < KEPT:
            conversation.creates.after_commits.append(create.evidence)


def _asks(record: Record, body: Mapping[str, object]) -> Asks:
    asks = Asks.NOTHING
    if body.get("conversation") == "none":
        asks |= Asks.OUTSIDE
    if body.get("instructions") or body.get("input") or not record.whole:
        asks |= Asks.DIRECTED
    modalities = body.get("output_modalities", body.get("modalities"))
    if isinstance(modalities, list | tuple) and modalities and "audio" not in modalities:
        asks |= Asks.IN_TEXT
    return asks


def rounds_asked(conversation: LoggedConversation) -> None:
    """A create, or a response, comes after every output there is."""
    for call in conversation.tools.calls.values():
        if call.round is ToolRound.OPEN and call.outputs:
            call.round = ToolRound.ASKED


def _burst(conversation: LoggedConversation, create: Create) -> Iterator[Observation]:
    """A burst begins, grows, or is over."""
    creates = conversation.creates
    creates.recent.append(create)
    first, burst = creates.recent[0], creates.burst
    if len(creates.recent) < BURST or create.at_ms - first.at_ms > BURST_MS:
        yield from burst_over(conversation)
    elif burst is None:
        creates.burst = CreateBurst(
            first.evidence, create.evidence, first.at_ms, create.at_ms, BURST, first.rejected_before
        )
    else:
        burst.last, burst.until_ms, burst.creates = create.evidence, create.at_ms, burst.creates + 1


def burst_over(conversation: LoggedConversation) -> Iterator[Observation]:
    """Creates come no longer that closely."""
    creates = conversation.creates
    burst, creates.burst = creates.burst, None
    if burst is not None and conversation.timed:
        yield BurstEnded(burst.last, conversation.now_ms, burst, creates.rejections - burst.rejected_before)


def _given_up(conversation: LoggedConversation) -> Iterator[Observation]:
    """Creates that nobody will answer any more: too many wait, or one has waited too long."""
    if not conversation.log.shows_provider or not conversation.log.may_miss("response.created"):
        return  # a log of what the client sends, or one that leaves out how responses begin
    waiting, now_ms = conversation.creates.waiting, conversation.now_ms
    full = len(waiting) == waiting.maxlen
    while waiting and (full or now_ms - waiting[0].at_ms > _STALE_MS):
        full = False
        create = waiting.popleft()
        yield CreateUnanswered(create.evidence, now_ms, create, now_ms - create.at_ms)


def claimed(conversation: LoggedConversation, record: Record, nameless: bool | None) -> Create | None:
    """The create a response answers, taken off the list. `nameless`: it says it is of no conversation."""
    metadata = mapping(at_path(record.event, "response.metadata"))
    waiting = [c for c in conversation.creates.waiting if not c.metadata or metadata or not record.whole]
    if metadata:
        same = [c for c in waiting if c.metadata == metadata]
        waiting = same or [c for c in waiting if c.metadata] or waiting
    if conversation.names_conversations and nameless is not None:
        waiting = [c for c in waiting if c.is_outside is nameless]
    if not waiting:
        return None
    conversation.creates.waiting.remove(waiting[0])
    return waiting[0]


# --- tools ------------------------------------------------------------------------------------------------------------


def in_item(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.output_item.done may hold a call."""
    yield from _called(conversation, record, mapping(record.event.get("item")), record.text("response_id"))


def in_arguments(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.function_call_arguments.done shows a call before its item is done; a client may act on it."""
    item = {"type": "function_call", "call_id": record.event.get("call_id"), "name": record.event.get("name")}
    yield from _called(conversation, record, item, record.text("response_id"))


def in_response(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.done holds the calls again, and says that they are all."""
    name, calls = record.text("response.id"), conversation.tools.calls
    output = at_path(record.event, "response.output")
    for item in output if isinstance(output, list | tuple) else ():
        yield from _called(conversation, record, mapping(item), name)
    cancelled = record.text("response.status") in ("cancelled", "failed", "incomplete")
    for call in [c for c in calls.values() if cancelled and c.response_id == name and not c.outputs]:
        calls.pop(call.id)  # its arguments may have been cut: nobody is to answer it
    for call in calls.values():
        if call.response_id == name and call.parent_done_at is None:
            call.parent_done_at = conversation.log.later_events
            if call.early is not None:
                yield ToolAnsweredEarly(call.early, conversation.now_ms, call, record.evidence())


def _called(
    conversation: LoggedConversation, record: Record, item: Mapping[str, object], response_id: str
) -> Iterator[Observation]:
    name, tools, now_ms = item.get("call_id"), conversation.tools, conversation.now_ms
    if item.get("type") != "function_call" or not isinstance(name, str) or name in tools.calls:
        return
    if item.get("status") not in (None, "", "completed"):
        return
    turns = conversation.caller.turns
    call = ToolCall(name, str(item.get("name") or ""), record.evidence(), now_ms, response_id, turns)
    response = conversation.responses.by_id.get(response_id)
    if response is not None:
        response.content |= Content.CALLS
    tools.calls[name] = call
    keep(tools.calls)
    early = tools.unclaimed.pop(name, None)
    if early is not None:
        call.outputs, call.answered_ms = [early], now_ms
    call.arguments = str(item.get("arguments") or "")[:_ARGUMENTS]
    yield ToolCalled(call.evidence, now_ms, call)
    yield from _looped(conversation, call)


def _looped(conversation: LoggedConversation, call: ToolCall) -> Iterator[Observation]:
    """The same call once more, and the caller has said nothing since the one before?"""
    loop = conversation.tools.loop
    last = loop[-1] if loop else None
    if last is None or (last.name, last.arguments, last.turns) != (call.name, call.arguments, call.turns):
        conversation.tools.loop = [call]
        return
    if last.response_id == call.response_id:
        return  # two calls of one round
    if len(loop) < KEPT:
        loop.append(call)
    if len(loop) == _LOOPS:
        yield ToolLooped(call.evidence, conversation.now_ms, tuple(loop))


def item_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """conversation.item.create: a tool's output, or something to be said in the caller's place."""
    conversation.caller.inputs += 1
    tools, now_ms, evidence = conversation.tools, conversation.now_ms, record.evidence()
    item = mapping(record.event.get("item"))
    name, kind = str(item.get("call_id") or ""), str(item.get("type") or "")
    conversation.requests.append(ClientRequest(evidence, now_ms, record.type, record.text("event_id"), kind, name))
    if kind == "function_call" and name:
        turns = conversation.caller.turns
        tools.calls[name] = ToolCall(name, "", evidence, now_ms, "", turns, 0, round=ToolRound.SEEDED)
        keep(tools.calls)
    if kind != "function_call_output":
        return
    call = tools.calls.get(name)
    if call is None:
        tools.unclaimed[name] = evidence
        keep(tools.unclaimed)
        yield ToolUnknown(evidence, now_ms, name)
        return
    _answered(call, evidence, now_ms)
    tools.last_output = call
    yield ToolAnswered(evidence, now_ms, call, len(call.outputs))


def _answered(call: ToolCall, evidence: Evidence, now_ms: float) -> None:
    call.outputs.append(evidence)
    del call.outputs[_OUTPUTS:]
    if len(call.outputs) == 1:
        call.early, call.answered_ms = evidence if call.parent_done_at is None else None, now_ms


def echoed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """An item joins the conversation. Who cannot see the client sees here what it has sent."""
    item = mapping(record.event.get("item"))
    conversation.log.sees_items = True
    content = item.get("content")
    parts = [mapping(part).get("type") for part in content] if isinstance(content, list | tuple) else []
    if item.get("role") == "system" or (item.get("role") == "user" and "input_text" in parts):
        conversation.caller.inputs += 1
    if item.get("type") == "function_call_output":
        yield from _output_echoed(conversation, record, str(item.get("call_id") or ""), str(item.get("id") or ""))


def _output_echoed(conversation: LoggedConversation, record: Record, name: str, item: str) -> Iterator[Observation]:
    tools = conversation.tools
    call = tools.calls.get(name)
    if call is None:
        tools.unclaimed.setdefault(name, record.evidence())
        keep(tools.unclaimed)
        return
    if item in call.echoes:
        return
    call.echoes.append(item)
    del call.echoes[_OUTPUTS:]
    if conversation.log.sees_client and call.outputs:
        return  # what the client has sent was seen when it was sent
    conversation.caller.inputs += 1
    _answered(call, record.evidence(), conversation.now_ms)
    yield ToolAnswered(record.evidence(), conversation.now_ms, call, len(call.outputs))


def refused(conversation: LoggedConversation, output: ClientRequest, error: ProviderError) -> None:
    """A tool's output was rejected: its call is as it was; if it names none, every call that waits is."""
    calls = conversation.tools.calls
    for call in [calls[output.call_id]] if output.call_id in calls else list(calls.values()):
        call.outputs = [each for each in call.outputs if each != output.evidence]
        call.early = None if call.early == output.evidence else call.early
        if not call.outputs:
            call.refused = error.evidence


def left(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: calls nobody answered, rounds nobody asked about."""
    now_ms = conversation.now_ms
    for call in conversation.tools.calls.values():
        if call.round is ToolRound.SEEDED or not conversation.log.shows_provider:
            continue
        if not call.outputs and conversation.log.may_miss("conversation.item"):
            yield ToolUnanswered(call.evidence, now_ms, call, now_ms - call.at_ms)
        elif call.outputs and call.round is ToolRound.OPEN and conversation.log.may_miss("response.create"):
            yield RoundUnasked(call.outputs[-1], now_ms, call, now_ms - call.answered_ms)
