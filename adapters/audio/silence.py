"""The local watch for a caller who says nothing. Never who has the floor: it only reports that it was quiet.

The clock is the call's 20 ms tick and not the caller's frames: a muted phone, hold and DTX send no frames at all
(docs/facts/telephony.md section 2), and no frames is silence.
"""

from __future__ import annotations

from adapters.audio import OnFact
from adapters.audio.formats import FRAME_MS
from adapters.audio.level import mean_square, mean_square_at


class SilenceWatch:
    """Reports `caller.silent` {} when no loud frame came for `hold_ms`, and again every `hold_ms` while watched.

    Loud is a frame whose RMS is at least `threshold_dbfs` (full scale: a square wave of 32768).
    """

    __slots__ = ("_loud_power", "_on_fact", "_silent_ms", "hold_ms", "watching")

    def __init__(self, on_fact: OnFact, *, hold_ms: int = 2000, threshold_dbfs: float = -45.0) -> None:
        if hold_ms < FRAME_MS:
            raise ValueError(f"hold_ms must be at least one frame ({FRAME_MS} ms), not {hold_ms}")
        self._on_fact = on_fact
        self._loud_power = mean_square_at(threshold_dbfs)
        self._silent_ms = 0
        self.hold_ms = hold_ms
        self.watching = False

    def watch(self) -> None:
        """Start, or start anew: silence is counted from here."""
        self.watching = True
        self._silent_ms = 0

    def unwatch(self) -> None:
        self.watching = False

    def hear(self, pcm: bytes) -> None:
        """A caller's frame: PCM of any rate and length. Costs nothing when not watching."""
        if self.watching and self.is_loud(pcm):
            self._silent_ms = 0

    def is_loud(self, pcm: bytes) -> bool:
        return mean_square(pcm) >= self._loud_power

    def tick(self, frames: int = 1) -> None:
        """So many frames of 20 ms have passed, whether the caller sent any or not."""
        if not self.watching:
            return
        self._silent_ms += frames * FRAME_MS
        if self._silent_ms >= self.hold_ms:
            self._silent_ms = 0
            self._on_fact("caller.silent", {})
