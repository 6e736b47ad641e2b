"""`advance(snapshot, event)`: the one decision of a call. Pure, total and synchronous; effects come out as data.

`advance` runs to completion: the step of the event, then those of events that had waited and are due now, in order. The
next event comes from outside. Their number is bounded (fsm.machine.reaction), whatever a spec says.

A step has two halves. The first knows ids: the ledger turns the event into a variant of it ("a response has ended" into
"ours was cancelled", "that one had ended before"). The second knows none: what a variant does to a configuration is a
pure function of the two, the same that the verifier explores, and there are few of either, so it is worked out once
for all calls and kept (`plans`; bounded, since a table is as large as its spec makes it). What is left for each event
is to give its effects their ids and its deadlines their epoch. A deadline's event with another epoch than the running
one is stale: it was on its way when the deadline was stopped or started anew.

Never here: a clock, a socket, a log. Time is a deadline's event, ids are in the event's data (fsm.machine.ledgers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from fsm.language.ledger import Args, CallIds, Data, Made, Make
from fsm.language.problem import Place
from fsm.language.spec import Spec
from fsm.language.variants import told
from fsm.language.vocabulary import APPLICATION, PLAIN, EffectWord
from fsm.machine.reaction import Control, Outcome, Reaction, begin, control_of
from fsm.machine.table import TurnMachine

if TYPE_CHECKING:
    from attrs import frozen as frozen_by_type
else:
    # One snapshot and one step are made for every event, and attrs.frozen guards assignment at three times the cost of
    # making them: a third of a step. So the type checker guards these two, which it does for every package here.
    from attrs import define as frozen_by_type

_NOTHING: Mapping[str, object] = {}
MAX_PLANS = 200_000
"""Kept for all calls of a spec; past that all are dropped and worked out anew."""


class Event(NamedTuple):
    """What happened (or what somebody would like): a name of the vocabulary and its data."""

    name: str
    data: Data = _NOTHING


class Effect(NamedTuple):
    """What is to be done, as data; `event_id` among the arguments is ours and comes back on an error about it."""

    name: str
    args: Args


class Timer(NamedTuple):
    """A deadline to arm: after `after_ms` its event `timer.<name>` is due, with the epoch in its data."""

    name: str
    after_ms: int
    epoch: int


@frozen_by_type
class Snapshot:
    """The whole state of a call. Immutable; `armed` maps running deadlines to their epoch."""

    control: Control
    ledger: CallIds
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


@frozen_by_type
class Step:
    """What came of an event: `snapshot` is the state after it.

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


@attrs.frozen
class _Maker:
    """An effect to make. No recipe: it has no arguments."""

    name: str
    recipe: Make[Any] | None
    literal: str | None


@attrs.frozen
class _Plan:
    """A reaction, and what of it is left to do with the ids and deadlines of a call."""

    reaction: Reaction
    after: Control
    makers: tuple[_Maker, ...]
    start: tuple[tuple[str, int, str | None], ...]
    """(deadline, ms, field of the event that may state more)"""
    waits: bool
    """Does any event wait, before or after?"""


class TurnSpecMachine:
    """A loaded spec, ready to step any number of calls."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.table = TurnMachine(spec)
        self._events = self.table.strict_events()
        self._lasts = {d.name: (d.name, d.after_ms, d.at_least) for d in spec.deadlines.values()}
        self._deadlines = {d.event: d.name for d in spec.deadlines.values()}
        self._ledger = spec.vocabulary.ledger
        identities = {base: self._ledger.identities[name] for base, name in spec.vocabulary.identities.items()}
        self._identities = {
            base: (identity.classify, {tag: f"{base}.{tag}" for tag in identity.variants})
            for base, identity in identities.items()
        }
        self._refined = spec.vocabulary.refined
        self._split = {of: words for of, words in self._refined.items() if of not in spec.vocabulary.events}
        self.plans: dict[tuple[str, Control], _Plan] = {}
        self._controls: dict[Control, Control] = {}  # one object of each: looking up what is the same costs less

    def _plan(self, event: str, control: Control) -> _Plan:
        """What an event does to a configuration it has not met yet: worked out and kept, as long as there is room."""
        if len(self.plans) >= MAX_PLANS:
            self.plans.clear()
            self._controls.clear()
        plan = self.plans[event, control] = self._planned(control, self._events[event].react(control))
        return plan

    def _planned(self, before: Control, reaction: Reaction) -> _Plan:
        recipes = self._ledger.recipes
        makers = [
            _Maker(
                word.sends or word.name, _given(word) if word.recipe == PLAIN else recipes[word.recipe].make, literal
            )
            for word, literal in reaction.effects
        ]
        start = tuple(self._lasts[name] for name in reaction.start)
        after = self._controls.setdefault(reaction.after, reaction.after)
        return _Plan(reaction, after, tuple(makers), start, bool(before.waiting or after.waiting))

    def start(self, talk_key: str = "", **context: str) -> tuple[Step, ...]:
        """A new call: its first steps. `context` overrides initial values by name, e.g. `owed="none"`: no greeting."""
        return self._begin(self._ledger.begin(talk_key), context)

    def take_over(self, values: Mapping[str, str], ids: Mapping[str, str]) -> tuple[Step, ...]:
        """The first steps of a call that goes on here: what it brings along (fsm.machine.takeover)."""
        return self._begin(self._ledger.carry(self._ledger.begin(""), ids), values)

    def _begin(self, ledger: CallIds, context: Mapping[str, str]) -> tuple[Step, ...]:
        values = self.spec.values_at_start(context)
        nothing = Snapshot(control_of(self.spec, values), ledger, {}, {}, 0)
        plan = self._planned(nothing.control, begin(self.spec, values))
        return self._completed(self._step(nothing, Event("call.started"), plan, nothing.ledger))

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
            plan = self._planned(snapshot.control, reaction)
            steps.append(self._step(snapshot, event, plan, snapshot.ledger))
            snapshot = steps[-1].snapshot
        return tuple(steps)

    def step(self, snapshot: Snapshot, event: Event) -> Step:
        """The answer to this event alone: one step of `advance`."""
        name, data = event
        ledger = snapshot.ledger
        identity = self._identities.get(name)
        if identity is not None:
            classify, variants = identity
            tag, noted = classify(ledger, data)
            name = variants[tag]
            refined = told(self._refined[name], data) if name in self._refined else None
            if refined is not None:
                name = refined.name
            if refined is None or refined.noted:
                ledger = noted
        elif name in self._split:
            word = told(self._split[name], data)  # one of its variants is for the rest
            assert word is not None
            name = word.name
        elif name in self._deadlines:
            if snapshot.armed.get(self._deadlines[name]) != data.get("epoch"):
                return self._nothing(snapshot, event, "a stale timer is not an event")
        elif name not in self._events:
            return self._nothing(snapshot, event, f"'{name}' is not an event of the vocabulary")
        control = snapshot.control
        return self._step(snapshot, event, self.plans.get((name, control)) or self._plan(name, control), ledger)

    def _step(self, snapshot: Snapshot, event: Event, plan: _Plan, ledger: CallIds) -> Step:
        """A reaction as a step; `ledger` knows the event's ids."""
        reaction = plan.reaction
        armed, waiting, serial = snapshot.armed, snapshot.data, snapshot.serial + 1
        if not reaction.admitted:
            ledger = snapshot.ledger
        effects: tuple[Effect, ...] = ()
        start: tuple[Timer, ...] = ()
        if plan.makers:
            effects, ledger = _effects(plan.makers, ledger, event.data)
        if plan.start or reaction.stop:
            armed, start = _armed(armed, plan.start, reaction.stop, serial, event.data)
        if plan.waits:
            waiting = self._waiting_data(snapshot, event, reaction)
        after = Snapshot(plan.after, ledger, armed, waiting, serial)
        return Step(event, reaction, snapshot, after, effects, start)

    def _nothing(self, snapshot: Snapshot, event: Event, reason: str) -> Step:
        return Step(event, Reaction("ignored", event.name, snapshot.control, reason=reason), snapshot, snapshot, (), ())

    def _waiting_data(self, snapshot: Snapshot, event: Event, reaction: Reaction) -> Mapping[str, Data]:
        """The data of waiting events: several of a name become one, the last; a raised event has its cause's data."""
        fresh = {reaction.event: event.data} if reaction.outcome == "deferred" else {}
        fresh |= dict.fromkeys(reaction.raised, event.data)
        known = {**snapshot.data, **fresh}
        return {name: known.get(name, _NOTHING) for name in reaction.after.waiting}


def _given(word: EffectWord) -> Make[Any] | None:
    """What an application is given: the effect's argument, and the fields of the event that the effect names."""
    if word.to != APPLICATION:
        return None
    names = word.args

    def make(_effect: str, ledger: CallIds, literal: str | None, data: Data) -> Made[CallIds]:
        said: Args = {"argument": literal} if literal is not None else {}
        return ({**said, **{name: data.get(name) for name in names}},), ledger

    return make


def _armed(
    armed: Mapping[str, int],
    to_start: tuple[tuple[str, int, str | None], ...],
    to_stop: tuple[str, ...],
    serial: int,
    data: Data,
) -> tuple[Mapping[str, int], tuple[Timer, ...]]:
    """Which deadlines run from now on, and those to arm; the step's number is their epoch."""
    running = {**armed}
    for name in to_stop:
        running.pop(name, None)
    start = []
    for name, after_ms, at_least in to_start:
        running[name] = serial
        if at_least is not None and isinstance(stated_ms := data.get(at_least), int):
            after_ms = max(after_ms, stated_ms)
        start.append(Timer(name, after_ms, serial))
    return running, tuple(start)


def _effects(makers: tuple[_Maker, ...], ledger: CallIds, data: Data) -> tuple[tuple[Effect, ...], CallIds]:
    """The effects with their arguments, and the ledger that knows of them."""
    effects: list[Effect] = []
    for maker in makers:
        name, recipe = maker.name, maker.recipe
        if recipe is None:
            effects.append(Effect(name, _NOTHING))
            continue
        made, ledger = recipe(name, ledger, maker.literal, data)
        for args in made:
            effects.append(Effect(name, args))  # noqa: PERF401 - nearly always one
    return tuple(effects), ledger
