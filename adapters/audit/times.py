"""Times in logs: a number or a text as milliseconds, of whatever origin.

Units are recognised by size: seconds, milliseconds, microseconds or nanoseconds since 1970; what is smaller, by how
far apart they are. A key that ends in `_ms` says it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final, NamedTuple

KEYS: Final = frozenset(
    {"at", "t_ms", "at_ms", "timestamp", "time", "ts", "@timestamp", "t", "datetime", "created_at", "time_ms",
     "timestamp_ms", "asctime", "date", "when", "offset_ms", "elapsed_ms", "timeUnixNano", "observedTimeUnixNano",
     "time_unix_nano", "startTimeUnixNano", "start_time_unix_nano"}
)  # fmt: skip
_ISO = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ,](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?![\d:])")
_EPOCH = re.compile(r"(?<![\d.])(1\d{9})(?:\.(\d{1,9})|(\d{3})(?:\d{3}){0,2})?(?![\d])")
_OFFSET = re.compile(r"(?:^|[\[\s+(])(\d{1,6}\.\d{2,9})\s?(?:s\b|\]|\s)|\+(\d{1,9})\s?ms\b")
_DAY_MS: Final = 86_400_000.0
_LATEST: Final = 1e19  # nanoseconds since 1970, in three centuries


class Time(NamedTuple):
    """A time of a log in milliseconds of any origin; `guessed` if its unit was taken to be seconds."""

    ms: float
    guessed: bool = False


def of_number(value: float, key: str = "") -> Time | None:
    """A number of a log, None if it is not a time. Small ones may be seconds or milliseconds since anything: the log as
    a whole will show."""
    if not -_LATEST < value < _LATEST:
        return None  # a number of any length, Infinity, NaN
    if key.endswith("_ms"):
        return Time(float(value))
    if value > 1e17:
        return Time(value / 1_000_000.0)
    if value > 1e14:
        return Time(value / 1000.0)
    return Time(float(value)) if value > 1e11 else Time(value * 1000.0, guessed=value < 1e9)


def of_text(text: str) -> Time | None:
    """The first time in a text, None if there is none."""
    ms = _ms_in(text)
    return None if ms is None else Time(ms)


def _ms_in(text: str) -> float | None:
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


def of_mapping(found: Mapping[str, object]) -> Time | None:
    """The time in an object of a log, by the names times are given."""
    for key in sorted(KEYS.intersection(found), key=len, reverse=True):
        value = found[key]
        if isinstance(value, datetime | date):
            value = value.isoformat()  # as YAML reads it
        if isinstance(value, int | float) and not isinstance(value, bool):
            time = of_number(value, key)
        elif isinstance(value, str) and value:
            time = of_text(value)
            if time is None and value.replace(".", "", 1).isdecimal():
                time = of_number(float(value), key)
        else:
            continue
        if time is not None:
            return time
    return None


_FEW = 5
_WHOLE_APART = 1.5
_APART = 4.0
_BURST = 0.1


def are_milliseconds(times: Sequence[float]) -> bool:
    """Are numbers of an unknown unit milliseconds, not seconds? The events of a conversation come in bursts: as
    seconds, few are further apart than these."""
    gaps = [later - earlier for earlier, later in pairwise(times) if later >= earlier]
    if len(gaps) < _FEW:
        return False
    apart = sum(gaps) / len(gaps)
    if all(time == int(time) for time in times):
        return apart > _WHOLE_APART
    return apart > _APART and sum(0 < gap < _BURST for gap in gaps) < 0.3 * len(gaps)


class LogClock:
    """Times of one log as milliseconds since its first; a clock without a date may pass midnight."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._guess = 1.0

    def learn(self, times: Iterable[Time | None]) -> None:
        """What the first times of a log show of their unit."""
        guessed = [time.ms / 1000.0 for time in times if time is not None and time.guessed]
        self._guess = 0.001 if are_milliseconds(guessed) else 1.0

    def since_first(self, time: Time | None) -> float | None:
        """Milliseconds since the first time; what goes back a little stands still."""
        if time is None:
            return None
        at_ms = time.ms * self._guess if time.guessed else time.ms
        if self._first is None:
            self._first = self._last = at_ms
        if at_ms < self._last - _DAY_MS / 2 and self._last < 2 * _DAY_MS:
            self._first -= _DAY_MS
        self._last = at_ms
        return max(at_ms - self._first, 0.0)
