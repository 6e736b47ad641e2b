"""The seam of the lines: what a call needs of a telephone line, and what it hears from it. Never which line it is.

A line paces: it asks for one frame per 20 ms, whatever happens, and a frame that is not there is silence. Both
protocols are called in the loop's callbacks, without an await per frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

FrameSource: TypeAlias = Callable[[], bytes | None]
"""Called once per 20 ms: one frame of PCM at the leg's rate, or None for silence."""


class LegListener(Protocol):
    """Who hears the caller. Called from the receive loop, so it must be cheap; one that raises is logged."""

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Whole samples, any number of them (10, 20, 30, 40 ms; nothing while the caller is muted): not a clock."""

    def on_key(self, digit: str) -> None:
        """One of `0-9 * # A-D`, at the end of the key press."""

    def on_gone(self, reason: str) -> None:
        """The line has ended. Exactly once, whoever ended it, and the last thing heard."""


class CallLeg(Protocol):
    """The caller's leg of one call."""

    @property
    def rate_hz(self) -> int:
        """Of the frames a source gives."""

    @property
    def frames_unsent(self) -> int:
        """Frames that were due and did not leave."""

    def play_from(self, source: FrameSource | None) -> None:
        """From the next tick on every frame is asked of `source` (None: silence)."""

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener; it hears first what came before there was one (bounded)."""

    async def hang_up(self) -> None:
        """The polite end, after which the dialplan goes on; returns when the line is gone."""
