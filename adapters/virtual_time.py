"""A selector event loop over real sockets whose clock jumps to the next timer when nothing is readable.

Half a minute of a call over loopback takes a second or two, and the same run gives the same times. The kernel hands
loopback bytes over at once, so "nothing readable" means that every peer in this process waits for the clock. The law:
what is run asks `loop.time()` for the time, and uses no thread for what must happen before a timer.
Never here: anything about calls.

Use: `asyncio.Runner(loop_factory=VirtualTimeLoop)`; in tests `pytestmark = pytest.mark.virtual_time` for a module, or
the same as a decorator for a test (tests/conftest.py).
"""

from __future__ import annotations

import asyncio
import selectors

# Loopback delivery is all but synchronous; this much real time is granted to it (and to threads) before a jump.
GRACE_S = 0.0001


class _JumpingSelector(selectors.SelectSelector):
    """Asks the kernel first; advances the virtual clock only when nothing is ready.

    select() and not epoll, which rounds every wait up to a millisecond: seconds of nothing in a call of half a minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # no timer at all: only a socket or a thread can wake us
            return super().select(None)
        ready = super().select(GRACE_S)
        if not ready:
            self.now_s += max(timeout, 0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`loop.time()` starts at 1000 s and moves only when everybody waits."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # The resolution guards asyncio's own "is it due" comparison against float rounding after a jump.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return 1000.0 + self._jumping.now_s
