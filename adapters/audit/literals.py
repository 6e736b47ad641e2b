"""Objects in a text: JSON, escaped or quoted JSON, what Python, pydantic and Node print; whole or cut off anywhere.

What was cut is left out: `{"a": 1, "b": {"c": 2, "d": "x` is {"a": 1, "b": {"c": 2}}. What an object means is not known
here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson

from fsm.errors import LocalError

_BEGIN: Final = re.compile(r"\{\s*(?:\"\"|\\+\"|[\"']|[A-Za-z_$][\w$]*\s*:)|\b[A-Z]\w*\((?=[a-z_]\w*=)")
_DECODER: Final = json.JSONDecoder()
_MOST: Final = 1000  # objects tried in a text
_TOLERATED: Final = (ValueError, RecursionError)


def begins(text: str) -> int | None:
    """Where the first object may begin."""
    found = _BEGIN.search(text)
    return found.start() if found else None


class Piece(NamedTuple):
    """An object in a text: the words before it, what it is, whether it is whole or was cut."""

    before: str
    value: object
    whole: bool


def objects(text: str) -> Iterator[Piece]:
    """Every object in a text. What stands before the first is said of the others on the line, too."""
    at = 0
    first = last = ""
    for _ in range(_MOST):
        found = _BEGIN.search(text, at)
        if found is None:
            return
        value, end, whole = _value(text, found.start(), found[0])
        between = text[at : found.start()]
        first, last = first or between, between
        if value is not None:
            yield Piece(first if first is between else first + last, value, whole)
        at = max(end, found.start() + 1)


def _value(text: str, start: int, opening: str) -> tuple[object, int, bool]:
    if opening.endswith('""') and '"":' in text:
        found = loose(text[start:].replace('""', '"'))  # a cell of a table
        return (found[0], len(text), found[2]) if found is not None else (None, start + 1, False)
    if "\\" in opening:
        return _escaped(text, start)
    if opening.endswith('"'):
        try:
            value, end = _DECODER.raw_decode(text, start)
            return value, end, True
        except _TOLERATED:
            pass
    found = loose(text, start)
    return found if found is not None else (None, start + 1, False)


def _escaped(text: str, start: int) -> tuple[object, int, bool]:
    r"""JSON in a string of something else: `{\"type\": ...}`, to the quote that is not escaped."""
    end = start
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    inside = text[start:end].rstrip() if end < len(text) else text[start:].rstrip("\\ \r\n")
    try:
        inner = json.loads(f'"{inside}"', strict=False)
    except _TOLERATED:
        return None, start + 1, False
    return next(((piece.value, end, piece.whole) for piece in objects(str(inner))), (None, end, False))


def parsed(text: str | bytes) -> object:
    """A text that is one JSON value; None if it is not. Bytes that are not UTF-8 are replaced."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, strict=False)
    except _TOLERATED:
        return None


# --- an object as a log shows it -------------------------------------------------------------------------------------

_SPACE: Final = re.compile(r"\s*")
_STRINGS: Final = {q: re.compile(rf"{q}((?:[^{q}\\]|\\.)*){q}", re.DOTALL) for q in "\"'`"}
_GOES_ON: Final = re.compile(r"\s*\+\s*(?=[\"'`])")
_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*")
_NAME: Final = re.compile(r"[A-Z]\w*(?=\()")
_HEX: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?n?")
_PLACEHOLDER: Final = re.compile(
    r"\[(?:Object|Array|Function|Circular|Getter|class|[A-Z]\w*:)[^\[\]\n]*\]|<[^<>{}\n]*>"
)
_MORE: Final = re.compile(r"\.\.\.\s\d+ more (?:items?|characters?)")
_WORDS: Final = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "undefined": None,
    "NaN": None, "Infinity": None,
}  # fmt: skip
_DEEPEST: Final = 40


class _CutError(LocalError):
    """The text is over, or continues with something that is not an object."""


def loose(text: str, start: int = 0) -> tuple[dict[str, object], int, bool] | None:
    """The object that begins at `start`, where it ends or was cut, whether it is whole; None if that is nothing."""
    reader = _LooseReader(text, start)
    reader.take(_NAME)
    try:
        value = reader.mapping(0)
    except _CutError:
        return None
    return (value, reader.at, not reader.cut) if value else None


class _LooseReader:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.cut = False

    def _skip(self) -> str:
        """Over white space; the next character."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches always
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def mapping(self, depth: int) -> dict[str, object]:
        """From its brace to the other, or to where it was cut."""
        made: dict[str, object] = {}
        key = ""
        end, between = (")", "=") if self.text[self.at : self.at + 1] == "(" else ("}", ":")
        self.at += 1
        try:
            while self._skip() != end:
                key = self._key(between)
                made[key] = self._value(depth)
                if self.cut or self._ends(end):
                    break
            self.at += not self.cut
        except _CutError:
            made.pop(key, None)  # what stands before something odd may be odd itself
            self.cut = True
        return made

    def _list(self, depth: int, end: str) -> list[object]:
        made: list[object] = []
        self.at += 1
        try:
            while self._skip() != end:
                if self.take(_MORE) is None:
                    made.append(self._value(depth))
                if self.cut or self._ends(end):
                    break
            self.at += not self.cut
        except _CutError:
            self.cut = True
        return made

    def _ends(self, end: str) -> bool:
        """After a value: its neighbour, or the end of both."""
        found = self._skip()
        if found not in (",", end) or not found:
            raise _CutError
        self.at += found == ","
        return found == end

    def _key(self, between: str) -> str:
        quote = self._skip()
        key = self._string(quote) if quote in _STRINGS else self.take(_KEY)
        if key is None or self._skip() != between:
            raise _CutError
        self.at += 1
        return key

    def _value(self, depth: int) -> object:
        if depth > _DEEPEST:
            raise _CutError
        first = self._skip()
        if first in _STRINGS:
            return self._string(first)
        if self.take(_PLACEHOLDER) is not None:
            return self._value(depth) if self._skip() == "{" else None
        if first == "{":
            return self.mapping(depth + 1)
        if first in ("[", "("):
            return self._list(depth + 1, "]" if first == "[" else ")")
        number = self.take(_NUMBER)
        if number is not None:
            number = number.rstrip("n")
            return float(number) if set(number) & set(".eE") else int(number[:400])
        word = self.take(_KEY)
        if word is None:
            raise _CutError
        if word not in _WORDS and self._skip() in ("{", "("):
            return self.mapping(depth + 1)  # an instance of a class, by its name
        if word not in _WORDS:
            raise _CutError
        return _WORDS[word]

    def _string(self, quote: str) -> str:
        """A string, in pieces where it was long."""
        found = _STRINGS[quote].match(self.text, self.at)
        if found is None:
            raise _CutError
        self.at = found.end()
        text = _unescaped(found[1])
        self.take(_MORE)
        if self.take(_GOES_ON) is not None:
            text += self._string(self._skip())
        return text


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        text = _HEX.sub(r"\\u00\1", text)
        plain = text.replace("\\'", "'").replace("\\`", "`").replace('\\"', '"').replace('"', '\\"')
        return str(json.loads(f'"{plain}"', strict=False))
    except ValueError:
        return text
