"""The Realtime wire as bytes and dicts: effects to wire events, wire text to decoded events.  Never: a socket, a clock,
a state, or the meaning of an event for a turn (decoded events go to the core as they are).

Guilt: what we are asked to encode and cannot is an EncodingError (ours); what the provider sends and nobody can read is
a Problem, a value (theirs). Decoding raises nothing. Source: docs/facts/realtime_api.md sections 1, 2, 3 and 5.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal

import attrs
import orjson

from adapters.providers.realtime.session import Dialect, SessionSettings, session_object

WireEvent = dict[str, object]
Payload = bytes | bytearray | memoryview | str


class EncodingError(ValueError):
    """An effect that has no wire form; the message is `effect.argument: what is wrong`."""


# --- out: effects -----------------------------------------------------------------------------------------------------

# What the dialects call the same thing outside of the session object. Everything else is spelled alike in both.
ASSISTANT_TEXT: Final[Mapping[Dialect, str]] = {"ga": "output_text", "beta": "text"}
DIGITS_TEXT: Final = "The caller pressed {digits} on the telephone keypad."


@attrs.frozen
class _Request:
    """One effect about to be encoded; reads its arguments and names the guilty one."""

    effect: str
    args: Mapping[str, object]
    settings: SessionSettings
    dialect: Dialect

    def text(self, key: str) -> str:
        value = self.args.get(key)
        if not isinstance(value, str):
            raise EncodingError(f"{self.effect}.{key}: expected text, got {type(value).__name__}")
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self.args.get(key) is None else self.text(key)

    def natural(self, key: str) -> int:
        value = self.args.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise EncodingError(f"{self.effect}.{key}: expected a whole number from 0, got {value!r:.40}")
        return value


def _update_session(request: _Request) -> WireEvent:
    return {"type": "session.update", "session": session_object(request.settings, request.dialect)}


def _create_response(request: _Request) -> WireEvent:
    # The tag is how the core tells our response from one the provider began by itself (section 3.2).
    response: WireEvent = {"metadata": {"turnspec": request.text("event_id")}}
    instructions = request.optional_text("instructions")
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


def _send_digits(request: _Request) -> WireEvent:
    # The item's id is ours, so that its echo can be told from any other.
    text = DIGITS_TEXT.format(digits=request.text("digits"))
    return _item({**_message("user", "input_text", text), "id": request.text("item_id")})


def _commit_audio(_: _Request) -> WireEvent:
    return {"type": "input_audio_buffer.commit"}


def _clear_audio(_: _Request) -> WireEvent:
    return {"type": "input_audio_buffer.clear"}


ENCODERS: Final[Mapping[str, Callable[[_Request], WireEvent]]] = {
    "update_session": _update_session,
    "create_response": _create_response,
    "cancel_response": _cancel_response,
    "truncate_item": _truncate_item,
    "send_tool_output": _send_tool_output,
    "send_digits": _send_digits,
    "commit_audio": _commit_audio,
    "clear_audio": _clear_audio,
}


def encode(effect_name: str, args: Mapping[str, object], settings: SessionSettings, dialect: Dialect) -> WireEvent:
    """The one wire event of a provider effect (ENCODERS), with its `event_id`, which an error of the provider echoes.

    Raises EncodingError for an unknown effect or a missing or mistyped argument, SettingsError for the session's own.
    """
    encoder = ENCODERS.get(effect_name)
    if encoder is None:
        raise EncodingError(f"{effect_name}: not an effect of the provider's control side")
    request = _Request(effect_name, args, settings, dialect)
    return {**encoder(request), "event_id": request.text("event_id")}


# --- out: what was said before a reconnect ----------------------------------------------------------------------------


@attrs.frozen
class HistoryMessage:
    """What a party said, as text; the provider takes no assistant audio from a client."""

    role: Literal["user", "assistant", "system"]
    text: str


@attrs.frozen
class HistoryToolCall:
    """A call that has been answered. An open one is not restored: the new session would wait for it."""

    call_id: str
    name: str
    arguments: str
    output: str


HistoryItem = HistoryMessage | HistoryToolCall


def encode_history(items: Iterable[HistoryItem], dialect: Dialect, event_id_prefix: str) -> list[WireEvent]:
    """Item creates, oldest first, for `restore_history` (there is no resume: section 5); ids `prefix.0` and on."""
    wire_items = (wire_item for item in items for wire_item in _history_items(item, dialect))
    return [{**_item(item), "event_id": f"{event_id_prefix}.{index}"} for index, item in enumerate(wire_items)]


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


def wire_text(event: Mapping[str, object]) -> bytes:
    """UTF-8 JSON of a control event. Half a surrogate pair in a tool's answer loses that character, not the call."""
    try:
        return orjson.dumps(event)
    except TypeError:
        return json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")


# --- in ---------------------------------------------------------------------------------------------------------------

AUDIO_DELTAS: Final = frozenset({"response.output_audio.delta", "response.audio.delta"})

ProblemKind = Literal["binary_frame", "malformed_json", "not_an_object", "no_type", "bad_audio_delta"]


@attrs.frozen
class AudioDelta:
    """Agent audio in the session's output format, keyed as the playout keys it (docs/architecture.md section 6)."""

    response_id: str
    item_id: str
    content_index: int
    payload: bytes


@attrs.frozen
class Problem:
    """A message of the provider that says nothing we can read. `detail` never quotes the message."""

    kind: ProblemKind
    detail: str
    size_bytes: int


Decoded = WireEvent | AudioDelta | Problem


def decode(payload: Payload, *, binary: bool = False) -> Decoded:
    """One message: an AudioDelta, any other event (unknown types too) as its object, or a Problem. Never raises."""
    if binary:
        return Problem("binary_frame", "the wire is JSON in text frames", len(payload))
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return Problem("malformed_json", error.msg[:120], len(payload))
    if not isinstance(value, dict):
        return Problem("not_an_object", f"got {type(value).__name__}", len(payload))
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        return Problem("no_type", f"type is {type(kind).__name__}", len(payload))
    if kind in AUDIO_DELTAS:
        return _audio_delta(value, len(payload))
    return value


def _audio_delta(value: Mapping[str, object], size_bytes: int) -> AudioDelta | Problem:
    response_id, item_id = value.get("response_id"), value.get("item_id")
    content_index, delta = value.get("content_index", 0), value.get("delta")
    if not (isinstance(response_id, str) and isinstance(item_id, str)):
        return Problem("bad_audio_delta", "response_id or item_id is missing or no text", size_bytes)
    if not isinstance(content_index, int) or isinstance(content_index, bool) or content_index < 0:
        return Problem("bad_audio_delta", "content_index is no index", size_bytes)
    if not isinstance(delta, str):
        return Problem("bad_audio_delta", f"delta is {type(delta).__name__}", size_bytes)
    try:
        # Strict: the lenient decoder skips foreign characters, and what it then returns is noise at full volume.
        payload = binascii.a2b_base64(delta, strict_mode=True)
    except ValueError:
        return Problem("bad_audio_delta", "delta is not base64", size_bytes)
    return AudioDelta(response_id, item_id, content_index, payload)
