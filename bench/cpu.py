"""What this process has had of the processor, and how long it had to wait for it. Never a measurement of its own."""

from __future__ import annotations

import resource
from pathlib import Path

_SCHEDSTAT = Path("/proc/self/schedstat")


def used_s() -> tuple[float, float]:
    """User and system time, as os.times() tells it, but to the microsecond."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime


def waited_s() -> float | None:
    """How long the main thread was ready to run and another program was running. None: this system does not tell."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
