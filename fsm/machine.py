"""`step(snapshot, event)`: the one decision of a call. Pure, total and synchronous; effects come out as data.

Never here: a clock, a socket, a log. Time is a deadline's event, ids are in the event's data (fsm.ledger).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from fsm.ledger import CLASSIFY, IDENTITIES, RECIPES, Data, Ledger
from fsm.problem import Place
from fsm.reaction import Control, Outcome, Reaction, begin, control_of
from fsm.spec import Spec
from fsm.table import StrictEvent, TurnMachine

_NOTHING: Mapping[str, object] = {}


class Event(NamedTuple):
    """What happened (or what somebody would like): a name of the vocabulary and its data."""

    name: str
    data: Data = _NOTHING


class Effect(NamedTuple):
    """What is to be done, as data; `event_id` among the arguments is ours and comes back on an error about it."""

    name: str
    args: Mapping[str, object]


class Timer(NamedTuple):
    """A deadline to arm: after `after_ms` its event `timer.<name>` is due, with the epoch in its data."""

    name: str
    after_ms: int
    epoch: int


class Snapshot(NamedTuple):
    """The whole state of a call. Immutable; `armed` maps running deadlines to their epoch."""

    control: Control
    ledger: Ledger
    armed: Mapping[str, int]
    data: Mapping[str, Data]
    serial: int

    @property
    def state(self) -> str:
        """Who has the floor."""
        return self.control.state

    @property
    def is_final(self) -> bool:
        """Is the call over?"""
        return self.control.is_final


class Step(NamedTuple):
    """What came of an event: `snapshot` is the state after it. (Named tuples: two are made for every event of a call.)

    `start` and `stop` are the deadlines to arm and to disarm, in this order of execution: stop, start.
    """

    event: Event
    reaction: Reaction
    origin: Snapshot
    snapshot: Snapshot
    effects: tuple[Effect, ...]
    start: tuple[Timer, ...]

    @property
    def stop(self) -> tuple[str, ...]:
        return self.reaction.stop

    @property
    def variant(self) -> str:
        """What the event was, by identity and slots."""
        return self.reaction.event

    @property
    def outcome(self) -> Outcome:
        return self.reaction.outcome

    @property
    def reason(self) -> str:
        """Why nothing came of it."""
        return self.reaction.reason

    @property
    def before(self) -> str:
        """The state the event met."""
        return self.origin.control.state

    @property
    def place(self) -> Place | None:
        """The line of the spec that decided."""
        return self.reaction.path[0].place if self.reaction.path else None

    @property
    def transitions(self) -> tuple[str, ...]:
        """The stable ids of the rows taken."""
        return tuple(row.id for row in self.reaction.path)


class TurnSpecMachine:
    """A loaded spec, ready to step any number of calls."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.table = TurnMachine(spec)
        self._events: Mapping[str, StrictEvent] = self.table.strict_events()
        self._identities = {
            base: (CLASSIFY[identity], {tag: self._events[f"{base}.{tag}"] for tag in IDENTITIES[identity]})
            for base, identity in spec.vocabulary.identities.items()
        }
        self._timers = {d.event: d.name for d in spec.deadlines.values()}
        self._after_ms = {d.name: d.after_ms for d in spec.deadlines.values()}

    def start(self, talk_key: str = "", **context: str) -> Step:
        """A new call. `context` overrides initial values by name, e.g. `owed="none"` for a call without a greeting."""
        values = [v.initial for v in self.spec.variables]
        for name, value in context.items():
            variable = self.spec.variable(name)
            values[variable.index] = variable.value(value)
        ledger = Ledger(talk_key=talk_key)
        nothing = Snapshot(self.table.one(control_of(self.spec, values)), ledger, {}, {}, 0)
        reaction = begin(self.spec, values)
        reaction = attrs.evolve(reaction, after=self.table.one(reaction.after))
        return self._stepped(nothing, Event("call.started"), reaction, nothing.ledger)

    def step(self, snapshot: Snapshot, event: Event) -> Step:
        """The answer to any event in any snapshot; never raises for what comes in."""
        ledger = snapshot.ledger
        name = event.name
        identity = self._identities.get(name)
        if identity is not None:
            classify, variants = identity
            tag, ledger = classify(ledger, event.data)
            table_event = variants[tag]
        elif name in self._events:
            if name in self._timers and snapshot.armed.get(self._timers[name]) != event.data.get("epoch"):
                return self._nothing(snapshot, event, "a stale timer is no event")
            table_event = self._events[name]
        else:
            return self._nothing(snapshot, event, f"'{name}' is no event of the vocabulary")
        return self._stepped(snapshot, event, table_event.trigger(snapshot.control), ledger)

    def recall(self, snapshot: Snapshot) -> Event | None:
        """The event that waited and need not wait any longer: to be stepped before the next from outside."""
        for name in snapshot.control.waiting:
            if self._events[name].trigger(snapshot.control).outcome != "deferred":
                return Event(name, snapshot.data.get(name, _NOTHING))
        return None

    def _nothing(self, snapshot: Snapshot, event: Event, reason: str) -> Step:
        return Step(event, Reaction("ignored", event.name, snapshot.control, reason=reason), snapshot, snapshot, (), ())

    def _stepped(self, snapshot: Snapshot, event: Event, reaction: Reaction, ledger: Ledger) -> Step:
        control = reaction.after
        effects: tuple[Effect, ...] = ()
        if reaction.effects:
            effects, ledger = _effects(reaction, ledger, event.data)
        _, _, armed, data, serial = snapshot
        if control.waiting or snapshot.control.waiting:
            data = self._waiting_data(snapshot, event, reaction)
        serial += 1
        start: tuple[Timer, ...] = ()
        if reaction.start or reaction.stop:
            start = tuple([Timer(name, self._after_ms[name], serial) for name in reaction.start])
            armed = {k: e for k, e in armed.items() if k not in reaction.stop}
            armed.update(dict.fromkeys(reaction.start, serial))
        # tuple.__new__ is what the generated constructors call, at half their cost; two are made for every event.
        after = tuple.__new__(Snapshot, (control, ledger, armed, data, serial))
        return tuple.__new__(Step, (event, reaction, snapshot, after, effects, start))

    def _waiting_data(self, snapshot: Snapshot, event: Event, reaction: Reaction) -> Mapping[str, Data]:
        """The data of waiting events: several of a name become one, the last; a raised event has its cause's data."""
        fresh = {reaction.event: event.data} if reaction.outcome == "deferred" else {}
        fresh |= dict.fromkeys(reaction.raised, event.data)
        known = {**snapshot.data, **fresh}
        return {name: known.get(name, _NOTHING) for name in reaction.after.waiting}


def _effects(reaction: Reaction, ledger: Ledger, data: Data) -> tuple[tuple[Effect, ...], Ledger]:
    """The reaction's effects with their arguments, and the ledger that knows of them."""
    effects: list[Effect] = []
    for word, literal in reaction.effects:
        name = word.sends or word.name
        made, ledger = RECIPES[word.recipe](name, ledger, literal, data)
        effects += [Effect(name, args) for args in made]
    return tuple(effects), ledger
