"""What leaves toward the caller: exactly one message per 20 ms, whatever happens. Never where the audio comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from adapters.audio.tick import Registration, Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.settings import AudioSocketSettings, frame_bytes
from adapters.lines.line import AudioSource


@attrs.define
class ConnectionStats:
    """Counters of one connection, for the log line at its end and for tests."""

    frames_sent: int = 0
    frames_silent: int = 0
    frames_dropped: int = 0
    """Not sent, because the peer does not read."""
    frames_skipped: int = 0
    """Not sent, because the loop of the process was stalled."""
    frames_misshaped: int = 0
    """From a source, and not 20 ms long: filled up with silence or cut."""
    messages_received: int = 0
    early_dropped: int = 0
    unknown_messages: int = 0
    failures: int = 0
    """Exceptions of a listener or a source."""


class PacedOutput:
    """Toward the caller: exactly one message per 20 ms, what the source gives or silence, or one more frame dropped."""

    def __init__(
        self, settings: AudioSocketSettings, stats: ConnectionStats, note_failure: Callable[[str], None]
    ) -> None:
        self.source: AudioSource | None = None
        self._backlog_frames = settings.backlog_max_frames
        self.speak_at(settings.rates_hz[0])
        self._dropped_surplus = 0
        self._stats = stats
        self._note_failure = note_failure
        self._place: Registration | None = None

    def speak_at(self, rate_hz: int) -> None:
        """From the next frame on."""
        self.rate_hz = rate_hz
        self._frame_bytes = frame_bytes(rate_hz)
        self._header = wire.audio_header(rate_hz, self._frame_bytes)
        self._silence = self._header + bytes(self._frame_bytes)
        self._backlog_bytes = self._backlog_frames * len(self._silence)

    def start(self, ticker: Ticker, transport: asyncio.Transport, on_dropped: Callable[[int], None]) -> None:
        """`on_dropped`: the peer does not read; so many more frames were dropped than sent since it began."""
        self._transport = transport
        self._on_dropped = on_dropped
        self._place = ticker.register(self.tick)

    def stop(self) -> None:
        """No frame leaves after this."""
        if self._place is not None:
            self._stats.frames_skipped = self._place.skipped_frames
            self._place.unregister()
        self._place = self.source = None

    @property
    def frames_unsent(self) -> int:
        """Frames that were due and did not leave: the process was stalled, or the peer did not read."""
        skipped = self._stats.frames_skipped if self._place is None else self._place.skipped_frames
        return skipped + self._stats.frames_dropped

    def tick(self, frames_due: int) -> None:
        transport, stats = self._transport, self._stats
        for _ in range(frames_due):
            if self._place is None or transport.is_closing():
                return
            pcm, source = None, self.source
            if source is not None:
                try:
                    pcm = source.pull()
                except Exception:
                    self._note_failure("source")
            if pcm is None:
                stats.frames_silent += 1
                message = self._silence
            else:
                message = self._header + (pcm if len(pcm) == self._frame_bytes else self._shaped(pcm))
            if transport.get_write_buffer_size() >= self._backlog_bytes:
                self._drop_frame()
                continue
            if self._dropped_surplus:
                self._dropped_surplus -= 1
            stats.frames_sent += 1
            transport.write(message)

    def _shaped(self, pcm: bytes) -> bytes:
        self._stats.frames_misshaped += 1
        return pcm[: self._frame_bytes].ljust(self._frame_bytes, b"\0")

    def _drop_frame(self) -> None:
        self._dropped_surplus += 1
        self._stats.frames_dropped += 1
        self._on_dropped(self._dropped_surplus)
