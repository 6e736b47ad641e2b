"""How long to wait before something that has failed is begun again: doubled each time, forgotten when it has lasted."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 0.5
MOST_S: Final = 30.0
LASTED_S: Final = 60.0


class Backoff:
    """Time is an argument. `began` for each attempt, `failed` for its end."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._failures = 0

    def began(self, now_s: float) -> None:
        self._began_s = now_s

    def failed(self, now_s: float) -> float:
        """In how many seconds to try again."""
        if now_s - self._began_s >= LASTED_S:
            self._failures = 0
        self._failures += 1
        return float(min(FIRST_S * 2 ** min(self._failures - 1, 16), MOST_S))
