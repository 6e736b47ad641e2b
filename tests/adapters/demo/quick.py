"""Virtual time for calls of half a minute: as tests/virtual_time.py, with the least grace that loopback sockets need.

epoll rounds any wait up to a millisecond, which over the six thousand timers of a demo call is six seconds of nothing;
select() waits for microseconds. Only for calls in which no thread has to be waited for.
"""

from __future__ import annotations

import asyncio
import selectors

GRACE_S = 0.00005


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        ready = super().select(GRACE_S)
        if not ready:
            self.now_s += max(timeout, 0)
        return ready


class QuickLoop(asyncio.SelectorEventLoop):
    """`loop.time()` starts at 1000 s and moves only when everybody waits."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return 1000.0 + self._jumping.now_s
