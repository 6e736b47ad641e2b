"""A small language for the shape of client JSON: each check returns the value or raises the wire's own error.

No knowledge of sessions or conversations: paths and values only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.simulator.providers.realtime.errors import (
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)

Check = Callable[[Any, str], Any]


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


def nullable(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def one_of(*names: str) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise invalid_type(path, "a string", value)
        if value not in names:
            raise invalid_value(path, value, names)
        return value

    return check


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


def list_of(check: Check) -> Check:
    def check_all(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise invalid_type(path, "an array", value)
        return [check(entry, f"{path}[{index}]") for index, entry in enumerate(value)]

    return check_all


def string_map(value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise invalid_type(path, "an object", value)
    return {key: text(entry, f"{path}.{key}") for key, entry in value.items()}


def shape(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """An object with these fields and no others; the first that is missing or unknown is named by its full path."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise invalid_type(path, "an object", value)
        prefix = f"{path}." if path else ""
        for name in required:
            if name not in value:
                raise missing_parameter(prefix + name)
        for name in value:
            if name not in fields:
                raise unknown_parameter(prefix + name)
        return {name: fields[name](entry, prefix + name) for name, entry in value.items()}

    return check
