"""Runs that never end: can what must come at last stay away for ever, although everything that is fair gets its turn?

Weak fairness, by move: a fair move (each deadline is one) that can be taken from some time on is taken. A run that
breaks `leads_to` ends in a set of states it never leaves: one state where no fair move can be taken, or a strongly
connected set in which each fair move is taken, or cannot be taken somewhere. Never here: what a state means.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import attrs

from fsm.verify.explore import Explorer

Test = Callable[[int], bool]


@attrs.frozen
class Lasso:
    """A run that breaks `leads_to`: from `start` by `approach` to `end`, round by `cycle` (none: it stands still)."""

    start: int
    end: int
    approach: tuple[tuple[int, int], ...]
    cycle: tuple[tuple[int, int], ...]
    members: frozenset[int]


class Cycles:
    """The strongly connected sets of an explored graph, worked out once for all properties."""

    def __init__(self, explorer: Explorer) -> None:
        self.first, self.targets, self.labels = explorer.first, explorer.targets, explorer.edge_labels
        self.fair = explorer.tables.fair
        self.ends = len(explorer.first)
        self.count = len(explorer.order)
        self.behind = array("i", (*self.first[1:], len(self.targets)))
        no_fair = {label for label, fair in enumerate(self.fair) if fair}.isdisjoint
        bounds = zip(self.first, self.behind, strict=True)
        self.idle = [i for i, (begin, end) in enumerate(bounds) if no_fair(self.labels[begin:end])]
        self.sccs = [tuple(scc) for scc in self._components(range(self.ends), lambda _: True) if self._turns(scc)]

    def edges(self, i: int) -> Iterator[tuple[int, int]]:
        """(target, label) of each edge of an expanded state."""
        if i >= self.ends:
            return iter(())
        begin, end = self.first[i], self.behind[i]
        return zip(self.targets[begin:end], self.labels[begin:end], strict=True)

    def _next(self, i: int) -> Sequence[int]:
        return self.targets[self.first[i] : self.behind[i]] if i < self.ends else ()

    def _turns(self, scc: Sequence[int]) -> bool:
        return len(scc) > 1 or scc[0] in self._next(scc[0])

    def broken(self, start: Test, goal: Test) -> Lasso | None:
        """A run in which `start` held once and `goal` never after, or None."""
        traps = [frozenset((i,)) for i in self.idle if not goal(i)]
        for scc in self.sccs:
            inside = [i for i in scc if not goal(i)]
            if inside:
                found = self._components(inside, set(inside).__contains__)
                traps += [frozenset(part) for part in found if self._turns(part) and self._is_fair(frozenset(part))]
        return self._reached(traps, start, goal) if traps else None

    def _is_fair(self, members: frozenset[int]) -> bool:
        """Is each fair move taken inside, or impossible somewhere inside?"""
        taken: set[int] = set()
        everywhere: set[int] | None = None
        for i in members:
            possible = set()
            for target, label in self.edges(i):
                if self.fair[label]:
                    possible.add(label)
                    if target in members:
                        taken.add(label)
            everywhere = possible if everywhere is None else everywhere & possible
        return not (everywhere or set()) - taken

    def _reached(self, traps: Sequence[frozenset[int]], start: Test, goal: Test) -> Lasso | None:
        """The first trap, by number, that a run from `start` reaches without meeting `goal`."""
        trap_of = {i: trap for trap in traps for i in trap}
        parent: dict[int, tuple[int, int] | None] = {
            i: None for i in range(self.ends) if not goal(i) and start(i)
        }  # fmt: skip
        queue = deque(parent)
        while queue:
            i = queue.popleft()
            if i in trap_of:
                return self._lasso(i, trap_of[i], parent)
            for target, label in self.edges(i):
                if target not in parent and not goal(target):
                    parent[target] = (i, label)
                    queue.append(target)
        return None

    def _lasso(self, i: int, members: frozenset[int], parent: dict[int, tuple[int, int] | None]) -> Lasso:
        approach: list[tuple[int, int]] = []
        j, before = i, parent[i]
        while before is not None:
            approach.append(before)
            j, before = before[0], parent[before[0]]
        return Lasso(j, i, tuple(approach[::-1]), self._shortest_cycle(i, members), members)

    def _shortest_cycle(self, begin: int, members: frozenset[int]) -> tuple[tuple[int, int], ...]:
        """A shortest way around within the set; none where the run stands still."""
        parent: dict[int, tuple[int, int]] = {}
        queue = deque([begin])
        while queue:
            i = queue.popleft()
            for target, label in self.edges(i):
                if target not in members or target in parent:
                    continue
                parent[target] = (i, label)
                if target == begin:
                    queue.clear()
                    break
                queue.append(target)
        if begin not in parent:
            return ()
        steps = [parent[begin]]
        while steps[-1][0] != begin:
            steps.append(parent[steps[-1][0]])
        return tuple(steps[::-1])

    def _components(self, nodes: Sequence[int] | range, inside: Test) -> Iterator[list[int]]:
        """Tarjan's strongly connected sets among `nodes`, without recursion."""
        index = array("i", [0]) * self.count
        low = array("i", [0]) * self.count
        on_stack = bytearray(self.count)
        stack: list[int] = []
        counter = 0
        for root in nodes:
            if index[root]:
                continue
            work = [(root, iter(self._next(root)))]
            counter += 1
            index[root] = low[root] = counter
            stack.append(root)
            on_stack[root] = 1
            while work:
                i, rest = work[-1]
                for target in rest:
                    if not index[target] and inside(target):
                        counter += 1
                        index[target] = low[target] = counter
                        stack.append(target)
                        on_stack[target] = 1
                        work.append((target, iter(self._next(target))))
                        break
                    if on_stack[target] and index[target] < low[i]:
                        low[i] = index[target]
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[i])
                    if low[i] == index[i]:
                        scc = [stack.pop()]
                        while scc[-1] != i:
                            scc.append(stack.pop())
                        for member in scc:
                            on_stack[member] = 0
                        yield scc
