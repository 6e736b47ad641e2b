"""Which reader a log needs, told by its first bytes, and the records it gives. Never how a format is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final

from adapters.audit import read_document, read_journal, read_lines, read_text
from adapters.audit.events import Found, Recorder
from adapters.audit.stream import Stream, Told
from fsm.audit.record import Record

_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (read_journal.fits, read_journal.NAME),
    (read_document.fits, read_document.NAME),
    (read_lines.fits, read_lines.NAME),
)
_FIRST: Final = 200  # events that are looked at before the first is given on


def format_of(head: bytes) -> str:
    """The name of the format of a log that begins so."""
    for fits, name in _FORMATS:
        if fits(head):
            return name
    return read_text.NAME


def records(stream: Stream, recorder: Recorder, told: Told | None = None) -> Iterator[Record]:
    """Every record of a log, one at a time."""
    found = _found(stream, recorder, told)
    first = list(islice(found, _FIRST))
    recorder.learn([each for _, each in first])
    for line, each in chain(first, found):
        record = recorder.record(line, each)
        if record is not None:
            yield record


def _found(stream: Stream, recorder: Recorder, told: Told | None) -> Iterator[tuple[int, Found]]:
    name = format_of(stream.head)
    if name == read_journal.NAME:
        return read_journal.read(stream.lines(told), recorder)
    if name == read_document.NAME:
        return read_document.read(stream.chunks(told), recorder)
    if name == read_lines.NAME:
        return read_lines.read(stream.lines(told), recorder)
    return read_text.read(stream.lines(told), recorder)
