"""A small language for the shape of client JSON: each check returns the value or raises the wire's own error.

No knowledge of sessions or conversations: paths and values only. The tables written in it are in shapes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.simulator.providers.realtime.errors import (
    empty_array,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    string_too_long,
    too_many_properties,
    unknown_parameter,
)

Check = Callable[[Any, str], Any]

ABSENT: Final = object()  # what a check makes of a null that counts as not given; a shape leaves it out


def text(value: Any, path: str) -> Any:
    if not isinstance(value, str):
        raise invalid_type(path, "a string", value)
    return value


def flag(value: Any, path: str) -> Any:
    if not isinstance(value, bool):
        raise invalid_type(path, "a boolean", value)
    return value


def anything(value: Any, _path: str) -> Any:
    return value


def mapping(value: Any, path: str) -> Any:
    """An object, whatever is in it (a JSON schema, metadata of a trace)."""
    if not isinstance(value, dict):
        raise invalid_type(path, "an object", value)
    return value


def nullable(check: Check) -> Check:
    """Null is a value of its own: it switches off what the field configures."""
    return lambda value, path: None if value is None else check(value, path)


def optional(check: Check) -> Check:
    """Null counts as not given."""
    return lambda value, path: ABSENT if value is None else check(value, path)


def one_of(*names: str) -> Check:
    def check(value: Any, path: str) -> Any:
        if text(value, path) not in names:
            raise invalid_value(path, value, names)
        return value

    return check


def word_or(words: tuple[str, ...], check: Check) -> Check:
    """One of some words, or what the other check takes."""
    is_word = one_of(*words)
    return lambda value, path: is_word(value, path) if isinstance(value, str) else check(value, path)


def number(low: float, high: float, *, whole: bool = False) -> Check:
    kinds = (int,) if whole else (int, float)

    def check(value: Any, path: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid_type(path, "an integer" if whole else "a decimal", value)
        if not low <= value <= high:
            raise out_of_range(path, low, high, value)
        return value

    return check


def number_or(word: str, low: int, high: int) -> Check:
    count = number(low, high, whole=True)
    return lambda value, path: value if value == word else count(value, path)


def list_of(check: Check, *, filled: bool = False) -> Check:
    """An array of what the check takes; `filled`: not an empty one."""

    def check_all(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise invalid_type(path, "an array", value)
        if filled and not value:
            raise empty_array(path)
        return [check(entry, f"{path}[{index}]") for index, entry in enumerate(value)]

    return check_all


def string_map(most: int | None = None, key_chars: int | None = None, value_chars: int | None = None) -> Check:
    """An object of strings, with bounds on their number and length."""

    def check(value: Any, path: str) -> Any:
        if most is not None and len(mapping(value, path)) > most:
            raise too_many_properties(path, most, len(value))
        for key, entry in mapping(value, path).items():
            for words, limit in ((key, key_chars), (text(entry, f"{path}.{key}"), value_chars)):
                if limit is not None and len(words) > limit:
                    raise string_too_long(f"{path}.{key}", limit, len(words))
        return value

    return check


def shape(fields: Mapping[str, Check], *, required: tuple[str, ...] = (), closed: bool = True) -> Check:
    """An object with these fields; the first that is missing or, in a closed one, unknown is named by its full path."""

    def check(value: Any, path: str) -> Any:
        prefix = f"{path}." if path else ""
        for name in required:
            if name not in mapping(value, path):
                raise missing_parameter(prefix + name)
        for name in mapping(value, path):
            if closed and name not in fields:
                raise unknown_parameter(prefix + name)
        checked = {name: fields.get(name, anything)(entry, prefix + name) for name, entry in value.items()}
        return {name: entry for name, entry in checked.items() if entry is not ABSENT}

    return check


def variants(key: str, shapes: Mapping[str, Check]) -> Check:
    """An object whose field `key` says which of the shapes it has."""
    known = one_of(*shapes)

    def check(value: Any, path: str) -> Any:
        if key not in mapping(value, path):
            raise missing_parameter(f"{path}.{key}")
        return shapes[known(value[key], f"{path}.{key}")](value, path)

    return check


def in_turn(*checks: Check) -> Check:
    """Each check on what the one before it made."""

    def check(value: Any, path: str) -> Any:
        for each in checks:
            value = each(value, path)
        return value

    return check
