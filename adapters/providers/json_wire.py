"""JSON in text frames, as providers speak it: one object with a `type` each. Bytes and values only; nothing raises.

What an event means, and which of them carry audio, is a protocol's own (adapters.providers.PROTOCOL.protocol).
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson

from adapters.providers.provider import DecodeFailure, WireEvent

Payload: TypeAlias = bytes | bytearray | memoryview | str


def wire_text(event: Mapping[str, object]) -> bytes:
    """UTF-8 JSON of a control event. Half a surrogate pair in a tool's answer loses that character, not the call."""
    try:
        return orjson.dumps(event)
    except TypeError:
        return json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")


def parsed(payload: Payload, *, binary: bool = False) -> WireEvent | DecodeFailure:
    """One message as its object, audio as the text that it is."""
    if binary:
        return DecodeFailure("binary_frame", "the wire is JSON in text frames", len(payload))
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return DecodeFailure("malformed_json", error.msg[:120], len(payload))
    if not isinstance(value, dict):
        return DecodeFailure("not_an_object", f"got {type(value).__name__}", len(payload))
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        return DecodeFailure("no_type", f"type is {type(kind).__name__}", len(payload))
    return value


def audio_of(delta: object, size_bytes: int) -> bytes | DecodeFailure:
    """The audio of a field that has it in base64. `size_bytes`: of the whole message."""
    if not isinstance(delta, str):
        return DecodeFailure("bad_audio_delta", f"delta is {type(delta).__name__}", size_bytes)
    try:
        # Strict: the lenient decoder skips foreign characters, and what it then returns is noise at full volume.
        return binascii.a2b_base64(delta, strict_mode=True)
    except ValueError:
        return DecodeFailure("bad_audio_delta", "delta is not base64", size_bytes)


_MOST_TOKENS: Final = 10**9  # of a number that means anything
_TOKENS: Final = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cached_tokens": ("input_token_details", "cached_tokens"),
}


def tokens_of(usage: object) -> dict[str, int]:
    """The tokens of a response, as OpenAI's protocols say them; what is not a number is left out."""
    found = {}
    for name, path in _TOKENS.items():
        value = usage
        for key in path:
            value = object_of(value).get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS:
            found[name] = value
    return found


def text_of(value: object) -> str:
    """A field that is to be text; "" for anything else."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> float | None:
    """The number, where there is one."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def object_of(value: object) -> Mapping[str, object]:
    """A field that is to be an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
