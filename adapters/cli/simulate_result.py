"""What both `simulate` commands do with faults: choose which of them count, and write them for a CI."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from adapters.kit.faults import CallFault


def failing_faults(given: str | None, known: Iterable[str]) -> frozenset[str]:
    """The faults that make the exit code 1."""
    from adapters.kit.faults import CERTAIN, FaultNameError, chosen

    known = tuple(known)
    if given is None:
        return frozenset(CERTAIN) & frozenset(known)
    try:
        return chosen(given, known)
    except FaultNameError as error:
        raise click.UsageError(f"--fail-on: {error}") from None


def check_folder(path: Path, option: str) -> None:
    """Before a run: after it the result would be lost."""
    from adapters.settings.folders import unusable

    complaint = "" if path.parent.is_dir() else "there is no such folder"
    if complaint := complaint or unusable(path.parent):
        raise click.UsageError(f"{option}: {path.parent}: {complaint}")


def write_result(
    path: Path, suite: str, checks: Iterable[str], faults: Sequence[CallFault], failing: Collection[str], seconds: float
) -> None:
    from adapters.kit.junit import write_junit

    try:
        write_junit(path, suite, checks, faults, failing, seconds)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
