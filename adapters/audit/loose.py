"""Reads an object as a log shows it: as JSON, as Python or Node prints it, `Name(key=value)` as pydantic does; whole or
cut off anywhere. Never what it means.

What was cut is left out: `{"a": 1, "b": {"c": 2, "d": "x` is {"a": 1, "b": {"c": 2}}.
"""

from __future__ import annotations

import json
import re
from typing import Final

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
_DEPTH: Final = 40


class _CutError(Exception):
    """The text is over, or goes on with something that is no object."""


def loose(text: str, start: int = 0) -> tuple[dict[str, object], int, bool] | None:
    """The object that begins at `start`, where it ends or was cut, whether it is whole; None if that is nothing."""
    reader = _Reader(text, start)
    reader.take(_NAME)
    try:
        value = reader.mapping(0)
    except _CutError:
        return None
    return (value, reader.at, not reader.cut) if value else None


class _Reader:
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
        if depth > _DEPTH:
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
