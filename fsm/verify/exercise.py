"""What a verification did not exercise: a PASS says nothing of it. Pure.

A state that no run comes to, an event that the world never brings about, an effect that is never had, a row that is
never taken: each may be as wrong as it likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import attrs

from fsm.language.problem import Place
from fsm.language.spec import Row, Spec
from fsm.verify.verdict import SceneVerdict

_ACTS: Final = ("go", "stay")


@attrs.frozen
class NotExercised:
    """By name; rows by where they are written."""

    states: tuple[str, ...]
    events: tuple[str, ...]
    effects: tuple[str, ...]
    rows: tuple[Place, ...]

    @property
    def count(self) -> int:
        return len(self.states) + len(self.events) + len(self.effects) + len(self.rows)

    def __str__(self) -> str:
        """`1 state (hold), 2 events, 5 rows`; empty where everything was. A state is new, or the world lacks a word."""
        parts = [f"{_counted('state', self.states)} ({', '.join(self.states)})"] if self.states else []
        others = (("event", self.events), ("effect", self.effects), ("row", self.rows))
        return ", ".join([*parts, *(_counted(word, found) for word, found in others if found)])

    def named(self) -> Iterator[str]:
        """A line for each kind, with all names."""
        lines = (("states", self.states), ("events", self.events), ("effects", self.effects), ("rows", self.rows))
        return (f"{word}: {', '.join(map(str, found))}" for word, found in lines if found)


def not_exercised(spec: Spec, verdicts: Sequence[SceneVerdict]) -> NotExercised:
    """What none of the scenes came to. Rows that only ignore or defer are `unused_rows`, not these."""
    cells = {event for verdict in verdicts for _, event in verdict.cells}
    visited = _all(verdict.visited for verdict in verdicts)
    had = _all(verdict.effects for verdict in verdicts)
    reached = frozenset(chain.from_iterable(verdict.rows for verdict in verdicts))
    acting = {row.place for row in _rows(spec) if row.kind in _ACTS and row.place.line}
    answered = {event for (_, event), cell in spec.cells.items() if any(row.kind in _ACTS for row in cell.rows)}
    return NotExercised(
        tuple(name for name in spec.states if name not in visited),
        tuple(event for event in spec.events if event in answered and event not in cells),
        tuple(sorted({each.effect for each in spec.emits()} - had)),
        tuple(sorted(acting - reached)),
    )


def _all(found: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(found))


def _rows(spec: Spec) -> Iterator[Row]:
    yield from chain.from_iterable(cell.rows for cell in spec.cells.values())
    yield from chain.from_iterable(choice.rows for choice in spec.choices.values())


def _counted(word: str, found: Sequence[object]) -> str:
    return f"{len(found)} {word}{'' if len(found) == 1 else 's'}"
