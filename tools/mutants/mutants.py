"""Mutants: a spec broken in every systematic way, one change of the written text each. Typed specs in, typed specs out.

A row that many states share, or an operation of an action that many rows use, is written once and so is broken
everywhere at once. What is the same program by construction (two assignments of different variables, exchanged) is no
mutant. Never here: who notices (tools.mutants.mutation).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

import attrs

from fsm.language.expression import ALWAYS, Expr, negation
from fsm.language.problem import Place
from fsm.language.spec import Assign, Branch, Cell, Choice, Emit, Operation, Presume, Restart, Row, Spec

KINDS = (
    "transition dropped", "transition doubled", "transition retargeted", "guard negated", "guard dropped",
    "effect dropped", "effect doubled", "effect moved", "assignment dropped", "assignment doubled", "assignment moved",
    "timer removed", "defer ignored",
)  # fmt: skip
OUTPUT, OVERFLOW = -1, -2  # what an effect and an overflow write to, besides variables: their order can be seen

Operations = tuple[Operation, ...]
EditRow = Callable[[Row], tuple[Row, ...]]
EditList = Callable[[Operations], Operations]
Rewrite = Callable[[Spec], Spec]


@attrs.frozen
class Mutant:
    """One change. `id` names it by words, never by lines, so that it keeps its name while the file moves around it."""

    id: str
    kind: str
    about: str
    place: Place
    events: frozenset[str]
    rewrite: Rewrite = attrs.field(eq=False, repr=False)

    def __str__(self) -> str:
        return f"{self.place}: {self.id}"


def mutants(spec: Spec) -> tuple[Mutant, ...]:
    """Every mutant, in the order of the kinds and of the text. Ids are unique."""
    found = [*_of_rows(spec), *_of_operations(spec), *_of_deadlines(spec)]
    found.sort(key=lambda m: (KINDS.index(m.kind), m.place))
    counted: dict[str, int] = {}
    named = []
    for mutant in found:
        counted[mutant.id] = number = counted.get(mutant.id, 0) + 1
        named.append(attrs.evolve(mutant, id=f"{mutant.id} #{number}") if number > 1 else mutant)
    return tuple(named)


def sample(found: Sequence[Mutant], every: int) -> tuple[Mutant, ...]:
    """About one in `every`, by a hash of its name: whether it is in does not hang on which others there are."""
    return tuple(m for m in found if int.from_bytes(hashlib.sha256(m.id.encode()).digest()[:8]) % every == 0)


# --- rows ------------------------------------------------------------------------------------------------------------


def _written_rows(spec: Spec) -> dict[Place, Row]:
    """Each written row once, by its place."""
    cells = (row for cell in spec.cells.values() for row in cell.rows)
    choices = (row for choice in spec.choices.values() for row in choice.rows)
    found: dict[Place, Row] = {}
    for row in (*cells, *choices):
        found.setdefault(row.place, row)
    return found


def _of_rows(spec: Spec) -> Iterator[Mutant]:
    events: dict[Place, set[str]] = {}
    for (_, event), cell in spec.cells.items():
        for row in cell.rows:
            events.setdefault(row.place, set()).add(event)
    for place, row in _written_rows(spec).items():
        for kind, detail, edit in _edits_of_row(spec, row):
            name = f"{kind}: {row.id}{detail}"
            yield Mutant(name, kind, f"{row.id}{detail}", place, frozenset(events.get(place, ())), _on_row(place, edit))


def _edits_of_row(spec: Spec, row: Row) -> Iterator[tuple[str, str, EditRow]]:
    if row.kind in ("go", "stay"):
        yield "transition dropped", "", lambda _row: ()
        yield "transition doubled", "", lambda r: (attrs.evolve(r, always=False),) * 2
    if row.kind == "go":
        if row.operations:
            yield "transition retargeted", " -> stays", lambda r: (attrs.evolve(r, kind="stay", target=None),)
        for target in (*spec.states, *spec.choices):
            if target != row.target:
                yield "transition retargeted", f" -> {target}", _retargeted(target)
    if row.guard is not None:
        yield "guard negated", "", lambda r: (attrs.evolve(r, guard=negated(r.guard)),)
        yield "guard dropped", "", lambda r: (attrs.evolve(r, guard=ALWAYS),)
    if row.kind == "defer":
        yield "defer ignored", "", lambda r: (attrs.evolve(r, kind="ignore", reason="mutant"),)


def _retargeted(target: str) -> EditRow:
    return lambda row: (attrs.evolve(row, target=target),)


def negated(guard: Expr | None) -> Expr:
    """The contrary of a guard."""
    assert guard is not None and guard.formula is not None
    formula, run = negation(guard.formula), guard.run
    return attrs.evolve(
        guard, text=f"not ({guard.text})", python=formula.python, run=lambda v: not run(v), formula=formula
    )


def _on_row(place: Place, edit: EditRow) -> Rewrite:
    def rewrite(spec: Spec) -> Spec:
        def edited(rows: tuple[Row, ...]) -> tuple[Row, ...]:
            return tuple(new for row in rows for new in (edit(row) if row.place == place else (row,)))

        cells: dict[tuple[str, str], Cell] = {}
        for key, cell in spec.cells.items():
            rows = edited(cell.rows) if any(row.place == place for row in cell.rows) else cell.rows
            if rows:
                cells[key] = attrs.evolve(cell, rows=rows) if rows is not cell.rows else cell
            elif (general := _general(spec, *key, cell)) is not None:
                cells[key] = general
        choices = {name: attrs.evolve(c, rows=edited(c.rows)) for name, c in spec.choices.items()}
        return attrs.evolve(spec, cells=cells, choices=choices)

    return rewrite


def _general(spec: Spec, state: str, event: str, cell: Cell) -> Cell | None:
    """What a group of the state says where the state's own answer is gone."""
    if cell.group is not None:
        return None
    for group in spec.groups.values():
        for other in group.states if state in group.states else ():
            found = spec.cells.get((other, event))
            if found is not None and found.group == group.name:
                return found
    return None


# --- operations ------------------------------------------------------------------------------------------------------


def _lists(spec: Spec) -> Iterator[tuple[str, Operations]]:
    """Every list of operations, with the name of the row or state it belongs to."""
    for row in _written_rows(spec).values():
        yield from _nested(row.id, row.operations)
    for state in spec.states.values():
        yield from _nested(f"{state.name} entry", state.entry)
        yield from _nested(f"{state.name} exit", state.exit)


def _nested(owner: str, operations: Operations) -> Iterator[tuple[str, Operations]]:
    yield owner, operations
    for op in operations:
        if isinstance(op, Branch):
            yield from _nested(owner, op.then)
            yield from _nested(owner, op.otherwise)


def _of_operations(spec: Spec) -> Iterator[Mutant]:
    seen: set[object] = set()
    for owner, operations in _lists(spec):
        for op, following in zip_longest(operations, operations[1:]):
            edits = _edits_of_operation(op)
            if following is not None and not commute(spec, op, following):
                edits = [*edits, (_kind(op, following, "moved"), f" behind {following.text}", _swapped(op, following))]
            for kind, detail, edit in edits:
                key = (kind, op.place, op.text, detail)
                if key not in seen:
                    seen.add(key)
                    about = f"{op.text}{detail} in {owner}"
                    yield Mutant(f"{kind}: {about}", kind, about, op.place, frozenset(), _on_lists(edit))


def _edits_of_operation(op: Operation) -> list[tuple[str, str, EditList]]:
    if isinstance(op, Branch):
        return [
            ("guard negated", "", _each(op, lambda o: (attrs.evolve(o, condition=negated(o.condition)),))),
            ("guard dropped", "", _each(op, lambda o: (attrs.evolve(o, condition=ALWAYS),))),
        ]
    if isinstance(op, Restart):
        return []  # time is not a variable of the world
    edits: list[tuple[str, str, EditList]] = [(_kind(op, op, "dropped"), "", _each(op, lambda _op: ()))]
    if not isinstance(op, Assign) or (op.variable.index in op.expr.reads and "max" not in op.text):
        edits.append((_kind(op, op, "doubled"), "", _each(op, lambda o: (o, o))))
    return edits


def _kind(op: Operation, other: Operation, what: str) -> str:
    return f"{'assignment' if isinstance(op, Assign) and isinstance(other, Assign) else 'effect'} {what}"


def _same(op: Operation, other: Operation) -> bool:
    return op.place == other.place and op.text == other.text


def _each(changed: Operation, edit: Callable[[Branch], Operations]) -> EditList:
    def edited(operations: Operations) -> Operations:
        return tuple(n for op in operations for n in (edit(op) if _same(op, changed) else (op,)))  # type: ignore[arg-type]

    return edited


def _swapped(first: Operation, second: Operation) -> EditList:
    def edited(operations: Operations) -> Operations:
        after = list(operations)
        for i in range(len(after) - 1):
            if _same(after[i], first) and _same(after[i + 1], second):
                after[i], after[i + 1] = after[i + 1], after[i]
        return tuple(after)

    return edited


def _on_lists(edit: EditList) -> Rewrite:
    def deep(operations: Operations) -> Operations:
        return edit(
            tuple(
                attrs.evolve(op, then=deep(op.then), otherwise=deep(op.otherwise)) if isinstance(op, Branch) else op
                for op in operations
            )
        )

    def rewrite(spec: Spec) -> Spec:
        made: dict[int, Row] = {}  # one new row for each old one: states of a group share them

        def rows(old: tuple[Row, ...]) -> tuple[Row, ...]:
            for row in old:
                if id(row) not in made:
                    made[id(row)] = attrs.evolve(row, operations=deep(row.operations)) if row.operations else row
            return tuple(made[id(row)] for row in old)

        cells: Mapping[tuple[str, str], Cell] = {k: attrs.evolve(c, rows=rows(c.rows)) for k, c in spec.cells.items()}
        choices: Mapping[str, Choice] = {n: attrs.evolve(c, rows=rows(c.rows)) for n, c in spec.choices.items()}
        states = {n: attrs.evolve(s, entry=deep(s.entry), exit=deep(s.exit)) for n, s in spec.states.items()}
        return attrs.evolve(spec, cells=cells, choices=choices, states=states)

    return rewrite


def commute(spec: Spec, first: Operation, second: Operation) -> bool:
    """Is it the same program in either order?"""
    reads, writes = _touched(spec, (first,))
    other_reads, other_writes = _touched(spec, (second,))
    return not (writes & (other_reads | other_writes) or other_writes & reads)


def _touched(spec: Spec, operations: Sequence[Operation]) -> tuple[set[int], set[int]]:
    """The variables operations read and write."""
    reads: set[int] = set()
    writes: set[int] = set()
    for op in operations:
        if isinstance(op, Branch):
            inner_reads, inner_writes = _touched(spec, (*op.then, *op.otherwise))
            reads |= op.condition.reads | inner_reads
            writes |= inner_writes
        elif isinstance(op, Assign):
            reads |= op.expr.reads
            writes |= {op.variable.index} | ({OVERFLOW} if op.variable.overflow and "+" in op.text else set())
        elif isinstance(op, Emit | Presume):
            vocabulary = spec.vocabulary
            word = vocabulary.effects[op.effect] if isinstance(op, Emit) else vocabulary.presumptions[op.name]
            moved = {spec.slot_index[slot] for slot in word.moves}
            reads |= {spec.slot_index[slot] for slot in word.when} | moved
            writes |= moved
            if isinstance(op, Emit):
                writes.add(OUTPUT)
                reads |= {op.variable.index} if op.variable is not None else set()
    return reads, writes


# --- deadlines -------------------------------------------------------------------------------------------------------


def _of_deadlines(spec: Spec) -> Iterator[Mutant]:
    for deadline in spec.deadlines.values():
        name = f"timer removed: {deadline.name}"
        about = f"deadline {deadline.name}"
        yield Mutant(name, "timer removed", about, deadline.place, frozenset({deadline.event}), _without(deadline.name))


def _without(name: str) -> Rewrite:
    def rewrite(spec: Spec) -> Spec:
        event = spec.deadlines[name].event
        deadlines = {n: d for n, d in spec.deadlines.items() if n != name}
        cells = {key: cell for key, cell in spec.cells.items() if key[1] != event}
        return attrs.evolve(spec, deadlines=deadlines, cells=cells)

    return rewrite
