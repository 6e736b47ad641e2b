"""What can be wrong with a text and where: places, problems, and the one error that carries them all.

Never here: deciding what is wrong. Every room of fsm reports through this one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from fsm.errors import LocalError


@attrs.frozen(order=True)
class Place:
    """A position in a source text; line and column count from 1."""

    file: str
    line: int
    column: int
    over: str = attrs.field(default="", eq=False, order=False)
    """Where what it stands for is in the text that is extended, if it stands for anything."""

    @property
    def lines(self) -> str:
        """The file and the line, and the base's where it stands for something there."""
        base = self.over.rpartition(":")[0]
        return f"{self.file}:{self.line}" + (f" (over {base})" if base else "")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def shifted(self, columns: int) -> Place:
        return attrs.evolve(self, column=self.column + columns)


NOWHERE = Place("-", 0, 0)


MANY: Final = 16
"""More names than these are no help: the likest are shown."""


def closest(name: str, known: Iterable[str]) -> str:
    """The one that is meant, as far as anybody can tell: alike, or the only one of this last part; "" if none is."""
    names = sorted(known)
    ends = [each for each in names if each.endswith(f".{name}")]
    return next(iter(difflib.get_close_matches(name, names, 1, 0.6)), ends[0] if len(ends) == 1 else "")


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` as the end of a hint; "" where nothing is close."""
    close = closest(name, known)
    return f"; did you mean '{close}'?" if close else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?` for a name that is close to a known one, else the known ones, or the likest of many."""
    names = sorted(known)
    if close := closest(name, names):
        return f"did you mean '{close}'?"
    if len(names) <= MANY:
        return f"known: {', '.join(names)}" if names else ""
    likest = sorted(difflib.get_close_matches(name, names, MANY, 0.0))
    return f"known: {', '.join(likest)} and {len(names) - MANY} more"


@attrs.frozen(order=True)
class Problem:
    """One finding. `hint` says what would be right; `trail` how it comes about, one step a line."""

    place: Place
    code: str
    message: str
    hint: str = ""
    trail: tuple[str, ...] = ()
    severity: str = "error"

    def __str__(self) -> str:
        head = f"{self.place}: {self.severity}[{self.code}]: {self.message}"
        hint = f"\n    {self.hint}" if self.hint else ""
        trail = "".join(f"\n      {step}" for step in self.trail)
        return head + hint + (f"\n    how it gets there:{trail}" if trail else "")

    def as_json(self) -> dict[str, object]:
        """For programs: the place as file, line and column beside the rest."""
        own = {"severity": self.severity, "code": self.code, "message": self.message, "hint": self.hint}
        place = {"file": self.place.file, "line": self.place.line, "column": self.place.column}
        return {**place, **own, "trail": list(self.trail)}


class SpecError(LocalError):
    """A text that cannot be used; carries every problem that was found, not the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects problems, so that a reader of a text goes on after the first."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, place: Place, code: str, message: str, hint: str = "", trail: Iterable[str] = ()) -> None:
        self._found.append(Problem(place, code, message, hint, tuple(trail)))

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._found.append(Problem(place, code, message, hint, severity="warning"))

    def adopt(self, error: SpecError) -> None:
        """Takes over what another reader found."""
        self.extend(error.problems)

    def extend(self, problems: Iterable[Problem]) -> None:
        self._found += problems

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(set(self._found)))

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self if p.severity == "error")

    def raise_if_any(self) -> None:
        if self.errors:
            raise SpecError(self.errors)
