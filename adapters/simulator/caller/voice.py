"""What a caller's telephone sends: an utterance frame by frame, the agent's echo under it. No socket, no clock."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapters.audio.wav import load_wav
from adapters.simulator.caller.hearing import Loudness, SpeechDetector
from adapters.simulator.caller.script import CallerSettings, Echo, Hold, Interrupt, Say, Script

Samples = npt.NDArray[np.int16]
ECHO_ROOM_MS = 4_000


@functools.lru_cache(maxsize=256)
def _load(path: Path, modified_ns: int, rate_hz: int) -> bytes:
    del modified_ns  # in the key, so that a new recording under an old name is heard
    return load_wav(path, rate_hz)


def load_utterances(script: Script, rate_hz: int) -> dict[Path, bytes]:
    """PCM of every file a script speaks, read before the call. ValueError or OSError names a file that cannot be."""
    files = {step.file for step in script.steps if isinstance(step, Say | Interrupt)}
    files |= {step.music for step in script.steps if isinstance(step, Hold) and step.music is not None}
    return {file: _load(file, file.stat().st_mtime_ns, rate_hz) for file in files}


class EchoLine:
    """The agent's audio, delayed and damped, by the time at which it comes back."""

    def __init__(self, echo: Echo, rate_hz: int) -> None:
        self._echo = echo
        self._gain = 10 ** (echo.gain_db / 20)
        self._rate_hz = rate_hz
        self._ring = np.zeros(rate_hz * ECHO_ROOM_MS // 1000, np.float32)
        self._written = 0  # the sample after the last one, counted from the beginning of the call
        self._read = 0

    def hear(self, at_ms: float, rate_hz: int, pcm: bytes) -> None:
        """The agent's message, as it arrives. What would not fit (seconds at once) does not come back."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) * self._gain
        if rate_hz != self._rate_hz:  # nobody listens to an echo for its quality
            wanted = samples.size * self._rate_hz // rate_hz
            samples = np.interp(np.arange(wanted) * (rate_hz / self._rate_hz), np.arange(samples.size), samples)
        due = round((at_ms + self._echo.delay_ms) * self._rate_hz / 1000)
        begin = max(due if due - self._written > self._rate_hz // 50 else self._written, self._read)
        end = begin + samples.size
        if end - self._read > self._ring.size:
            return
        self._ring[np.arange(begin, end) % self._ring.size] = samples
        self._written = end

    def take(self, at_ms: float, count: int) -> npt.NDArray[np.float32]:
        """The samples that come back from `at_ms` on."""
        begin = max(round(at_ms * self._rate_hz / 1000), self._read)
        self._ring[np.arange(self._read, begin) % self._ring.size] = 0  # passed by unheard, while nothing was sent
        places = np.arange(begin, begin + count) % self._ring.size
        taken: npt.NDArray[np.float32] = self._ring[places]
        self._ring[places] = 0
        self._read = begin + count
        return taken


class Voice:
    """The caller's side of the line: one frame of `ptime_ms` at a time."""

    def __init__(self, settings: CallerSettings) -> None:
        self.speech = SpeechDetector(settings.onset_ms, settings.pause_ms)
        self._settings = settings
        self._loudness = Loudness(settings.threshold_dbfs)
        self._echo = EchoLine(settings.echo, settings.rate_hz) if settings.echo else None
        self._frame_bytes = settings.frame_bytes
        self._silence = bytes(settings.frame_bytes)
        self._utterance = b""
        self._position = 0
        self._music: bytes | None = None
        self._music_at = 0

    @property
    def is_speaking(self) -> bool:
        """Something of an utterance is not sent yet."""
        return self._position < len(self._utterance)

    def say(self, pcm: bytes) -> None:
        self._utterance, self._position = pcm, 0

    def hold(self, music: bytes) -> None:
        """From here on music goes out, over and over, or nothing."""
        self._music, self._music_at = music, 0

    def take_off_hold(self) -> None:
        self._music = None

    def hear(self, at_ms: float, rate_hz: int, pcm: bytes) -> None:
        """What the agent says, for the echo."""
        if self._echo is not None:
            self._echo.hear(at_ms, rate_hz, pcm)

    def frame(self, at_ms: float) -> bytes | None:
        """The next frame to send; None: nothing is sent (DTX)."""
        own = self._silence
        if self._music is not None:
            return self._next_of_music(self._music)
        if self.is_speaking:
            own = self._utterance[self._position : self._position + self._frame_bytes].ljust(self._frame_bytes, b"\0")
            self._position += self._frame_bytes
            if self._loudness.is_loud(own):
                self.speech.hear_loud(at_ms, self._settings.ptime_ms)
        elif self._settings.dtx and self._echo is None:
            return None
        mixed = own if self._echo is None else self._mix(own, self._echo.take(at_ms, self._frame_bytes // 2))
        is_silent = self._settings.dtx and own is self._silence and mixed == self._silence
        return None if is_silent else mixed

    def _next_of_music(self, music: bytes) -> bytes | None:
        if not music:
            return None
        begin = self._music_at % len(music)
        self._music_at = begin + self._frame_bytes
        return music[begin : begin + self._frame_bytes].ljust(self._frame_bytes, b"\0")

    @staticmethod
    def _mix(own: bytes, echo: npt.NDArray[np.float32]) -> bytes:
        if not echo.any():
            return own
        mixed = np.frombuffer(own, "<i2").astype(np.float32) + echo
        return bytes(np.clip(np.rint(mixed), -32768, 32767).astype("<i2"))
