"""Voice activity on the buffer's clock: 32 ms frames, their energy, when speech began and ended. No events, no turns.

Source: docs/facts/realtime_api.md section 3.0. The clock is milliseconds of audio received, never wall time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

FRAME_MS = 32
Samples = npt.NDArray[np.int16]


class Frames:
    """Cuts received audio into 32 ms frames and says of each when it ended and how loud it was (dB of full scale)."""

    def __init__(self) -> None:
        self.received_ms = 0.0
        self._frame_end_ms = 0
        self._rate_hz = 0
        self._rest: Samples = np.zeros(0, dtype=np.int16)

    def feed(self, samples: Samples, rate_hz: int) -> Iterator[tuple[int, float]]:
        """Yield (end of the frame on the buffer's clock in ms, level in dBFS) for every frame that is now complete."""
        if rate_hz != self._rate_hz:  # a new rate: what is left of a frame is kept as silence
            kept = len(self._rest) * rate_hz // self._rate_hz if self._rate_hz else 0
            self._rate_hz, self._rest = rate_hz, np.zeros(kept, dtype=np.int16)
        self.received_ms += len(samples) * 1000 / rate_hz
        frame_samples = rate_hz * FRAME_MS // 1000
        audio = np.concatenate([self._rest, samples])
        count = len(audio) // frame_samples
        self._rest = audio[count * frame_samples :]
        if not count:
            return
        frames = audio[: count * frame_samples].reshape(count, frame_samples).astype(np.float32)
        power = np.maximum((frames * frames).mean(axis=1), 1e-3)
        for level_dbfs in (10 * np.log10(power / 32768.0**2)).tolist():
            self._frame_end_ms += FRAME_MS
            yield self._frame_end_ms, level_dbfs


def threshold_dbfs(threshold: float) -> float:
    """0.5, the default, is -42 dBFS: above line noise, below quiet speech. The real mapping is not public."""
    return -62.0 + 40.0 * threshold


@attrs.define
class VoiceActivity:
    """One detector. `feed_frame` answers "started" or "stopped" on the frame that decides it, else None."""

    trigger_frames: int
    speaking: bool = False
    _loud_frames: int = 0
    _silent_ms: int = 0

    def feed_frame(self, level_dbfs: float, threshold: float, silence_ms: int) -> Literal["started", "stopped"] | None:
        loud = level_dbfs >= threshold_dbfs(threshold)
        if not self.speaking:
            self._loud_frames = self._loud_frames + 1 if loud else 0
            if self._loud_frames < self.trigger_frames:
                return None
            self.speaking, self._silent_ms = True, 0
            return "started"
        self._silent_ms = 0 if loud else self._silent_ms + FRAME_MS
        if self._silent_ms < silence_ms:
            return None
        self.reset()
        return "stopped"

    def reset(self) -> None:
        self.speaking, self._loud_frames, self._silent_ms = False, 0, 0
