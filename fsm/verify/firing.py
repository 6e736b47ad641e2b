"""Deadlines that start together fire in the order of their figures. Nothing else is known of time here.

A run of the verifier has no clock, so a deadline that runs may fire at any time. Of two that run while the very same
condition holds, one truth is left all the same: where one step starts both, the shorter one fires first, for as long as
nothing starts it anew. Which of them have been waited for is one bit for each such pair, 0 while the longer one waits;
a spec without two deadlines of one condition has none, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.language.spec import Deadline
from fsm.machine.reaction import Reaction


class FiringOrder:
    """`pairs` are (shorter, longer) by index; an order is a set of bits, one for each pair."""

    def __init__(self, deadlines: Sequence[Deadline]) -> None:
        self._deadlines = deadlines
        self.pairs = tuple(
            (first, second)
            for first, a in enumerate(deadlines)
            for second, b in enumerate(deadlines)
            if a.condition.python == b.condition.python and a.after_ms < b.after_ms and _is_fixed(a) and _is_fixed(b)
        )
        self.open = (1 << len(self.pairs)) - 1
        """Nothing is waited for."""

    def may_fire(self, order: int, deadline: int) -> bool:
        return all(second != deadline or order >> bit & 1 for bit, (_, second) in enumerate(self.pairs))

    def after(self, order: int, reactions: Sequence[Reaction]) -> int:
        """The order after what has happened."""
        for reaction in reactions:
            for bit, (first, second) in enumerate(self.pairs):
                a, b = self._deadlines[first], self._deadlines[second]
                if b.name in reaction.start:
                    waits = a.name in reaction.start
                else:
                    moved = a.name in (*reaction.start, *reaction.stop) or a.event == reaction.event
                    waits = not moved and b.name not in reaction.stop and not order >> bit & 1
                order = order & ~(1 << bit) if waits else order | 1 << bit
        return order


def _is_fixed(deadline: Deadline) -> bool:
    """Does nobody but the spec say how long?"""
    return deadline.at_least is None and deadline.setting is None
