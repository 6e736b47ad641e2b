"""The calls of a session that have no response yet, and the caller's audio that waits for them. Pure.

While a call holds the model up, audio may end the session with 1008 (docs/facts/gemini_live.md section 5): it is held.
After a few seconds it is sent all the same: a caller who is not heard is worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

HELD_MS: Final = 4_000
_BYTES_PER_MS: Final = 32
MOST_OPEN: Final = 64
"""Of more, the oldest is forgotten: it was answered to nobody."""


@attrs.define(eq=False)
class OpenCalls:
    """Of one session. Where calls have no ids, they are given some, which are left out of their responses."""

    holds_audio: bool
    _open: dict[str, None] = attrs.field(factory=dict)
    _numbered: set[str] = attrs.field(factory=set)
    _count: int = 0
    _held: bytearray = attrs.field(factory=bytearray)
    _is_overdue: bool = False

    def opened(self, calls: Any, prefix: str) -> list[dict[str, str]]:
        """The calls of a message, each with an id."""
        named: list[dict[str, str]] = []
        for call in calls:
            self._count += 1
            call_id = call["id"] or f"{prefix}_call_{self._count}"
            if not call["id"]:
                self._numbered.add(call_id)
            self._open[call_id] = None
            named.append({**call, "id": call_id})
        while len(self._open) > MOST_OPEN:
            self._forget(next(iter(self._open)))
        return named

    def cancelled(self, calls: Any) -> None:
        for call in calls:
            self._forget(call["id"])

    def answered(self, body: Mapping[str, object]) -> tuple[dict[str, object], bytes]:
        """A tool response as it is sent, without what nobody waits for any more; and the audio that waited for it."""
        listed = body.get("functionResponses")
        responses = [each for each in (listed if isinstance(listed, list) else []) if each.get("id") in self._open]
        sent = []
        for response in responses:
            call_id = response["id"]
            is_hidden = call_id in self._numbered
            sent.append({key: value for key, value in response.items() if key != "id" or not is_hidden})
            self._forget(call_id)
        return ({"functionResponses": sent} if sent else {}), (b"" if self._open else self._released())

    def admitted(self, audio: bytes) -> bytes:
        """What may be sent now, of what is held and this."""
        if not (self.holds_audio and self._open) or self._is_overdue:
            return self._released() + audio if self._held else audio
        self._held += audio
        self._is_overdue = len(self._held) >= HELD_MS * _BYTES_PER_MS
        return self._released() if self._is_overdue else b""

    def _released(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held

    def _forget(self, call_id: str) -> None:
        self._open.pop(call_id, None)
        self._numbered.discard(call_id)
        if not self._open:
            self._is_overdue = False
