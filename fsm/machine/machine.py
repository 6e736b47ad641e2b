"""`advance(snapshot, event)`: the one decision of a call. Pure, total and synchronous; effects come out as data.

`advance` runs to completion: the step of the event, then those of events that had waited and are due now, in order. The
next event comes from outside. Their number is bounded (fsm.machine.reaction), whatever a spec says.

Never here: a clock, a socket, a log. Time is a deadline's event, ids are in the event's data (fsm.machine.ledgers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from fsm.language.problem import Place
from fsm.language.spec import Spec
from fsm.machine.ledgers.realtime import CLASSIFY, IDENTITIES, RECIPES, Data, Ledger, Recipe
from fsm.machine.reaction import Control, Outcome, Reaction, begin, control_of
from fsm.machine.table import StrictEvent, TurnMachine

_NOTHING: Mapping[str, object] = {}
# What the generated constructors of named tuples call, at half their cost; some are made for every event.
_new = tuple.__new__


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


_Maker = tuple[str, Recipe | None, str | None]
"""Name, recipe and literal of an effect. No recipe: the effect has no arguments."""

_Plan = tuple[Reaction, Control, tuple[_Maker, ...], tuple[tuple[str, int], ...], tuple[str, ...], bool]
"""reaction, configuration after it, effects to make, (deadline, ms) to start, deadlines to stop, does anything wait"""


class _Plans:
    """What is left to do at each configuration for one event: its reaction, unfolded once and kept with it."""

    __slots__ = ("_after_ms", "_event", "_reactions", "deadline", "kept")

    def __init__(self, event: StrictEvent, after_ms: Mapping[str, int]) -> None:
        self._event = event
        self._after_ms = after_ms
        self._reactions = event.kept
        self.deadline: str | None = None  # whose event this is, if it is a timer's
        self.kept: dict[Control, _Plan] = {}

    def made(self, control: Control) -> _Plan:
        """The plan of a configuration that has none yet."""
        reaction = self._event.trigger(control)
        if self._reactions is not self._event.kept:  # the table forgot; a plan must not keep what it let go
            self._reactions, self.kept = self._event.kept, {}
        plan = self.kept[control] = _plan(control, reaction, self._after_ms)
        return plan


def _plan(before: Control, reaction: Reaction, after_ms: Mapping[str, int]) -> _Plan:
    makers = [
        (word.sends or word.name, None if word.recipe == "plain" else RECIPES[word.recipe], literal)
        for word, literal in reaction.effects
    ]
    start = tuple((name, after_ms[name]) for name in reaction.start)
    waits = bool(before.waiting or reaction.after.waiting)
    return reaction, reaction.after, tuple(makers), start, reaction.stop, waits


class TurnSpecMachine:
    """A loaded spec, ready to step any number of calls."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.table = TurnMachine(spec)
        self._events: Mapping[str, StrictEvent] = self.table.strict_events()
        self._after_ms = {d.name: d.after_ms for d in spec.deadlines.values()}
        self._plans = {name: _Plans(event, self._after_ms) for name, event in self._events.items()}
        for deadline in spec.deadlines.values():
            self._plans[deadline.event].deadline = deadline.name
        self._identities = {
            base: (CLASSIFY[identity], {tag: self._plans[f"{base}.{tag}"] for tag in IDENTITIES[identity]})
            for base, identity in spec.vocabulary.identities.items()
        }

    def start(self, talk_key: str = "", **context: str) -> tuple[Step, ...]:
        """A new call: its first steps. `context` overrides initial values by name, e.g. `owed="none"`: no greeting."""
        values = [v.initial for v in self.spec.variables]
        for name, value in context.items():
            variable = self.spec.variable(name)
            values[variable.index] = variable.value(value)
        nothing = Snapshot(self.table.one(control_of(self.spec, values)), Ledger(talk_key=talk_key), {}, {}, 0)
        reaction = begin(self.spec, values)
        reaction = attrs.evolve(reaction, after=self.table.one(reaction.after))
        _, control, makers, to_start, _, _ = _plan(nothing.control, reaction, self._after_ms)
        effects, ledger = _effects(makers, nothing.ledger, _NOTHING)
        armed, start = _armed({}, to_start, (), 1)
        after = Snapshot(control, ledger, armed, dict.fromkeys(control.waiting, _NOTHING), 1)
        return self._completed(Step(Event("call.started"), reaction, nothing, after, effects, start))

    def advance(self, snapshot: Snapshot, event: Event) -> tuple[Step, ...]:
        """The answer to an event, and to those that had waited and are due now; the last step's snapshot is the next.

        Never raises for what comes in. After the last step nothing is due but what comes from outside.
        """
        return self._completed(self.step(snapshot, event))

    def _completed(self, first: Step) -> tuple[Step, ...]:
        snapshot = first.snapshot
        if not snapshot.control.waiting:
            return (first,)
        steps = [first]
        for reaction in self.table.completion(snapshot.control):
            event = Event(reaction.event, snapshot.data.get(reaction.event, _NOTHING))
            plan = _plan(snapshot.control, reaction, self._after_ms)
            steps.append(self._step(snapshot, event, plan, snapshot.ledger))
            snapshot = steps[-1].snapshot
        return tuple(steps)

    def step(self, snapshot: Snapshot, event: Event) -> Step:
        """The answer to this event alone: one step of `advance`."""
        before, ledger, armed, _, _ = snapshot
        name, data = event
        identity = self._identities.get(name)
        if identity is not None:
            classify, variants = identity
            tag, ledger = classify(ledger, data)
            plans = variants[tag]
        elif name in self._plans:
            plans = self._plans[name]
            if plans.deadline is not None and armed.get(plans.deadline) != data.get("epoch"):
                return self._nothing(snapshot, event, "a stale timer is not an event")
        else:
            return self._nothing(snapshot, event, f"'{name}' is not an event of the vocabulary")
        return self._step(snapshot, event, plans.kept.get(before) or plans.made(before), ledger)

    def _step(self, snapshot: Snapshot, event: Event, plan: _Plan, ledger: Ledger) -> Step:
        """A reaction as a step; `ledger` knows the event's ids."""
        reaction, control, makers, to_start, to_stop, waits = plan
        _, data = event
        _, _, armed, waiting, serial = snapshot
        if not reaction.admitted:
            ledger = snapshot.ledger
        serial += 1
        effects: tuple[Effect, ...] = ()
        start: tuple[Timer, ...] = ()
        if makers:
            effects, ledger = _effects(makers, ledger, data)
        if to_start or to_stop:
            armed, start = _armed(armed, to_start, to_stop, serial)
        if waits:
            waiting = self._waiting_data(snapshot, event, reaction)
        after = _new(Snapshot, (control, ledger, armed, waiting, serial))
        return _new(Step, (event, reaction, snapshot, after, effects, start))

    def _nothing(self, snapshot: Snapshot, event: Event, reason: str) -> Step:
        return Step(event, Reaction("ignored", event.name, snapshot.control, reason=reason), snapshot, snapshot, (), ())

    def _waiting_data(self, snapshot: Snapshot, event: Event, reaction: Reaction) -> Mapping[str, Data]:
        """The data of waiting events: several of a name become one, the last; a raised event has its cause's data."""
        fresh = {reaction.event: event.data} if reaction.outcome == "deferred" else {}
        fresh |= dict.fromkeys(reaction.raised, event.data)
        known = {**snapshot.data, **fresh}
        return {name: known.get(name, _NOTHING) for name in reaction.after.waiting}


def _armed(
    armed: Mapping[str, int], to_start: tuple[tuple[str, int], ...], to_stop: tuple[str, ...], serial: int
) -> tuple[Mapping[str, int], tuple[Timer, ...]]:
    """Which deadlines run from now on, and those to arm; the step's number is their epoch."""
    running = {**armed}
    for name in to_stop:
        running.pop(name, None)
    start = []
    for name, after_ms in to_start:
        running[name] = serial
        start.append(_new(Timer, (name, after_ms, serial)))
    return running, tuple(start)


def _effects(makers: tuple[_Maker, ...], ledger: Ledger, data: Data) -> tuple[tuple[Effect, ...], Ledger]:
    """The effects with their arguments, and the ledger that knows of them."""
    effects: list[Effect] = []
    for name, recipe, literal in makers:
        if recipe is None:
            effects.append(_new(Effect, (name, _NOTHING)))
            continue
        made, ledger = recipe(name, ledger, literal, data)
        for args in made:
            effects.append(_new(Effect, (name, args)))  # noqa: PERF401 - nearly always one
    return tuple(effects), ledger
