"""Who notices a mutant: the type check, totality, a property, a cell that cannot happen, or nobody. Pure.

A scene is searched for a mutant only where the spec itself comes to what was changed in it: elsewhere both run alike.
Never here: making mutants (tools.mutants.mutants), spreading them over processes, files of survivors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from fsm.errors import LocalError
from fsm.language.problem import Place, Problem, Problems
from fsm.language.spec import Row, Spec
from fsm.language.typestate import Typestate
from fsm.verify.property import Properties
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from fsm.world.world import World
from tools.mutants.alike import Question, Steps, asked
from tools.mutants.mutants import KINDS, Mutant

TOTALITY = ("no-answer", "two-answers")
ALIKE = "alike"
"""In place of who noticed: the mutant is none, its steps are the spec's own wherever any scene comes to."""
ROOM = 4  # a mutant may reach this many times the states of the spec before its search is cut
ROOM_AT_LEAST = 60_000


@attrs.frozen
class Notice:
    """What became of a mutant: `by` names who noticed (empty: nobody; ALIKE: nothing to notice), `how` says more."""

    id: str
    kind: str
    place: Place
    by: str
    how: str = ""


@attrs.frozen
class Score:
    """Notices counted: `noticed` of `total`, and by whom. Mutants that are none are `alike`, and in neither."""

    noticed: int
    total: int
    by: Mapping[str, int]
    alike: int = 0

    @property
    def share(self) -> float:
        return self.noticed / self.total if self.total else 1.0

    def __str__(self) -> str:
        return f"{self.noticed} of {self.total} ({100 * self.share:.1f} %)"


def score(notices: Iterable[Notice]) -> Score:
    by: dict[str, int] = {}
    for notice in notices:
        by[notice.by] = by.get(notice.by, 0) + 1
    alike = by.pop(ALIKE, 0)
    total = sum(by.values())
    return Score(total - by.get("", 0), total, by, alike)


def scores(notices: Sequence[Notice]) -> dict[str, Score]:
    """The score of each kind of mutant there is."""
    found = {kind: [n for n in notices if n.kind == kind] for kind in KINDS}
    return {kind: score(each) for kind, each in found.items() if each}


class _FoundError(LocalError):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _FirstProblem(Problems):
    """Stops at the first problem."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__()
        self.known = known

    def add(self, place: Place, code: str, message: str, hint: str = "", trail: Iterable[str] = ()) -> None:
        raise _FoundError(Problem(place, code, message, hint, tuple(trail)))

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        if message not in self.known:
            raise _FoundError(Problem(place, code, message, hint, severity="warning"))


class Jury:
    """The type check and the scenes of one sound spec, ready to look at its mutants."""

    def __init__(self, spec: Spec, world: World, properties: Properties, scenes: Iterable[SearchLimits]) -> None:
        self.spec, self.world, self.properties = spec, world, properties
        verdicts: list[SceneVerdict] = []
        questions: list[Question] = []
        for limits in scenes:
            verification = Verification(spec, world, properties, limits)
            verdicts.append(verification.run(lambda: 0.0))
            questions += asked(verification.explorer)
        self.verdicts = sorted(verdicts, key=lambda v: v.states)
        self.steps = Steps(spec, questions)
        problems = Problems()
        Typestate(spec, problems).check()
        self.warnings = frozenset(p.message for p in problems)

    def judge(self, mutant: Mutant) -> Notice:
        """Who notices it first, the type check before the cheapest scene."""
        broken = mutant.rewrite(self.spec)
        by, how = self._typestate(broken) or self._scenes(broken)
        return Notice(mutant.id, mutant.kind, mutant.place, by, how)

    def _typestate(self, broken: Spec) -> tuple[str, str] | None:
        try:
            Typestate(broken, _FirstProblem(self.warnings)).check()
        except _FoundError as found:
            problem = found.problem
            return "totality" if problem.code in TOTALITY else "typestate", f"{problem.code}: {problem.message}"
        return None

    def _scenes(self, broken: Spec) -> tuple[str, str]:
        changed = Changed(self.spec, broken)
        searched, cut = 0, []
        reached = [verdict for verdict in self.verdicts if changed.reached(verdict)]
        if reached and self.steps.same(broken):
            return ALIKE, f"the same step in each of {len(self.steps.answers)} cases"
        for verdict in reached:
            searched += 1
            limits = SearchLimits(
                verdict.scene, bounds=verdict.bounds, capacities=verdict.capacities, assume=verdict.assumed,
                max_states=max(ROOM_AT_LEAST, ROOM * verdict.states),
            )  # fmt: skip
            found = self._scene(broken, verdict, limits)
            if found.new:
                return found.new, f"in scene {verdict.scene}"
            if found.cut:
                cut.append(verdict.scene)
        if cut:
            return "", f"too many states in {', '.join(cut)}"
        return "", f"{searched} scenes reach it" if searched else "no scene reaches it"

    def _scene(self, broken: Spec, sound: SceneVerdict, limits: SearchLimits) -> _SceneOutcome:
        known = {f.name for f in sound.violated}
        verification = Verification(broken, self.world, self.properties, limits)
        clauses = verification.judgement.clauses

        def tick(_expanded: int, _found: int) -> bool:
            return all(clauses[bit][0].name in known for bit in verification.explorer.bad)

        verdict = verification.run(lambda: 0.0, tick)
        new = [f.name for f in verdict.violated if f.name not in known]
        if not new and {p.message for p in verdict.problems} - {p.message for p in sound.problems}:
            new = ["cannot_happen"]
        if not new and set(verdict.in_vain) - set(sound.in_vain):
            new = ["a deadline that settles nothing"]
        return _SceneOutcome(new[0] if new else "", verdict.partial)


@attrs.frozen
class _SceneOutcome:
    new: str
    cut: bool


class Changed:
    """What differs between a spec and its mutant: cells, choices (by the places of their rows), states, deadlines."""

    def __init__(self, spec: Spec, broken: Spec) -> None:
        keys = spec.cells.keys() | broken.cells.keys()
        self.cells = frozenset(k for k in keys if _rows(spec, k) != _rows(broken, k))
        choices = (c for name, c in spec.choices.items() if broken.choices[name].rows != c.rows)
        self.rows = frozenset(row.place for choice in choices for row in choice.rows)
        self.states = any(broken.states[name] != state for name, state in spec.states.items())
        self.timers = frozenset(d.event for name, d in spec.deadlines.items() if name not in broken.deadlines)

    def reached(self, verdict: SceneVerdict) -> bool:
        """Does the scene of this verdict come to any of it?"""
        if self.states or self.rows & verdict.rows or self.cells & verdict.cells.keys():
            return True
        return any(event in self.timers for _, event in verdict.cells)


def _rows(spec: Spec, key: tuple[str, str]) -> tuple[Row, ...]:
    return spec.cells[key].rows if key in spec.cells else ()
