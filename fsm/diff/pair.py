"""The verifier's tables for two machines at once: a control is a pair of configurations, a step is taken by both.

Where they answer an event with other effects the step leads to a pair of its own from which nothing goes on.
Never here: what a difference means, searching.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from fsm.diff.shared import shared
from fsm.language.spec import Spec
from fsm.machine.reaction import Control, Reaction, begin
from fsm.machine.table import TurnMachine
from fsm.verify.tables import BITS, MacroStep, Reactions, Tables
from fsm.world.binding import Binding, WorldSettings
from fsm.world.queues import Queues
from fsm.world.world import World

Pair = tuple[Control, Control]
DEAD = 0  # the number of the pair that differed
Differs = Literal["effects", "states"]


@attrs.frozen
class PairMacro(MacroStep):
    """`reactions` are the old spec's, `others` the new one's."""

    others: tuple[Reaction, ...]


class _Silent:
    """Nothing is judged here."""

    def of_control(self, values: Sequence[int]) -> int:
        del values
        return 0

    def of_world(self, values: Sequence[int]) -> int:
        del values
        return 0


class PairTables(Tables):
    """Numbers for pairs. `differing` and `waits` are keyed like `macros`, in the order found: the first is nearest."""

    def __init__(self, old: Spec, new: Spec, world: World, settings: WorldSettings, states_too: bool) -> None:
        self.old, self.new, self.states_too = old, new, states_too
        common = shared(old, new, world)
        deadlines = {**new.deadlines, **old.deadlines}
        binding = Binding(attrs.evolve(common.spec, deadlines=deadlines), common.world, settings)
        self._names = common.names
        self.machines = (TurnMachine(old), TurnMachine(new))
        self.pairs: list[Pair] = []
        self.pair_ids: dict[Pair, int] = {}
        self.differing: dict[int, Differs] = {}
        self.waits: dict[int, str] = {}
        super().__init__(self.machines[0], binding, _Silent())
        self.deadlines = tuple(deadlines.values())
        self._answers = tuple(Reactions(machine) for machine in self.machines)
        both = [n for n in old.deadlines if n in new.deadlines]
        self._unlike = frozenset(n for n in both if old.deadlines[n].after_ms != new.deadlines[n].after_ms)
        self.begun = tuple(begin(s, [v.initial for v in s.variables]) for s in (old, new))
        self.start_differs = _effects(self.begun[:1]) != _effects(self.begun[1:])

    def pair(self, pair: Pair) -> int:
        """The number of two configurations."""
        number = self.pair_ids.get(pair)
        if number is None:
            number = self.pair_ids[pair] = self._room(pair)
            self.final[number] = pair[0].is_final and pair[1].is_final
            self.timers[number] = tuple(i for i, d in enumerate(self.deadlines) if any(self._runs(d.name, pair)))
        return number

    def _room(self, pair: Pair) -> int:
        self.pairs.append(pair)
        self.controls.append(pair[0])
        self.control_bits.append(0)
        self.final.append(True)
        self.timers.append(())
        return len(self.pairs) - 1

    def _runs(self, name: str, pair: Pair) -> tuple[bool, bool]:
        """Does this deadline run in the old one, in the new one?"""
        found = [s.deadlines.get(name) for s in (self.old, self.new)]
        a, b = (bool(d and d.condition.run(c.values)) for d, c in zip(found, pair, strict=True))
        return a, b

    def start(self) -> int:
        """Both machines' first step."""
        first = (self.begun[0].after, self.begun[1].after)
        dead = self._room(first)
        assert dead == DEAD
        effects = _effects(self.begun[:1])
        empty: Queues = tuple(b"" for _ in self.binding.world.channels)
        self.queue(empty)
        way, values = self.binding.effects(self.binding.initial(), effects)[0]
        queues = self.applied(empty, way.changes, True)
        assert not isinstance(queues, int)
        self._wait(-1, self.begun[:1], self.begun[1:])
        return self.packed(self.pair(first), self.world(values), self.queue(queues))

    def step(self, control: int, event: int) -> MacroStep:
        """What both do with an event, and with those that waited and need not any longer."""
        name, pair, key = self.events[event], self.pairs[control], event << BITS | control
        fires = self._runs(name.removeprefix("timer."), pair) if name.startswith("timer.") else (True, True)
        sides = [self._side(i, pair[i], name) if fires[i] else () for i in (0, 1)]
        after = tuple(side[-1].after if side else pair[i] for i, side in enumerate(sides))
        effects = _effects(sides[0])
        kind: Differs | None = None
        if effects != _effects(sides[1]):
            kind = "effects"
        elif self.states_too and after[0].state != after[1].state:
            kind = "states"
        if kind is not None:
            self.differing[key] = kind
            macro = PairMacro(DEAD, 0, sides[0], sides[1])
        else:
            self._wait(key, sides[0], sides[1])
            if effects not in self.sequence_ids:
                self.sequence_ids[effects] = len(self.sequences)
                self.sequences.append(effects)
            macro = PairMacro(self.pair((after[0], after[1])), self.sequence_ids[effects], sides[0], sides[1])
        self.macros[key] = macro
        return macro

    def _wait(self, key: int, old: Sequence[Reaction], new: Sequence[Reaction]) -> None:
        """Takes note of the first deadline that both start for another time."""
        if self._unlike and not self.waits:
            both = {n for r in old for n in r.start} & {n for r in new for n in r.start} & self._unlike
            for name in sorted(both)[:1]:
                self.waits[key] = name

    def _side(self, side: int, here: Control, name: str) -> tuple[Reaction, ...]:
        name = self._names[side].get(name, name)
        if name not in self.machines[side].strict_events():
            return ()  # no event of this one's vocabulary
        return self._answers[side].of(here, name)


def _effects(reactions: Sequence[Reaction]) -> tuple[tuple[str, str | None], ...]:
    return tuple((word.name, literal) for r in reactions for word, literal in r.effects)
