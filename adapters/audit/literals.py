"""Objects in a text: JSON, escaped or quoted JSON, what Python, pydantic and Node print. Never what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson

from adapters.audit.loose import loose

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
    """A text that is one JSON value; None if it is none. Bytes that are no UTF-8 are replaced."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, strict=False)
    except _TOLERATED:
        return None
