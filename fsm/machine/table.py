"""The compiled table: a spec on the library `transitions`.

What the library does for us: its Machine holds the table, one Event for each event and one Transition for each cell,
found by event and source state; its constructor refuses a source that is not a state. The machine steps by these
objects, the tests compare them with the spec, and stock `transitions` is the oracle that decides every reachable cell
of the bundled specs alike (tests/fsm/machine/test_oracle.py). What it does not do: decide. Its guards and actions are
callbacks on a mutable model, its unanswered events raise or vanish, its queue is one for all models
(docs/facts/state_machines.md, 1.2). Here a cell's rows are data and `react` is a pure function of configuration and
event, so one Machine without a model serves every call of a spec, and so do the verifier and the diff.

Nothing is kept here. A call keeps its reactions in fsm.machine.machine, the verifier in fsm.verify.tables.
The only module of the product that imports `transitions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from transitions import Event, Machine, Transition

from fsm.language.spec import Cell, Spec
from fsm.machine.reaction import MAX_REACTIONS, Control, Reaction, dropped, react, without


class SpecTransition(Transition):
    """A cell of the table: carries its rows instead of callbacks. Which row it is, and so its target, `react` finds."""

    def __init__(self, *args: Any, cell: Cell, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cell = cell


class StrictEvent(Event):
    """Answers for every configuration; nothing is dropped and nothing is raised."""

    def __init__(self, name: str, machine: TurnMachine) -> None:
        super().__init__(name, machine)
        self._table = machine

    def react(self, control: Control) -> Reaction:
        """The reaction of a configuration to this event."""
        return react(self._table.spec, control, self.name, self._table.cell)


class TurnMachine(Machine):
    """One per loaded spec, without a model, without automatic transitions."""

    event_cls = StrictEvent
    transition_cls = SpecTransition

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        super().__init__(
            model=None, states=list(spec.states), initial=spec.initial, auto_transitions=False, send_event=True
        )
        names = [*spec.vocabulary.events, *(d.event for d in spec.deadlines.values())]
        self._strict = {name: StrictEvent(name, self) for name in names}  # also what no state answers: noise
        self.events.update(self._strict)
        for (state, event), cell in spec.cells.items():
            self.add_transition(event, state, None, cell=cell)

    def cell(self, at: tuple[str, str]) -> Cell | None:
        """The cell at (state, event), as the library holds it."""
        state, event = at
        for transition in self.events[event].transitions.get(state, ()):
            assert isinstance(transition, SpecTransition)
            return transition.cell
        return None

    def cells(self) -> dict[str, dict[str, Cell]]:
        """The whole table as the library holds it: state, then event."""
        found: dict[str, dict[str, Cell]] = defaultdict(dict)
        for name, event in self.events.items():
            for state in event.transitions:
                cell = self.cell((state, name))
                assert cell is not None
                found[state][name] = cell
        return found

    def strict_events(self) -> Mapping[str, StrictEvent]:
        """Every event by name, as what it is."""
        return self._strict

    def completion(self, control: Control) -> tuple[Reaction, ...]:
        """What comes before the next event from outside: the reactions to events that waited and are due now."""
        made: list[Reaction] = []
        while (due := self._due(control)) is not None:
            if len(made) + 1 >= MAX_REACTIONS:
                due = dropped(self.spec, control, due.event)
            made.append(due)
            control = due.after
        return tuple(made)

    def _due(self, control: Control) -> Reaction | None:
        """The reaction to the first waiting event that is not deferred again; none once the call is over."""
        if control.is_final:
            return None
        tried = (self._strict[name].react(without(control, name)) for name in control.waiting)
        return next((reaction for reaction in tried if reaction.outcome != "deferred"), None)
