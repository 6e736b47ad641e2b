"""The type check of a spec: which slot values can be found where, and what is therefore wrong at load time.

Theory. A *situation* is a state together with a value for every slot; the values of the context are not known. What a
call can come to is a fixpoint, which exists because there are finitely many situations: the one where it starts, and
whatever an event makes of one that it can come to. Whole tuples are propagated, not a set for each slot, since
independent sets would lose what goes together (a response that is active *and* a create that is sent). The result is
an upper bound: a guard on slots filters situations, a guard on context is taken both ways. So "nothing is wrong" is a
proof, and each problem comes with a way to it from the start of the call.

Nearly every spec that is checked is sound, and then nobody asks for a way. So it is proved first, whole sets of
situations at a time (fsm.language.proof), in about a fifteenth of the time that single ones take. Only where the proof
fails, or where the slots have too many tuples for it, they are searched one by one (fsm.language.search). Tests hold
the two equal, on bundled, broken and mutated specs.

Never here: ids, time, the world's rules (fsm.verify.explore).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import attrs

from fsm.language.problem import Problems, meant
from fsm.language.proof import Proof
from fsm.language.region import Slots, size_of
from fsm.language.spec import Spec

LARGEST_PROOF: Final = 1 << 20
"""So many slot tuples: a region of more bits costs more than the situations of it that are ever reached."""


@attrs.frozen
class Flow:
    """What the check knows: how many slot tuples reach each state, and the cells that can come up.

    `unanswered`: for each state the events that can come there and that it says nothing of.
    """

    sizes: Mapping[str, int]
    live_cells: frozenset[tuple[str, str]]
    unanswered: Mapping[str, frozenset[str]]
    _reached: Callable[[], Mapping[str, frozenset[Slots]]] = attrs.field(eq=False, repr=False)

    @cached_property
    def reached(self) -> Mapping[str, frozenset[Slots]]:
        """For each state the slot tuples that reach it."""
        return self._reached()

    @property
    def situations(self) -> int:
        return sum(self.sizes.values())


class Typestate:
    """One use: `Typestate(spec, problems).check()`."""

    def __init__(self, spec: Spec, problems: Problems) -> None:
        self.spec = spec
        self.problems = problems
        self.live: set[tuple[str, str]] = set()
        self.left: set[str] = set()

    def check(self) -> Flow:
        """Reports every problem to `problems`, and returns the flow."""
        proof = Proof(self.spec) if size_of(self.spec) <= LARGEST_PROOF else None
        if proof is not None and proof.holds():
            self.live, self.left = proof.live, proof.left
            flow = Flow(proof.sizes(), frozenset(proof.live), {}, proof.tuples)
        else:
            from fsm.language.search import Search  # only for who needs it: a start of `serve` does not

            search = Search(self.spec, self.problems)
            search.run()
            self.live, self.left = search.live, search.left
            reached = search.tuples()
            sizes = {state: len(slots) for state, slots in reached.items()}
            unanswered = {state: frozenset(events) for state, events in search.unanswered.items()}
            flow = Flow(sizes, frozenset(search.live), unanswered, lambda: reached)
        self._cells(flow)
        self._states(flow)
        return flow

    def _cells(self, flow: Flow) -> None:
        for (state, event), cell in self.spec.cells.items():
            if cell.exact and cell.group is None and flow.sizes[state] and (state, event) not in self.live:
                message = f"'{event}' cannot be in state '{state}'"
                self.problems.warn(cell.place, "dead-cell", message, "its slots rule it out; delete the line")
        running = {event for _, event in self.live}
        for deadline in self.spec.deadlines.values():
            if deadline.event not in running:
                message = f"deadline '{deadline.name}' never runs"
                self.problems.warn(deadline.place, "dead-deadline", message, "its condition never holds")

    def _states(self, flow: Flow) -> None:
        for name, state in self.spec.states.items():
            if not flow.sizes[name]:
                others = [each for each in self.spec.states if each != name]
                hint = f"no row leads to it{meant(name, others)}"
                self.problems.add(state.place, "unreachable", f"state '{name}' is never reached", hint)
            elif not state.final and name not in self.left:
                self.problems.add(state.place, "no-way-out", f"state '{name}' is never left", "no row leads out of it")
