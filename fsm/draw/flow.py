"""Where each answer of a spec can lead, as the type check knows it: what every picture and page is drawn from.

Choices are resolved to the states they can reach with the slots that can be there; context is not known to the type
check, so a target is an upper bound. Never here: text of any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from fsm.language.loader import Loaded
from fsm.language.problem import Problems
from fsm.language.search import Search
from fsm.language.spec import Row


@attrs.frozen
class Lead:
    """One row taken for an event in a state, and the states it can lead to, in the order of the spec."""

    state: str
    event: str
    row: Row
    group: str | None
    targets: tuple[str, ...]


def leads(loaded: Loaded) -> tuple[Lead, ...]:
    """Every row that can be taken (go and stay), in the order of states, then events, then rows."""
    spec = loaded.spec
    search = Search(spec, Problems())  # what is wrong was reported when it was loaded
    search.run()
    led = search.leads()
    found = [
        Lead(state, event, row, cell.group, in_order(spec.states, led[state, event, row.id]))
        for (state, event), cell in spec.cells.items()
        for row in cell.rows
        if (state, event, row.id) in led
    ]
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
