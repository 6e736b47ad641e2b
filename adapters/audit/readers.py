"""Readers of logs: which one a log needs is known by its first bytes; each gives the events it finds, and their lines.

- turnspec's own journals: wire lines, and what our playout and our effects report of what was heard;
- JSON that is not made of lines: an array of events, objects one after the other, one object of it all. One value is
  held at a time; of one that is larger than memory should hold, its parts;
- JSON lines: an event a line, plain or in a wrapping; a line that is not JSON (cut off, mixed) is read as text is;
- text: events somewhere in a line, as anybody prints them, whole or cut; times and sides before them; closes.

What an event means is not known here.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

import orjson

from adapters.audit.events import FoundEvent, RecordMaker, every, in_text
from adapters.audit.hints import calls_in_text
from adapters.audit.literals import begins, parsed
from adapters.audit.stream import Progressed, Stream
from adapters.audit.times import Time, of_number, of_text
from fsm.audit.record import CLOSED, FLUSHED, LOCAL_FACTS, PLAYOUT, STARTED, Record

JOURNAL: Final = "turnspec journal"
DOCUMENT: Final = "JSON document"
LINES: Final = "JSON lines"
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
        return _read_document(stream.chunks(progressed), maker)
    return _READERS[name](stream.lines(progressed), maker)


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


def _read_journal(lines: Lines, maker: RecordMaker) -> Events:
    """A line that cannot be read is passed over and counted."""
    for number, text in lines:
        line = _json(text)
        if not isinstance(line, dict):
            maker.skipped += bool(text.strip())
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
    elif line.get("kind") == "header":
        yield FoundEvent({**line, "type": STARTED}, "local", Time(0.0))


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


# --- JSON documents ---------------------------------------------------------------------------------------------------

_BETWEEN: Final = " \t\r\n,[]"
_WITHIN: Final = re.compile(r'(?:[\s,:\[\]}]|"(?:[^"\\]|\\.)*"\s*:)*')
_LARGE: Final = 16 * 1024 * 1024  # the largest message of the wire is 15 MiB
_DECODER: Final = json.JSONDecoder(strict=False)


def _is_document(head: bytes) -> bool:
    """Does it begin as an array of objects, or as an object that goes on over the next lines?"""
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    first, _, rest = text.partition(b"\n")
    goes_on = rest[:1].isspace() or rest[:1] in (b'"', b"}", b"")
    return first.startswith(b"{") and not first.rstrip().endswith(b"}") and goes_on


def _read_document(chunks: Iterable[bytes], maker: RecordMaker) -> Events:
    """Every event of the document; line numbers are those of where an object begins."""
    for line, value in _Values(maker).taken(chunks):
        for found in every(value):
            yield line, found


class _Values:
    """Takes complete values off a text that grows."""

    def __init__(self, maker: RecordMaker) -> None:
        self._maker = maker
        self._text = ""
        self._line = 1
        self._descends = False

    def taken(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, object]]:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parts: list[str] = []
        waiting, enough = 0, 0
        for chunk in chunks:
            parts.append(decode(chunk))
            waiting += len(parts[-1])
            if waiting < enough:
                continue  # a long value: try again when there is twice as much
            self._text, parts = self._text + "".join(parts), []
            yield from self._take()
            while len(self._text) > _LARGE and self._text.startswith("{"):
                self._text, self._descends = self._text[1:], True  # an object that holds the whole log
                yield from self._take()
            waiting, enough = 0, len(self._text)
        self._text += "".join(parts)
        yield from self._take(is_over=True)
        self._maker.skipped += bool(self._text.strip(_BETWEEN))

    def _take(self, is_over: bool = False) -> Iterator[tuple[int, object]]:
        """Every value that is complete."""
        at = 0
        while True:
            begin = self._begin(at)
            self._line += self._text.count("\n", at, begin)
            at = begin
            try:
                value, end = _DECODER.raw_decode(self._text, at)
            except ValueError as error:
                wrong = self._after_what_is_wrong(error, at, is_over)
                if wrong is None:
                    break
                self._maker.skipped += 1
                self._line += self._text.count("\n", at, wrong)
                at = wrong
                continue
            yield self._line, value
            self._line += self._text.count("\n", at, end)
            at = end
        self._text = self._text[at:]

    def _begin(self, at: int) -> int:
        if self._descends:
            found = _WITHIN.match(self._text, at)
            return found.end() if found else at
        while at < len(self._text) and self._text[at] in _BETWEEN:
            at += 1
        return at

    def _after_what_is_wrong(self, error: ValueError, at: int, is_over: bool) -> int | None:
        """The next line that begins an object, if a value is not merely incomplete."""
        wrong = getattr(error, "pos", at)
        incomplete = "Unterminated" in str(error) or wrong >= len(self._text) - 16
        if at >= len(self._text) or (incomplete and not is_over):
            return None
        found = re.compile(r"^\s*(?=\{)", re.MULTILINE).search(self._text, max(wrong if not incomplete else at, at) + 1)
        return found.end() if found else len(self._text)


# --- JSON lines -------------------------------------------------------------------------------------------------------


def _are_lines(head: bytes) -> bool:
    """Is the first line that holds anything an object of its own, or one that was cut?"""
    first = next((line.lstrip() for line in head.split(b"\n") if line.strip()), b"")
    return first.startswith(b'{"')


def _read_lines(lines: Lines, maker: RecordMaker) -> Events:
    """Every event, and its line; lines that hold none are counted."""
    parser = _Parser()
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
        maker.skipped += not inner and not parser.is_open
        yield from inner
    yield from parser.end()


# --- text -------------------------------------------------------------------------------------------------------------

_CLOSE: Final = re.compile(
    r"(?:websocket|socket|connection|session|ws)[^{}]{0,80}?clos|ConnectionClosed|close (?:code|frame)|closed with|"
    r"received [134]\d{3} \(",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?<![\d.:-])([134]\d{3})(?![\d:-])")
_REASON: Final = re.compile(r"([a-z_]+_error\.[a-z_]+)|reason[=: ]+['\"]?([^'\",;)\n]{3,120})")
_STRING: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\\n]|\\.)*`")
_MESSAGES: Final = ("log", "message", "msg", "MESSAGE", "@message", "textPayload", "line", "text", "_raw")
_JOINED_LINES: Final = 20_000
_JOINED_CHARS: Final = 16_000_000
_PREFIX_CHARS: Final = 240


def _read_text(lines: Lines, maker: RecordMaker) -> Events:
    """Every event in a text log, and its line."""
    del maker  # a line of a text need not hold an event
    parser = _Parser()
    for number, raw in lines:
        yield from parser.feed(number, raw.decode("utf-8", "replace"))
    yield from parser.end()


def message_of(value: object) -> str:
    """The line of text that a collector of logs has wrapped in an object, with a time before it that was its own."""
    if not isinstance(value, Mapping):
        return ""
    text = next((found for key in _MESSAGES if isinstance(found := value.get(key), str)), "")
    time = next((found for key in ("time", "timestamp", "@timestamp", "ts") if (found := value.get(key))), "")
    return f"{time} {text}" if text and time and not text[:1].isspace() and text[:1] not in "}])" else text


class _Parser:
    """Finds events in lines; holds one that is not complete yet until it is, or until another line begins."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._before = self._last = ""
        self._line = 0
        self._chars = 0
        self._depth = 0

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def feed(self, number: int, text: str) -> Events:
        """One more line; every event that is complete with it."""
        if self._open and not _begins_anew(text):
            yield from self._joined(text)
            return
        yield from self.end()
        start = begins(text)
        if start is None and text.rstrip().endswith("{"):
            start = text.rindex("{")  # pretty-printed from the next line on
        if start is None:
            self._last = text
            yield from self._closed(number, text)
            return
        depth = _depth(text[start:])
        if depth > 0:
            self._begin(number, text, depth)
            return
        for found in in_text(text, self._last):
            yield number, found

    def end(self) -> Events:
        """Nothing more comes of what is open: it was cut, and what is there is read."""
        if not self._open:
            return
        text, self._open = "".join(self._open), []
        for found in in_text(text, self._before):
            yield self._line, found

    def _begin(self, number: int, text: str, depth: int) -> None:
        """An object that is not closed on its line may go on."""
        self._before, self._open, self._depth = self._last, [text], depth
        self._line, self._chars = number, len(text)

    def _joined(self, text: str) -> Events:
        self._open.append(text)
        self._chars += len(text)
        self._depth += _depth(text)
        if self._depth <= 0 or len(self._open) > _JOINED_LINES or self._chars > _JOINED_CHARS:
            yield from self.end()

    def _closed(self, number: int, text: str) -> Events:
        found = _close(text)
        if found is not None:
            yield number, found


def _begins_anew(text: str) -> bool:
    """Does a line begin an entry of the log, or may it belong to the object before?"""
    first = text[:1]
    return not first.isspace() and first not in ("", '"', "'", "}", "]", ")", "`", ",")


def _depth(text: str) -> int:
    """How many more objects begin than end; braces in strings do not count."""
    if text.count("{") == text.count("}"):
        return 0
    bare = _STRING.sub("", text)
    return bare.count("{") - bare.count("}")


def _close(text: str) -> FoundEvent | None:
    """A line without an event that reports a close with a code."""
    if not _CLOSE.search(text):
        return None
    code = next((m for m in _CODE.finditer(text) if not _is_year(text, m)), None)
    if code is None:
        return None
    reason = _REASON.search(text)
    said = (reason[1] or reason[2] or "").strip() if reason else ""
    prefix = text[:_PREFIX_CHARS]
    event = {"type": CLOSED, "code": int(code[1]), "reason": said}
    return FoundEvent(event, "local", of_text(prefix), calls_in_text(prefix))


def _is_year(text: str, match: re.Match[str]) -> bool:
    return text[match.end() : match.end() + 1] in ("-", "/")


_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (_is_journal, JOURNAL),
    (_is_document, DOCUMENT),
    (_are_lines, LINES),
)
_READERS: Final[Mapping[str, Callable[[Lines, RecordMaker], Events]]] = {
    JOURNAL: _read_journal,
    LINES: _read_lines,
    TEXT: _read_text,
}
