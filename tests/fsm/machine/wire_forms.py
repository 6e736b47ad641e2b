"""Events of the provider as they are on the wire, GA and beta: shapes from docs/facts/realtime_api.md and the traces.

Never a machine event: whoever tests the core goes through fsm.machine.wire.
"""

from __future__ import annotations

from collections.abc import Sequence

Json = dict[str, object]
BUSY = "conversation_already_has_active_response"
ALREADY = "Conversation already has an active response"


def session(kind: str) -> Json:
    return {"type": f"session.{kind}", "event_id": "event_s", "session": {"type": "realtime", "id": "sess_1"}}


def speech(phase: str, item_id: str) -> Json:
    clock = {"started": {"audio_start_ms": 1460}, "stopped": {"audio_end_ms": 4256}}[phase]
    return {"type": f"input_audio_buffer.speech_{phase}", "event_id": "event_v", "item_id": item_id, **clock}


def committed(item_id: str) -> Json:
    return {"type": "input_audio_buffer.committed", "event_id": "event_c", "item_id": item_id, "previous_item_id": None}


def created(response_id: str, tag: str | None = None) -> Json:
    body: Json = {
        "object": "realtime.response", "id": response_id, "status": "in_progress", "status_details": None,
        "output": [], "conversation_id": "conv_1", "metadata": {"turnspec": tag} if tag else None, "usage": None,
    }  # fmt: skip
    return {"type": "response.created", "event_id": "event_r", "response": body}


def item_added(response_id: str, item_id: str) -> Json:
    item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    kind = "response.output_item.added"
    return {"type": kind, "event_id": "event_i", "response_id": response_id, "output_index": 0, "item": item}


def function_call(call_id: str, status: str = "completed") -> Json:
    arguments = '{  \n  "city": "London"\n}'
    return {
        "id": f"item_{call_id}", "type": "function_call", "status": status, "name": "get_weather", "call_id": call_id,
        "arguments": arguments,
    }  # fmt: skip


def message(item_id: str, status: str = "completed") -> Json:
    content = [{"type": "output_audio", "transcript": "Hi Marcelo!"}]
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def item_done(response_id: str, item: Json) -> Json:
    kind = "response.output_item.done"
    return {"type": kind, "event_id": "event_i", "response_id": response_id, "output_index": 0, "item": item}


def arguments_done(response_id: str, call_id: str) -> Json:
    return {
        "type": "response.function_call_arguments.done", "event_id": "event_a", "response_id": response_id,
        "item_id": f"item_{call_id}", "output_index": 0, "call_id": call_id, "name": "get_weather", "arguments": "{}",
    }  # fmt: skip


def done(
    response_id: str, status: str = "completed", details: object = None, output: Sequence[Json] | None = None
) -> Json:
    usage = {"total_tokens": 76, "input_tokens": 50, "output_tokens": 26} if status == "completed" else None
    body: Json = {
        "object": "realtime.response", "id": response_id, "status": status, "status_details": details,
        "output": [message("item_said")] if output is None else list(output), "metadata": None, "usage": usage,
    }  # fmt: skip
    return {"type": "response.done", "event_id": "event_d", "response": body}


def cancelled(response_id: str, reason: str) -> Json:
    output = [message("item_said", "incomplete")]
    return done(response_id, "cancelled", {"type": "cancelled", "reason": reason}, output)


def failed(response_id: str, code: str = "server_error") -> Json:
    error = {"type": "server_error", "code": code, "message": "The server had an error"}
    return done(response_id, "failed", {"type": "failed", "error": error}, [])


def item_echo(item: Json, beta: bool = False) -> Json:
    """The provider shows an item of the conversation: `added` in GA, `created` in beta."""
    kind = "conversation.item.created" if beta else "conversation.item.added"
    return {"type": kind, "event_id": "event_e", "previous_item_id": None, "item": item}


def output_item(call_id: str) -> Json:
    return {"id": f"item_o_{call_id}", "type": "function_call_output", "call_id": call_id, "output": "12 degrees"}


def error(code: str | None, message_: str, event_id: str | None = None, param: str | None = None) -> Json:
    body = {
        "type": "invalid_request_error", "code": code, "message": message_, "param": param, "event_id": event_id,
    }  # fmt: skip
    return {"type": "error", "event_id": "event_x", "error": body}


def busy(event_id: str | None, response_id: str | None, code: str | None = BUSY) -> Json:
    """A rejected create, in the wording of its time: with the id of the response in the way, or without."""
    named = f" in progress: {response_id}. Wait until the response is finished before creating a new one."
    return error(code, ALREADY + (named if response_id else ""), event_id)
