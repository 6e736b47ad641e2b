"""The tables the explorer walks by: configurations, worlds and queues as numbers, and what each move does to them.

A state of a run is one integer: control, world and queues, twenty bits each. What a move does depends on few of them,
so it is worked out once and looked up ever after. Never here: the order of the search (fsm.verify.explore).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from fsm.language.spec import STATE
from fsm.machine.reaction import Control, Reaction, begin
from fsm.machine.table import TurnMachine
from fsm.world.binding import Binding, Label, MoveWay, Option
from fsm.world.play import QueueChange, Queues

BITS = 20
MASK = (1 << BITS) - 1
EMPTY = 0  # the number of empty queues
ANYTHING = 0  # the number of "held back by any message"

Action = tuple[int, int, int, int, int]
"""(label, world after, change of queues, event or -1, what holds it back or -1)."""


class Judge(Protocol):
    """Says which clauses of properties a control and a world satisfy, as bits; a state satisfies what both do."""

    def of_control(self, values: Sequence[int]) -> int: ...

    def of_world(self, values: Sequence[int]) -> int: ...


@attrs.frozen
class MacroStep:
    """An event and all that comes of it before the next: its reaction and those of events that had waited."""

    control: int
    effects: int
    reactions: tuple[Reaction, ...]


class StateSpaceTooLarge(Exception):
    """More configurations, worlds or queues than twenty bits can number."""


class Tables:
    """Numbers for everything met, and memory of what leads where."""

    def __init__(self, machine: TurnMachine, binding: Binding, judge: Judge) -> None:
        self.machine, self.binding, self.judge = machine, binding, judge
        self.controls: list[Control] = []
        self.control_ids: dict[Control, int] = {}
        self.control_bits: list[int] = []
        self.final: list[bool] = []
        self.timers: list[tuple[int, ...]] = []
        self.worlds: list[tuple[int, ...]] = []
        self.world_ids: dict[tuple[int, ...], int] = {}
        self.world_bits: list[int] = []
        self.moves: list[list[Action] | None] = []
        self.queues: list[Queues] = []
        self.queue_ids: dict[Queues, int] = {}
        self.heads: list[tuple[int, ...]] = []
        self.labels: list[Label] = []
        self.label_ids: dict[Label, int] = {}
        self.fair: list[bool] = []
        self.changes: list[tuple[tuple[QueueChange, ...], bool]] = [((), False)]
        self.change_ids: dict[tuple[tuple[QueueChange, ...], bool], int] = {((), False): 0}
        self.holds: list[frozenset[tuple[int, int]]] = [frozenset()]
        self.hold_ids: dict[frozenset[str] | None, int] = {frozenset(): -1, None: ANYTHING}
        self.events: list[str] = []
        self.event_ids: dict[str, int] = {}
        self.sequences: list[tuple[tuple[str, str | None], ...]] = [()]
        self.sequence_ids: dict[tuple[tuple[str, str | None], ...], int] = {(): 0}
        self._strict = machine.strict_events()
        self.deadlines = tuple(machine.spec.deadlines.values())
        self.names = {(m.channel, m.code): m.name for m in binding.world.messages.values()}
        self.macros: dict[int, MacroStep] = {}
        self._numbered: dict[MoveWay, tuple[int, int, int, int]] = {}
        world, settings = binding.world, binding.settings
        capacities = [settings.capacities.get(c.name, c.capacity) for c in world.channels]
        self.limits = [
            (capacity, capacity + max(channel.reserve, capacity))
            for capacity, channel in zip(capacities, world.channels, strict=True)
        ]

    # --- numbers ------------------------------------------------------------------------------------------------------

    def control(self, control: Control) -> int:
        control = self.machine.one(control)
        number = self.control_ids.get(control)
        if number is None:
            number = self.control_ids[control] = _next(self.controls)
            self.controls.append(control)
            self.control_bits.append(self.judge.of_control(control.values))
            spec = self.machine.spec
            self.final.append(spec.states[spec.variables[STATE].domain[control.values[STATE]]].final)
            self.timers.append(tuple(i for i, d in enumerate(self.deadlines) if d.condition.run(control.values)))
        return number

    def world(self, values: tuple[int, ...]) -> int:
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
        if not changes:
            return 0
        key = (changes, answers)
        if key not in self.change_ids:
            self.change_ids[key] = len(self.changes)
            self.changes.append(key)
        return self.change_ids[key]

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
        first = begin(spec, [v.initial for v in spec.variables])
        reactions = (first, *self.machine.completion(first.after))
        effects = tuple((word.name, literal) for reaction in reactions for word, literal in reaction.effects)
        empty: Queues = tuple(b"" for _ in self.binding.world.channels)
        self.queue(empty)
        way, values = self.binding.effects(self.binding.initial(), effects)[0]
        queues = self.applied(empty, way.changes, True)
        assert not isinstance(queues, int)
        return self.packed(self.control(reactions[-1].after), self.world(values), self.queue(queues))

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
        for way, values in options:
            label, change, event, hold = self._numbered.get(way) or self._number(way)
            made.append((label, self.world(values), change, event, hold))
        return made

    def _number(self, way: MoveWay) -> tuple[int, int, int, int]:
        event = -1 if way.event is None else self.event(way.event)
        change = self._change(way.changes, way.answers)
        numbers = self._numbered[way] = (self.label(way.label, way.fair), change, event, self._hold(way.held_by))
        return numbers

    def held(self, hold: int, queues: int) -> bool:
        found = self.holds[hold]
        return any((channel, code) in found for channel, queue in enumerate(self.queues[queues]) for code in queue)

    def changed(self, queues: int, change: int) -> int:
        """The queues after a change; -1 - channel where one is full."""
        changes, answers = self.changes[change]
        after = self.applied(self.queues[queues], changes, answers)
        return after if isinstance(after, int) else self.queue(after)

    def applied(self, queues: Queues, changes: Sequence[QueueChange], answers: bool) -> Queues | int:
        after = list(queues)
        for change in changes:
            after[change.channel] = change.on(after[change.channel])
            if change.kind == "push" and len(after[change.channel]) > self.limits[change.channel][answers]:
                return -1 - change.channel
        return tuple(after)

    def step(self, control: int, event: int) -> MacroStep:
        """The machine's reaction to an event, and to those that waited and need not any longer."""
        first = self._strict[self.events[event]].trigger(self.controls[control])
        reactions = (first, *self.machine.completion(first.after))
        effects = tuple((word.name, literal) for r in reactions for word, literal in r.effects)
        if effects not in self.sequence_ids:
            self.sequence_ids[effects] = len(self.sequences)
            self.sequences.append(effects)
        macro = MacroStep(self.control(reactions[-1].after), self.sequence_ids[effects], reactions)
        self.macros[event << BITS | control] = macro
        return macro

    def effects(self, sequence: int, world: int) -> list[tuple[int, int, str | None]]:
        """What the world makes of effects: (world, change of queues, message lost) for each way it can go."""
        options = self.binding.effects(self.worlds[world], self.sequences[sequence])
        return [(self.world(values), self._change(way.changes, True), way.label.lost) for way, values in options]


def _next(known: Sequence[object]) -> int:
    if len(known) > MASK:
        raise StateSpaceTooLarge
    return len(known)


Caps = Mapping[str, int]
