"""Recordings of calls: stereo WAV, caller left, agent right. Never on the audio path: files belong to one thread.

The tick is the clock: the right channel gets one frame per tick, the left channel is put where the caller's frames
came, and what did not come (hold, DTX, lost packets) is silence. Both channels are therefore always aligned. The header
is set right with every batch, so that a process that dies leaves a file that plays, short of the last second or so.
"""

from __future__ import annotations

import contextlib
import os
import threading
import wave
from pathlib import Path
from typing import IO, Final

import numpy as np
import structlog

from adapters.audio.formats import AudioFormat
from adapters.audio.resample import Resampler
from adapters.files import FileWriterThread, opened_new

log = structlog.get_logger(__name__)

BATCH_MS: Final = 1000
JITTER_MS: Final = 200  # a caller's frame this late still belongs to what came before it: no silence in between
AHEAD_MS: Final = 1000  # caller audio further ahead of the clock than this is dropped


class Recorder:
    """One call's recording. `hear` and `tick` append to memory; once a second a batch goes to the writer's thread."""

    def __init__(self, writer: FileWriterThread, path: Path, *, rate_hz: int = 8000) -> None:
        """`path` is made, or `<name>.2.wav` if it is there already; its folder must exist. A file that fails is logged
        once, and no more is recorded."""
        self._writer = writer
        self._file = _StereoFile(path, rate_hz)
        self._rate_hz = rate_hz
        pcm = AudioFormat("pcm16", rate_hz)
        self._frame_bytes = pcm.frame_bytes
        self._batch_bytes = BATCH_MS * pcm.bytes_per_second // 1000
        self._jitter_bytes = self._frame_bytes * (JITTER_MS // 20)
        self._ahead_bytes = AHEAD_MS * pcm.bytes_per_second // 1000
        self._silence = bytes(self._frame_bytes)
        self._left = bytearray()
        self._right = bytearray()  # its end is the present
        self._resamplers: dict[int, Resampler] = {}
        self._refused_bytes = 0  # owed to the file as silence
        self._closing = False
        self._ms = pcm.ms
        self._dropped_bytes = 0
        writer.submit(self._file.open)

    @property
    def dropped_ms(self) -> int:
        """Audio of the call that is not in the file: batches refused by the writer, caller audio far ahead of time."""
        return self._ms(self._dropped_bytes)

    def hear(self, pcm: bytes, rate_hz: int | None = None) -> None:
        """A caller's frame, as it came: PCM of any length, and any rate if it is given."""
        if self._closing:
            return
        if rate_hz is not None and rate_hz != self._rate_hz:
            if rate_hz not in self._resamplers:
                self._resamplers[rate_hz] = Resampler(rate_hz, self._rate_hz)
            pcm = self._resamplers[rate_hz].process(pcm)
        behind = len(self._right) - len(self._left)
        if behind > self._jitter_bytes:
            self._left += bytes(behind)
        if -behind > self._ahead_bytes:
            self._dropped_bytes += len(pcm)
        else:
            self._left += pcm[: len(pcm) & ~1]

    def tick(self, agent_frame: bytes | None) -> None:
        """20 ms have passed, and this was said in them: one frame, or None for silence."""
        if self._closing:
            return
        self._right += agent_frame or self._silence
        # The last JITTER_MS stay: the caller's frames of that time may still come.
        if len(self._right) >= self._batch_bytes + self._jitter_bytes:
            self._hand_over(self._batch_bytes)

    def close(self) -> threading.Event:
        """Hand over the rest and close the file, in the writer's thread. The event is set when that is done."""
        if not self._closing:
            self._closing = True
            self._hand_over(max(len(self._left), len(self._right)))
            self._writer.submit(self._file.close)
        return self._file.closed

    def _hand_over(self, size_bytes: int) -> None:
        left = bytes(self._left[:size_bytes]).ljust(size_bytes, b"\0")
        right = bytes(self._right[:size_bytes]).ljust(size_bytes, b"\0")
        del self._left[:size_bytes], self._right[:size_bytes]
        owed = self._refused_bytes
        if self._writer.submit_batch(2 * size_bytes, lambda: self._file.write(owed, left, right)):
            self._refused_bytes = 0
            return
        if not owed:
            log.warning("recording_falls_behind", path=str(self._file.path))
        self._refused_bytes += size_bytes
        self._dropped_bytes += 2 * size_bytes


class _StereoFile:
    """The file itself; every method but the constructor runs in the writer's thread."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path = path
        self.closed = threading.Event()
        self._rate_hz = rate_hz
        self._raw: IO[bytes] | None = None
        self._wave: wave.Wave_write | None = None
        self._opened = opened_new

    def open(self) -> None:
        try:
            number, self.path = self._opened(self.path)
            self._raw = os.fdopen(number, "wb")
            self._begin(self._raw)
        except OSError as error:
            self._fail(error)

    def _begin(self, raw: IO[bytes]) -> None:
        self._wave = wave.open(raw, "wb")  # noqa: SIM115 - it lives as long as the call
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self._rate_hz)
        self._wave.writeframes(b"")

    def write(self, silence_bytes: int, left: bytes, right: bytes) -> None:
        """One batch, after so much silence in each channel."""
        if self._wave is None or self._raw is None:
            return
        stereo = np.column_stack((np.frombuffer(left, np.int16), np.frombuffer(right, np.int16)))
        try:
            self._wave.writeframes(bytes(2 * silence_bytes) + stereo.tobytes())  # sets the header right as well
            self._raw.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        log.error("recording_not_written", path=str(self.path), error=error.strerror)
        self._release()

    def close(self) -> None:
        self._release()
        self.closed.set()

    def _release(self) -> None:
        with contextlib.suppress(OSError):  # a full disk: what could be written is written, the header with it
            if self._wave is not None:
                self._wave.close()
        with contextlib.suppress(OSError):
            if self._raw is not None:
                self._raw.close()
        self._wave = self._raw = None
