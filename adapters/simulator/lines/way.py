"""The way between a simulated telephone and the server: what goes over it arrives later, and in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

ROUNDING_S = 1e-6


class Way:
    """Both directions of it; without a delay everything is there at once."""

    def __init__(self, delay_ms: float) -> None:
        self._delay_s = delay_ms / 1000
        self._loop = asyncio.get_running_loop()
        self._on_it: deque[tuple[float, Callable[[], object]]] = deque()
        self._arrival: asyncio.TimerHandle | None = None

    def later(self, callback: Callable[..., object], *args: object) -> None:
        """When it arrives."""
        if not self._delay_s:
            callback(*args)
            return
        self._on_it.append((self._loop.time() + self._delay_s, partial(callback, *args)))
        if len(self._on_it) == 1:
            self._arrival = self._loop.call_later(self._delay_s, self._arrive)

    def close(self) -> None:
        """What is on the way never arrives."""
        self._on_it.clear()
        if self._arrival is not None:
            self._arrival.cancel()

    def _arrive(self) -> None:
        now_s = self._loop.time() + ROUNDING_S
        while self._on_it and self._on_it[0][0] <= now_s:
            self._on_it.popleft()[1]()
        if self._on_it:
            self._arrival = self._loop.call_at(self._on_it[0][0], self._arrive)
