"""Who hears a leg in a test, and remembers it."""

from __future__ import annotations

import attrs


@attrs.define
class Remembering:
    """A `LegListener`."""

    audio: list[tuple[bytes, int]] = attrs.field(factory=list)
    keys: list[str] = attrs.field(factory=list)
    gone: list[str] = attrs.field(factory=list)

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        self.audio.append((pcm, rate_hz))

    def on_key(self, digit: str) -> None:
        self.keys.append(digit)

    def on_gone(self, reason: str) -> None:
        self.gone.append(reason)
