"""What a verification did not exercise: a PASS says nothing of it. Pure.

A state that no run comes to, an event that the world never brings about, an effect that is never had, a row that is
never taken: each may be as wrong as it likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import attrs

from fsm.language.problem import Place
from fsm.language.spec import Row, Spec
from fsm.verify.verdict import SceneVerdict

_ACTS: Final = ("go", "stay")


@attrs.frozen(order=True)
class IdleRow:
    """A row that no run took: where it is written, and its name."""

    place: Place
    name: str

    def __str__(self) -> str:
        return f"{self.place}  {self.name}"


@attrs.frozen
class NotExercised:
    """By name; rows by where they are written. `of` counts all there are: states, rows, events, effects."""

    states: tuple[str, ...]
    events: tuple[str, ...]
    effects: tuple[str, ...]
    rows: tuple[IdleRow, ...]
    of: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def count(self) -> int:
        return len(self.states) + len(self.events) + len(self.effects) + len(self.rows)

    def __str__(self) -> str:
        """`1 of 12 states never visited (hold), 5 of 90 rows, 2 of 80 events never exercised`; empty if none."""
        parts = [f"{self._counted('states')} never visited ({', '.join(self.states)})"] if self.states else []
        others = [self._counted(kind) for kind in ("rows", "events", "effects") if getattr(self, kind)]
        return ", ".join([*parts, *([f"{', '.join(others)} never exercised"] if others else [])])

    def _counted(self, kind: str) -> str:
        found = len(getattr(self, kind))
        return f"{found} of {self.of[kind]} {kind}" if kind in self.of else f"{found} {kind}"

    def named(self) -> Iterator[tuple[str, str]]:
        """A line for each kind, with all names, and one for each row."""
        for kind in ("states", "events", "effects"):
            if getattr(self, kind):
                yield f"{kind}:", ", ".join(getattr(self, kind))
        yield from (("row:", str(row)) for row in self.rows)


def not_exercised(spec: Spec, verdicts: Sequence[SceneVerdict]) -> NotExercised:
    """What none of the scenes came to. Rows that only ignore or defer are `unused_rows`, not these."""
    cells = {event for verdict in verdicts for _, event in verdict.cells}
    visited = _all(verdict.visited for verdict in verdicts)
    had = _all(verdict.effects for verdict in verdicts)
    reached = frozenset(chain.from_iterable(verdict.rows for verdict in verdicts))
    acting = {row.place: IdleRow(row.place, row.id) for row in _rows(spec) if row.kind in _ACTS and row.place.line}
    answered = {event for (_, event), cell in spec.cells.items() if any(row.kind in _ACTS for row in cell.rows)}
    effects = {each.effect for each in spec.emits()}
    return NotExercised(
        tuple(name for name in spec.states if name not in visited),
        tuple(event for event in spec.events if event in answered and event not in cells),
        tuple(sorted(effects - had)),
        tuple(sorted(row for place, row in acting.items() if place not in reached)),
        {"states": len(spec.states), "rows": len(acting), "events": len(answered), "effects": len(effects)},
    )


def _all(found: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(found))


def _rows(spec: Spec) -> Iterator[Row]:
    yield from chain.from_iterable(cell.rows for cell in spec.cells.values())
    yield from chain.from_iterable(choice.rows for choice in spec.choices.values())
