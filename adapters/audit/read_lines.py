"""Reader of JSON lines: an event a line, plain or in a wrapping that may say side and time. Never a document.

A line that is no JSON (cut off, mixed with other output) is read as text is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from adapters.audit.events import Found, Recorder, every
from adapters.audit.literals import parsed
from adapters.audit.read_text import Parser, message_of

NAME: Final = "JSON lines"


def fits(head: bytes) -> bool:
    """Is the first line that holds anything an object of its own, or one that was cut?"""
    first = next((line.lstrip() for line in head.split(b"\n") if line.strip()), b"")
    return first.startswith(b'{"')


def read(lines: Iterable[tuple[int, bytes]], recorder: Recorder) -> Iterator[tuple[int, Found]]:
    """Every event, and its line; lines that hold none are counted."""
    parser = Parser()
    for number, raw in lines:
        if not raw.strip():
            continue
        value = parsed(raw) if raw.lstrip()[:1] in (b"{", b"[") else None
        found = list(every(value)) if value is not None else []
        if found:
            yield from parser.end()
            yield from ((number, each) for each in found)
            continue
        text = raw.decode("utf-8", "replace") if value is None else message_of(value)
        inner = list(parser.feed(number, text)) if text else []
        recorder.skipped += not inner and not parser.is_open
        yield from inner
    yield from parser.end()
