"""A provider that does not answer is passed over for a while: the circuit of one of them. Pure: time is an argument.

works (a closed circuit): calls go there. passed_over (an open one): after `failures` of them within `window_s` nobody
does, for `window_s`. half_open: then one call tries it, and what becomes of that decides. A failure that a retry cannot
repair (key, quota, model) opens it at once.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

import attrs

State = Literal["works", "passed_over", "half_open"]

WINDOW_S: Final = 30.0
FAILURES: Final = 3
TRIAL_S: Final = 15.0
"""How long one call may try it before another one may."""


@attrs.define(kw_only=True)
class Circuit:
    """Of one provider, shared by the calls of a process."""

    failures: int = FAILURES
    window_s: float = WINDOW_S
    _failed: deque[float] = attrs.field(factory=deque)
    _opened_s: float | None = None
    _tried_s: float | None = None
    reason: str = ""
    """Of the failure that opened it."""
    is_fatal: bool = False
    """It is open, and another try within the window would end in the same way."""

    def state(self, now_s: float) -> State:
        if self._opened_s is None:
            return "works"
        return "passed_over" if now_s - self._opened_s < self.window_s else "half_open"

    def allows(self, now_s: float) -> bool:
        """Whether a call may go there. Nothing is changed."""
        match self.state(now_s):
            case "works":
                return True
            case "passed_over":
                return False
            case "half_open":
                return self._tried_s is None or now_s - self._tried_s >= TRIAL_S

    def began(self, now_s: float) -> None:
        """A call goes there: in a half-open circuit it is the trial."""
        if self._opened_s is not None:
            self._tried_s = now_s

    def succeeded(self) -> None:
        """A session was confirmed."""
        self._failed.clear()
        self._opened_s = self._tried_s = None
        self.reason, self.is_fatal = "", False

    def failed(self, now_s: float, reason: str, *, fatal: bool) -> bool:
        """A call got no session, or lost it by the provider's fault. Whether the circuit opens by it."""
        self._failed.append(now_s)
        while self._failed and self._failed[0] <= now_s - self.window_s:
            self._failed.popleft()
        was_open = self._opened_s is not None
        if was_open or fatal or len(self._failed) >= self.failures:
            self._opened_s, self._tried_s = now_s, None
            self.reason, self.is_fatal = reason, fatal
        return self._opened_s is not None and not was_open
