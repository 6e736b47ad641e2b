"""Short ways to what no scenario reaches: the machine in a world where anything may come that its slots and ids admit.

Breadth first, so that the first way to a target is a short one. All runs are far too many (millions of configurations
that differ in counters); a configuration is followed only if it shows two values not seen together before (iterated
width search, Lipovetzky and Geffner 2012); what is then not found is looked for again with pairs told apart by state,
then with three values. Found is therefore proof; not found is not. Never here: text.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

import attrs

from fsm.language.ledger import LedgerProtocol
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.reaction import Control
from fsm.scenario.coverage import Target, reached
from fsm.scenario.roles import role_data

Pass = tuple[int, bool]
"""How many values make a configuration new, and whether they are told apart by state."""
PASSES: tuple[Pass, ...] = ((2, False), (2, True), (3, False))
MAX_NODES = 40_000


@attrs.frozen
class WayThere:
    """How to reach a target: the events before, by name, and the last one. `stays`: the last changes nothing."""

    target: Target
    given: tuple[str, ...]
    last: str
    stays: bool


@attrs.frozen(eq=False)
class _Node:
    snapshot: Snapshot
    parent: _Node | None
    move: str
    ids: Counter[str]

    def way(self) -> tuple[str, ...]:
        moves: list[str] = []
        node: _Node | None = self
        while node is not None and node.parent is not None:
            moves.append(node.move)
            node = node.parent
        return tuple(moves[::-1])


class NoveltySearch:
    """One spec. `ways(wanted)` finds ways to targets; `talk_key` is the key that every call found is started with.

    `most`: so many configurations are followed in a pass.
    """

    def __init__(self, machine: TurnSpecMachine, talk_key: str = "*", most: int = MAX_NODES) -> None:
        self.machine, self.talk_key, self.most = machine, talk_key, most
        vocabulary = machine.spec.vocabulary
        instead = {word.instead for word in vocabulary.events.values()}
        self.words = [word for word in vocabulary.alphabet if word.source != "internal" and word.name not in instead]
        self.reached: dict[tuple[Control, str], tuple[Target, ...]] = {}
        self.nodes = 0

    def ways(self, wanted: Collection[Target], passes: tuple[Pass, ...] = PASSES) -> list[WayThere]:
        """A short way to each target that was found, in the order of finding."""
        left, found = set(wanted), list[WayThere]()
        for width, by_state in passes:
            if left:
                found += self._search(left, _Novelty(width, by_state, self.machine.spec.vocabulary.ledger))
        return found

    def _search(self, left: set[Target], is_new: Callable[[Snapshot], bool]) -> Iterator[WayThere]:
        first = self.machine.start(talk_key=self.talk_key)[-1]
        is_new(first.snapshot)
        queue = deque([_Node(first.snapshot, None, "", Counter())])
        self.nodes = 1
        while queue and left and self.nodes < self.most:
            node = queue.popleft()
            for move, ids, steps in self._moves(node):
                hit = {target for step in steps for target in self._targets(step)} & left
                after = steps[-1].snapshot
                for target in sorted(hit, key=str):
                    left.discard(target)
                    yield WayThere(target, node.way(), move, after.control == node.snapshot.control)
                if is_new(after):
                    self.nodes += 1
                    queue.append(_Node(after, node, move, ids))

    def _targets(self, step: Step) -> tuple[Target, ...]:
        key = (step.origin.control, step.reaction.event)
        known = self.reached.get(key)
        if known is None:
            known = self.reached[key] = reached(self.machine.spec, step)
        return known

    def _moves(self, node: _Node) -> Iterator[tuple[str, Counter[str], tuple[Step, ...]]]:
        """All that can come next, with all that comes of it."""
        snapshot, machine = node.snapshot, self.machine
        for word in self.words:
            ids = node.ids.copy()

            def fresh(kind: str, ids: Counter[str] = ids) -> str:
                ids[kind] += 1
                return f"{kind}_{ids[kind]}"

            data = role_data(machine.spec.vocabulary, word, snapshot.ledger, fresh)
            if data is None:
                continue
            steps = machine.advance(snapshot, Event(word.base or word.name, data))
            if steps[0].reaction.path and steps[0].outcome != "impossible":
                yield word.name, ids, steps
        for timer, epoch in snapshot.armed.items():
            steps = machine.advance(snapshot, Event(f"timer.{timer}", {"epoch": epoch}))
            if steps[0].outcome != "impossible":
                yield f"timer.{timer}", node.ids, steps


class _Novelty:
    """Have `width` values (of variables, of waiting events, of what the ledger knows) never been seen together?"""

    def __init__(self, width: int, by_state: bool, ledger: LedgerProtocol[Any]) -> None:
        self.width, self.by_state, self.decisive = width, by_state, ledger.decisive
        self.seen: set[object] = set()
        self.whole: set[tuple[object, ...]] = set()

    def __call__(self, snapshot: Snapshot) -> bool:
        control = snapshot.control
        atoms = tuple(enumerate((*control.values, control.waiting, *self.decisive(snapshot.ledger))))
        if atoms in self.whole:
            return False
        self.whole.add(atoms)
        state = control.state if self.by_state else None
        fresh = {(state, *pair) for pair in itertools.combinations(atoms, self.width)} - self.seen
        self.seen |= fresh
        return bool(fresh)
