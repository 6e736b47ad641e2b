"""`WireLog`: an observer of a call that logs each wire event by its type and small fields. Audio never passes here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.providers.provider import WireEvent
from fsm.machine.machine import Step

_SMALL: Final = (
    "event_id", "item_id", "response_id", "previous_item_id", "output_index", "content_index", "audio_start_ms",
    "audio_end_ms", "name", "transcript", "text", "delta",
)  # fmt: skip
_INNER: Final[Mapping[str, tuple[str, ...]]] = {
    "error": ("type", "code", "message", "param", "event_id"),
    "response": ("id", "status"),
    "item": ("id", "type", "role", "status", "name", "call_id"),
    "session": ("id", "model"),
}
_FIELD_CHARS: Final = 200


class WireLog:
    """Of one call, whose id is in every line."""

    def __init__(self, call_id: str) -> None:
        self._log = structlog.get_logger(__name__).bind(call_id=call_id)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        """Steps have a line of their own, at debug."""

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None:
        self._log.info("wire", direction=direction, at_ms=at_ms, type=event.get("type"), **_small(event))

    def ended(self, summary: Summary) -> None:
        """The call logs its summary itself."""


def _small(event: WireEvent) -> dict[str, object]:
    found: dict[str, object] = {}
    is_audio = str(event.get("type")).endswith("audio.delta")  # no codec passes one on; should one do so
    for key in _SMALL:
        value = event.get(key)
        if isinstance(value, str | int) and not (is_audio and key == "delta"):
            found[key] = _cut(value)
    if isinstance(event.get("call_id"), str):
        found["tool_call_id"] = event["call_id"]
    for outer, keys in _INNER.items():
        inner = event.get(outer)
        if isinstance(inner, Mapping):
            found[outer] = {key: _cut(inner[key]) for key in keys if isinstance(inner.get(key), str | int)}
    return found


def _cut(value: str | int) -> str | int:
    return value[:_FIELD_CHARS] if isinstance(value, str) else value
