"""Objects of a log as plain values: attributes of OpenTelemetry, and keys that were flattened (`response.id`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_VALUES: Final = ("stringValue", "string_value", "intValue", "int_value", "doubleValue", "double_value", "boolValue",
                  "bool_value", "bytesValue", "bytes_value")  # fmt: skip
_LISTS: Final = ("arrayValue", "array_value")
_MAPPINGS: Final = ("kvlistValue", "kvlist_value")
_FIRSTS: Final = ("event.", "payload.", "data.", "message.", "openai.event.", "realtime.event.")
_DEEPEST: Final = 24


def plain(value: object, depth: int = _DEEPEST) -> object:
    """The same without the wrapping of each value; the same object if there is nothing to unwrap."""
    if depth < 0:
        return value
    if isinstance(value, dict):
        bare = _bare(value, depth)
        if bare is not value:
            return bare
        made: dict[str, object] = {str(key): plain(child, depth - 1) for key, child in value.items()}
        return nested(made) if any("." in key for key in made) else made
    if isinstance(value, list):
        if value and all(_is_attribute(each) for each in value):
            return nested({str(each["key"]): plain(each.get("value"), depth - 1) for each in value})
        return [plain(child, depth - 1) for child in value]
    return value


def _is_attribute(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("key"), str) and "value" in value and len(value) == 2


def _bare(value: dict[str, object], depth: int) -> object:
    """A value of OpenTelemetry out of the object that says its kind."""
    if len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in _VALUES:
        return inner
    if kind in _LISTS and isinstance(inner, dict):
        return plain(inner.get("values", []), depth - 1)
    if kind in _MAPPINGS and isinstance(inner, dict):
        return plain(inner.get("values", []), depth - 1)
    return value


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    """`{"response.id": 1}` is `{"response": {"id": 1}}`; a prefix of all that belongs to an event goes."""
    first = next((first for first in _FIRSTS if isinstance(flat.get(f"{first}type"), str)), "")
    made: dict[str, object] = {}
    for key, value in flat.items():
        *path, last = (key.removeprefix(first) if first else key).split(".")
        at = made
        for name in path[:_DEEPEST]:
            inner = at.get(name)
            if not isinstance(inner, dict):
                inner = at[name] = {}
            at = inner
        if not isinstance(at.get(last), dict) or isinstance(value, dict):
            at[last] = value
    return made
