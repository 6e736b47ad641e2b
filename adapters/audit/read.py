"""Which reader a log needs, told by its first bytes, and the records it gives. Never how a format is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from adapters.audit import read_document, read_journal, read_lines, read_text
from adapters.audit.events import Recorder
from adapters.audit.stream import Stream, Told
from fsm.audit.record import Record

_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (read_journal.fits, read_journal.NAME),
    (read_lines.fits, read_lines.NAME),
    (read_document.fits, read_document.NAME),
)


def format_of(head: bytes) -> str:
    """The name of the format of a log that begins so."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    for fits, name in _FORMATS:
        if fits(head):
            return name
    return read_text.NAME


def records(stream: Stream, recorder: Recorder, told: Told | None = None) -> Iterator[Record]:
    """Every record of a log, one at a time."""
    name = format_of(stream.head)
    if name == read_journal.NAME:
        yield from read_journal.read(stream.lines(told), recorder)
    elif name == read_document.NAME:
        yield from read_document.read(stream.chunks(told), recorder)
    elif name == read_lines.NAME:
        yield from read_lines.read(stream.lines(told), recorder)
    else:
        yield from read_text.read(stream.lines(told), recorder)
