"""How a measurement is shown: the machine it ran on, its load, and tables. Never a measurement."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

_PACKAGES = ("websockets", "numpy", "orjson", "transitions", "structlog")


def console() -> Console:
    """To the terminal, or to a file or a pipe at a width that keeps a table whole."""
    shown = Console()
    return shown if shown.is_terminal else Console(width=120)


def machine_lines() -> list[str]:
    """Processor, system, Python and libraries, and how busy the machine is right now."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    one, five, _ = os.getloadavg()
    return [
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {packages}",
        f"load average before: {one:.2f} (1 min), {five:.2f} (5 min)" + _quiet(one),
    ]


def _quiet(load: float) -> str:
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        return "; this with real-time priority, before whatever else runs"
    return "; not quiet: read ratios" if load > 0.3 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The first column names a row; the others are numbers."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


class Progress:
    """What is being measured, and about how long all of it still takes; on stderr, so that a table can be kept."""

    def __init__(self, takes_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = Console(stderr=True, highlight=False)
        self._clock = clock
        self._ends_s = clock() + takes_s

    def step(self, what: str) -> None:
        left_s = max(self._ends_s - self._clock(), 1.0)
        left = f"{left_s / 60:.0f} minutes" if left_s >= 90 else f"{left_s:.0f} s"
        self._out.print(f"{what} ... (about {left} to go)", soft_wrap=True)
