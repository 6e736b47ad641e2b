"""Reader of JSON that is not made of lines: an array of events, objects one after the other, pretty-printed.

One object is held at a time. Never here: what an event means.
"""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.audit.events import Recorder, unwrap
from fsm.audit.record import Record

NAME: Final = "JSON document"
_LISTS: Final = ("events", "messages", "log", "entries", "records", "frames", "items", "trace")
_BETWEEN: Final = " \t\r\n,[]"
_VALUE_CHARS: Final = 64 * 1024 * 1024
_DECODER: Final = json.JSONDecoder()


def fits(head: bytes) -> bool:
    """Does it begin as an array of objects, or as an object that ends on another line?"""
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    return text.startswith(b"{") and not text.split(b"\n", 1)[0].rstrip().endswith(b"}")


def read(chunks: Iterable[bytes], recorder: Recorder) -> Iterator[Record]:
    """Every record of the document; line numbers are those of where an object begins."""
    for line, value in _values(chunks, recorder):
        inner = _list_in(value)
        for each in inner if inner is not None else (value,):
            yield from recorder.records(line, each)


def _list_in(value: object) -> list[object] | None:
    """The events of an object that holds a whole log."""
    if not isinstance(value, Mapping) or unwrap(value) is not None:
        return None
    return next((found for key in _LISTS if isinstance(found := value.get(key), list)), None)


def _values(chunks: Iterable[bytes], recorder: Recorder) -> Iterator[tuple[int, object]]:
    decode = getincrementaldecoder("utf-8")("replace").decode
    text, line, tried = "", 1, 0
    for chunk in chunks:
        text += decode(chunk)
        if len(text) < 2 * tried:
            continue  # a long value: try again when there is twice as much
        text, line, found = _take(text, line)
        yield from found
        tried = len(text) if len(text) > 1_000_000 else 0
        if len(text) > _VALUE_CHARS:
            recorder.skipped += 1
            return
    text, line, found = _take(text, line)
    yield from found
    recorder.skipped += bool(text.strip(_BETWEEN))


def _take(text: str, line: int) -> tuple[str, int, list[tuple[int, object]]]:
    """Every value that is complete, what is left, and the line it begins on."""
    found: list[tuple[int, object]] = []
    at = 0
    while True:
        begin = at
        while begin < len(text) and text[begin] in _BETWEEN:
            begin += 1
        line += text.count("\n", at, begin)
        at = begin
        try:
            value, end = _DECODER.raw_decode(text, at)
        except ValueError:
            return text[at:], line, found
        found.append((line, value))
        line += text.count("\n", at, end)
        at = end
