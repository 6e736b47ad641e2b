"""Visiting every state of a spec in its world, breadth first, so that the first way to a state is a shortest one.

The search itself knows nothing of calls: it takes a state (a number), asks the tables for what can happen in it, and
numbers what it leads to. States are kept in the order found, with the one before and the label of the step, which is a
shortest way to each; edges are kept for the judgement about runs that never end (.cycles). All else that is kept is
what somebody needs who was not there: which clauses of properties held and where first, the first use of each cell,
how often a full queue cut a move.

A search of a bundled spec takes some 200,000 edges, so the inner loop is one function with no calls on the common path.
A step is worked out in three parts, each looked up: the move (from the world and the head of a queue), the machine's
answer (from the control), what the world makes of its effects. What the queues decide (is it held back, is there room)
is looked up for each edge. The machine is asked only for a step that is really taken: a cell counts as reached only if
some run takes it there.

Nothing is decided here about right or wrong. Never here: time (a caller's function is asked), rules of either side.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from fsm.verify.tables import ANYTHING, BITS, EMPTY, MASK, Action, MacroStep, StateSpaceTooLargeError, Tables
from fsm.world.binding import Label

Tick = Callable[[int, int], bool]
"""`tick(expanded, found)` is asked now and then; False ends the search, which is then partial."""
TICK_STATES = 4096
MAX_STATES = 20_000_000


class Explorer:
    """One search. `run` may be called again after it was interrupted; `done`: all states were expanded."""

    def __init__(self, tables: Tables, max_states: int = MAX_STATES) -> None:
        self.tables = tables
        self.max_states = max_states
        start = tables.start()
        self.order: list[int] = [start]
        self.seen: dict[int, int] = {start: 0}
        self.parent = array("i", [-1])
        self.how = array("H", [0])
        self.first = array("i")
        self.targets = array("i")
        self.edge_labels = array("H")
        self.cut: list[int] = [0] * len(tables.binding.world.channels)
        self.bad: dict[int, int] = {}
        self.uses: dict[int, tuple[int, int]] = {}
        self._timers_wait = tables.binding.timers_wait
        self._received: dict[int, list[Action]] = {}
        self._fired: dict[tuple[tuple[int, ...], int], list[Action]] = {}
        self._changed: dict[int, int] = {}
        self._held: dict[int, bool] = {}
        self._effects: dict[int, list[tuple[int, int, int]]] = {}

    @property
    def done(self) -> bool:
        return len(self.first) == len(self.order)

    def run(self, tick: Tick) -> None:
        """Expands states until all are, `tick` says no, or there are too many."""
        while not self.done and len(self.order) < self.max_states and tick(len(self.first), len(self.order)):
            try:
                self._expand(len(self.first), min(len(self.first) + TICK_STATES, len(self.order)))
            except (
                StateSpaceTooLargeError
            ):  # a queue that grows and grows, say: what was found by then is a partial result
                self.first.pop()
                self.max_states = len(self.order)

    def _expand(self, begin: int, end: int) -> None:  # noqa: C901  a call for each edge would double its time
        """Expands the states numbered from `begin` to before `end`."""
        order, changed, held_by = self.order, self._changed, self._held
        macros, final = self.tables.macros, self.tables.final
        control_bits, world_bits = self.tables.control_bits, self.tables.world_bits
        number, target, edge_label = self.seen.setdefault, self.targets.append, self.edge_labels.append
        for i in range(begin, end):
            s = order[i]
            c, w, k = s & MASK, s >> BITS & MASK, s >> 2 * BITS
            self.first.append(len(self.targets))
            if control_bits[k] & world_bits[w]:
                self._violated(i, control_bits[k] & world_bits[w])
            if final[k]:
                continue
            for actions in self.groups(k, w, c):
                for label, w2, change, event, hold in actions:
                    if hold >= 0 and c != EMPTY:
                        held = hold == ANYTHING or held_by.get(hold << BITS | c)
                        if held or (held is None and self._is_held(hold, c)):
                            continue
                    c2 = changed.get(change << BITS | c) if change else c
                    if c2 is None:
                        c2 = self._change(change, c)
                    if c2 < 0:
                        self.cut[-1 - c2] += 1
                        continue
                    k2 = k
                    if event >= 0:
                        macro = macros.get(event << BITS | k) or self._step(i, label, k, event)
                        k2 = macro.control
                        if macro.effects:
                            self._expand_effects(i, label, macro, w2, c2)
                            continue
                    state = (k2 << BITS | w2) << BITS | c2
                    j = number(state, len(order))
                    if j == len(order):
                        order.append(state)
                        self.parent.append(i)
                        self.how.append(label)
                    target(j)
                    edge_label(label)

    def _expand_effects(self, i: int, label: int, macro: MacroStep, world: int, queues: int) -> None:
        """The edges of one step whose effects the world answers, in each way in which it can."""
        control, changed, order = macro.control << BITS, self._changed, self.order
        ways = self._effects.get(macro.effects << BITS | world) or self._world_does(macro.effects, world)
        for after, change, lost in ways:
            left = changed.get(change << BITS | queues) if change else queues
            if left is None:
                left = self._change(change, queues)
            if left < 0:
                self.cut[-1 - left] += 1
                continue
            state = (control | after) << BITS | left
            how = label if lost < 0 else self._lost(label, lost)
            j = self.seen.setdefault(state, len(order))
            if j == len(order):
                order.append(state)
                self.parent.append(i)
                self.how.append(how)
            self.targets.append(j)
            self.edge_labels.append(how)

    # --- what can happen ----------------------------------------------------------------------------------------------

    def groups(self, control: int, world: int, queues: int) -> list[list[Action]]:
        """All that can happen in a state, but for what holds it back."""
        tables = self.tables
        moves = tables.moves[world]
        groups = [tables.actions(world) if moves is None else moves]
        for head in tables.heads[queues]:
            key = world << 16 | head
            actions = self._received.get(key)
            if actions is None:
                actions = self._received[key] = tables.received(world, head)
            groups.append(actions)
        timers = tables.timers[control]
        if timers and (queues == EMPTY or not self._timers_wait):
            found = self._fired.get((timers, world))
            if found is None:
                found = self._fired[timers, world] = tables.fired(world, timers)
            groups.append(found)
        return groups

    # --- what happens once --------------------------------------------------------------------------------------------

    def _violated(self, i: int, clauses: int) -> None:
        bit = 0
        while clauses >> bit:
            if clauses >> bit & 1:
                self.bad.setdefault(bit, i)
            bit += 1

    def _is_held(self, hold: int, queues: int) -> bool:
        held = self._held[hold << BITS | queues] = self.tables.held(hold, queues)
        return held

    def _change(self, change: int, queues: int) -> int:
        after = self._changed[change << BITS | queues] = self.tables.changed(queues, change)
        return after

    def _step(self, i: int, label: int, control: int, event: int) -> MacroStep:
        self.uses[event << BITS | control] = (i, label)
        return self.tables.step(control, event)

    def _world_does(self, effects: int, world: int) -> list[tuple[int, int, int]]:
        found = [
            (after, change, -1 if lost is None else self.tables.event(f"lost {lost}"))
            for after, change, lost in self.tables.effects(effects, world)
        ]
        self._effects[effects << BITS | world] = found
        return found

    def _lost(self, label: int, lost: int) -> int:
        base = self.tables.labels[label]
        return self.tables.label(Label(base.move, self.tables.events[lost].removeprefix("lost ")), False)

    # --- ways ---------------------------------------------------------------------------------------------------------

    def way(self, i: int) -> list[tuple[int, int]]:
        """A shortest way to state `i`: (state before, label) for each step."""
        steps: list[tuple[int, int]] = []
        while self.parent[i] >= 0:
            steps.append((self.parent[i], self.how[i]))
            i = self.parent[i]
        return steps[::-1]

    def bytes_per_state(self) -> int:
        """An estimate: the states, the edges, and the tables behind both."""
        count, tables = len(self.order), self.tables
        kept = self.seen.__sizeof__() + self.order.__sizeof__() + 32 * count
        arrays = (self.parent, self.how, self.first, self.targets, self.edge_labels)
        kept += sum(a.itemsize * len(a) for a in arrays)
        kept += len(tables.worlds) * (300 + len(tables.binding.variables)) + len(tables.queues) * 400
        kept += len(self._received) * 400 + (len(self._changed) + len(self._effects)) * 150 + len(tables.macros) * 900
        return kept // max(count, 1)

    def depth(self) -> int:
        """The longest of the shortest ways: to the state that was found last, since the search is breadth first."""
        return len(self.way(len(self.order) - 1))
