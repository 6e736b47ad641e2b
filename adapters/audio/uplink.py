"""The gate of caller audio toward the provider. Never a task, never a wait: an open gate sends in the same call.

Closed at first. What comes before it opens is kept, bounded, and sent in order, so that a caller who speaks while the
session is set up is not lost; a push-to-talk call discards instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from adapters.audio import OnFact
from adapters.audio.formats import AudioFormat

COMMITTABLE_MS = 100
"""The provider rejects a commit of less (docs/facts/realtime_api.md: input_audio_buffer_commit_empty)."""

_JOINED_MS = 200  # kept frames leave in pieces of this: one write per 20 ms frame would stall the tick of every call


class Uplink:
    """Payload in the provider's format goes in, and out through `send` while open.

    Reports `uplink.committable` {} once per opening, with the frame that makes 100 ms sent since. `keep`: closed audio
    is kept, the newest `keep_ms` of it; else it is dropped. Dropped audio is counted in `dropped_ms`.
    """

    __slots__ = (
        "_committable_bytes",
        "_dropped_bytes",
        "_format",
        "_keep",
        "_keep_bytes",
        "_kept",
        "_kept_bytes",
        "_on_fact",
        "_send",
        "_sent_bytes",
        "_total_bytes",
        "is_open",
    )

    def __init__(
        self,
        payload_format: AudioFormat,
        send: Callable[[bytes], object],
        on_fact: OnFact,
        *,
        keep: bool = True,
        keep_ms: int = 8000,
    ) -> None:
        self._format = payload_format
        self._send = send
        self._on_fact = on_fact
        self._keep = keep
        self._keep_bytes = keep_ms * payload_format.bytes_per_second // 1000
        self._committable_bytes = COMMITTABLE_MS * payload_format.bytes_per_second // 1000
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._sent_bytes = 0
        self._total_bytes = 0
        self._dropped_bytes = 0
        self.is_open = False

    @property
    def sent_ms(self) -> int:
        """Caller audio sent since the gate was last opened."""
        return self._format.ms(self._sent_bytes)

    @property
    def total_sent_ms(self) -> int:
        return self._format.ms(self._total_bytes)

    @property
    def kept_ms(self) -> int:
        return self._format.ms(self._kept_bytes)

    @property
    def dropped_ms(self) -> int:
        """Caller audio that never went out: kept too long, or not kept at all."""
        return self._format.ms(self._dropped_bytes)

    def send_to(self, send: Callable[[bytes], object]) -> None:
        """Another way for what goes out from here on."""
        self._send = send

    def hear(self, payload: bytes) -> None:
        """One caller frame in the provider's format, any length; an empty one is none."""
        if not payload:
            return
        if self.is_open:
            self._send(payload)
            before = self._sent_bytes
            self._sent_bytes = sent_bytes = before + len(payload)
            self._total_bytes += len(payload)
            if before < self._committable_bytes <= sent_bytes:
                self._on_fact("uplink.committable", {})
        elif self._keep:
            self._keep_newest(payload)
        else:
            self._dropped_bytes += len(payload)

    def open(self) -> None:
        """Send what was kept, in order, and let through what follows. Nothing happens when already open."""
        if self.is_open:
            return
        self.is_open = True
        self._sent_bytes = 0
        kept = b"".join(self._kept)
        self._kept.clear()
        self._kept_bytes = 0
        step = _JOINED_MS * self._format.bytes_per_second // 1000
        for start in range(0, len(kept), step):
            self.hear(kept[start : start + step])

    def close(self) -> None:
        """From here frames are kept or dropped. `sent_ms` stays until the next opening."""
        self.is_open = False

    def discard(self) -> None:
        """Drop what is kept."""
        self._dropped_bytes += self._kept_bytes
        self._kept.clear()
        self._kept_bytes = 0

    def _keep_newest(self, payload: bytes) -> None:
        self._kept.append(payload)
        self._kept_bytes += len(payload)
        while self._kept_bytes > self._keep_bytes:
            oldest = len(self._kept.popleft())
            self._kept_bytes -= oldest
            self._dropped_bytes += oldest
