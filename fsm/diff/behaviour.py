"""Two specs in lock-step in one world: the shortest run in which they act differently, or that there is none.

Both get the same events; as long as they answer with the same effects the world is one world for both. The first
event that they answer with other effects ends the run, and is the witness. A deadline that runs in only one of them
fires there alone. Built on the tables and the search of the verifier; a control is a pair of configurations here.
Never here: text for people (fsm.diff.report), clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import attrs

from fsm.diff.pair import DEAD, Pair, PairMacro, PairTables
from fsm.diff.shared import incomparable, shared
from fsm.language.problem import Place, SpecError
from fsm.language.spec import STATE, Spec
from fsm.verify.counterexample import Narrator, RunAnswer, RunStep
from fsm.verify.explore import Explorer
from fsm.verify.tables import BITS, MacroStep, StateSpaceTooLargeError
from fsm.verify.verify import SearchLimits, scenes
from fsm.world.world import World

MAX_STATES = 400_000
Kind = Literal["effects", "states", "deadline"]
Tick = Callable[[int, int], bool]


@attrs.frozen
class PairStep:
    """One step of both: what happened, and what each did about it."""

    step: RunStep
    old: tuple[RunAnswer, ...]
    new: tuple[RunAnswer, ...]


@attrs.frozen
class Witness:
    """A shortest run at whose last step they differ. `kind` deadline: they wait a different time for the same."""

    scene: str
    kind: Kind
    steps: tuple[PairStep, ...]
    deadline: str = ""
    waits_ms: tuple[int, int] = (0, 0)


@attrs.frozen
class SceneSearched:
    """How far one scene was searched. `cut`: how often a queue was full, so that runs were left out."""

    scene: str
    states: int
    done: bool
    assumed: Mapping[str, str]
    bounds: Mapping[str, int]
    cut: Mapping[str, int]


@attrs.frozen
class Behaviour:
    """What was found. `reason`: why the two were not compared at all (then there is nothing else)."""

    witness: Witness | None = None
    timing: Witness | None = None
    searched: tuple[SceneSearched, ...] = ()
    reason: str = ""
    size: str = "quick"
    taken: frozenset[str] = frozenset()
    """The ids of all rows that some run took, on either side."""
    left_out: tuple[str, ...] = ()
    """Events that only one side knows: no run has them."""

    @property
    def is_complete(self) -> bool:
        """Was every state of every scene visited (or a witness found)?"""
        return not self.reason and (self.witness is not None or all(s.done for s in self.searched))

    @property
    def is_same(self) -> bool:
        """No difference was found, and all within the bounds was searched."""
        return self.is_complete and self.witness is None and self.timing is None


@attrs.frozen
class SearchBound:
    """How far to go: `scenes` (none: all that fit both specs), quick or full bounds, states for each scene."""

    scenes: Sequence[str] = ()
    size: str = "quick"
    max_states: int = MAX_STATES
    states_too: bool = False


def behaviour(
    old: Spec, new: Spec, world: World, bound: SearchBound | None = None, tick: Tick | None = None
) -> Behaviour:
    """Searches scene by scene and keeps the shortest witness. Raises KeyError for a scene the world lacks."""
    bound = bound or SearchBound()
    reason = incomparable(old, new, world)
    if reason:
        return Behaviour(reason=reason, size=bound.size)
    both = [s for s in scenes(old, world, bound.size) if s in scenes(new, world, bound.size)]
    best: dict[str, Witness] = {}
    searched, taken = [], set[str]()
    for scene in bound.scenes or both:
        try:
            search = _Search(old, new, world, scene, bound)
        except SpecError as error:
            return Behaviour(reason="the world does not fit both: " + str(error.problems[0]), size=bound.size)
        found = search.run(tick or (lambda _expanded, _found: True))
        searched.append(search.report())
        taken |= search.taken()
        for witness in found:
            about = "deadline" if witness.kind == "deadline" else "acts"
            if about not in best or len(witness.steps) < len(best[about].steps):
                best[about] = witness
    left_out = shared(old, new, world).left_out
    acts, waits = best.get("acts"), best.get("deadline")
    return Behaviour(acts, waits, tuple(searched), "", bound.size, frozenset(taken), left_out)


class _Search:
    """One scene."""

    def __init__(self, old: Spec, new: Spec, world: World, scene: str, bound: SearchBound) -> None:
        self.bound, self.scene = bound, scene
        self.settings = SearchLimits(scene, bound.size).settings(world)
        self.tables = PairTables(old, new, world, self.settings, bound.states_too)
        self.explorer = Explorer(self.tables, bound.max_states)
        self.world = world
        self.too_many = False

    def run(self, tick: Tick) -> Iterator[Witness]:
        """Up to the first step that differs."""
        if self.tables.start_differs:
            return iter([Witness(self.scene, "effects", (_first(self.tables),))])
        try:
            self.explorer.run(lambda expanded, found: not self.tables.differing and tick(expanded, found))
        except StateSpaceTooLargeError:
            self.too_many = True
        return self._witnesses()

    def _witnesses(self) -> Iterator[Witness]:
        tables = self.tables
        for key, kind in list(tables.differing.items())[:1]:
            yield Witness(self.scene, kind, self._told(key))
        for key, name in list(tables.waits.items())[:1]:
            waits = tables.old.deadlines[name].after_ms, tables.new.deadlines[name].after_ms
            yield Witness(self.scene, "deadline", self._told(key) if key >= 0 else (_first(tables),), name, waits)

    def _told(self, key: int) -> tuple[PairStep, ...]:
        i, label = self.explorer.uses[key]
        narrator = _PairNarrator(self.explorer)
        way = [*self.explorer.way(i), (i, label)]
        dead = self.tables.macros[key].control
        end = next(j for j, other in self._edges(i) if other == label and self._control(j) == dead)
        return tuple(_parted(step) for step in narrator.run(way, end).steps)

    def _edges(self, i: int) -> Iterator[tuple[int, int]]:
        first, targets = self.explorer.first, self.explorer.targets
        end = first[i + 1] if i + 1 < len(first) else len(targets)
        return zip(targets[first[i] : end], self.explorer.edge_labels[first[i] : end], strict=True)

    def _control(self, j: int) -> int:
        return self.explorer.order[j] >> 2 * BITS

    def taken(self) -> set[str]:
        """The rows that some run took."""
        macros = [m for m in self.tables.macros.values() if isinstance(m, PairMacro)]
        return {row.id for m in macros for r in (*m.reactions, *m.others) for row in r.path}

    def report(self) -> SceneSearched:
        channels = [c.name for c in self.world.channels]
        cut = {name: count for name, count in zip(channels, self.explorer.cut, strict=True) if count}
        done = (self.explorer.done and not self.too_many) or self.tables.start_differs
        states = len(self.explorer.order)
        return SceneSearched(self.scene, states, done, self.settings.assume, self.settings.bounds, cut)


@attrs.frozen
class _Sided(RunAnswer):
    """An answer, and of which spec."""

    side: str


class _PairNarrator(Narrator):
    """Tells what both did."""

    def described(self, i: int) -> tuple[str, ...]:
        del i
        return ()

    def _answers(self, control: int, macro: MacroStep) -> Iterator[RunAnswer]:
        assert isinstance(macro, PairMacro) and isinstance(self.tables, PairTables)
        pair = self.tables.pairs[control]
        yield from answers(self.tables, pair, macro)


def answers(tables: PairTables, pair: Pair, macro: PairMacro) -> Iterator[_Sided]:
    """The answers of the old spec, then of the new."""
    sides = (("old", tables.old, pair[0], macro.reactions), ("new", tables.new, pair[1], macro.others))
    for side, spec, control, reactions in sides:
        names = spec.variables[STATE].domain
        before = control.state
        for reaction in reactions:
            after = names[reaction.after.values[STATE]]
            effects = tuple(f"{w.name}({literal})" if literal else w.name for w, literal in reaction.effects)
            place = reaction.place if reaction.path else _nowhere(spec, before)
            rows = tuple(row.id for row in reaction.path)
            yield _Sided(reaction.event, reaction.outcome, before, after, place, rows, effects, side)
            before = after


def _nowhere(spec: Spec, state: str) -> Place:
    """Where no row decided: the state."""
    return spec.states[state].place if state in spec.states else Place(spec.file, 1, 1)


def _parted(step: RunStep) -> PairStep:
    sided = [a for a in step.answers if isinstance(a, _Sided)]
    old, new = (tuple(a for a in sided if a.side == side) for side in ("old", "new"))
    return PairStep(attrs.evolve(step, answers=()), old, new)


def _first(tables: PairTables) -> PairStep:
    """The start of the call as a step."""
    step = RunStep(1, "the call starts", "request", None, (), None, "call.started", (), ())
    blank = tables.begun
    sided = list(answers(tables, (blank[0].after, blank[1].after), PairMacro(DEAD, 0, (blank[0],), (blank[1],))))
    return _parted(attrs.evolve(step, answers=tuple(sided)))
