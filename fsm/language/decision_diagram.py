"""Conditions on slots and context as decision diagrams: nodes ask for the context, leaves are regions of slot tuples.

Theory. Of the context nothing is known when a spec is checked, so what a condition comes to is asked for all its
values. To try them one by one costs the product of the domains. A decision diagram (Bryant's, with many values to a
node and regions as leaves) costs about as much as the condition is long: a node asks for one variable and has a child
for each of its values, variables are asked for in a fixed order, equal nodes are one object, and a node whose children
are all the same is not there. To combine two, their nodes are walked together, each pair once.

Where a condition can be true is then the union of its leaves, where it must be so their intersection.

Never here: states, events, what is wrong (fsm.language.proof).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import attrs

from fsm.language.expression import Formula, Variable
from fsm.language.region import Region, Space

_LEAF = 1 << 30


@attrs.frozen(eq=False)
class Diagram:
    """A node: the position of the variable it asks for and a child for each value; or a leaf with its region."""

    index: int
    children: tuple[Diagram, ...] = ()
    region: Region = 0


_Pairs = dict[tuple[Diagram, Diagram], Diagram]


class Diagrams:
    """Of a spec. All that are combined are made by the same one."""

    def __init__(self, space: Space, variables: Sequence[Variable]) -> None:
        self.space = space
        self.variables = variables
        self._leaves: dict[Region, Diagram] = {}
        self._nodes: dict[tuple[int, tuple[Diagram, ...]], Diagram] = {}
        self._made: dict[tuple[str, int | None], Diagram] = {}
        self._and: _Pairs = {}
        self._or: _Pairs = {}
        self._not: dict[Diagram, Diagram] = {}
        self.never = self.leaf(0)
        self.always = self.leaf(space.everything)

    def leaf(self, region: Region) -> Diagram:
        """Where the slots alone decide."""
        found = self._leaves.get(region)
        if found is None:
            found = self._leaves[region] = Diagram(_LEAF, (), region)
        return found

    def of(self, formula: Formula, known: Mapping[int, int]) -> Diagram:
        """A condition; `known` are values that are assumed, of variables that are not slots, by position."""
        key = formula.python, next((value for index, value in known.items() if index in formula.reads), None)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._of(formula, known)
        return found

    def _of(self, formula: Formula, known: Mapping[int, int]) -> Diagram:
        if formula.kind == "comparison":
            others = sorted(index for index in formula.reads if index not in self.space.strides)
            return self._compared(formula, [index for index in others if index not in known], dict(known))
        parts = [self.of(part, known) for part in formula.parts]
        if formula.kind == "not":
            return self.negated(parts[0])
        found = parts[0]
        for part in parts[1:]:
            found = self.both(found, part) if formula.kind == "and" else self.either(found, part)
        return found

    def _compared(self, formula: Formula, unknown: Sequence[int], known: dict[int, int]) -> Diagram:
        if unknown:
            index, rest = unknown[0], unknown[1:]
            domain = range(len(self.variables[index].domain))
            return self._node(index, tuple(self._compared(formula, rest, {**known, index: value}) for value in domain))
        v, found = [0] * len(self.variables), 0
        for index, value in known.items():
            v[index] = value
        slots = [index for index in formula.reads if index in self.space.strides]
        for values in itertools.product(*(range(len(self.variables[index].domain)) for index in slots)):
            where = self.space.everything
            for index, value in zip(slots, values, strict=True):
                v[index] = value
                where &= self.space.having(index, (value,))
            if formula.run(v):
                found |= where
        return self.leaf(found)

    def _node(self, index: int, children: tuple[Diagram, ...]) -> Diagram:
        if all(child is children[0] for child in children):
            return children[0]
        found = self._nodes.get((index, children))
        if found is None:
            found = self._nodes[index, children] = Diagram(index, children)
        return found

    # --- combined -----------------------------------------------------------------------------------------------------

    def both(self, a: Diagram, b: Diagram) -> Diagram:
        """True where both are."""
        if a is b or b is self.always or a is self.never:
            return a
        if a is self.always or b is self.never:
            return b
        return self._combined(a, b, self._and, self.both, a.region & b.region)

    def either(self, a: Diagram, b: Diagram) -> Diagram:
        """True where one is."""
        if a is b or b is self.never or a is self.always:
            return a
        if a is self.never or b is self.always:
            return b
        return self._combined(a, b, self._or, self.either, a.region | b.region)

    def _combined(
        self, a: Diagram, b: Diagram, known: _Pairs, combine: Callable[[Diagram, Diagram], Diagram], region: Region
    ) -> Diagram:
        """`region`: what two leaves come to."""
        found = known.get((a, b))
        if found is None:
            index = min(a.index, b.index)
            if index == _LEAF:
                found = self.leaf(region)
            elif a.index != b.index:
                walked, other = (a, b) if a.index < b.index else (b, a)
                found = self._node(index, tuple([combine(child, other) for child in walked.children]))
            else:
                found = self._node(index, tuple(map(combine, a.children, b.children)))
            known[a, b] = found
        return found

    def negated(self, a: Diagram) -> Diagram:
        found = self._not.get(a)
        if found is None:
            if a.index == _LEAF:
                found = self.leaf(self.space.everything & ~a.region)
            else:
                found = self._node(a.index, tuple(map(self.negated, a.children)))
            self._not[a] = found
        return found

    # --- asked --------------------------------------------------------------------------------------------------------

    def can_be(self, a: Diagram) -> Region:
        """The slot tuples with which it is true for some context."""
        found = 0
        for leaf in self._leaves_of(a):
            found |= leaf.region
        return found

    def must_be(self, a: Diagram) -> Region:
        """The slot tuples with which it is true for every context."""
        found = self.space.everything
        for leaf in self._leaves_of(a):
            found &= leaf.region
        return found

    def _leaves_of(self, a: Diagram) -> set[Diagram]:
        leaves, met, todo = set(), {a}, [a]
        while todo:
            node = todo.pop()
            if node.index == _LEAF:
                leaves.add(node)
            new = [child for child in node.children if child not in met]
            met.update(new)
            todo += new
        return leaves
