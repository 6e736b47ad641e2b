"""`verify`: a spec in its world, every run visited, every property judged. Pure: clock and progress are the caller's.

Never here: how runs are visited (fsm.verify.explore), what is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import attrs

from fsm.language.problem import Place, Problem
from fsm.language.spec import STATE, Spec
from fsm.machine.table import TurnMachine
from fsm.verify.counterexample import Counterexample, Narrator
from fsm.verify.cycles import Cycles, Lasso
from fsm.verify.explore import MAX_STATES, Explorer, Tick
from fsm.verify.property import Claim, Joint, Properties, Property, PropertyJudge, states_of
from fsm.verify.tables import BITS, MASK, Reactions, Tables
from fsm.verify.verdict import CellUse, Finding, SceneVerdict
from fsm.world.binding import Binding, WorldSettings
from fsm.world.code import Codes
from fsm.world.world import World

Clock = Callable[[], float]


def _always(_expanded: int, _found: int) -> bool:
    return True


@attrs.frozen
class SearchLimits:
    """How far a verification goes: a scene of the world, its quick or full bounds, and what overrides them."""

    scene: str = ""
    size: str = "quick"
    assume: Mapping[str, str] = attrs.field(factory=dict)
    bounds: Mapping[str, int] = attrs.field(factory=dict)
    capacities: Mapping[str, int] = attrs.field(factory=dict)
    max_states: int = MAX_STATES

    def settings(self, world: World) -> WorldSettings:
        """The assumptions, bounds and capacities that hold. Raises KeyError for a scene the world lacks."""
        scene = world.scenes[self.scene] if self.scene else None
        assume = {a.name: a.default for a in world.assumptions.values()} | dict(scene.assume if scene else {})
        bounds = {b.name: b.full if self.size == "full" else b.quick for b in world.bounds.values()}
        bounds |= {k: v[self.size] for k, v in (scene.bounds if scene else {}).items()}
        capacities = {c.name: c.capacity for c in world.channels} | dict(scene.capacities if scene else {})
        return WorldSettings(
            assume | dict(self.assume),
            bounds | dict(self.bounds),
            capacities | dict(self.capacities),
            scene.chosen if scene else {},
        )


class Workbench:
    """A spec, the world around it and what must hold: all that the scenes of it have in common, worked out once."""

    def __init__(self, spec: Spec, world: World, properties: Properties) -> None:
        self.spec, self.world, self.properties = spec, world, properties
        self.codes = Codes(world, properties.hooks)
        self.machine = TurnMachine(spec)
        self.reactions = Reactions(self.machine)
        self.joint = Joint(spec.variables, (*world.variables, *properties.ghosts))
        self._bound: dict[str, tuple[Property, ...]] = {}

    def bound(self, claim: Claim) -> tuple[Property, ...]:
        """The properties a claim stands for; SpecError where an expression does not fit."""
        if claim.name not in self._bound:
            self._bound[claim.name] = self.joint.bound(attrs.evolve(claim, each=states_of(claim, self.spec)))
        return self._bound[claim.name]


class Verification:
    """One exploration and its verdict; kept, so that cells can be explained and runs described afterwards."""

    def __init__(
        self, spec: Spec, world: World, properties: Properties, limits: SearchLimits, bench: Workbench | None = None
    ) -> None:
        self.spec, self.world, self.limits = spec, world, limits
        self.settings = limits.settings(world)
        bench = bench or Workbench(spec, world, properties)
        self.binding = Binding(spec, world, self.settings, properties.ghosts, bench.codes)
        self.skipped = {c.name: reason for c in properties.claims if (reason := self._reason(c, bench.joint.lacks(c)))}
        self.claims, self.waiver = properties.claims, properties.waiver
        self.properties = [p for c in properties.claims if c.name not in self.skipped for p in bench.bound(c)]
        self.judgement = PropertyJudge(self.properties, bench.joint.padding)
        self.tables = Tables(bench.machine, self.binding, self.judgement, bench.reactions)
        self.explorer = Explorer(self.tables, limits.max_states)
        self.narrator = Narrator(self.explorer)
        self.seconds = 0.0
        self._known: dict[int, tuple[int, ...]] = {}

    def _reason(self, claim: Claim, lacks: Sequence[str]) -> str:
        """Why a property says nothing here; empty if it does."""
        if lacks:
            return f"the spec has no {', '.join(lacks)}"
        if claim.specs and self.spec.name not in claim.specs:
            return f"said of {', '.join(claim.specs)}"
        missing = [n for n in claim.needs if not self.binding.holds(n)]
        return f"needs {', '.join(('not ' if n.negated else '') + n.name for n in missing)}" if missing else ""

    def run(self, clock: Clock, tick: Tick = _always) -> SceneVerdict:
        """Explores (continues, if it was interrupted) and judges."""
        began = clock()
        self.explorer.run(tick)
        findings = tuple(self._findings())
        self.seconds += clock() - began
        explorer = self.explorer
        channels = [c.name for c in self.world.channels]
        cells = self.cells()
        return SceneVerdict(
            self.spec.name, self.world.name, self.limits.scene, self.settings.assume, self.settings.bounds,
            self.settings.capacities, not explorer.done, len(explorer.order), len(explorer.targets), explorer.depth(),
            self.seconds, explorer.bytes_per_state(), dict(zip(channels, explorer.cut, strict=True)), findings,
            (*self._impossible(cells), *self._repeated()), cells, self._rows(),
            self._visited(), self._effects(), tuple(self._in_vain()),
        )  # fmt: skip

    # --- judging ------------------------------------------------------------------------------------------------------

    def _findings(self) -> Iterable[Finding]:
        bad: dict[str, int] = {}
        for bit, i in sorted(self.explorer.bad.items(), key=lambda pair: pair[1]):
            bad.setdefault(self.judgement.clauses[bit][0].name, i)
        lasting = any(p.goal is not None for p in self.properties)
        cycles = Cycles(self.explorer) if lasting and self.explorer.done else None
        self._known = {i: self.narrator.values(i) for i in cycles.candidates} if cycles else {}
        for p in self.properties:
            if p.goal is not None:
                yield self._lasting(p, cycles)
            elif p.name in bad:
                yield self._finding(p, "violated", self.narrator.to(bad[p.name]))
            elif self.explorer.done:
                yield self._finding(p, "holds")
            else:
                yield self._finding(p, "unjudged", reason="holds so far; the search is partial")
        for claim in self.claims:
            if claim.name in self.skipped:
                reason = self.skipped[claim.name]
                yield Finding(claim.name, claim.about, "not applicable", claim.place, None, reason)

    def _finding(self, p: Property, status: str, run: Counterexample | None = None, reason: str = "") -> Finding:
        waiver = self.waiver(p.name) if status == "violated" else None
        status, reason = ("waived", waiver.reason) if waiver is not None else (status, reason)
        return Finding(p.name, p.claim.about, status, p.claim.place, run, reason)  # type: ignore[arg-type]

    def _lasting(self, p: Property, cycles: Cycles | None) -> Finding:
        if cycles is None:
            return self._finding(p, "unjudged", reason="the search is partial: whether it ever comes is open")
        start, goal, values, known = p.start, p.goal, self.narrator.values, self._known
        assert start is not None and goal is not None
        lasso = cycles.broken(lambda i: bool(start.run(values(i))), lambda i: bool(goal.run(known.get(i) or values(i))))
        return self._finding(p, "violated", self._lasso_run(lasso)) if lasso else self._finding(p, "holds")

    def _lasso_run(self, lasso: Lasso) -> Counterexample:
        way = [*self.explorer.way(lasso.start), *lasso.approach, *lasso.cycle]
        end = lasso.cycle[0][0] if lasso.cycle else lasso.end
        return self.narrator.run(way, end, len(lasso.cycle), not lasso.cycle)

    # --- cells --------------------------------------------------------------------------------------------------------

    def cells(self) -> dict[tuple[str, str], CellUse]:
        """Every (state, event) that was reached, by the name the event had there, with its first use."""
        found: dict[tuple[str, str], CellUse] = {}
        state = self.spec.variables[STATE]
        for key, (i, label) in self.explorer.uses.items():
            values = self.tables.controls[key & MASK].values
            for reaction in self.tables.macros[key].reactions:
                name = state.domain[values[STATE]]
                use = CellUse(name, reaction.event, reaction.outcome, reaction.place, i, label, reaction.reason)
                known = found.get((name, reaction.event))
                if known is None or (known.outcome != "impossible" and reaction.outcome == "impossible"):
                    found[name, reaction.event] = use
                values = reaction.after.values
        return found

    def explain(self, state: str, event: str) -> Counterexample | None:
        """The shortest way to a cell, and the step through it; None if nothing leads there."""
        use = self.cells().get((state, event))
        return self.narrator.beyond(use.state_number, use.label) if use else None

    def _impossible(self, cells: Mapping[tuple[str, str], CellUse]) -> Iterable[Problem]:
        for (state, event), use in cells.items():
            if use.outcome == "impossible":
                trail = tuple(str(step) for step in self.narrator.beyond(use.state_number, use.label).steps)
                place, hint = use.place, ""
                if not place.line:  # no row says so: the machine does
                    place, hint = self.spec.states[state].place, use.reason
                yield Problem(place, "impossible", f"'{event}' does happen in '{state}'", hint, trail)

    def _repeated(self) -> Iterable[Problem]:
        """Effects sent twice in one step: the second adds nothing, and no executor is asked to be idempotent."""
        found: dict[Place, Problem] = {}
        for key, (i, label) in self.explorer.uses.items():
            for reaction in self.tables.macros[key].reactions:
                names = [word.name + (f"({literal})" if literal else "") for word, literal in reaction.effects]
                twice = sorted({name for name in names if names.count(name) > 1})
                if twice and reaction.place not in found:
                    trail = tuple(str(step) for step in self.narrator.beyond(i, label).steps)
                    message = f"'{twice[0]}' is sent twice in one step, on '{reaction.event}'"
                    found[reaction.place] = Problem(reaction.place, "repeated-effect", message, "", trail)
        return found.values()

    def _rows(self) -> frozenset[Place]:
        macros = self.tables.macros.values()
        return frozenset(row.place for macro in macros for reaction in macro.reactions for row in reaction.path)

    def _visited(self) -> frozenset[str]:
        domain = self.spec.variables[STATE].domain
        between = (reaction.after for macro in self.tables.macros.values() for reaction in macro.reactions)
        return frozenset(domain[control.values[STATE]] for control in chain(self.tables.controls, between))

    def _effects(self) -> frozenset[str]:
        return self.tables.first_effects.union(name for sequence in self.tables.sequences for name, _ in sequence)

    def _in_vain(self) -> Iterable[str]:
        """Deadlines that fired and settled nothing: what they wait for is as it was, so they would fire again.

        One that does not restart measures how long a wait has lasted, and is not there to end it.
        """
        for key in self.explorer.uses:
            event = self.tables.events[key >> BITS]
            deadline = self.spec.deadlines.get(event.removeprefix("timer.")) if event.startswith("timer.") else None
            if deadline is None or not deadline.restarts:
                continue
            before, reaction = self.tables.controls[key & MASK].values, self.tables.macros[key].reactions[0]
            after, reads = reaction.after.values, deadline.condition.reads
            moved = {self.spec.slot_index[slot] for word, _ in reaction.effects for slot in word.moves}
            same = all(before[i] == after[i] for i in reads) and not moved & reads
            if same and deadline.condition.run(after):
                yield f"{deadline.name} in {self.spec.variables[STATE].domain[after[STATE]]}"


def scenes(spec: Spec, world: World, size: str) -> tuple[str, ...]:
    """The scenes of a world that say something about a spec, of a size."""
    return tuple(
        scene.name
        for scene in world.scenes.values()
        if size in scene.sizes
        and scene.chosen.keys() <= spec.settings.keys()
        and all((world.features[n.name].vocabulary in spec.vocabulary.names) != n.negated for n in scene.needs)
    )


def verify_stable(
    bench: Workbench, limits: SearchLimits, clock: Clock, tick: Tick = _always, most: int = 8
) -> tuple[SceneVerdict, ...]:
    """Doubles the capacities of full queues until nothing is cut, verdict and cuts do not change, or to `most`."""
    spec, world, properties = bench.spec, bench.world, bench.properties
    verdicts = [Verification(spec, world, properties, limits, bench).run(clock, tick)]
    while any(verdicts[-1].cut.values()) and not verdicts[-1].partial:
        capacities = {k: min(2 * v, most) if verdicts[-1].cut[k] else v for k, v in verdicts[-1].capacities.items()}
        if capacities == verdicts[-1].capacities:
            break
        wider = attrs.evolve(limits, capacities=capacities)
        verdicts.append(Verification(spec, world, properties, wider, bench).run(clock, tick))
        if verdicts[-1].same_as(verdicts[-2]) and verdicts[-1].cut == verdicts[-2].cut:
            break
    return tuple(verdicts)


def unused_rows(spec: Spec, verdicts: Sequence[SceneVerdict]) -> tuple[Problem, ...]:
    """A warning for each explicit ignore or defer that no exploration came to."""
    reached = frozenset().union(*(v.rows for v in verdicts))
    found: dict[Place, list[str]] = {}
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            if row.kind in ("ignore", "defer") and row.place not in reached:
                found.setdefault(row.place, []).append(f"{event} in {state}")
    return tuple(
        Problem(place, "never-used", f"no run reaches this {'; '.join(uses[:3])}", severity="warning")
        for place, uses in sorted(found.items())
    )
