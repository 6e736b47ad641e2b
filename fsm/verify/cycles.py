"""Runs that never end: can what must come stay away, although everything that is fair gets its turn?

`from leads_to to` is broken by a run in which `from` held once and `to` never does after it. Nothing finite shows that,
so it is a question about runs without end, and only about those in which the others do their part: a provider that
never says a word breaks every promise and proves nothing. The assumption is weak fairness, by move: a fair move (each
deadline is one) that can be taken from some time on, without interruption, is taken.

The graph of states is finite, so such a run stays, from some time on, in a set of states it visits again and again. Two
kinds of sets can be what a run ends in ("traps"):

- one state in which no fair move can be taken: the run may stand still there, and nobody is treated unfairly;
- a strongly connected set with at least one edge, in which every fair move is either taken along some edge inside, or
  impossible in some state inside. Going round the whole set forever takes each of the former and disables each of the
  latter again and again, so the run is fair. And the other way round: if some fair move is possible in *every* state of
  the set and never taken inside it, it is enabled without interruption, so weak fairness takes it, and the run leaves.

That is why the test intersects what is possible over all states of the set: a move that is possible in one state only,
however often that state is visited, may be missed forever (weak fairness promises nothing to it; strong fairness
would). It is enough to look at maximal sets: a larger set has more edges to take moves along and more states to disable
them in, so if a set passes, so does the maximal one around it.

A deadline that runs on, whatever happens (`restart: never`), is a clock and no move: where it runs in every state of a
set, it fires at last, although it is held back in some of them (by a message in flight, say) and so is not possible
without interruption. A set in which it is possible somewhere and never taken is no trap; what is left of it without
those states may be.

What must be avoided is cut out first: for each promise
the sets are those among the states where `to` does not hold. Then a trap that a run reaches from `from` without meeting
`to` is a counterexample: a lasso, the way there and the way round.

Never here: what a state means.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import attrs

from fsm.verify.explore import Explorer
from fsm.verify.tables import BITS

Test = Callable[[int], bool]


@attrs.frozen
class Lasso:
    """A run that breaks `leads_to`: from `start` by `approach` to `end`, round by `cycle` (none: it stands still)."""

    start: int
    end: int
    approach: tuple[tuple[int, int], ...]
    cycle: tuple[tuple[int, int], ...]
    members: frozenset[int]


class _Clocks:
    """The deadlines that run on whatever happens, and where they do."""

    def __init__(self, explorer: Explorer) -> None:
        self._order, self._controls = explorer.order, explorer.tables.controls
        clocks = explorer.tables.machine.spec.clocks
        self._deadlines = [each for each in explorer.tables.deadlines if each.name in clocks]
        names = {each.event: each.name for each in self._deadlines}
        labels = enumerate(explorer.tables.labels)
        self.of_label = {number: names[label.move] for number, label in labels if label.move in names}
        self._running: dict[int, frozenset[str]] = {}

    def running(self, i: int) -> frozenset[str]:
        """Those that run in a state, by its number."""
        control = self._order[i] >> 2 * BITS
        if control not in self._running:
            values = self._controls[control].values
            self._running[control] = frozenset(d.name for d in self._deadlines if d.condition.run(values))
        return self._running[control]


class Cycles:
    """The strongly connected sets of a graph that was explored to its end, worked out once for all promises."""

    def __init__(self, explorer: Explorer) -> None:
        self.first, self.targets, self.labels = explorer.first, explorer.targets, explorer.edge_labels
        self.fair = explorer.tables.fair
        self.ends = len(explorer.first)
        self.count = len(explorer.order)
        self.behind = array("i", (*self.first[1:], len(self.targets)))
        is_fair = bytes(map(self.fair.__getitem__, self.labels))
        self._clocks = _Clocks(explorer)
        bounds = zip(self.first, self.behind, strict=True)
        self.idle = [i for i, (begin, end) in enumerate(bounds) if is_fair.find(1, begin, end) < 0]
        loops, rest = self._peeled()
        found = self._components(rest, set(rest).__contains__) if rest else ()
        self.sccs = [scc for scc in found if len(scc) > 1]
        """The strongly connected sets of several states; those of one state that can be traps are among `alone`."""
        self.alone = [i for i in loops if self._is_fair(frozenset((i,)))]

    @property
    def candidates(self) -> Iterable[int]:
        """The states that a trap can be made of, for every promise."""
        return chain(self.idle, self.alone, *self.sccs)

    def _peeled(self) -> tuple[list[int], list[int]]:
        """The states with a step to themselves; and those that a cycle of several states leads to, or that are on one.

        Budgets only go down, so nearly all of a graph is without cycles. States that no unpeeled state leads to are
        taken away again and again, which is cheaper than looking for strongly connected sets; only the rest has any.
        """
        counted = Counter(self.targets)
        incoming = array("i", map(counted.__getitem__, range(self.count)))
        loops = []
        for i in range(self.ends):
            around = self._next(i).count(i)
            if around:
                loops.append(i)
                incoming[i] -= around
        peeled = [i for i, count in enumerate(incoming) if not count]
        for i in peeled:  # it grows
            for target in self._next(i):
                if target != i:
                    incoming[target] -= 1
                    if not incoming[target]:
                        peeled.append(target)
        return loops, [i for i, count in enumerate(incoming) if count]

    def edges(self, i: int) -> Iterator[tuple[int, int]]:
        """(target, label) of each edge of a state."""
        begin, end = self.first[i], self.behind[i]
        return zip(self.targets[begin:end], self.labels[begin:end], strict=True)

    def _next(self, i: int) -> array[int]:
        return self.targets[self.first[i] : self.behind[i]]

    def _turns(self, scc: Sequence[int]) -> bool:
        return len(scc) > 1 or scc[0] in self._next(scc[0])

    def broken(self, start: Test, goal: Test) -> Lasso | None:
        """A run in which `start` held once and `goal` never after, or None."""
        traps = [frozenset((i,)) for i in (*self.idle, *self.alone) if not goal(i)]
        for scc in self.sccs:
            traps += self._traps([i for i in scc if not goal(i)])
        return self._reached(traps, start, goal) if traps else None

    def _traps(self, nodes: Sequence[int]) -> Iterator[frozenset[int]]:
        """The sets among `nodes` that a run can end in."""
        for part in self._components(nodes, set(nodes).__contains__):
            members = frozenset(part)
            if not self._turns(part) or not self._is_fair(members):
                continue
            overdue = self._overdue(members)
            if not overdue:
                yield members
            elif left := [i for i in part if overdue.isdisjoint(label for _, label in self.edges(i))]:
                yield from self._traps(left)

    def _overdue(self, members: frozenset[int]) -> set[int]:
        """Labels of deadlines that run on everywhere in the set, and are possible in it but never taken."""
        name_of = self._clocks.of_label
        possible = [(target in members, label) for i in members for target, label in self.edges(i) if label in name_of]
        taken = {name_of[label] for stays, label in possible if stays}
        waiting = {name_of[label] for _, label in possible} - taken
        waiting = {name for name in waiting if all(name in self._clocks.running(i) for i in members)}
        return {label for _, label in possible if name_of[label] in waiting}

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
        parent: dict[int, tuple[int, int] | None] = {i: None for i in range(self.ends) if not goal(i) and start(i)}
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

    def _components(self, nodes: Sequence[int], inside: Test) -> Iterator[list[int]]:
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
