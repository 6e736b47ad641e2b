"""Readers of logs: which one a log needs is known by its first bytes; each gives the events it finds, and their lines.

- turnspec's own journals: wire lines, and what our playout and our effects report of what was heard;
- JSON that is not made of lines: an array of events, objects one after the other, one object of it all. One value is
  held at a time; of one that is larger than memory should hold, its parts;
- cassettes in YAML, of which the whole is held: up to 16 MiB, what is larger is read as text;
- JSON lines: an event a line, plain or in a wrapping; a line that is not JSON (cut off, mixed) is read as text is;
- text: events somewhere in a line, as anybody prints them, whole or cut; times and sides before them; closes.

What an event means is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

import orjson

from adapters.audit.documents import CASSETTE_BYTES, is_cassette, is_document, read_cassette, read_document
from adapters.audit.events import FoundEvent, RecordMaker
from adapters.audit.stream import Progressed, Stream
from adapters.audit.text import are_lines, read_lines, read_text
from adapters.audit.times import Time, of_number
from fsm.audit.record import CLOSED, ENDED, FLUSHED, LOCAL_FACTS, PLAYOUT, STARTED, Record

JOURNAL: Final = "turnspec journal"
DOCUMENT: Final = "JSON document"
LINES: Final = "JSON lines"
CASSETTE: Final = "YAML"
TEXT: Final = "text with events"
_FIRST: Final = 200  # events that are looked at before the first is given on
Lines = Iterable[tuple[int, bytes]]
Events = Iterator[tuple[int, FoundEvent]]


def format_of(head: bytes) -> str:
    """The name of the format of a log that begins so."""
    return next((name for fits, name in _FORMATS if fits(head)), TEXT)


def records(stream: Stream, maker: RecordMaker, progressed: Progressed | None = None) -> Iterator[Record]:
    """Every record of a log, one at a time."""
    found = _found(stream, maker, progressed)
    first = list(islice(found, _FIRST))
    maker.learn([each for _, each in first])
    for line, each in chain(first, found):
        record = maker.record(line, each)
        if record is not None:
            yield record


def _found(stream: Stream, maker: RecordMaker, progressed: Progressed | None) -> Events:
    name = format_of(stream.head)
    if name == DOCUMENT:
        return read_document(stream.chunks(progressed), maker)
    if name == CASSETTE:
        return _of_cassette(stream, maker, progressed)
    return _READERS[name](stream.lines(progressed), maker)


def _of_cassette(stream: Stream, maker: RecordMaker, progressed: Progressed | None) -> Events:
    """A cassette, or the text that it is if there is no event in it after all, or too much of it."""
    begin, rest = stream.first(CASSETTE_BYTES + 1)
    found = None if rest else read_cassette(begin, maker)
    if found is not None:
        return iter(found)
    before = enumerate(begin.splitlines(keepends=True), 1)
    after = ((number + begin.count(b"\n"), line) for number, line in stream.lines(progressed))
    return read_text(chain(before, after), maker)


# --- journals ---------------------------------------------------------------------------------------------------------

_FACTS: Final = PLAYOUT | LOCAL_FACTS
_KINDS: Final = {"header": "spec", "step": "serial", "wire": "direction"}
"""What a line of each kind has."""


def _is_journal(head: bytes) -> bool:
    """Does a log begin as a journal does? One whose begin was cut off begins with the rest of a line."""
    whole = head.split(b"\n")[:2]
    return any(isinstance(line, dict) and _KINDS.get(str(line.get("kind")), "") in line for line in map(_json, whole))


def spec_of(head: bytes) -> str:
    """The name of the spec a journal says it was written under, "" if it says none."""
    first = _json(head.split(b"\n", 1)[0])
    name = first.get("spec") if isinstance(first, dict) and first.get("kind") == "header" else None
    return name if isinstance(name, str) else ""


def started_of(head: bytes) -> str:
    """When a journal says its call began (2026-10-21T10:00...), "" if it does not say."""
    first = _json(head.split(b"\n", 1)[0])
    time = first.get("started_at") if isinstance(first, dict) and first.get("kind") == "header" else None
    return time if isinstance(time, str) else ""


def _read_journal(lines: Lines, maker: RecordMaker) -> Events:
    """A line that cannot be read is passed over and counted."""
    for number, text in lines:
        line = _json(text)
        if not isinstance(line, dict):
            maker.unread(number, text.decode("utf-8", "replace"))
            continue
        for found in _in_journal(line):
            yield number, found


def _in_journal(line: Mapping[str, object]) -> Iterator[FoundEvent]:
    time = line.get("t_ms")
    at = of_number(time, "t_ms") if isinstance(time, int | float) else None
    if line.get("kind") == "wire":
        event = line.get("event")
        if isinstance(event, Mapping):
            yield FoundEvent(event, "client" if line.get("direction") == "out" else "server", at)
    elif line.get("kind") == "step":
        yield from _facts(line, at)
    elif line.get("kind") == "end":
        yield FoundEvent({"type": ENDED}, "local", at)
    elif line.get("kind") == "header":
        yield FoundEvent({**line, "type": STARTED}, "local", Time(0.0))
    elif line.get("kind") == "takeover":
        yield FoundEvent({**line, "type": STARTED}, "local", at)


def _facts(line: Mapping[str, object], at: Time | None) -> Iterator[FoundEvent]:
    """What a step shows that is on no wire: a close, audio that is heard, a flush."""
    name, data = line.get("event"), line.get("data")
    body = data if isinstance(data, Mapping) else {}
    if name == "provider.closed":
        yield FoundEvent({"type": CLOSED, "code": body.get("code"), "reason": body.get("reason", "")}, "local", at)
    elif name in _FACTS:
        yield FoundEvent({**body, "type": name}, "local", at)
    effects = line.get("effects")
    for effect in effects if isinstance(effects, list) else ():
        if isinstance(effect, Mapping) and effect.get("name") == "flush_playout":
            args = effect.get("args")
            yield FoundEvent({**(args if isinstance(args, Mapping) else {}), "type": FLUSHED}, "local", at)


def _json(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (_is_journal, JOURNAL),
    (is_document, DOCUMENT),
    (are_lines, LINES),
    (is_cassette, CASSETTE),
)
_READERS: Final[Mapping[str, Callable[[Lines, RecordMaker], Events]]] = {
    JOURNAL: _read_journal,
    LINES: read_lines,
    TEXT: read_text,
}
