"""The compiled table: a spec on the library `transitions`, with an Event and a Transition of our own.

The only module that imports `transitions`. One machine per loaded spec serves every call; it holds no model. A
reaction is a pure function of the configuration, so it is worked out once and kept: a step of a call is a lookup.
Never here: what a row means (fsm.machine.reaction), ids (fsm.machine.ledgers.realtime).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import attrs
from transitions import Event, Machine, Transition

from fsm.language.spec import Cell, Spec
from fsm.machine.reaction import MAX_REACTIONS, Control, Reaction, dropped, react

MAX_KEPT = 200_000  # reactions; past that the memory is dropped and filled anew


class SpecTransition(Transition):
    """A cell of the table: carries its rows instead of callbacks."""

    def __init__(self, *args: Any, cell: Cell, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cell = cell


class StrictEvent(Event):
    """Answers for every configuration; nothing is dropped and nothing is raised."""

    def __init__(self, name: str, machine: TurnMachine) -> None:
        super().__init__(name, machine)
        self.kept: dict[Control, Reaction] = {}

    def trigger(self, control: Control) -> Reaction:  # type: ignore[override]
        """The reaction of a configuration to this event."""
        reaction = self.kept.get(control)
        if reaction is None:
            assert isinstance(self.machine, TurnMachine)
            reaction = self.machine.keep(self, control, react(self.machine.spec, control, self.name))
        return reaction


class TurnMachine(Machine):
    """One per loaded spec, without a model, without automatic transitions."""

    event_cls = StrictEvent
    transition_cls = SpecTransition

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._count = 0
        self._controls: dict[tuple[tuple[int, ...], tuple[str, ...]], Control] = {}
        super().__init__(
            model=None, states=list(spec.states), initial=spec.initial, auto_transitions=False, send_event=True
        )
        for name in spec.vocabulary.events:  # also the words that no state answers: noise
            self.events[name] = StrictEvent(name, self)
        for deadline in spec.deadlines.values():
            self.events[deadline.event] = StrictEvent(deadline.event, self)
        self._strict = {name: event for name, event in self.events.items() if isinstance(event, StrictEvent)}
        for (state, event), cell in spec.cells.items():
            self.add_transition(event, state, None, cell=cell)

    def keep(self, event: StrictEvent, control: Control, reaction: Reaction) -> Reaction:
        """Remembers a reaction, its configuration made the one object of its kind."""
        if self._count >= MAX_KEPT:
            self._count = 0
            self._controls.clear()
            for each in self._strict.values():
                each.kept = {}
        self._count += 1
        reaction = event.kept[control] = attrs.evolve(reaction, after=self.one(reaction.after))
        return reaction

    def completion(self, control: Control) -> tuple[Reaction, ...]:
        """What comes before the next event from outside: the reactions to events that waited and are due now."""
        if not control.waiting:
            return ()
        made: list[Reaction] = []
        while (due := self._due(control)) is not None:
            if len(made) + 1 >= MAX_REACTIONS:
                due = dropped(self.spec, control, due.event)
                due = attrs.evolve(due, after=self.one(due.after))
            made.append(due)
            control = due.after
        return tuple(made)

    def _due(self, control: Control) -> Reaction | None:
        """The reaction to the first waiting event that is not deferred again; none once the call is over."""
        if control.is_final:
            return None
        tried = (self._strict[name].trigger(control) for name in control.waiting)
        return next((reaction for reaction in tried if reaction.outcome != "deferred"), None)

    def one(self, control: Control) -> Control:
        """The one object for an equal configuration."""
        return self._controls.setdefault((control.values, control.waiting), control)

    def cells(self) -> dict[str, dict[str, Cell]]:
        """The table as the library holds it: state, then event."""
        found: dict[str, dict[str, Cell]] = defaultdict(dict)
        for event in self.events.values():
            for state, transitions in event.transitions.items():
                for transition in transitions:
                    assert isinstance(transition, SpecTransition)
                    found[state][event.name] = transition.cell
        return found

    def strict_events(self) -> Mapping[str, StrictEvent]:
        """Every event by name, as what it is."""
        return self._strict
