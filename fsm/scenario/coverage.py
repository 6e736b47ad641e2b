"""What of a spec a set of scenarios reaches: every row of every cell, every row of a choice, both ways of every branch.

What cannot be reached is listed apart: ruled out by the type check, said by the spec itself (`cannot_happen`), or
claimed in a scenario file with a reason. Never here: running scenarios, looking for new ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import attrs

from fsm.language.expression import Expr
from fsm.language.loader import Loaded
from fsm.language.problem import NOWHERE, Place
from fsm.language.spec import STATE, Branch, Operation, Row, Spec, word_for
from fsm.language.typestate import Flow
from fsm.machine.machine import Step
from fsm.machine.reaction import Run
from fsm.scenario.scenario import Unreachable

Kind = Literal["row", "choice", "branch"]
Why = Literal["open", "typestate", "spec", "claimed"]


@attrs.frozen
class Target:
    """What a scenario can reach. `name` is stable: `state / event[guard]`, `choice name[guard]`, `row {if ..}: yes`."""

    kind: Kind
    name: str
    place: Place = attrs.field(default=NOWHERE, eq=False)

    def __str__(self) -> str:
        return self.name


def row_target(spec: Spec, state: str, event: str, row: Row) -> Target:
    rows = spec.cells[state, event].rows
    guard = "" if len(rows) == 1 else f"[{row.guard.text}]" if row.guard else "[else]"
    return Target("row", f"{state} / {event}{guard}", row.place)


def choice_target(choice: str, row: Row) -> Target:
    return Target("choice", f"choice {choice}[{row.guard.text if row.guard else 'else'}]", row.place)


def branch_target(owner: str, branch: Branch, taken: bool) -> Target:
    return Target("branch", f"{owner} {{{branch.text}}}: {'yes' if taken else 'no'}", branch.place)


# --- what there is ----------------------------------------------------------------------------------------------------


def all_targets(loaded: Loaded) -> dict[Target, Why]:
    """Every target of a spec, and whether it can be reached as far as the spec and its type check know."""
    spec, flow = loaded.spec, loaded.flow
    possible = set(_possible_rows(spec, flow))
    found: dict[Target, Why] = {}
    live: dict[str, tuple[Row, ...]] = {}
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            target = row_target(spec, state, event, row)
            found[target] = "open" if target in possible else "typestate"
            if row.kind == "cannot_happen":
                found[target] = "spec"
            elif target in possible:
                live[row.id] = (row,)
    for choice in spec.choices.values():
        for row in choice.rows:
            found[choice_target(choice.name, row)] = "open"
            live[row.id] = (row,)
    for (row,) in live.values():
        found |= dict.fromkeys(_branches(row.id, row.operations), "open")
    for each in spec.states.values():
        found |= dict.fromkeys(_branches(f"{each.name} entry", each.entry), "open")
        found |= dict.fromkeys(_branches(f"{each.name} exit", each.exit), "open")
    return found


def _branches(owner: str, operations: Sequence[Operation]) -> Iterator[Target]:
    for op in operations:
        if isinstance(op, Branch):
            yield branch_target(owner, op, True)
            yield branch_target(owner, op, False)
            yield from _branches(owner, (*op.then, *op.otherwise))


def _possible_rows(spec: Spec, flow: Flow) -> Iterator[Target]:
    """The rows whose guard can hold with slots that reach their state."""
    for state, reached in flow.reached.items():
        for event in spec.events:
            cell = spec.cells.get((state, event))
            if cell is None or (state, event) not in flow.live_cells:
                continue
            guards = [row.guard for row in cell.rows if row.guard is not None]
            if not guards:
                yield from (row_target(spec, state, event, row) for row in cell.rows)
                continue
            for values in {v for slots in reached for v in _arriving(spec, state, slots, event)}:
                for full in _completions(spec, guards, values):
                    hits = [row for row in cell.rows if row.guard is not None and row.guard.run(full)]
                    hit = hits or [row for row in cell.rows if row.guard is None]
                    yield from (row_target(spec, state, event, row) for row in hit[:1])


def _arriving(spec: Spec, state: str, slots: tuple[int, ...], event: str) -> Iterator[tuple[int, ...]]:
    """The configuration (context unknown: -1) an event finds once it has moved the slots; none where it cannot be."""
    unknown = len(spec.variables) - 1 - len(slots)
    values = [spec.variables[STATE].value(state), *slots, *([-1] * unknown)]
    word, name, possible = word_for(spec, event, values)
    if possible and name == event:
        if word is not None:
            word.move(spec.slot_index, values)
        yield tuple(values)


def _completions(spec: Spec, guards: Sequence[Expr], values: Sequence[int]) -> Iterator[list[int]]:
    unknown = sorted({i for guard in guards for i in guard.reads if values[i] < 0})
    for known in itertools.product(*(range(len(spec.variables[i].domain)) for i in unknown)):
        full = list(values)
        for index, value in zip(unknown, known, strict=True):
            full[index] = value
        yield full


# --- what was reached -------------------------------------------------------------------------------------------------


class _Watched(Run):
    """Runs operations as a reaction does, and notes which way each branch went."""

    def __init__(self, spec: Spec, values: Sequence[int]) -> None:
        super().__init__(spec, values)
        self.owner = ""
        self.went: list[Target] = []

    def run(self, operations: Sequence[Operation]) -> None:
        for op in operations:
            if isinstance(op, Branch):
                taken = bool(op.condition.run(self.values))
                self.went.append(branch_target(self.owner, op, taken))
                self.run(op.then if taken else op.otherwise)
            else:
                super().run((op,))

    def owned(self, owner: str, operations: Sequence[Operation]) -> None:
        self.owner = owner
        self.run(operations)


def reached(spec: Spec, step: Step) -> tuple[Target, ...]:
    """The targets one step of the machine takes."""
    path = step.reaction.path
    if not path:
        return ()
    first = path[0]
    found = [row_target(spec, step.before, step.reaction.event, first)]
    if first.kind not in ("go", "stay"):
        return tuple(found)
    run = _Watched(spec, step.origin.control.values)
    word = spec.vocabulary.events.get(step.reaction.event)
    if word is not None:
        run.move(word)
    choice = ""
    for row in path:
        if choice:
            found.append(choice_target(choice, row))
        run.owned(row.id, row.operations)
        choice = row.target or ""
    after = step.snapshot.control.state
    if after != step.before:
        run.owned(f"{step.before} exit", spec.states[step.before].exit)
        run.put(STATE, spec.variables[STATE].value(after))
        run.owned(f"{after} entry", spec.states[after].entry)
    return (*found, *run.went)


@attrs.frozen
class Missing:
    """A target that no scenario reaches, and why not; `reason` where somebody claims to know."""

    target: Target
    why: Why
    reason: str = ""


@attrs.frozen
class Coverage:
    """The targets of one spec. `false`: claims of unreachability that a scenario disproved, or that name nothing.

    `contradicted`: targets that the type check or the spec rules out, with a scenario that reaches them all the same.
    """

    spec: str
    hit: Mapping[Target, str]
    missing: tuple[Missing, ...]
    false: tuple[tuple[Unreachable, str], ...] = ()
    contradicted: tuple[tuple[Target, str], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Is all reached that can be, and nothing that cannot?"""
        return not (self.uncovered or self.false or self.contradicted)

    @property
    def uncovered(self) -> tuple[Missing, ...]:
        """What is reachable as far as anybody knows, and not reached."""
        return tuple(m for m in self.missing if m.why == "open")

    def count(self, kind: Kind) -> tuple[int, int]:
        """Reached, and reachable."""
        hit = sum(target.kind == kind for target in self.hit)
        return hit, hit + sum(m.target.kind == kind for m in self.uncovered)

    def cells(self) -> tuple[int, int]:
        """Cells (state, event) with a row reached; cells with a reachable row."""
        hit = {_cell(target) for target in self.hit if target.kind == "row"}
        return len(hit), len(hit | {_cell(m.target) for m in self.uncovered if m.target.kind == "row"})


def _cell(target: Target) -> str:
    return target.name.partition("[")[0]


def coverage(loaded: Loaded, steps: Iterable[tuple[str, Step]], claims: Sequence[Unreachable] = ()) -> Coverage:
    """What steps, each with its scenario's name, reach of a spec."""
    targets = all_targets(loaded)
    hit: dict[Target, str] = {}
    for name, step in steps:
        for target in reached(loaded.spec, step):
            hit.setdefault(target, name)
    claimed = _claimed(loaded.spec, targets, claims)
    missing = tuple(_missing(target, why, claimed.get(target)) for target, why in targets.items() if target not in hit)
    contradicted = tuple((t, hit[t]) for t, why in targets.items() if why in ("spec", "typestate") and t in hit)
    false = [(claim, f"'{hit[target]}' reaches '{target}'") for target, claim in claimed.items() if target in hit]
    named = {claim.pattern for claim in claimed.values()}
    mine = [claim for claim in claims if loaded.spec.name in claim.specs]
    false += [(claim, "it names nothing that could be reached") for claim in mine if claim.pattern not in named]
    hit = {target: name for target, name in hit.items() if targets.get(target) == "open"}
    return Coverage(loaded.spec.name, hit, missing, tuple(false), contradicted)


def _claimed(spec: Spec, targets: Mapping[Target, Why], claims: Sequence[Unreachable]) -> dict[Target, Unreachable]:
    """The first claim that names each target that is reachable as far as spec and type check know."""
    found: dict[Target, Unreachable] = {}
    for claim in claims:
        if spec.name in claim.specs:
            pattern = re.compile(".*".join(map(re.escape, claim.pattern.split("*"))))
            for target, why in targets.items():
                if why == "open" and pattern.fullmatch(target.name):
                    found.setdefault(target, claim)
    return found


def _missing(target: Target, why: Why, claim: Unreachable | None) -> Missing:
    return Missing(target, why) if claim is None else Missing(target, "claimed", claim.reason)
