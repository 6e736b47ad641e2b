"""How late things were: a histogram of fixed size. Never a clock: times come in as arguments."""

from __future__ import annotations

_STEP_MS = 0.1
_STEPS = 1000  # up to 100 ms; what is later counts in the last bin and in `worst_ms`


class Lateness:
    """Counts in bins of 0.1 ms up to 100 ms: 8 KB however long it runs."""

    __slots__ = ("_bins", "count", "worst_ms")

    def __init__(self) -> None:
        self._bins = [0] * (_STEPS + 1)
        self.count = 0
        self.worst_ms = 0.0

    def add(self, late_s: float) -> None:
        """Early counts as on time."""
        late_ms = late_s * 1000
        if late_ms > self.worst_ms:
            self.worst_ms = late_ms
        self._bins[min(int(late_ms / _STEP_MS), _STEPS) if late_ms > 0 else 0] += 1
        self.count += 1

    def percentile_ms(self, percent: float) -> float:
        """Where so many percent lie below, to 0.1 ms: `percentile_ms(99.9)`. 0.0 when nothing is counted.

        Beyond 100 ms it is the worst value seen.
        """
        wanted = self.count * percent / 100
        seen = 0
        for index, count in enumerate(self._bins):
            seen += count
            if count and seen >= wanted:
                return self.worst_ms if index == _STEPS else min(round((index + 1) * _STEP_MS, 1), self.worst_ms)
        return 0.0

    def summary(self) -> dict[str, float]:
        """p50_ms, p99_ms, p99_9_ms, worst_ms and count, for a log line."""
        return {
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
            "p99_9_ms": self.percentile_ms(99.9),
            "worst_ms": self.worst_ms,
            "count": self.count,
        }
