"""`leads_to` in Promela: a run in which `from` held once and `to` never after, and every fair move gets its turn.

Weak fairness, by move, as fsm.verify.cycles has it, written a second time: a counter goes round the fair moves and
passes one when it is taken or cannot be; a run that goes round forever is fair. The model guesses when a promise is
made, stands still if it likes, and is stuck once the promise is kept; so a cycle through the accepting state breaks
the promise. What fsm.verify.cycles says of clocks is not said here: where SPIN finds a run in which one is held back
for ever, it finds more than we do. Which promise a search is about, its environment says.

Never here: the step itself (tools.promela.model).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tools.promela.text import Lines, d_step, indented, loop, when
from tools.promela.world import PromelaWay

CLAIM = "TURNSPEC_CLAIM"
"""The variable of the environment that names a promise by its place in the list."""
MADE, KEPT = 1, 2  # what becomes of the promise


@attrs.frozen
class Promise:
    """One `leads_to`, of one state where there are several; its conditions in Promela."""

    name: str
    start: str
    goal: str


@attrs.frozen
class Lasting:
    """The parts of a model that are about promises. `ways` are numbered from 1, as the model numbers them."""

    promises: Sequence[Promise]
    ways: Sequence[PromelaWay]
    is_final: str

    @property
    def rounds(self) -> int:
        return sum(way.fair for way in self.ways)

    def declared(self) -> Lines:
        """`round_at` is how far round the fair moves we are, `took` the move of this step."""
        return ["byte promise;", "byte round_at;", "hidden byte took;", "hidden byte about;"]

    def begin(self) -> Lines:
        return [f'c_code {{ about = atoi(getenv("{CLAIM}")); }};']

    def may_step(self) -> str:
        return f"promise != {KEPT} && round_at < {self.rounds}"

    def took(self) -> Lines:
        """Of a step that is over: the move, if nothing of it was lost or cut."""
        return ["took = ((cut || lost || lost_of_effects) -> 0 : way);"]

    def judged(self) -> Lines:
        """After a step: is the promise kept? If not, the round goes on."""
        return [
            *d_step(when(f"promise == {MADE} && ({self._about('goal')})", [f"promise = {KEPT};"])),
            *d_step(when(f"promise == {MADE}", self._go_round())),
        ]

    def options(self) -> Lines:
        """What a run may do beside a step."""
        guess = f"promise == 0 && ({self._about('start')}) && !({self._about('goal')}) -> promise = {MADE}"
        still = [f"promise == {MADE} && {self.may_step()} -> took = 0;", *d_step(self._go_round())]
        return [
            f":: atomic {{ {guess} }}", ":: atomic {", *indented(still), "}",
            f":: round_at == {self.rounds} ->", "accept_round:", "  round_at = 0",
        ]  # fmt: skip

    def _about(self, part: str) -> str:
        return " || ".join(f"(about == {i} && ({getattr(p, part)}))" for i, p in enumerate(self.promises)) or "false"

    def _go_round(self) -> Lines:
        """Past every fair move that was taken or cannot be."""
        passes, number = [], 0
        for i, way in enumerate(self.ways, 1):
            if way.fair:
                can_be = f"!{self.is_final} && {way.guard} && !{way.emitting_blocked}"
                passes.append(f"(round_at == {number} && (took == {i} || !({can_be})))")
                number += 1
        return [*loop(" || ".join(passes) or "false", ["round_at++;"]), "skip;"]
