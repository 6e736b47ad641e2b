"""How a measurement is shown: the machine it ran on, its load, and tables. Never a measurement."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
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
        f"load average before: {one:.2f} (1 min), {five:.2f} (5 min)"
        + ("; not quiet: read ratios" if one > 0.3 else ""),
    ]


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


def verdict(holds: bool) -> str:
    return "[green]holds[/]" if holds else "[red]missed[/]"
