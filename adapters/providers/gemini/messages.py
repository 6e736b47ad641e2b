"""Gemini Live's messages as events: one message is several. Bytes and values only; nothing raises.

A message has no `type`: its keys name what is in it, and `serverContent` has several things at once. Here each is an
event of its own, whose `type` is the provider's word; audio is bytes. They are given in the order in which they are to
be understood, which is not the order of the keys. Source: docs/facts/gemini_live.md sections 1 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import orjson

from adapters.providers.json_wire import Payload, audio_of, object_of, text_of
from adapters.providers.provider import DecodeFailure, WireEvent

Part: TypeAlias = WireEvent | bytes | DecodeFailure

_DURATION: Final = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)s")
MOST_CALLS: Final = 32
"""Of one message; a model's round has a few."""


def parts_of(payload: Payload) -> Iterator[Part]:
    """What is in one message, of a text or of a binary frame: both carry JSON."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        yield DecodeFailure("malformed_json", error.msg[:120], len(payload))
        return
    if not isinstance(message, dict):
        yield DecodeFailure("not_an_object", f"got {type(message).__name__}", len(payload))
        return
    if not message:
        yield DecodeFailure("no_message", "the object has no key", len(payload))
    content = object_of(message.get("serverContent"))
    yield from _events(message, _BEFORE)
    yield from _events(content, _CONTENT_BEFORE)
    yield from _spoken(content.get("modelTurn"), len(payload))
    yield from _events(content, _CONTENT_AFTER)
    yield from _events(message, _CALLS)
    yield from _ends(content)
    yield from _events(message, _AFTER)
    for key in message:
        if key not in _KEYS:
            yield {"type": key}


def _events(fields: Mapping[str, object], readers: Mapping[str, _Reader]) -> Iterator[WireEvent]:
    for key, read in readers.items():
        if (value := fields.get(key)) is not None and (event := read(value)) is not None:
            yield {"type": key, **event}


def _spoken(turn: object, size_bytes: int) -> Iterator[Part]:
    """The audio of a turn; what the model thinks comes as text, and is nothing to hear."""
    parts = object_of(turn).get("parts")
    for part in parts if isinstance(parts, list) else ():
        data = object_of(object_of(part).get("inlineData"))
        if text_of(data.get("mimeType")).startswith("audio/"):
            yield audio_of(data.get("data"), size_bytes)


def _ends(content: Mapping[str, object]) -> Iterator[WireEvent]:
    """A turn's ends. The reason that one is complete stands beside it."""
    if content.get("generationComplete") is True:
        yield {"type": "generationComplete"}
    if content.get("turnComplete") is True:
        yield {"type": "turnComplete", "reason": text_of(content.get("turnCompleteReason"))}


# --- what each key holds ----------------------------------------------------------------------------------------------

_Reader: TypeAlias = Callable[[object], WireEvent | None]


def _plain(_value: object) -> WireEvent:
    return {}


def _if_true(value: object) -> WireEvent | None:
    return {} if value is True else None


def _setup_complete(value: object) -> WireEvent:
    return {"session_id": text_of(object_of(value).get("sessionId"))}


def _resumption(value: object) -> WireEvent:
    fields = object_of(value)
    is_resumable = fields.get("resumable") is True and bool(text_of(fields.get("newHandle")))
    return {"resumable": "yes" if is_resumable else "no", "handle": text_of(fields.get("newHandle"))}


def _transcription(value: object) -> WireEvent | None:
    text = text_of(object_of(value).get("text"))
    return {"text": text} if text else None


def _calls(value: object) -> WireEvent | None:
    listed = object_of(value).get("functionCalls")
    calls = [_call(object_of(each)) for each in listed[:MOST_CALLS]] if isinstance(listed, list) else []
    return {"calls": calls} if calls else None


def _call(call: Mapping[str, object]) -> dict[str, str]:
    arguments = orjson.dumps(object_of(call.get("args"))).decode()
    return {"id": text_of(call.get("id")), "name": text_of(call.get("name")), "arguments": arguments}


def _cancelled(value: object) -> WireEvent | None:
    listed = object_of(value).get("ids")
    ids = [text_of(each) for each in listed[:MOST_CALLS]] if isinstance(listed, list) else []
    return {"calls": [{"id": each} for each in ids if each]} if any(ids) else None


def _go_away(value: object) -> WireEvent:
    found = _DURATION.fullmatch(text_of(object_of(value).get("timeLeft")))
    return {"time_left_ms": int(float(found[1]) * 1000) if found else 0}


def _voice_activity(value: object) -> WireEvent:
    fields = object_of(value)
    return {"activity": text_of(fields.get("voiceActivityType") or fields.get("type"))}


_BEFORE: Final[Mapping[str, _Reader]] = {
    "setupComplete": _setup_complete,
    "sessionResumptionUpdate": _resumption,
    "toolCallCancellation": _cancelled,
    "voiceActivity": _voice_activity,
}
_CONTENT_BEFORE: Final[Mapping[str, _Reader]] = {
    "interrupted": _if_true,  # first: what comes with it is late
    "inputTranscription": _transcription,
}
_CONTENT_AFTER: Final[Mapping[str, _Reader]] = {
    "outputTranscription": _transcription,
    "waitingForInput": _if_true,
}
_CALLS: Final[Mapping[str, _Reader]] = {"toolCall": _calls}
_AFTER: Final[Mapping[str, _Reader]] = {"goAway": _go_away, "usageMetadata": _plain}
_KEYS: Final = {"serverContent", *_BEFORE, *_CALLS, *_AFTER}
