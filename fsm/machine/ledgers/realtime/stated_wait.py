"""A wait that a provider states in the words of an error: "Please try again in 20s." as milliseconds. Pure text.

No provider of the Realtime protocol has a field for it; the words are OpenAI's rate limiter's, and proxies repeat them
("1.5s", "120ms", "1m30s", "6 minutes", "retry after 3 seconds").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fsm.language.ledger import Data

MAX_WAIT_MS: Final = 60_000
"""Nobody on a telephone waits longer; a wait of hours is a quota, and asking again once shows that."""

_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_PART: Final = (
    r"\d{1,9}(?:\.\d{1,9})?\s*(?:ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![a-z])"
)
_ASKS: Final = r"(?:try(?:ing)? again|retry(?:ing)?) (?:in|after)|\bwait(?: for)?"
_STATED: Final = re.compile(rf"(?:{_ASKS}) (?:about )?((?:{_PART}[\s,]*(?:and )?){{1,4}})", re.IGNORECASE)
_NUMBER_AND_UNIT: Final = re.compile(r"([\d.]+)\s*(m(?:illi)?s|[smh])", re.IGNORECASE)


def stated_wait_ms(wire: Data) -> int | None:
    """Of an error, or of a response that failed by one."""
    where = ("error",) if wire.get("type") == "error" else ("response", "status_details", "error")
    value: object = wire
    for key in (*where, "message"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return wait_ms(value) if isinstance(value, str) else None


def wait_ms(message: str) -> int | None:
    """The wait in the first 500 characters, at least 1 and at most MAX_WAIT_MS; None: none is stated."""
    stated = _STATED.search(message[:500])
    if stated is None:
        return None
    parts = _NUMBER_AND_UNIT.findall(stated[1])
    stated_ms = sum(float(number) * _UNIT_MS[_unit(unit)] for number, unit in parts)
    return max(1, min(round(stated_ms), MAX_WAIT_MS))


def _unit(text: str) -> str:
    return text.lower().replace("millis", "ms")
