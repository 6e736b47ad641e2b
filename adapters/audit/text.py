"""Events in text: JSON or what a program prints, whole or cut, over one line or several; names and words; closes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.audit.events import FoundEvent, RecordMaker, every, in_text
from adapters.audit.hints import calls_in_text, side_in_text
from adapters.audit.literals import begins, parsed
from adapters.audit.times import of_text
from adapters.audit.told import told
from fsm.audit.record import CLOSED

Lines = Iterable[tuple[int, bytes]]
Events = Iterator[tuple[int, FoundEvent]]


def are_lines(head: bytes) -> bool:
    """Is the first line that holds anything an object of its own, or one that was cut?"""
    first = next((line.lstrip() for line in head.split(b"\n") if line.strip()), b"")
    return first.startswith(b'{"')


def read_lines(lines: Lines, maker: RecordMaker) -> Events:
    """Every event, and its line; lines that hold none are counted."""
    parser = _Parser(maker, holds_events=True)
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
        if not inner and not parser.is_open:
            maker.unread(number, raw.decode("utf-8", "replace"))
        yield from inner
    yield from parser.end()


_CLOSE: Final = re.compile(
    r"(?:websocket|socket|connection|session|ws)[^{}]{0,80}?clos|ConnectionClosed|close (?:code|frame)|closed with|"
    r"received [134]\d{3} \(",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?<![\d.:-])([134]\d{3})(?![\d:-])")
_REASON: Final = re.compile(r"([a-z_]+_error\.[a-z_]+)|reason[=: ]+['\"]?([^'\",;)\n]{3,120})")
_STRING: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\\n]|\\.)*`")
_MESSAGES: Final = ("log", "message", "msg", "MESSAGE", "@message", "textPayload", "line", "text", "_raw", "event")
_MAY_HOLD: Final = re.compile(
    r"\b(?:session|response|conversation\.item|(?:in|out)put_audio_buffer)\.[a-z_]+\b|['\"]type['\"]\s*:"
)
"""What a line of a text has that seems to hold an event."""
_JOINED_LINES: Final = 20_000
_JOINED_CHARS: Final = 16_000_000
_PREFIX_CHARS: Final = 240
_SHORT: Final = 8


def read_text(lines: Lines, maker: RecordMaker) -> Events:
    """Every event in a text log, and its line."""
    parser = _Parser(maker, holds_events=False)
    first: tuple[int, str] | tuple[()] = ()
    count, held, was_blank = 0, False, False
    for number, raw in lines:
        is_blank = len(raw) < _SHORT and not raw.strip()
        was_blank, goes_on = is_blank, is_blank and was_blank
        if goes_on:
            continue  # one blank line says as much as a million of them
        text = raw.decode("utf-8", "replace")
        found = list(parser.feed(number, text))
        if not found and not parser.is_open and _MAY_HOLD.search(text):
            maker.unread(number, text)  # any other line of a text need not hold an event
        if text.strip() and not found and not first:
            first = (number, text)
        count += bool(text.strip())
        held = held or bool(found)
        yield from found
    found = list(parser.end())
    yield from found
    if not held and not found and first and maker.first_unread is None:
        maker.unread(*first, lines=count)  # nothing at all was understood


def message_of(value: object) -> str:
    """The line of text that a collector of logs has wrapped in an object, with a time before it that was its own."""
    if not isinstance(value, Mapping):
        return ""
    text = next((found for key in _MESSAGES if isinstance(found := value.get(key), str)), "")
    time = next((found for key in ("time", "timestamp", "@timestamp", "ts") if (found := value.get(key))), "")
    return f"{time} {text}" if text and time and not text[:1].isspace() and text[:1] not in "}])" else text


class _Parser:
    """Finds events in lines; holds one that is not complete yet until it is, or until another line begins."""

    def __init__(self, maker: RecordMaker, holds_events: bool) -> None:
        """`holds_events`: each line of the log was to hold one."""
        self._maker = maker
        self._holds_events = holds_events
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
            before, self._last = self._last, text
            found = list(in_text(text, before)) if "=" in text else []
            yield from ((number, each) for each in found)
            yield from self._closed(number, text) if not found else ()
            return
        depth = _depth(text[start:])
        if depth > 0:
            self._begin(number, text, depth)
            return
        found = list(in_text(text, self._last))
        yield from ((number, each) for each in found)
        if not found:
            yield from self._closed(number, text)

    def end(self) -> Events:
        """Nothing more comes of what is open: it was cut, and what is there is read."""
        if not self._open:
            return
        count, text, self._open = len(self._open), "".join(self._open), []
        found = list(in_text(text, self._before))
        if not found and (self._holds_events or _MAY_HOLD.search(text)):
            self._maker.unread(self._line, text, count)
        yield from ((self._line, each) for each in found)

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
            return
        prefix = text[:_PREFIX_CHARS]
        for event in told(text):
            where = (side_in_text(prefix), of_text(prefix), calls_in_text(prefix))
            yield number, FoundEvent(event, *where, whole=False, told=True)


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
