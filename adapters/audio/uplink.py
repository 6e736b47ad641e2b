"""The gate of caller audio toward the provider. Never a task, never a wait: an open gate sends in the same call.

Closed at first. What comes before it opens is kept, bounded, and sent in order, so that a caller who speaks while the
session is set up is not lost; a push-to-talk call discards instead.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.audio import OnFact
from adapters.audio.formats import AudioFormat, converted

COMMITTABLE_MS = 100
"""The provider rejects a commit of less (docs/facts/realtime_api.md: input_audio_buffer_commit_empty)."""

_JOINED_MS = 200  # kept frames leave in pieces of this: one write per 20 ms frame would stall the tick of every call


class Uplink:
    """Payload in the provider's format goes in, and out through `send` while open.

    Reports `uplink.committable` {} once per opening, with the frame that makes 100 ms sent since. While it is closed
    the newest `keep_ms` are kept, what is older is dropped; 0: nothing is kept.
    """

    __slots__ = (
        "_committable_bytes", "_format", "_keep_bytes", "_keep_ms", "_kept", "_on_fact", "_piece_bytes",
        "_send", "_sent_bytes", "is_open",
    )  # fmt: skip

    def __init__(
        self, payload_format: AudioFormat, send: Callable[[bytes], object], on_fact: OnFact, *, keep_ms: int = 8000
    ) -> None:
        self._send = send
        self._on_fact = on_fact
        self._keep_ms = keep_ms
        self._kept = bytearray()
        self._sent_bytes = 0  # since it was last opened, as long as it is too little to be committed
        self.is_open = False
        self._measure(payload_format)

    def _measure(self, payload_format: AudioFormat) -> None:
        self._format = payload_format
        self._keep_bytes = payload_format.bytes_in(self._keep_ms)
        self._committable_bytes = payload_format.bytes_in(COMMITTABLE_MS)
        self._piece_bytes = payload_format.bytes_in(_JOINED_MS)

    def switch(self, payload_format: AudioFormat) -> None:
        """Another format from here on, also of what is kept."""
        old = self._format
        self._sent_bytes = payload_format.bytes_in(old.ms(self._sent_bytes))
        self._measure(payload_format)
        self._kept = bytearray(converted(bytes(self._kept), old, payload_format))

    def send_to(self, send: Callable[[bytes], object]) -> None:
        """Another way for what goes out from here on."""
        self._send = send

    def send(self, payload: bytes) -> None:
        """Past the gate: what was heard before and is said again."""
        self._send(payload)

    def hear(self, payload: bytes) -> None:
        """One caller frame in the provider's format, any length; an empty one is none."""
        if not payload:
            return
        if not self.is_open:
            self._kept += payload
            del self._kept[: max(len(self._kept) - self._keep_bytes, 0)]
            return
        self._send(payload)
        if self._sent_bytes < self._committable_bytes:
            self._sent_bytes += len(payload)
            if self._sent_bytes >= self._committable_bytes:
                self._on_fact("uplink.committable", {})

    def open(self) -> bytes:
        """Send what was kept, in order, and let through what follows; returns what was sent. When open: nothing."""
        if self.is_open:
            return b""
        self.is_open = True
        self._sent_bytes = 0
        kept = bytes(self._kept)
        self._kept = bytearray()
        for start in range(0, len(kept), self._piece_bytes):
            self.hear(kept[start : start + self._piece_bytes])
        return kept

    def close(self) -> None:
        """From here frames are kept or dropped."""
        self.is_open = False
