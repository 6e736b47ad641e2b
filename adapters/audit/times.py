"""Times in logs: a number or a text as milliseconds, of whatever origin. Never a clock.

Numbers are told apart by size: seconds, milliseconds or microseconds since 1970, or seconds since anything; a key that
ends in `_ms` says it itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

KEYS: Final = frozenset(
    {"at", "t_ms", "at_ms", "timestamp", "time", "ts", "@timestamp", "t", "datetime", "created_at", "time_ms",
     "timestamp_ms", "asctime", "date", "when", "offset_ms", "elapsed_ms"}
)  # fmt: skip
_ISO = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ,](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?![\d:])")
_EPOCH = re.compile(r"(?<![\d.])(1\d{9})(?:\.(\d{1,9})|(\d{3}))?(?![\d])")
_OFFSET = re.compile(r"(?:^|[\[\s+(])(\d{1,6}\.\d{2,9})\s?(?:s\b|\]|\s)|\+(\d{1,9})\s?ms\b")
_DAY_MS: Final = 86_400_000.0


def of_number(value: float, key: str = "") -> float:
    """A number of a log in milliseconds."""
    if key.endswith("_ms"):
        return float(value)
    if value > 1e14:
        return value / 1000.0
    return float(value) if value > 1e11 else value * 1000.0


def of_text(text: str) -> float | None:
    """The first time in a text, None if there is none."""
    found = _ISO.search(text)
    if found:
        return _of_iso(found)
    found = _EPOCH.search(text)
    if found:
        return float(found[1] + (found[3] or "000")) + (float(f"0.{found[2]}") * 1000.0 if found[2] else 0.0)
    found = _CLOCK.search(text)
    if found:
        whole = (int(found[1]) * 60 + int(found[2])) * 60 + int(found[3])
        return whole * 1000.0 + (float(f"0.{found[4]}") * 1000.0 if found[4] else 0.0)
    found = _OFFSET.search(text)
    if found:
        return float(found[2]) if found[2] else float(found[1]) * 1000.0
    return None


def _of_iso(found: re.Match[str]) -> float | None:
    try:
        moment = datetime(*map(int, found.groups()[:6])).replace(tzinfo=UTC)  # type: ignore[arg-type]
    except ValueError:
        return None
    fraction = float(f"0.{found[7]}") * 1000.0 if found[7] else 0.0
    zone = found[8] or "Z"
    shift = 0.0
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        shift = (hours * 60 + minutes) * 60_000.0 * (-1 if zone[0] == "-" else 1)
    return moment.timestamp() * 1000.0 + fraction - shift


def of_mapping(found: Mapping[str, object]) -> float | None:
    """The time in an object of a log, by the names times are given."""
    for key in sorted(KEYS.intersection(found), key=len, reverse=True):
        value = found[key]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return of_number(value, key)
        if isinstance(value, str) and value:
            at_ms = of_text(value)
            if at_ms is None and value.replace(".", "", 1).isdigit():
                at_ms = of_number(float(value), key)
            if at_ms is not None:
                return at_ms
    return None


class Clock:
    """Times of one log as milliseconds since its first; a clock without a date may pass midnight."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0

    def since_first(self, at_ms: float | None) -> float | None:
        """Milliseconds since the first time; what goes back a little stands still."""
        if at_ms is None:
            return None
        if self._first is None:
            self._first = self._last = at_ms
        if at_ms < self._last - _DAY_MS / 2 and self._last < 2 * _DAY_MS:
            self._first -= _DAY_MS
        self._last = at_ms
        return max(at_ms - self._first, 0.0)
