"""Where each answer of a spec can lead, as the type check knows it: what every picture and page is drawn from.

Choices are resolved to the states they can reach with the slots that can be there; context is not known to the type
check, so a target is an upper bound. Never here: text of any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from fsm.language.loader import Loaded
from fsm.language.problem import Place, Problems
from fsm.language.spec import Row, Spec
from fsm.language.typestate import Node, Slots, Typestate


@attrs.frozen
class Lead:
    """One row taken for an event in a state, and the states it can lead to, in the order of the spec."""

    state: str
    event: str
    row: Row
    group: str | None
    targets: tuple[str, ...]


class _Tracer(Typestate):
    """The type check once more, writing down which row leads where; what is wrong was reported when it was loaded."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec, Problems())
        self.taken: Row | None = None
        self.found: dict[tuple[str, str, str], set[str]] = {}
        self.rows: dict[tuple[str, str, str], Row] = {}

    def _row(self, row: Row, slots: Slots, event: str) -> None:
        self.taken = row
        super()._row(row, slots, event)

    def _arrive(self, source: Node | None, state: str, slots: Slots, event: str, place: Place) -> None:
        if source is not None and self.taken is not None:
            key = (source[0], event, self.taken.id)
            self.found.setdefault(key, set()).add(state)
            self.rows[key] = self.taken
        super()._arrive(source, state, slots, event, place)


def leads(loaded: Loaded) -> tuple[Lead, ...]:
    """Every row that can be taken (go and stay), in the order of states, then events, then rows."""
    spec = loaded.spec
    tracer = _Tracer(spec)
    tracer.check()
    found = []
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            key = (state, event, row.id)
            if key in tracer.found:
                targets = in_order(spec.states, tracer.found[key])
                found.append(Lead(state, event, tracer.rows[key], cell.group, targets))
    states, events = list(spec.states), list(spec.events)
    return tuple(sorted(found, key=lambda lead: (states.index(lead.state), events.index(lead.event))))


def in_order(names: Iterable[str], chosen: Iterable[str]) -> tuple[str, ...]:
    """`chosen` in the order in which `names` has them."""
    wanted = set(chosen)
    return tuple(name for name in names if name in wanted)


def routes(found: Iterable[Lead]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The events that can lead from one state to another (also to itself)."""
    result: dict[tuple[str, str], dict[str, None]] = {}
    for lead in found:
        for target in lead.targets:
            result.setdefault((lead.state, target), {})[lead.event] = None
    return {pair: tuple(events) for pair, events in result.items()}
