"""Reader of plain-text logs: events as JSON (or as Python prints them) somewhere in a line, times before them, closes.

An event may go on over the next lines (pretty-printed). Never here: what an event means.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import orjson

from adapters.audit.events import Found, Recorder, side_of, unwrap
from adapters.audit.times import of_mapping, of_text
from fsm.audit.record import CLOSED, Direction, Record

NAME: Final = "text with events"
_START: Final = re.compile(r"\{\s*(['\"])")
_CLOSE: Final = re.compile(
    r"(?:websocket|socket|connection|session|ws)[^{}]{0,80}?clos|ConnectionClosed|close (?:code|frame)|closed with|"
    r"received [134]\d{3} \(", re.IGNORECASE,
)  # fmt: skip
_CODE: Final = re.compile(r"(?<![\d.:-])([134]\d{3})(?![\d:-])")
_REASON: Final = re.compile(r"([a-z_]+_error\.[a-z_]+)|reason[=: ]+['\"]?([^'\",;)\n]{3,120})")
_ARROWS: Final = (("-->", "client"), (">>>", "client"), ("<--", "server"), ("<<<", "server"), ("->", "client"),
                  ("<-", "server"), ("→", "client"), ("←", "server"), ("⇒", "client"), ("⇐", "server"))  # fmt: skip
_WORDS: Final = re.compile(r"[A-Za-z_]+")
_JOINED_LINES: Final = 400
_JOINED_CHARS: Final = 2_000_000
_PREFIX_CHARS: Final = 240
_DECODER: Final = json.JSONDecoder()


def read(lines: Iterable[tuple[int, bytes]], recorder: Recorder) -> Iterator[Record]:
    """Every record in a text log."""
    parser = _Parser()
    for number, raw in lines:
        for line, found in parser.feed(number, raw.decode("utf-8", "replace")):
            record = recorder.record(line, found)
            if record is not None:
                yield record


class _Parser:
    """Finds events in lines; holds one that is not complete yet, for a while."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._prefix = self._last = ""
        self._line = 0
        self._chars = 0
        self._depth = 0

    def feed(self, number: int, text: str) -> Iterator[tuple[int, Found]]:
        if self._open:
            yield from self._joined(text)
            if self._open:
                return
            if not _START.search(text) or text.lstrip()[:1] in "}])":
                return
        start = _START.search(text)
        if start is None:
            if text.rstrip().endswith("{"):
                self._begin(number, text, text.rindex("{"))  # pretty-printed from the next line on
                return
            self._last = text
            found = _closed(text)
            if found is not None:
                yield number, found
            return
        for match in _START.finditer(text):
            value = _value(text, match.start())
            found = _in(value, self._before(text[: match.start()]))
            if found is not None:
                yield number, found
                return
        self._begin(number, text, start.start())

    def _before(self, prefix: str) -> str:
        """What stands before an event: on its line, else on the line before."""
        return (prefix if prefix.strip() else self._last)[-_PREFIX_CHARS:]

    def _begin(self, number: int, text: str, start: int) -> None:
        """An object that is not closed on its line may go on."""
        self._depth = _depth(text[start:])
        if self._depth > 0:
            self._prefix, self._open = self._before(text[:start]), [text[start:]]
            self._line, self._chars = number, len(text)

    def _joined(self, text: str) -> Iterator[tuple[int, Found]]:
        self._open.append(text)
        self._chars += len(text)
        self._depth += _depth(text)
        if self._depth > 0:
            if len(self._open) > _JOINED_LINES or self._chars > _JOINED_CHARS:
                self._open = []
            return
        found = _in(_value("".join(self._open), 0), self._prefix)
        self._open = []
        if found is not None:
            yield self._line, found


def _depth(text: str) -> int:
    return text.count("{") - text.count("}")


def _value(text: str, start: int) -> object:
    """The object that begins at `start`, as JSON or as Python prints it; None if there is none."""
    quote = _START.match(text, start)
    if quote is None:
        return None
    if quote[1] == '"':
        end = text.rfind("}") + 1
        try:
            return orjson.loads(text[start:end])
        except orjson.JSONDecodeError:
            pass
        try:
            return _DECODER.raw_decode(text, start)[0]
        except ValueError:
            return None
    end = text.rfind("}") + 1
    try:
        return ast.literal_eval(text[start:end])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _in(value: object, prefix: str) -> Found | None:
    found = unwrap(value)
    if found is None:
        return None
    at_ms = found.at_ms
    if at_ms is None and isinstance(value, Mapping):
        at_ms = of_mapping(value)
    return Found(found.event, found.side or _side(prefix), of_text(prefix) if at_ms is None else at_ms)


def _side(prefix: str) -> Direction | None:
    for arrow, side in _ARROWS:
        if arrow in prefix:
            return "client" if side == "client" else "server"
    words = [side_of(word) for word in _WORDS.findall(prefix)]
    return next((side for side in reversed(words) if side is not None), None)


def _closed(text: str) -> Found | None:
    """A line without an event that tells of a close with a code."""
    if not _CLOSE.search(text):
        return None
    code = next((m for m in _CODE.finditer(text) if not _is_year(text, m)), None)
    if code is None:
        return None
    reason = _REASON.search(text)
    told = (reason[1] or reason[2] or "").strip() if reason else ""
    return Found({"type": CLOSED, "code": int(code[1]), "reason": told}, "local", of_text(text[:_PREFIX_CHARS]))


def _is_year(text: str, match: re.Match[str]) -> bool:
    return text[match.end() : match.end() + 1] in ("-", "/")
