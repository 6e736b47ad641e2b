"""What a server measures beside its calls: how many there are, how late it is, what waits. Asked for at each scrape."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from adapters.audio.tick import Lateness, Ticker

if TYPE_CHECKING:
    from adapters.metrics.metrics import Metrics

LAG_EVERY_S: Final = 0.25
_QUANTILES: Final = (50.0, 99.0)

STORE_DEGRADED: Final = "1 while nodes cannot share what they know of calls."


class Waiting(Protocol):
    """A call, for all that is measured here."""

    @property
    def events_waiting(self) -> int:
        """In its mailbox."""


class LoopLag:
    """How late the loop comes to a timer, over the time between two scrapes. `start`, then `close`."""

    def __init__(self) -> None:
        self._worst_s = 0.0
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due_s = time.monotonic() + LAG_EVERY_S
        self._timer = asyncio.get_running_loop().call_later(LAG_EVERY_S, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def take_worst_s(self) -> float:
        """The worst since the last time somebody asked."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def _look(self) -> None:
        self._worst_s = max(self._worst_s, time.monotonic() - self._due_s)
        self.start()


def measure_server(
    metrics: Metrics, ticker: Ticker, lag: LoopLag, calls: Mapping[str, Waiting], room: int,
    is_degraded: Callable[[], bool] = lambda: False,
) -> None:  # fmt: skip
    """`calls`: the live ones, of at most `room`. `is_degraded`: what nodes share cannot be shared."""
    metrics.gauge("store_degraded", STORE_DEGRADED, lambda: float(is_degraded()))
    metrics.gauge("calls_live", "Calls at the moment.", lambda: len(calls))
    metrics.gauge("events_waiting_most", "Of the call that is furthest behind.", lambda: _furthest_behind(calls))
    metrics.gauge("calls_limit", "Calls that there may be.", lambda: room)
    metrics.gauge("loop_lag_worst_seconds", "The latest timer since the last scrape.", lag.take_worst_s)
    for percent in _QUANTILES:
        metrics.gauge(
            "playout_lateness_seconds", "Frames against their 20 ms schedule, since the start.",
            _quantile(ticker.lateness, percent), quantile=f"{percent / 100:g}",
        )  # fmt: skip


def _furthest_behind(calls: Mapping[str, Waiting]) -> int:
    return max((each.events_waiting for each in calls.values()), default=0)


def _quantile(lateness: Lateness, percent: float) -> Callable[[], float]:
    return lambda: lateness.percentile_ms(percent) / 1000
