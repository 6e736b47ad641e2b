"""A log of a call as observations: any log that an audit reads, and of our own journals the socket besides.

Never here: what an event stands for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs
import orjson

from adapters.audit.events import RecordMaker
from adapters.audit.readers import JOURNAL, format_of, records
from adapters.audit.stream import open_stream
from adapters.specs import display_path, fetcher, specs_folder
from fsm.audit.record import CLOSED
from tools.acceptance.answers import AnswersOfLog, Worth
from tools.acceptance.projection import Projection, chosen, marks_of
from tools.acceptance.projection_reader import load_projection
from tools.acceptance.projector import Observation

PROJECTIONS: Final = ("worlds/projection.yaml", "worlds/live_projection.yaml")


@attrs.frozen
class Log:
    """What was found in a file; `skipped` counts what was not an event."""

    file: str
    observations: tuple[Observation, ...]
    projection: Projection
    """That of its protocol."""
    skipped: int = 0
    answers: Mapping[Worth, int] = attrs.field(factory=dict)
    """What the responses were worth to the caller, where the log says so."""


def bundled_projections() -> tuple[Projection, ...]:
    """The projections of the bundled worlds, one for each protocol that has one. Raises SpecError."""
    paths = (specs_folder() / name for name in PROJECTIONS)
    return tuple(load_projection(p.read_text(encoding="utf-8"), display_path(p), fetcher(p.parent)) for p in paths)


def read_log(name: str, projections: Sequence[Projection]) -> Log:
    """A log by its path, `-` for standard input. Raises OSError; a cut gzip gives what was there."""
    stream = open_stream(name)
    maker = RecordMaker(projections[0].kinds[-1].vocabulary, stream.name)
    known = frozenset(kind for projection in projections for kind in projection.rules["local"])
    found: list[Observation] = []
    answers = AnswersOfLog()
    try:
        if format_of(stream.head) == JOURNAL:
            found += _of_journal(stream.lines(), known, answers)
        else:
            for record in records(stream, maker):
                wire = {"type": "closed"} if record.type == CLOSED else record.event
                found.append(Observation(record.line, record.direction, wire))
    except EOFError:
        maker.skipped += 1
    finally:
        stream.close()
    projection = chosen(projections, {mark for o in found for mark in marks_of(o.wire)})
    kept = (o for o in found if o.side != "local" or o.type in projection.rules["local"])
    return Log(stream.name, tuple(kept), projection, maker.skipped, answers.counts)


def _of_journal(
    lines: Iterable[tuple[int, bytes]], known: Collection[str], answers: AnswersOfLog
) -> Iterator[Observation]:
    """The wire, and what steps report of the socket: that it opened, that it ended, that we closed it."""
    for number, text in lines:
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue  # the line that a crash cut
        event = line.get("event")
        if line.get("kind") == "wire" and isinstance(event, Mapping):
            yield Observation(number, "client" if line.get("direction") == "out" else "server", event)
        elif line.get("kind") == "step":
            answers.tell(event, line.get("data"))
            effects = [e.get("name") for e in line.get("effects", ()) if isinstance(e, Mapping)]
            for name in (event, *effects):
                if name in known:
                    yield Observation(number, "local", {"type": name})
