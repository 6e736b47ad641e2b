"""Words with what is known of the call filled in: instructions and a greeting may name the caller. Never whose words.

What a telephone says about itself is foreign text that a model will read: it is shortened, on one line, without
anything that is not printed, and what it holds in braces is filled in by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from adapters.lines.line import CallData

MAX_CHARS: Final = 200
UNKNOWN: Final = "unknown"
_PLACE: Final = re.compile(r"\{(caller_id|dialled|call_id|agent|call\.[^{}\s]+)\}")
_LIKE_A_PLACE: Final = re.compile(r"\{([a-z_]+)\}")


def filler(call_id: str, agent: str, data: CallData) -> Callable[[str], str]:
    """Replaces `{caller_id}`, `{dialled}`, `{call_id}`, `{agent}` and `{call.NAME}` (a variable of the call) in a text.

    What the line does not say is "unknown"; any other word in braces stays as it is.
    """
    known: Mapping[str, str] = {
        "caller_id": data.caller_id, "dialled": data.dialled, "call_id": call_id, "agent": agent
    }  # fmt: skip

    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = data.variables.get(name.removeprefix("call."), "") if name.startswith("call.") else known[name]
        return printable(text) or UNKNOWN

    return lambda text: _PLACE.sub(value, text)


def printable(text: str) -> str:
    """A foreign text on one line, shortened, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * MAX_CHARS]).split())[:MAX_CHARS]


def unfilled(text: str) -> Iterator[str]:
    """Words in braces that look like places and are none."""
    return (match[1] for match in _LIKE_A_PLACE.finditer(text) if not _PLACE.fullmatch(match[0]))
