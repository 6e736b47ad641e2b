"""Reader of plain-text logs: events somewhere in a line, as anybody prints them; times, sides before them; closes.

An event may go on over the next lines (pretty-printed), or may have been cut. Never here: what an event means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.audit.events import Found, Recorder, in_text
from adapters.audit.hints import calls_in_text
from adapters.audit.literals import begins
from adapters.audit.times import of_text
from fsm.audit.record import CLOSED

NAME: Final = "text with events"
_CLOSE: Final = re.compile(
    r"(?:websocket|socket|connection|session|ws)[^{}]{0,80}?clos|ConnectionClosed|close (?:code|frame)|closed with|"
    r"received [134]\d{3} \(", re.IGNORECASE,
)  # fmt: skip
_CODE: Final = re.compile(r"(?<![\d.:-])([134]\d{3})(?![\d:-])")
_REASON: Final = re.compile(r"([a-z_]+_error\.[a-z_]+)|reason[=: ]+['\"]?([^'\",;)\n]{3,120})")
_STRING: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\\n]|\\.)*`")
_MESSAGES: Final = ("log", "message", "msg", "MESSAGE", "@message", "textPayload", "line", "text", "_raw")
_JOINED_LINES: Final = 20_000
_JOINED_CHARS: Final = 16_000_000
_PREFIX_CHARS: Final = 240


def read(lines: Iterable[tuple[int, bytes]], recorder: Recorder) -> Iterator[tuple[int, Found]]:
    """Every event in a text log, and its line."""
    del recorder  # a line of a text need not hold an event
    parser = Parser()
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


class Parser:
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

    def feed(self, number: int, text: str) -> Iterator[tuple[int, Found]]:
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

    def end(self) -> Iterator[tuple[int, Found]]:
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

    def _joined(self, text: str) -> Iterator[tuple[int, Found]]:
        self._open.append(text)
        self._chars += len(text)
        self._depth += _depth(text)
        if self._depth <= 0 or len(self._open) > _JOINED_LINES or self._chars > _JOINED_CHARS:
            yield from self.end()

    def _closed(self, number: int, text: str) -> Iterator[tuple[int, Found]]:
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


def _close(text: str) -> Found | None:
    """A line without an event that tells of a close with a code."""
    if not _CLOSE.search(text):
        return None
    code = next((m for m in _CODE.finditer(text) if not _is_year(text, m)), None)
    if code is None:
        return None
    reason = _REASON.search(text)
    told = (reason[1] or reason[2] or "").strip() if reason else ""
    prefix = text[:_PREFIX_CHARS]
    event = {"type": CLOSED, "code": int(code[1]), "reason": told}
    return Found(event, "local", of_text(prefix), calls_in_text(prefix))


def _is_year(text: str, match: re.Match[str]) -> bool:
    return text[match.end() : match.end() + 1] in ("-", "/")
