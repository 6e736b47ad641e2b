"""Silence toward the provider where the caller's phone sends nothing. Never audio that came, never who has the floor.

A muted phone, hold, a pressed key and DTX send no frames at all (docs/facts/telephony.md section 2), and the provider's
VAD counts the audio it is sent, not seconds: without this it would wait for the end of a turn forever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.audio.formats import FRAME_MS, AudioFormat

GAP_MS: Final = 200  # later than this no frame is only late


class SilenceFiller:
    """`heard` with every caller frame, `tick` every 20 ms; what is missing after 200 ms goes out as silence."""

    __slots__ = ("_frame", "_missing", "_send", "_wait")

    def __init__(self, payload_format: AudioFormat, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._frame = payload_format.silence()
        self._wait = GAP_MS // FRAME_MS
        self._missing = 0

    def heard(self) -> None:
        self._missing = 0

    def tick(self) -> None:
        self._missing = missing = self._missing + 1
        if missing >= self._wait:
            self._send(self._frame * self._wait if missing == self._wait else self._frame)
