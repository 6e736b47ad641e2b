"""Mutants that are none: whose step is the spec's own in every configuration that any scene comes to.

Nothing that is observed could distinguish them from the spec, so they count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fsm.language.spec import Spec
from fsm.machine.reaction import Control, IllegalEffectError, Reaction, begin, react
from fsm.verify.explore import Explorer
from fsm.verify.tables import BITS, MASK

Question = tuple[Control, str]


@attrs.frozen
class ObservedStep:
    """What can be seen from outside of one step; not by which rows it came about.

    Taken back to the same state, or stayed there: nobody can see a difference, neither leaves it.
    """

    outcome: str
    event: str
    values: tuple[int, ...]
    waiting: tuple[str, ...]
    rest: tuple[object, ...]


def observed(reaction: Reaction) -> ObservedStep:
    effects = tuple((word.name, literal) for word, literal in reaction.effects)
    rest = (effects, reaction.raised, reaction.start, reaction.stop, reaction.admitted)
    outcome = "taken" if reaction.outcome == "stayed" else reaction.outcome
    return ObservedStep(outcome, reaction.event, tuple(reaction.after.values), tuple(reaction.after.waiting), rest)


def asked(explorer: Explorer) -> Iterable[Question]:
    """Every (configuration, event) an exploration came to, those that had waited as well."""
    tables = explorer.tables
    for key in explorer.uses:
        here, event = tables.controls[key & MASK], tables.events[key >> BITS]
        for number, reaction in enumerate(tables.macros[key].reactions):
            yield here, reaction.event if number else event
            here = reaction.after


class Steps:
    """The steps of a sound spec in all its scenes, to be compared with those of its mutants."""

    def __init__(self, spec: Spec, questions: Iterable[Question]) -> None:
        self.spec = spec
        unique = {(q[0].values, q[0].waiting, q[1]): q for q in questions}
        self.answers = [(control, event, observed(react(spec, control, event))) for control, event in unique.values()]
        start = spec.variables
        self._initial = [v.initial for v in start]
        self._begun = observed(begin(spec, self._initial))

    def same(self, broken: Spec) -> bool:
        """Does a mutant take the very same steps wherever the spec comes to?"""
        try:
            return observed(begin(broken, self._initial)) == self._begun and all(
                observed(react(broken, control, event)) == answer for control, event, answer in self.answers
            )
        except IllegalEffectError:
            return False
