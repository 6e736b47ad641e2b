"""What is expected of a whole call: numbers with bounds, and deadlines between events. Judged here, measured elsewhere.

Shared by `turnspec test` over the wire and by the scripts of the simulators alone, so that the words mean the same.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import attrs

from fsm.errors import LocalError
from fsm.language.problem import Place
from fsm.scenario.scenario import WireDeadline, fits

BOUND: Final = re.compile(r"^(<=|<|>=|>)\s*(\d+(?:\.\d+)?)$")
_SIGNS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_KEYS: Final = ("summary", "deadlines")
_DEADLINE: Final = ("of", "comes", "within_ms")

Times = Callable[[str], Sequence[float]]
"""When an event of that name happened, in milliseconds of the call, in order."""


class ExpectationError(LocalError, ValueError):
    """An `expect:` that cannot be read: where and why."""


@attrs.frozen
class Mismatch:
    """What was expected, and what was so instead. `place` is its own line, where a scenario expects several things."""

    what: str
    expected: str
    actual: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, actual {self.actual}"


@attrs.frozen
class Expectation:
    """`expect:` of a script. `summary`: a value or a bound (`"< 2000"`) for each word."""

    summary: Mapping[str, object] = attrs.field(factory=dict)
    deadlines: tuple[WireDeadline, ...] = ()

    def mismatches(self, numbers: Mapping[str, object], times: Times) -> list[Mismatch]:
        """What is not as expected, in the order in which it is written."""
        found = [each for word, wanted in self.summary.items() for each in number_mismatches(word, wanted, numbers)]
        return [*found, *(each for deadline in self.deadlines for each in deadline_mismatches(deadline, times))]

    @property
    def checks(self) -> tuple[str, ...]:
        """A name for each thing that is expected."""
        return (*self.summary, *(f"{each.comes} after {each.of}" for each in self.deadlines))


def number_fits(wanted: object, actual: object) -> bool:
    """Equal, or within a bound written as a text: `"< 2000"`; of a mapping, every value that is wanted."""
    if isinstance(wanted, Mapping):
        if not isinstance(actual, Mapping):
            return False
        return all(key in actual and number_fits(value, actual[key]) for key, value in wanted.items())
    bound = BOUND.match(wanted) if isinstance(wanted, str) else None
    if bound is None or not isinstance(actual, int | float):
        return fits(wanted, actual)
    return bool(_SIGNS[bound.group(1)](actual, float(bound.group(2))))


def number_mismatches(
    word: str, wanted: object, numbers: Mapping[str, object], place: Place | None = None
) -> list[Mismatch]:
    """None, or one."""
    if word not in numbers:
        return [Mismatch(word, str(wanted), f"no such number; there are {', '.join(numbers)}", place)]
    return [] if number_fits(wanted, numbers[word]) else [Mismatch(word, str(wanted), str(numbers[word]), place)]


def deadline_mismatches(deadline: WireDeadline, times: Times) -> list[Mismatch]:
    """One for each anchor that nothing follows in time; one if there is no anchor at all."""
    anchors = times(deadline.of)
    if not anchors:
        return [Mismatch(deadline.of, "at least once", "never", deadline.place)]
    found = []
    for at_ms in anchors:
        later = [time - at_ms for time in times(deadline.comes) if time >= at_ms]
        if not later or later[0] > deadline.within_ms:
            actual = f"after {later[0]:.0f} ms" if later else "never"
            what = f"{deadline.comes} after {deadline.of} at {at_ms:.0f} ms"
            found.append(Mismatch(what, f"within {deadline.within_ms} ms", actual, deadline.place))
    return found


def read_expectation(data: object, words: Collection[str], events: Collection[str]) -> Expectation:
    """What a YAML document says below `expect:`. ExpectationError names the key; `words`, `events`: what there is."""
    if not isinstance(data, Mapping) or not data:
        raise ExpectationError("expect: a mapping is expected, e.g. {summary: {answers: 1}}")
    for key in data:
        if key not in _KEYS:
            hint = f"; is it meant to stand in summary, as `summary: {{{key}: ...}}`?" if key in words else ""
            raise ExpectationError(f"expect: '{key}' is not a key of it; there are {', '.join(_KEYS)}{hint}")
    summary, deadlines = data.get("summary", {}), data.get("deadlines", ())
    if not isinstance(summary, Mapping):
        raise ExpectationError("expect.summary: a mapping is expected, e.g. {answers: 1}")
    for word, wanted in summary.items():
        _known("expect.summary", str(word), words)
        _bounded(f"expect.summary.{word}", wanted)
    if not isinstance(deadlines, list | tuple):
        raise ExpectationError("expect.deadlines: a list is expected")
    read = tuple(_deadline(f"expect.deadlines[{n}]", each, events) for n, each in enumerate(deadlines))
    return Expectation({str(word): wanted for word, wanted in summary.items()}, read)


def _deadline(where: str, data: object, events: Collection[str]) -> WireDeadline:
    if not isinstance(data, Mapping) or set(map(str, data)) != set(_DEADLINE):
        raise ExpectationError(f"{where}: a deadline has 'of', 'comes' and 'within_ms'")
    for key in ("of", "comes"):
        _known(f"{where}.{key}", str(data[key]), events)
    within_ms = data["within_ms"]
    if not isinstance(within_ms, int) or isinstance(within_ms, bool) or within_ms < 0:
        raise ExpectationError(f"{where}.within_ms: milliseconds are expected, not {within_ms!r}")
    return WireDeadline(str(data["of"]), str(data["comes"]), within_ms)


def _known(where: str, word: str, known: Collection[str]) -> None:
    if word not in known:
        close = difflib.get_close_matches(word, known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(sorted(known))}"
        raise ExpectationError(f"{where}: there is no '{word}'; {hint}")


def _bounded(where: str, wanted: object) -> None:
    """A text that begins as a bound does is one."""
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            _bounded(f"{where}.{key}", value)
    elif isinstance(wanted, str) and wanted.strip()[:1] in ("<", ">") and not BOUND.match(wanted):
        raise ExpectationError(f'{where}: {wanted!r} is not a bound, e.g. "< 2000"')
