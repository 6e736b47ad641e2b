"""The switch of a line on which only one side is heard at a time. Never on the way down: the agent always is.

A speakerphone returns what it plays, and the provider takes it for the caller. What goes up while the agent is audible,
and a little longer, is silence: the same number of bytes, because the provider's clock counts them. The cost: nobody
can interrupt the agent, and what is said into its speech is lost.
"""

from __future__ import annotations

from typing import Final

from adapters.audio.formats import FRAME_MS, AudioFormat
from adapters.audio.level import mean_square, mean_square_at

TAIL_MS: Final = 300
"""How long an echo goes on: the way to the phone and back, and the room."""


class HalfDuplex:
    """`tick` every 20 ms; while `is_muted`, `silenced` is what goes up instead. A frame is audible from a level on."""

    __slots__ = ("_audible_power", "_left_ms", "_silence")

    def __init__(self, payload_format: AudioFormat, *, threshold_dbfs: float = -45.0) -> None:
        self._audible_power = mean_square_at(threshold_dbfs)
        self._silence = payload_format.silence()[:1]
        self._left_ms = 0

    @property
    def is_muted(self) -> bool:
        return self._left_ms > 0

    def tick(self, agent_frame: bytes | None) -> None:
        """20 ms begin, in which the caller hears this frame, or silence."""
        if agent_frame is not None and mean_square(agent_frame) >= self._audible_power:
            self._left_ms = FRAME_MS + TAIL_MS
        elif self._left_ms:
            self._left_ms -= FRAME_MS

    def silenced(self, payload: bytes) -> bytes:
        """As much silence."""
        return self._silence * len(payload)
