"""Objects in a text: JSON, escaped or quoted JSON, what Python, pydantic, Node, Swift, Go and Ruby print; whole or cut.

What was cut is left out: `{"a": 1, "b": {"c": 2, "d": "x` is {"a": 1, "b": {"c": 2}}. After a middle that was elided
(`...`, `[300 chars]`) what is left is read on. What an object means is not known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson

from fsm.errors import LocalError

_BEGIN: Final = re.compile(
    r"\{\s*(?:\"\"|\\+\"|[\"']|:?[A-Za-z_$][\w$]*\s*(?:=>|:|=\s))|\b[A-Z]\w*\((?=[a-z_]\w*=)|"
    r"\[\s*(?:AnyHashable\()?(?=\"\w{1,60}\"\)?\s*:)|\bmap\[(?=[A-Za-z_]\w*:)"
)
_DECODER: Final = json.JSONDecoder()
_MOST: Final = 1000  # objects tried in a text
_TOLERATED: Final = (ValueError, RecursionError)


def begins(text: str) -> int | None:
    """Where the first object may begin."""
    found = _BEGIN.search(text)
    return found.start() if found else None


class ScannedPiece(NamedTuple):
    """An object in a text: the words before it, what it is, whether it is whole or was cut."""

    before: str
    value: object
    whole: bool


def objects(text: str) -> Iterator[ScannedPiece]:
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
            yield ScannedPiece(first if first is between else first + last, value, whole)
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
_KEY: Final = re.compile(r":?[A-Za-z_$][\w$]*")
_QUOTED_KEY: Final = re.compile(r"AnyHashable\(\s*(?=[\"'])")
_BETWEEN: Final = re.compile(r"=>|[:=]")
_NAME: Final = re.compile(r"[A-Z]\w*(?=\()|map(?=\[)")
_HEX: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?n?(?![\w.-])")
_PLACEHOLDER: Final = re.compile(
    r"\[(?:Object|Array|Function|Circular|Getter|class|[A-Z]\w*:)[^\[\]\n]*\]|<[^<>{}\n]*>"
)
_MORE: Final = re.compile(r"\.\.\.\s\d+ more (?:items?|characters?)")
_ELIDED: Final = re.compile(
    r"\.{3,}(?:\s?[\[(<][^\])>\n]{0,60}[\])>](?:\.{3,})?)?|…|"
    r"[\[(<]\s?(?:\.{3}|…|(?:\d+ )?(?:more |omitted|truncated|elided|redacted|snip|chars|characters|bytes))"
    r"[^\])>\n]{0,60}[\])>]"
)
_NEXT_PAIR: Final = re.compile(r"([\"'])[A-Za-z_]\w*\1\s*(?:=>|:)")
_BARE: Final = re.compile(r"(?:(?!\s[A-Za-z_]\w*:)[^\[\]{}\n])+")  # in what Go prints
_BARE_WORD: Final = re.compile(r"[\w./:-]+(?=\s*;)")  # in what Objective-C prints
_WORDS: Final = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "undefined": None,
    "NaN": None, "Infinity": None, "nil": None,
}  # fmt: skip
_ENDS: Final = {"(": ")", "[": "]", "{": "}"}
_DEEPEST: Final = 40
_RESUMED: Final = 20  # times that a reader goes on after a middle that was elided


class _CutError(LocalError):
    """The text is over, or continues with something that is not an object."""


def loose(text: str, start: int = 0) -> tuple[dict[str, object], int, bool] | None:
    """The object that begins at `start`, where it ends or was cut, whether it is whole; None if that is nothing."""
    reader = _LooseReader(text, start)
    name = reader.take(_NAME)
    try:
        value = reader.mapping(0, name == "map")
    except _CutError:
        return None
    return (value, reader.at, not reader.cut and not reader.elided) if value else None


_PAIR: Final = re.compile(r"(?<![\w.\"'\[(])([A-Za-z_@][\w.@-]*)=(?=[^\s=])")
_LOGFMT: Final = re.compile(r"[^\s,;]+")


def pairs(text: str) -> dict[str, object]:
    """`key=value` as logfmt and `str()` of an SDK's object write them; values may be objects."""
    made: dict[str, object] = {}
    at = 0
    for _ in range(_MOST):
        found = _PAIR.search(text, at)
        if found is None:
            break
        reader = _LooseReader(text, found.end())
        try:
            value = reader.value(0)
            at = reader.at
        except (_CutError, ValueError):
            word = _LOGFMT.match(text, found.end())
            value, at = (word[0], word.end()) if word else (None, found.end())
        if text[at : at + 1] not in ("", " ", ",", ";", ")", "]", "\n", "\r", "\t"):
            word = _LOGFMT.match(text, found.end())
            value, at = (word[0], word.end()) if word else (None, found.end())
        made.setdefault(found[1], value)
    return made


class _LooseReader:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.cut = False
        self.elided = 0

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

    def mapping(self, depth: int, bare: bool = False) -> dict[str, object]:
        """From its bracket to the other, or to where it was cut. `bare`: its texts stand without quotes."""
        made: dict[str, object] = {}
        end = _ENDS.get(self.text[self.at : self.at + 1], "}")
        self.at += 1
        while not self.cut:
            begin, key = self.at, ""
            try:
                if self._skip() == end:
                    self.at += 1
                    break
                if self._passed_over():
                    continue
                key = self._key()
                value = self._value_of(depth, bare)
                if key not in made or not self.elided:  # behind a hole it may be of another object
                    made[key] = value
                if self.cut or self._ends(end, bare):
                    self.at += not self.cut
                    break
            except _CutError:
                made.pop(key, None)  # what stands before something odd may be odd itself
                self.cut = not self._resumed(begin)
        return made

    def _value_of(self, depth: int, bare: bool) -> object:
        if not bare:
            return self.value(depth)
        first = self.text[self.at : self.at + 1]
        if first in ("[", "{", "m", "<"):
            before = self.at
            try:
                return self.value(depth, bare)
            except _CutError:
                self.at = before
        number = self.take(_NUMBER)
        return self.take(_BARE) if number is None else _number(number)

    def _passed_over(self) -> bool:
        """Over a middle that was elided, and the comma after it."""
        if self.take(_ELIDED) is None:
            return False
        self.elided += 1
        if self._skip() == ",":
            self.at += 1
        return True

    def _resumed(self, begin: int) -> bool:
        """After something odd: was a middle elided there? Then reading goes on at the next key behind it."""
        hole = _ELIDED.search(self.text, begin)
        after = _NEXT_PAIR.search(self.text, hole.end()) if hole is not None else None
        if hole is None or after is None or self.elided >= _RESUMED or self.text.count("\n", begin, hole.start()):
            return False
        self.elided += 1
        self.at = after.start()
        return True

    def _list(self, depth: int, end: str, bare: bool = False) -> list[object]:
        made: list[object] = []
        self.at += 1
        try:
            while self._skip() != end:
                if self._passed_over():
                    continue
                if self.take(_MORE) is None:
                    made.append(self.value(depth, bare))
                if self.cut or self._ends(end, bare):
                    break
            self.at += not self.cut
        except _CutError:
            self.cut = True
        return made

    def _ends(self, end: str, bare: bool = False) -> bool:
        """After a value: its neighbour, or the end of both."""
        found = self._skip()
        if not found or (found not in (",", ";", end) and not bare):
            if found and self._passed_over():
                return self._skip() == end
            raise _CutError
        self.at += found in (",", ";")
        return found == end

    def _key(self) -> str:
        wrapped = self.take(_QUOTED_KEY)
        quote = self._skip()
        key = self._string(quote) if quote in _STRINGS else self.take(_KEY)
        if wrapped and self._skip() == ")":
            self.at += 1
        self._skip()
        if key is None or self.take(_BETWEEN) is None:
            raise _CutError
        return key if quote in _STRINGS else key.lstrip(":")

    def value(self, depth: int, bare: bool = False) -> object:
        """A value of any kind; raises if it is none."""
        if depth > _DEEPEST:
            raise _CutError
        first = self._skip()
        if first in _STRINGS:
            return self._string(first)
        if self.take(_PLACEHOLDER) is not None:
            return self.value(depth) if self._skip() == "{" else None
        if self.take(_ELIDED) is not None:
            self.elided += 1
            return None
        if first == "{" or (first == "[" and _BEGIN.match(self.text, self.at)):
            return self.mapping(depth + 1)
        if first in ("[", "("):
            return self._list(depth + 1, "]" if first == "[" else ")", bare)
        number = self.take(_NUMBER)
        if number is not None:
            return _number(number)
        return self._word(depth)

    def _word(self, depth: int) -> object:
        bare = self.take(_BARE_WORD)
        word = bare or self.take(_KEY)
        if word is None:
            raise _CutError
        if word in _WORDS:
            return _WORDS[word]
        if bare is not None:
            return bare
        if self._skip() in ("{", "(") or word == "map":
            if word == "Optional" and self.text[self.at : self.at + 1] == "(":
                return self._optional(depth)
            return self.mapping(depth + 1, word == "map")  # an instance of a class, by its name
        raise _CutError

    def _optional(self, depth: int) -> object:
        """What Swift prints of a value that may be missing: `Optional("x")`."""
        self.at += 1
        value = self.value(depth + 1)
        if self._skip() != ")":
            raise _CutError
        self.at += 1
        return value

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


def _number(text: str) -> int | float:
    text = text.rstrip("n")
    return float(text) if set(text) & set(".eE") else int(text[:400])


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        text = _HEX.sub(r"\\u00\1", text)
        plain = text.replace("\\'", "'").replace("\\`", "`").replace('\\"', '"').replace('"', '\\"')
        return str(json.loads(f'"{plain}"', strict=False))
    except ValueError:
        return text
