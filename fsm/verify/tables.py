"""The tables the explorer walks by: configurations, worlds and queues as numbers, and what each move does to them.

A state of a run has three parts that hardly know each other: what the machine is in (a control: its variables and the
events that wait), the variables of the world, and what is in flight. There are far fewer of each than of their
combinations (20,000 states of a scene have 170 controls, 6,000 worlds and 2,400 contents of the queues), and no step
looks at all three:

- what can happen without a message, and what a message at the head of a queue does, depends on the world alone;
- what the machine answers depends on the control and the event alone: a MacroStep, the event's reaction and those of
  events that had waited and are due, with all their effects in order;
- what the world makes of effects depends on the effects and the world;
- what becomes of the queues depends on the queues and on the change, a short list of pushes, pops and renames;
- whether a move is held back depends on the queues and on what holds it.

So each part is interned, as a number of twenty bits, a state is one integer of three such numbers, and each of the
functions above is worked out once for its arguments and looked up from then on. This is sound because they are
functions: the language has no other state, and a world's text can name nothing but its variables and its queues. It is
exact, too: nothing is merged that differs in any variable. What twenty bits cannot number ends the search, as partial.

Never here: the order of the search (fsm.verify.explore).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import attrs

from fsm.errors import LocalError
from fsm.machine.reaction import Control, Reaction, begin
from fsm.machine.table import TurnMachine
from fsm.verify.firing import FiringOrder
from fsm.world.binding import Binding, Label, MoveWay, Option
from fsm.world.code import Values
from fsm.world.queues import QueueChange, Queues

BITS = 21
MASK = (1 << BITS) - 1
EMPTY = 0  # the number of empty queues
ANYTHING = 0  # the number of "held back by any message"

UNLIMITED = 1 << 30
Action = tuple[int, int, int, int, int]
"""(label, world after, change of queues, event or -1, what holds it back or -1)."""
Applier = tuple[int, Callable[[bytes], bytes], int]
"""(channel, what is done to its queue, how long it may be then)."""
Changes = tuple[tuple[QueueChange, bool], ...]
"""Changes of queues in order; True: an answer to something, which may use the reserve of a queue."""


class Judge(Protocol):
    """Says which clauses of properties a control and a world satisfy, as bits; a state satisfies what both do."""

    def of_control(self, values: Sequence[int], /) -> int: ...

    def of_world(self, values: Values, /) -> int: ...


@attrs.frozen
class MacroStep:
    """An event and all that happens before the next: its reaction and those of events that had waited."""

    control: int
    effects: int
    reactions: tuple[Reaction, ...]


class StateSpaceTooLargeError(LocalError):
    """More configurations, worlds or queues than twenty bits can number."""


class Reactions:
    """The machine's answers to an event and to those that had waited, each worked out once for all scenes of a spec."""

    def __init__(self, machine: TurnMachine) -> None:
        self.machine = machine
        self._strict = machine.strict_events()
        self._known: dict[tuple[Control, str], tuple[Reaction, ...]] = {}

    def of(self, control: Control, event: str) -> tuple[Reaction, ...]:
        """The reaction of a configuration, and those that follow before anything else happens."""
        found = self._known.get((control, event))
        if found is None:
            first = self._strict[event].react(control)
            found = self._known[control, event] = (first, *self.machine.completion(first.after))
        return found


class Tables:
    """Numbers for everything met, and memory of what leads where."""

    def __init__(
        self, machine: TurnMachine, binding: Binding, judge: Judge, reactions: Reactions | None = None
    ) -> None:
        self.machine, self.binding, self.judge = machine, binding, judge
        self._reactions = reactions or Reactions(machine)
        self.controls: list[Control] = []
        self.control_ids: dict[tuple[Control, int], int] = {}
        self.orders: list[int] = []
        self.firing = FiringOrder(tuple(machine.spec.deadlines.values()))
        self.control_bits: list[int] = []
        self.final: list[bool] = []
        self.timers: list[tuple[int, ...]] = []
        self.worlds: list[Values] = []
        self.world_ids: dict[Values, int] = {}
        self.world_bits: list[int] = []
        self.moves: list[list[Action] | None] = []
        self.queues: list[Queues] = []
        self.queue_ids: dict[Queues, int] = {}
        self.heads: list[tuple[int, ...]] = []
        self.labels: list[Label] = []
        self.label_ids: dict[Label, int] = {}
        self.fair: list[bool] = []
        self.changes: list[Changes] = [()]
        self.change_ids: dict[Changes, int] = {(): 0}
        self._appliers: list[tuple[Applier, ...]] = [()]
        self.holds: list[frozenset[tuple[int, int]]] = [frozenset()]
        self.hold_ids: dict[frozenset[str] | None, int] = {frozenset(): -1, None: ANYTHING}
        self.events: list[str] = []
        self.event_ids: dict[str, int] = {}
        self.sequences: list[tuple[tuple[str, str | None], ...]] = [()]
        self.sequence_ids: dict[tuple[tuple[str, str | None], ...], int] = {(): 0}
        self.deadlines = tuple(machine.spec.deadlines.values())
        self.names = {(m.channel, m.code): m.name for m in binding.world.messages.values()}
        self.macros: dict[int, MacroStep] = {}
        self.first_effects: frozenset[str] = frozenset()  # what is done before anything has happened
        self._change_of: dict[MoveWay, int] = {}
        self._numbered: dict[MoveWay, tuple[int, int, int, int]] = {}
        world, settings = binding.world, binding.settings
        capacities = [settings.capacities.get(c.name, c.capacity) for c in world.channels]
        self.limits = [
            (capacity, capacity + max(channel.reserve, capacity))
            for capacity, channel in zip(capacities, world.channels, strict=True)
        ]

    # --- numbers ------------------------------------------------------------------------------------------------------

    def control(self, control: Control, order: int = 0) -> int:
        """`order`: which deadlines wait for others (fsm.verify.firing)."""
        number = self.control_ids.get((control, order))
        if number is None:
            number = self.control_ids[control, order] = _next(self.controls)
            self.controls.append(control)
            self.orders.append(order)
            self.control_bits.append(self.judge.of_control(control.values))
            self.final.append(control.is_final)
            running = (i for i, d in enumerate(self.deadlines) if d.condition.run(control.values))
            self.timers.append(tuple(i for i in running if self.firing.may_fire(order, i)))
        return number

    def world(self, values: Values) -> int:
        number = self.world_ids.get(values)
        if number is None:
            number = self.world_ids[values] = _next(self.worlds)
            self.worlds.append(values)
            self.world_bits.append(self.judge.of_world(values))
            self.moves.append(None)
        return number

    def queue(self, queues: Queues) -> int:
        number = self.queue_ids.get(queues)
        if number is None:
            number = self.queue_ids[queues] = _next(self.queues)
            self.queues.append(queues)
            self.heads.append(tuple(channel << 8 | queue[0] for channel, queue in enumerate(queues) if queue))
        return number

    def label(self, label: Label, fair: bool) -> int:
        number = self.label_ids.get(label)
        if number is None:
            number = self.label_ids[label] = len(self.labels)
            self.labels.append(label)
            self.fair.append(fair)
        return number

    def event(self, name: str) -> int:
        if name not in self.event_ids:
            self.event_ids[name] = len(self.events)
            self.events.append(name)
        return self.event_ids[name]

    def _change(self, changes: tuple[QueueChange, ...], answers: bool) -> int:
        return self._numbered_change(tuple((change, answers) for change in changes))

    def changes_of(self, number: int) -> tuple[QueueChange, ...]:
        return tuple(change for change, _ in self.changes[number])

    def _numbered_change(self, key: Changes) -> int:
        number = self.change_ids.get(key)
        if number is None:
            number = self.change_ids[key] = len(self.changes)
            self.changes.append(key)
            self._appliers.append(tuple(self._applier(change, answers) for change, answers in key))
        return number

    def _applier(self, change: QueueChange, answers: bool) -> Applier:
        limit = self.limits[change.channel][answers] if change.kind == "push" else UNLIMITED
        return change.channel, change.on, limit

    def _hold(self, messages: frozenset[str] | None) -> int:
        if messages not in self.hold_ids:
            known = self.binding.world.messages
            self.hold_ids[messages] = len(self.holds)
            self.holds.append(frozenset((known[m].channel, known[m].code) for m in messages or ()))
        return self.hold_ids[messages]

    # --- what leads where ---------------------------------------------------------------------------------------------

    def start(self) -> int:
        """The first state: the machine's first step, and what the world makes of its effects."""
        spec = self.machine.spec
        chosen = spec.start_context(has_greeting=True, settings=self.binding.settings.chosen)
        first = begin(spec, spec.values_at_start(chosen))
        reactions = (first, *self.machine.completion(first.after))
        effects = tuple((word.name, literal) for reaction in reactions for word, literal in reaction.effects)
        self.first_effects = frozenset(name for name, _ in effects)
        empty: Queues = tuple(b"" for _ in self.binding.world.channels)
        self.queue(empty)
        way, values = self.binding.effects(self.binding.initial(), effects)[0]
        queues = self.applied(empty, way.changes, True)
        assert not isinstance(queues, int)
        order = self.firing.after(self.firing.open, reactions)
        return self.packed(self.control(reactions[-1].after, order), self.world(values), self.queue(queues))

    @staticmethod
    def packed(control: int, world: int, queues: int) -> int:
        return (control << BITS | world) << BITS | queues

    def actions(self, world: int) -> list[Action]:
        """What can happen here without a message."""
        made = self.moves[world] = self._made(self.binding.options(self.worlds[world]))
        return made

    def received(self, world: int, head: int) -> list[Action]:
        """What can happen with this head (channel << 8 | code)."""
        return self._made(self.binding.received(self.worlds[world], self.names[head >> 8, head & 255]))

    def fired(self, world: int, deadlines: Iterable[int]) -> list[Action]:
        """What deadlines do that run."""
        values = self.worlds[world]
        return [a for i in deadlines for a in self._made(self.binding.fired(values, self.deadlines[i].name))]

    def _made(self, options: Iterable[Option]) -> list[Action]:
        made = []
        numbered, world_ids = self._numbered, self.world_ids
        for way, values in options:
            label, change, event, hold = numbered.get(way) or self._number(way)
            world = world_ids.get(values)
            made.append((label, self.world(values) if world is None else world, change, event, hold))
        return made

    def _number(self, way: MoveWay) -> tuple[int, int, int, int]:
        event = -1 if way.event is None else self.event(way.event)
        change = self._change(way.changes, way.answers)
        numbers = self._numbered[way] = (self.label(way.label, way.fair), change, event, self._hold(way.held_by))
        return numbers

    def held(self, hold: int, queues: int) -> bool:
        found = self.queues[queues]
        return any(code in found[channel] for channel, code in self.holds[hold])

    def changed(self, queues: int, change: int) -> int:
        """The queues after a change; -1 - channel where one is full."""
        after = _applied(self.queues[queues], self._appliers[change])
        if isinstance(after, int):
            return after
        number = self.queue_ids.get(after)
        return self.queue(after) if number is None else number

    def applied(self, queues: Queues, changes: Sequence[QueueChange], answers: bool) -> Queues | int:
        """The same for what has no numbers."""
        return _applied(queues, [self._applier(change, answers) for change in changes])

    def step(self, control: int, event: int) -> MacroStep:
        """The machine's reaction to an event, and to those that waited and need not any longer."""
        reactions = self._reactions.of(self.controls[control], self.events[event])
        effects = tuple((word.name, literal) for r in reactions for word, literal in r.effects)
        if effects not in self.sequence_ids:
            self.sequence_ids[effects] = len(self.sequences)
            self.sequences.append(effects)
        order = self.firing.after(self.orders[control], reactions)
        macro = MacroStep(self.control(reactions[-1].after, order), self.sequence_ids[effects], reactions)
        self.macros[event << BITS | control] = macro
        return macro

    def effects(self, sequence: int, world: int) -> list[tuple[int, int, str | None]]:
        """What the world makes of effects: (world, change of queues, message lost) for each way it can go."""
        found = []
        for way, values in self.binding.effects(self.worlds[world], self.sequences[sequence]):
            change = self._change_of.get(way)
            if change is None:
                change = self._change_of[way] = self._change(way.changes, True)
            found.append((self.world(values), change, way.label.lost))
        return found


def _applied(queues: Queues, appliers: Iterable[Applier]) -> Queues | int:
    after = list(queues)
    for channel, on, limit in appliers:
        queue = after[channel] = on(after[channel])
        if len(queue) > limit:
            return -1 - channel
    return tuple(after)


def _next(known: Sequence[object]) -> int:
    if len(known) > MASK:
        raise StateSpaceTooLargeError
    return len(known)
