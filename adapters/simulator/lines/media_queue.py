"""chan_websocket's queue of frames, sans I/O: what Asterisk does with audio and commands, and what it says to them.

As measured with 23.4 and read in its source (docs/facts/telephony.md section 4): 20 ms frames, played by its own timer;
what does not fill a frame is dropped unless media is buffered; marks are dropped by a flush, which clears no pause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from adapters.lines.chan_websocket import protocol as wire

MOST_FRAMES: Final = 1000
XOFF_FRAMES: Final = 900
XON_FRAMES: Final = 800

_EventFields = Mapping[str, object]


class MediaQueue:
    """`take` and `command` as messages come, `play` every 20 ms. `say(event, fields)` is what the server is told."""

    def __init__(self, frame_bytes: int, say: Callable[[str, _EventFields], None], *, knows_marks: bool = True) -> None:
        self.length = 0
        """Frames; events that wait among them are not counted."""
        self.dropped_bytes = 0
        self.is_paused = False
        self.is_full = False
        self.commands: list[wire.Command] = []
        """All that were understood, for tests."""
        self._frame_bytes = frame_bytes
        self._say = say
        self._knows_marks = knows_marks
        self._waiting: deque[bytes | tuple[str, _EventFields]] = deque()
        self._leftover = b""
        self._is_bulk = False
        self._reports_drained = False

    def take(self, payload: bytes) -> None:
        """A binary message."""
        if self.length >= MOST_FRAMES:
            self.dropped_bytes += len(payload)
            return
        if not self._is_bulk:
            self._leftover = b""
        payload = self._leftover + payload
        whole = len(payload) // self._frame_bytes * self._frame_bytes
        for start in range(0, whole, self._frame_bytes):
            self._queue_frame(payload[start : start + self._frame_bytes])
        self._leftover = payload[whole:] if self._is_bulk else b""
        if not self._is_bulk:
            self.dropped_bytes += len(payload) - whole

    def _queue_frame(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self.length += 1
        if not self.is_full and self.length >= XOFF_FRAMES:
            self.is_full = True
            self._say("MEDIA_XOFF", {})

    def play(self) -> bytes | None:
        """20 ms begin: the frame that plays in them (short at the end of what was buffered), or None: silence."""
        if self.is_paused:
            return None
        if self.is_full and self.length < XON_FRAMES:
            self.is_full = False
            self._say("MEDIA_XON", {})
        if not self._waiting and self._reports_drained:
            self._reports_drained = False
            self._say("QUEUE_DRAINED", {})
        while self._waiting:
            first = self._waiting.popleft()
            if isinstance(first, bytes):
                self.length -= 1
                return first
            self._say(*first)
        return None

    def command(self, command: wire.Command) -> None:
        """One of those that are about media; ANSWER and HANGUP are the channel's."""
        self.commands.append(command)
        act = _ACTS.get(command.name)
        if act is not None:
            act(self, command.id)

    # --- commands

    def _start_buffering(self, _id: str) -> None:
        self._is_bulk = True

    def _stop_buffering(self, correlation_id: str) -> None:
        self._is_bulk = False
        if self._leftover:
            self._queue_frame(self._leftover)
        self._leftover = b""
        self._waiting.append(("MEDIA_BUFFERING_COMPLETED", {"correlation_id": correlation_id}))

    def _mark(self, correlation_id: str) -> None:
        if self._knows_marks:
            self._waiting.append(("MEDIA_MARK_PROCESSED", {"correlation_id": correlation_id}))

    def _flush(self, _id: str) -> None:
        self._waiting.clear()
        self.length = 0
        self._is_bulk = False
        self._leftover = b""

    def _pause(self, _id: str) -> None:
        self.is_paused = True

    def _go_on(self, _id: str) -> None:
        self.is_paused = False

    def _status(self, _id: str) -> None:
        self._say(
            "STATUS",
            {
                "queue_length": self.length, "xon_level": XON_FRAMES, "xoff_level": XOFF_FRAMES,
                "queue_full": self.is_full, "bulk_media": self._is_bulk, "media_paused": self.is_paused,
            },
        )  # fmt: skip

    def _report_drained(self, _id: str) -> None:
        self._reports_drained = True


_ACTS: Final[Mapping[str, Callable[[MediaQueue, str], None]]] = {
    "START_MEDIA_BUFFERING": MediaQueue._start_buffering,
    "STOP_MEDIA_BUFFERING": MediaQueue._stop_buffering,
    "MARK_MEDIA": MediaQueue._mark,
    "FLUSH_MEDIA": MediaQueue._flush,
    "PAUSE_MEDIA": MediaQueue._pause,
    "CONTINUE_MEDIA": MediaQueue._go_on,
    "GET_STATUS": MediaQueue._status,
    "REPORT_QUEUE_DRAINED": MediaQueue._report_drained,
}
