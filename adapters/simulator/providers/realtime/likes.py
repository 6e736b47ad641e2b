"""`--like ROW`: a simulated provider that plays a row of servers.yaml, or what it could be otherwise (`--but`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from adapters.providers.realtime.realtime_server import RealtimeServer
from adapters.settings.reader import RejectedError, SettingsReader
from adapters.settings.servers import Servers, bundled_servers, read_servers
from adapters.simulator.providers.realtime.faults import PlannedFault
from adapters.simulator.providers.realtime.provider_scenario import parse_scenario
from fsm.errors import LocalError
from fsm.language.problem import Problems, SpecError, suggestion
from fsm.language.yaml_nodes import read

LIKES: Final = Path(__file__).with_name("likes.yaml")


class LikeError(LocalError, ValueError):
    """No such row, or no such column."""


def row_like(name: str, but: Sequence[str] = (), servers: Servers | None = None) -> RealtimeServer:
    """The row of that name, with other values in some columns: `COLUMN=VALUE`, as YAML. LikeError: what is wrong."""
    known = bundled_servers() if servers is None else servers
    row = known.get(name)
    if row is None:
        hint = suggestion(name, known)
        raise LikeError(f"'{name}' is not a server known here: {hint or ', '.join(known)}")
    if row.refused:
        raise LikeError(f"no call can be held with {row.about or name}: {row.refused}")
    if not but:
        return row
    lines = [f"  {column}: {value}\n" for column, _, value in (each.partition("=") for each in but)]
    problems = Problems()
    reader = SettingsReader(problems, {}, Path())
    try:
        node = read(f"{name}:\n  like: {name}\n" + "".join(lines), "--but", problems)
        made = read_servers(reader, node)[name]
    except (SpecError, RejectedError):
        made = row
    for problem in problems.errors:
        raise LikeError(f"{problem.message}{f' ({problem.hint})' if problem.hint else ''}")
    return made


def faults_like(name: str) -> tuple[PlannedFault, ...]:
    """What a server of this row says beside the protocol."""
    return _likes().get(name, ())


@functools.cache
def _likes() -> Mapping[str, tuple[PlannedFault, ...]]:
    document = yaml.safe_load(LIKES.read_text(encoding="utf-8"))
    return {name: parse_scenario(yaml.safe_dump({"faults": faults}), LIKES).faults for name, faults in document.items()}
