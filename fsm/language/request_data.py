"""The data of a request, by the types that the vocabulary declares: `data: {text: text, urgent: optional flag}`.

What is not declared is refused: who misspells a field is told so. Never here: what a field means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

TYPES: Final = ("text", "number", "flag")
OPTIONAL: Final = "optional "
SPELLINGS: Final = (*TYPES, *(OPTIONAL + each for each in TYPES))
_SHOWN_CHARS: Final = 64


def complaint(fields: Mapping[str, str], data: Mapping[str, object]) -> str:
    """What is wrong with the data of a request whose fields have these types; "" if nothing is."""
    for name, declared in fields.items():
        kind = declared.removeprefix(OPTIONAL)
        if name not in data:
            if declared == kind:
                return f"data.{name} is missing: a {kind}"
        elif not _is_a(kind, data[name]):
            return f"data.{name} is not a {kind}"
    for name in data:
        if name not in fields:
            known = ", ".join(fields) or "no field"
            return f"data.{_shown(name)} is not a field of this request (known: {known})"
    return ""


def _is_a(kind: str, value: object) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "flag":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:_SHOWN_CHARS])
