"""Bookkeeping of tool calls: who called, who answered how often, whether anybody asked for what comes next.

Never here: judgement. A call is known from the item or the response that holds it, as fsm.machine.wire reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.audit.record import Record
from fsm.audit.talk import Asked, Call, Moment, Talk, keep, mapping
from fsm.machine.wire import at_path


def in_item(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.output_item.done may hold a call."""
    yield from _called(talk, record, mapping(record.event.get("item")), record.text("response_id"))


def in_arguments(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.function_call_arguments.done shows a call before its item is done; a client may act on it."""
    item = {"type": "function_call", "call_id": record.event.get("call_id"), "name": record.event.get("name")}
    yield from _called(talk, record, item, record.text("response_id"))


def in_response(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.done holds the calls again, and says that they are all."""
    name = record.text("response.id")
    output = at_path(record.event, "response.output")
    for item in output if isinstance(output, list | tuple) else ():
        yield from _called(talk, record, mapping(item), name)
    cancelled = record.text("response.status") in ("cancelled", "failed", "incomplete")
    for call in [c for c in talk.calls.values() if cancelled and c.response_id == name and not c.outputs]:
        talk.calls.pop(call.id)  # its arguments may have been cut: nobody is to answer it
    for call in talk.calls.values():
        if call.response_id == name and not call.parent_done:
            call.parent_done = True
            if call.early:
                yield Moment("tool_answered_early", call.outputs[0], talk.now_ms, call=call, before=record.evidence())


def _called(talk: Talk, record: Record, item: Mapping[str, object], response_id: str) -> Iterator[Moment]:
    name = item.get("call_id")
    if item.get("type") != "function_call" or not isinstance(name, str) or name in talk.calls:
        return
    if item.get("status") not in (None, "", "completed"):
        return
    call = Call(name, str(item.get("name") or ""), record.evidence(), talk.now_ms, response_id, talk.turns)
    response = talk.responses.get(response_id)
    if response is not None:
        response.called = True
    talk.calls[name] = call
    keep(talk.calls)
    early = talk.outputs.pop(name, None)
    if early is not None:
        call.outputs, call.answered_ms = [early], talk.now_ms
    yield Moment("tool_called", call.evidence, talk.now_ms, call=call)


def item_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """conversation.item.create: a tool's output, or something to be said in the caller's place."""
    talk.input_no += 1
    item = mapping(record.event.get("item"))
    asked = Asked(record.evidence(), talk.now_ms, record.type, record.text("event_id"), str(item.get("type") or ""))
    talk.asked.append(asked)
    name = str(item.get("call_id") or "")
    if item.get("type") == "function_call" and name:
        talk.calls[name] = Call(name, "", asked.evidence, talk.now_ms, "", talk.turns, True, asked=True, seeded=True)
        keep(talk.calls)
    if item.get("type") != "function_call_output":
        return
    call = talk.calls.get(name)
    if call is None:
        talk.outputs[name] = asked.evidence
        keep(talk.outputs)
        yield Moment("tool_unknown", asked.evidence, talk.now_ms, asked=asked, text=name)
        return
    call.outputs.append(asked.evidence)
    del call.outputs[4:]
    if len(call.outputs) == 1:
        call.early = not call.parent_done
        call.answered_ms = talk.now_ms
    talk.last_output, talk.last_output_ms = call, talk.now_ms
    yield Moment("tool_answered", asked.evidence, talk.now_ms, call=call, count=len(call.outputs))


def echoed(talk: Talk, record: Record) -> Iterator[Moment]:
    """An item joins the conversation. Who cannot see the client sees here what it has sent."""
    item = mapping(record.event.get("item"))
    talk.sees_items = True
    content = item.get("content")
    parts = [mapping(part).get("type") for part in content] if isinstance(content, list | tuple) else []
    if item.get("role") == "system" or (item.get("role") == "user" and "input_text" in parts):
        talk.input_no += 1
    if item.get("type") == "function_call_output":
        yield from _output_echoed(talk, record, str(item.get("call_id") or ""), str(item.get("id") or ""))


def _output_echoed(talk: Talk, record: Record, name: str, item: str) -> Iterator[Moment]:
    call = talk.calls.get(name)
    if call is None:
        talk.outputs.setdefault(name, record.evidence())
        keep(talk.outputs)
        return
    if item in call.echoes:
        return
    call.echoes.append(item)
    del call.echoes[4:]
    if talk.sees_client and call.outputs:
        return  # what the client has sent was seen when it was sent
    talk.input_no += 1
    call.outputs.append(record.evidence())
    del call.outputs[4:]
    if len(call.outputs) == 1:
        call.early, call.answered_ms = not call.parent_done, talk.now_ms
    yield Moment("tool_answered", record.evidence(), talk.now_ms, call=call, count=len(call.outputs))


def left(talk: Talk) -> Iterator[Moment]:
    """At the end of a session: calls nobody answered, rounds nobody asked about."""
    for call in talk.calls.values():
        if call.seeded or not talk.server_events:
            continue
        if not call.outputs:
            waited = talk.now_ms - call.at_ms
            yield Moment("tool_unanswered", call.evidence, talk.now_ms, call=call, ms=waited)
        elif not call.asked:
            waited = talk.now_ms - call.answered_ms
            yield Moment("round_unasked", call.outputs[-1], talk.now_ms, call=call, ms=waited)
