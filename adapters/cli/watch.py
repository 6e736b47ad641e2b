"""Something is done again whenever one of some files changes, in one warm process, until Ctrl-C. Never what is done.

Looked at by their times a few times a second: a spec has a dozen files, wherever they are, and editors that write a new
file and rename it, network folders and containers tell nobody anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click

LOOKED_EVERY_S: Final = 0.1
Times = dict[Path, tuple[int, int] | None]


def watch(
    files: Callable[[], Iterable[Path]], act: Callable[[], object], *, pause: Callable[[float], None] | None = None
) -> None:
    """`act` now, and after each change of what `files` names then. Ends with Ctrl-C. `pause`: instead of time.sleep."""
    sleep = pause or time.sleep
    try:
        while True:
            before = times(files())
            began = time.perf_counter()
            act()
            spent_ms = 1000 * (time.perf_counter() - began)
            click.echo(f"({spent_ms:.0f} ms; waiting for a change, Ctrl-C ends)\n", err=True)
            while times(before) == before:
                sleep(LOOKED_EVERY_S)
    except KeyboardInterrupt:
        click.echo(err=True)


def times(files: Iterable[Path]) -> Times:
    """When each was last written; None of one that is not there."""
    return {path: _time(path) for path in files}


def _time(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:  # between an editor's old file and its new one
        return None
    return stat.st_mtime_ns, stat.st_size
