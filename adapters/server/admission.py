"""Whether a process takes one more call: by how late its loop has been, and by how many have just begun. Beside the cap
`limits.calls`, which counts.

Lateness: a hundred timers a second; of the last second's lateness the 99th percentile closes above the limit and opens
again at half of it. One stall a second is no overload: it makes one timer late, and one is spared. A loop that has too
much to do makes all of them late.

Rate: what a call costs is known a second after it came, so calls that come all at once would be taken before anything
is late. They begin at a bounded rate (the generic cell rate algorithm of ATM traffic contracts), hardly two at once:
to begin one is what costs most; the next ones wait their turn, and whoever finds no place in the queue is refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.01
WINDOW_S: Final = 1.0
_LEAST: Final = 50
"""So many timers must have come before anything is said of them."""
AT_ONCE_S: Final = 0.04
"""The calls of so much time may begin together: two frames, which a stall may be late without being heard..."""
MOST_WAIT_S: Final = 0.5
"""... and the next ones, which hear silence until then, so much later at most. Who is refused never waits for it."""


class Admission:
    """The hysteresis. Time is an argument; `limit_s` None: it is always open."""

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s
        self._seen: deque[tuple[float, float]] = deque()  # when, how late
        self.is_open = True

    def note(self, now_s: float, late_s: float) -> bool:
        """One timer. Whether it has opened or closed by it."""
        self._seen.append((now_s, late_s))
        while self._seen[0][0] <= now_s - WINDOW_S:
            self._seen.popleft()
        if self._limit_s is None or len(self._seen) < _LEAST:
            return False
        if self.is_open and late_s <= self._limit_s:
            return False  # nearly always: what is over does not become more by it, and need not be counted
        wanted = self._limit_s / 2 if not self.is_open else self._limit_s
        is_open = not self._is_over(wanted)
        has_changed, self.is_open = is_open != self.is_open, is_open
        return has_changed

    def p99_s(self) -> float:
        """Of the last second: at most one in a hundred was later, or one at all. 0.0 where nothing was seen."""
        late = sorted(late_s for _, late_s in self._seen)
        return max(late[-1 - self._spared()], 0.0) if len(late) > 1 else 0.0

    def _is_over(self, limit_s: float) -> bool:
        """Were more than one in a hundred later?"""
        over = sum(1 for _, late_s in self._seen if late_s > limit_s)
        return over > self._spared()

    def _spared(self) -> int:
        return max(1, len(self._seen) // 100)


class NewCalls:
    """When the next call may begin, at `per_s` calls a second. Time is an argument."""

    def __init__(self, per_s: float) -> None:
        self._apart_s = 1 / per_s
        self._due_s = float("-inf")
        """When the next one would begin if calls came evenly."""

    def is_full(self, now_s: float) -> bool:
        """Would the next one be refused?"""
        return self._due_s - now_s > MOST_WAIT_S

    def wait_s(self, now_s: float) -> float | None:
        """How long this one waits; None: it would be too long, and it has no place in the queue."""
        due_s = max(self._due_s, now_s - AT_ONCE_S)
        wait_s = max(due_s - now_s, 0.0)
        if wait_s > MOST_WAIT_S:
            return None
        self._due_s = due_s + self._apart_s
        return wait_s


class LoopWatch:
    """The timers that an `Admission` is told of. `start` in the loop, `close` at its end."""

    def __init__(self, limit_s: float | None) -> None:
        self.admission = Admission(limit_s)
        self.on_changed: Callable[[bool], None] = lambda _is_busy: None
        self._limit_s = limit_s
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._limit_s is not None:
            self._wait(asyncio.get_running_loop())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def is_busy(self) -> bool:
        return not self.admission.is_open

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due_s = loop.time() + EVERY_S
        self._timer = loop.call_at(self._due_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        if self.admission.note(now_s, now_s - self._due_s):
            p99_ms = round(self.admission.p99_s() * 1000, 1)
            if self.admission.is_open:
                log.info("calls_admitted_again", loop_lag_p99_ms=p99_ms)
            else:
                log.warning("calls_not_admitted", why="busy", loop_lag_p99_ms=p99_ms)
            self.on_changed(self.is_busy())
        self._wait(loop)
