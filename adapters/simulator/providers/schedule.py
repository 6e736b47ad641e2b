"""What is going to happen, in order of time. It runs nothing by itself and asks no clock: the time is an argument."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[float], None]


class Schedule:
    """Actions by time; of the same time, in the order in which they were planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._count = 0

    def at(self, time_s: float, action: Action) -> None:
        """Plan `action(time_s)`. An action that has become pointless must notice that by itself."""
        self._count += 1
        heapq.heappush(self._heap, (time_s, self._count, action))

    def next_deadline(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def run_until(self, now_s: float) -> None:
        """Run all that is due, each at its own time, also what the run itself plans."""
        while self._heap and self._heap[0][0] <= now_s:
            due_s, _, action = heapq.heappop(self._heap)
            action(due_s)

    def clear(self) -> None:
        self._heap.clear()
