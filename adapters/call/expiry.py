"""When a provider's session will have lived its time, so that another can be opened in a quiet moment before that.

A session that runs into its end is closed in mid-word (docs/facts/realtime_api.md section 4: close 1001).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

LIFETIME_S: Final = 3600.0  # what Realtime gives a session that does not say so itself
EARLY_S: Final = 300.0  # quiet moments come in conversations, but not at once
_LONGEST_S: Final = 86_400.0


class SessionExpiry:
    """Calls `on_expiring` once, 5 minutes before the end of a session; half of what is left, if that is less."""

    def __init__(self, on_expiring: Callable[[], None], wall_clock: Callable[[], float] = time.time) -> None:
        self._on_expiring = on_expiring
        self._wall_clock = wall_clock
        self._timer: asyncio.TimerHandle | None = None

    def session_began(self, expires_at_s: float | None) -> None:
        """`expires_at_s`: Unix time; None: the server does not say. One that is past is that of another clock."""
        self.stop()
        left_s = LIFETIME_S if expires_at_s is None else expires_at_s - self._wall_clock()
        if not 0 < left_s <= _LONGEST_S:
            left_s = LIFETIME_S
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(left_s - min(EARLY_S, left_s / 2), self._on_expiring)

    def stop(self) -> None:
        """The session is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
