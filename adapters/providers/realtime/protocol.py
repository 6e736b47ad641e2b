"""The Realtime wire as bytes and dicts: effects to wire events, wire text to decoded events. Never a socket, a clock,
a state, or the meaning of an event for a turn (decoded events go to the core as they are).

Guilt: what we are asked to encode and cannot is an EncodingError (ours); what the provider sends and nobody can read is
a DecodeFailure, a value (theirs). Decoding raises nothing. Source: docs/facts/realtime_api.md sections 1, 2, 3 and 5.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal

import attrs

from adapters.audio.agent_audio import Moment
from adapters.providers.connection import Decoded
from adapters.providers.encoding import EffectEncoder, EffectRequest, encoder_of
from adapters.providers.endings import OPENAI, printable
from adapters.providers.json_wire import Payload, audio_of, object_of, parsed, text_of
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    AudioDelta,
    AudioGenerated,
    CallerSaid,
    CallerStarted,
    DecodeFailure,
    HistoryItem,
    HistoryMessage,
    ItemCompleted,
    KeyPressed,
    PlayoutMoment,
    ProviderComplained,
    ResponseGenerated,
    ResponseStarted,
    SessionBegan,
    TurnAccepted,
    WireEvent,
    WireNote,
)
from adapters.providers.realtime.realtime_server import Dialect, RealtimeServer
from adapters.providers.realtime.session import SessionSettings, session_object

# --- out: effects -----------------------------------------------------------------------------------------------------

# What the dialects call the same thing outside of the session object. Everything else is spelled alike in both.
ASSISTANT_TEXT: Final[Mapping[Dialect, str]] = {"ga": "output_text", "beta": "text"}
DIGITS_TEXT: Final = "The caller pressed {digits} on the telephone keypad."

KEYS: Final = frozenset("0123456789*#ABCD")

TOLD_OUTPUT: Final = "The tool call {call_id} returned: {output}"


@attrs.frozen
class _Request(EffectRequest):
    settings: SessionSettings
    server: RealtimeServer


def _update_session(request: _Request) -> WireEvent:
    return {"type": "session.update", "session": session_object(request.settings, request.server)}


def _probe_session(request: _Request) -> WireEvent:
    # What holds already and may be said again at any time: a voice may not, once the agent has spoken (section 2).
    session = session_object(request.settings, request.server)
    return {"type": "session.update", "session": {k: session[k] for k in ("type", "instructions") if k in session}}


def _create_response(request: _Request) -> WireEvent:
    # The tag is how the core knows our response from one the provider began by itself (section 3.2).
    response: WireEvent = {"metadata": {"turnspec": request.text("event_id")}}
    instructions = request.optional_text("instructions")
    added = request.optional_text("added")
    if added is not None:  # a response's instructions replace the session's, so both are said
        instructions = "\n\n".join(part for part in (request.settings.instructions, added) if part)
    if instructions is not None:
        response["instructions"] = instructions
    return {"type": "response.create", "response": response}


def _cancel_response(request: _Request) -> WireEvent:
    # Never without an id: a bare cancel hits whatever is active when it arrives, often the next response (section 5).
    return {"type": "response.cancel", "response_id": request.text("response_id")}


def _truncate_item(request: _Request) -> WireEvent:
    return {
        "type": "conversation.item.truncate",
        "item_id": request.text("item_id"),
        "content_index": request.natural("content_index"),
        "audio_end_ms": request.natural("audio_end_ms"),
    }


def _send_tool_output(request: _Request) -> WireEvent:
    return _item(_tool_output(request.text("call_id"), request.text("output")))


def _tell_tool_output(request: _Request) -> WireEvent:
    text = TOLD_OUTPUT.format(call_id=request.text("call_id"), output=request.text("output"))
    return _item({**_message("system", "input_text", text), "id": request.text("item_id")})


def _send_digits(request: _Request) -> WireEvent:
    # The item's id is ours, so that its echo can be distinguished from any other.
    text = DIGITS_TEXT.format(digits=request.text("digits"))
    return _item({**_message("user", "input_text", text), "id": request.text("item_id")})


def _tell_failure(request: _Request) -> WireEvent:
    return _item({**_message("system", "input_text", request.text("text")), "id": request.text("item_id")})


def _commit_audio(_: _Request) -> WireEvent:
    return {"type": "input_audio_buffer.commit"}


def _clear_audio(_: _Request) -> WireEvent:
    return {"type": "input_audio_buffer.clear"}


ENCODERS: Final[Mapping[str, EffectEncoder[_Request]]] = {
    "update_session": EffectEncoder(_update_session, ("event_id",)),
    "probe_session": EffectEncoder(_probe_session, ("event_id",)),
    "create_response": EffectEncoder(_create_response, ("event_id", "cause", "instructions")),
    "cancel_response": EffectEncoder(_cancel_response, ("event_id", "response_id")),
    "truncate_item": EffectEncoder(_truncate_item, ("event_id", "item_id", "content_index", "audio_end_ms")),
    "send_tool_output": EffectEncoder(_send_tool_output, ("event_id", "call_id", "output")),
    "tell_tool_output": EffectEncoder(_tell_tool_output, ("event_id", "item_id", "call_id", "output")),
    "send_digits": EffectEncoder(_send_digits, ("event_id", "item_id", "digits")),
    "tell_failure": EffectEncoder(_tell_failure, ("event_id", "item_id", "text")),
    "commit_audio": EffectEncoder(_commit_audio, ("event_id",)),
    "clear_audio": EffectEncoder(_clear_audio, ("event_id",)),
}


def encode(
    effect_name: str, args: Mapping[str, object], settings: SessionSettings, server: RealtimeServer
) -> WireEvent:
    """The one wire event of a provider effect (ENCODERS), with its `event_id`, which an error of the provider echoes.

    Raises EncodingError for an unknown effect or a missing or mistyped argument, SettingsError for the session's own.
    """
    encoder = encoder_of(ENCODERS, effect_name)
    request = _Request(effect_name, args, settings, server)
    return {**encoder.event(request), "event_id": request.text("event_id")}


# --- out: what was said before a reconnect ----------------------------------------------------------------------------


RestoredAnswers = Literal["messages", "summary"]
"""How a new session is told of the old one: item by item, or in one message. Answers that are restored as what they
were, text of the assistant, make some models go on in text only; a summary costs the tool calls their form."""

SUMMARY: Final = "The connection was interrupted. The conversation so far:\n{lines}\nGo on from here, in speech."


def encode_history(
    items: Iterable[HistoryItem], dialect: Dialect, event_id_prefix: str, shape: RestoredAnswers = "messages"
) -> list[WireEvent]:
    """Item creates, oldest first, for `restore_history` (there is no resume: section 5); ids `prefix.0` and on."""
    if shape == "summary":
        lines = "\n".join(_summary_line(item) for item in items)
        wire_items = [_message("system", "input_text", SUMMARY.format(lines=lines))] if lines else []
    else:
        wire_items = [wire_item for item in items for wire_item in _history_items(item, dialect)]
    return [{**_item(item), "event_id": f"{event_id_prefix}.{index}"} for index, item in enumerate(wire_items)]


def _summary_line(item: HistoryItem) -> str:
    if isinstance(item, HistoryMessage):
        return f"{_SPEAKERS[item.role]}: {item.text}"
    return f"Tool {item.name}({item.arguments}) returned: {item.output}"


_SPEAKERS: Final = {"user": "Caller", "assistant": "You", "system": "System"}


def _history_items(item: HistoryItem, dialect: Dialect) -> Iterator[WireEvent]:
    if isinstance(item, HistoryMessage):
        yield _message(item.role, ASSISTANT_TEXT[dialect] if item.role == "assistant" else "input_text", item.text)
        return
    yield {"type": "function_call", "call_id": item.call_id, "name": item.name, "arguments": item.arguments}
    yield _tool_output(item.call_id, item.output)


def _item(item: WireEvent) -> WireEvent:
    return {"type": "conversation.item.create", "item": item}


def _message(role: str, content_type: str, text: str) -> WireEvent:
    return {"type": "message", "role": role, "content": [{"type": content_type, "text": text}]}


def _tool_output(call_id: str, output: str) -> WireEvent:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


# --- out: bytes -------------------------------------------------------------------------------------------------------

_APPEND_PREFIX: Final = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_SUFFIX: Final = b'"}'


def append_event(payload: bytes) -> bytes:
    """The wire text of one chunk of caller audio, in the session's input format. No JSON library, no event_id."""
    return _APPEND_PREFIX + binascii.b2a_base64(payload, newline=False) + _APPEND_SUFFIX


# --- in ---------------------------------------------------------------------------------------------------------------

AUDIO_DELTAS: Final = frozenset({"response.output_audio.delta", "response.audio.delta"})


def decode(payload: Payload, *, binary: bool = False) -> Decoded:
    """One message: an AudioDelta, any other event as its object, or a DecodeFailure. Never raises."""
    value = parsed(payload, binary=binary)
    return value if isinstance(value, DecodeFailure) else with_audio(value, len(payload))


def with_audio(value: WireEvent, size_bytes: int) -> Decoded:
    """An event as it is, and one of audio as that audio."""
    return _audio_delta(value, size_bytes) if value["type"] in AUDIO_DELTAS else value


def _audio_delta(value: Mapping[str, object], size_bytes: int) -> AudioDelta | DecodeFailure:
    response_id, item_id = value.get("response_id"), value.get("item_id")
    content_index, delta = value.get("content_index", 0), value.get("delta")
    if not (isinstance(response_id, str) and isinstance(item_id, str)):
        return DecodeFailure("bad_audio_delta", "response_id or item_id is missing or not a text", size_bytes)
    if not isinstance(content_index, int) or isinstance(content_index, bool) or content_index < 0:
        return DecodeFailure("bad_audio_delta", "content_index is not an index", size_bytes)
    payload = audio_of(delta, size_bytes)
    if isinstance(payload, DecodeFailure):
        return payload
    return AudioDelta(response_id, item_id, content_index, payload)


def fatal_error(event: WireEvent) -> str | None:
    """The code of an error that a retry cannot repair, in an `error` event or in a failed response."""
    if event.get("type") == "error":
        return OPENAI.error_of(event.get("error"))
    if event.get("type") == "response.done":
        return OPENAI.error_of(object_of(object_of(event.get("response")).get("status_details")).get("error"))
    return None


# --- in: what an event carries besides its meaning for a turn ---------------------------------------------------------


def _piece(event: WireEvent) -> AgentPiece:
    index = event.get("content_index")
    return AgentPiece(text_of(event.get("item_id")), index if isinstance(index, int) else 0)


def _session_began(event: WireEvent) -> WireNote:
    at_s = object_of(event.get("session")).get("expires_at")
    return SessionBegan(float(at_s) if isinstance(at_s, int | float) and not isinstance(at_s, bool) else None)


def _audio_ended(event: WireEvent) -> WireNote:
    piece = _piece(event)
    return AudioGenerated(text_of(event.get("response_id")), piece.item_id, piece.content_index)


def _response_started(event: WireEvent) -> WireNote:
    return ResponseStarted(text_of(object_of(event.get("response")).get("id")))


def _response_ended(event: WireEvent) -> WireNote:
    response = object_of(event.get("response"))
    return ResponseGenerated(
        text_of(response.get("id")), response.get("status") == "completed", fatal_error(event) or ""
    )


def _item_ended(event: WireEvent) -> WireNote | None:
    item = object_of(event.get("item"))
    item_id = text_of(item.get("id"))
    return ItemCompleted(item_id) if item_id and item.get("status") == "completed" else None


def _agent_said(event: WireEvent) -> WireNote | None:
    text = text_of(event.get("transcript") or event.get("text")).strip()
    return AgentSaid(_piece(event), text, is_all=True) if text else None


def _agent_saying(event: WireEvent) -> WireNote | None:
    text = text_of(event.get("delta"))
    return AgentSaid(_piece(event), text, is_all=False) if text else None


def _caller_said(event: WireEvent) -> WireNote | None:
    transcript = event.get("transcript")
    return CallerSaid(text_of(event.get("item_id")), transcript.strip()) if isinstance(transcript, str) else None


def _playout_moment(moment: Moment) -> Callable[[WireEvent], WireNote]:
    return lambda event: PlayoutMoment(moment, text_of(event.get("response_id")))


def _key_pressed(event: WireEvent) -> WireNote | None:
    digit = text_of(event.get("event"))
    return KeyPressed(digit) if digit in KEYS else None


def _complained(event: WireEvent) -> WireNote:
    error = event.get("error")
    body = error if isinstance(error, dict) else {}
    code, message = printable(text_of(body.get("code"))), printable(text_of(body.get("message")))
    return ProviderComplained(code, message, fatal_error(event) is not None)


_NOTES: Final[Mapping[str, Callable[[WireEvent], WireNote | None]]] = {
    "session.created": _session_began,
    "input_audio_buffer.speech_started": lambda _: CallerStarted(),
    "input_audio_buffer.committed": lambda event: TurnAccepted(text_of(event.get("item_id"))),
    "conversation.item.input_audio_transcription.completed": _caller_said,
    "response.created": _response_started,
    "output_audio_buffer.started": _playout_moment("started"),
    "output_audio_buffer.stopped": _playout_moment("stopped"),
    "output_audio_buffer.cleared": _playout_moment("cleared"),
    "input_audio_buffer.dtmf_event_received": _key_pressed,
    "error": _complained,
    "response.done": _response_ended,
    "response.output_item.done": _item_ended,
    "response.output_audio.done": _audio_ended,
    "response.audio.done": _audio_ended,
    "response.output_audio_transcript.delta": _agent_saying,
    "response.audio_transcript.delta": _agent_saying,
    "response.output_audio_transcript.done": _agent_said,
    "response.audio_transcript.done": _agent_said,
    "response.output_text.done": _agent_said,
    "response.text.done": _agent_said,
}


def note_of(event: WireEvent) -> WireNote | None:
    """What the call keeps of an event, whatever the spec makes of it. Fields of another type are as if missing."""
    kind = event.get("type")
    read = _NOTES.get(kind) if isinstance(kind, str) else None
    return read(event) if read is not None else None
