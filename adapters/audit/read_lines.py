"""Reader of JSON lines: an event a line, plain or in a wrapping that may say side and time. Never a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from adapters.audit.events import Recorder, unwrap
from fsm.audit.record import Record

NAME: Final = "JSON lines"


def fits(head: bytes) -> bool:
    """Is the first line that holds anything an object of its own?"""
    lines = [line for line in head.split(b"\n") if line.strip()]
    if len(lines) == 1 and b"\n" not in head:
        return lines[0].lstrip().startswith(b'{"')  # one long line, cut by the size of the head
    return bool(lines) and _is_object(lines[0])


def _is_object(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def read(lines: Iterable[tuple[int, bytes]], recorder: Recorder) -> Iterator[Record]:
    """Every record; lines that are no JSON or hold no event are counted."""
    for number, text in lines:
        if not text.strip():
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            recorder.skipped += 1
            continue
        found = unwrap(value)
        record = recorder.record(number, found) if found is not None else None
        if record is None:
            recorder.skipped += found is None
            continue
        yield record
