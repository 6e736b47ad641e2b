"""Logs for tests of acceptance: the bundled projection, samples and traces, and ways to damage them. Never a test."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.fsm.bundle import SPECS
from tools.acceptance.acceptance import Acceptance, AcceptOptions, accept
from tools.acceptance.projection import Projection
from tools.acceptance.projection_reader import load_projection
from tools.acceptance.projector import Observation, Side

Row = dict[str, Any]
SAMPLES = Path(__file__).with_name("samples")
FILE = "worlds/projection.yaml"
LIVE = "worlds/live_projection.yaml"


def fetch(reference: str) -> tuple[str, str]:
    """A file that the projection refers to: beside it, or among the specs."""
    beside = SPECS / "worlds" / reference
    path = beside if beside.is_file() else SPECS / reference
    return path.read_text(encoding="utf-8"), f"specs/{path.relative_to(SPECS)}"


def projected(*changes: tuple[str, str], file: str = FILE) -> Projection:
    """A bundled projection after textual changes; each old text must be there exactly once."""
    text = (SPECS / file).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times there"
        text = text.replace(old, new)
    return load_projection(text, f"specs/{file}", fetch)


@cache
def projection(file: str = FILE) -> Projection:
    return projected(file=file)


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sample(name: str) -> list[Row]:
    return rows(SAMPLES / f"{name}.jsonl")


def observed(log: list[Row]) -> list[Observation]:
    """Rows as observations, numbered by line; a row without an event is the end of a socket."""
    found = []
    for line, row in enumerate(log, 1):
        side: Side = row.get("dir", "server") if "event" in row else "local"
        found.append(Observation(line, side, row.get("event", {"type": "closed"})))
    return found


def accepted(
    log: list[Row], wish: AcceptOptions | None = None, dialect: str | None = None, by: Projection | None = None
) -> Acceptance:
    return accept("log", observed(log), by or projection(), wish or AcceptOptions(), dialect)


# --- damage -----------------------------------------------------------------------------------------------------------


def at(log: list[Row], kind: str, nth: int = 1) -> int:
    """The index of the nth event of a type."""
    found = [i for i, row in enumerate(log) if row.get("event", {}).get("type") == kind]
    assert len(found) >= nth, f"{kind} is {len(found)} times in the log"
    return found[nth - 1]


def without(log: list[Row], kind: str, nth: int = 1) -> list[Row]:
    index = at(log, kind, nth)
    return log[:index] + log[index + 1 :]


def twice(log: list[Row], kind: str, nth: int = 1) -> list[Row]:
    index = at(log, kind, nth)
    return [*log[: index + 1], *log[index:]]


def moved(log: list[Row], kind: str, before: str, nth: int = 1) -> list[Row]:
    """An event put before the first of another type."""
    row = log[at(log, kind, nth)]
    rest = without(log, kind, nth)
    index = at(rest, before)
    return [*rest[:index], row, *rest[index:]]


def copied(log: list[Row], kind: str, before: str, nth: int = 1) -> list[Row]:
    """An event that is said once more, before the nth of another type."""
    index = at(log, before, nth)
    return [*log[:index], log[at(log, kind)], *log[index:]]
