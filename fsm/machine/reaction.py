"""What a configuration does with an event: one pure function, the meaning of the spec language.

`react` is what runs in a call, what the explorer visits and what the oracle test compares with stock `transitions`.
A configuration (Control) is a tuple of small integers, so the set of them is finite and every reaction can be kept
(by its configuration and event: by a call in fsm.machine.machine, by the verifier in fsm.verify.tables).
Never here: ids, data of events, time.

Run to completion: an event that waits (deferred, or raised by a count that overflowed) is answered as soon as it is not
deferred any longer, before the next event from outside. One event may cause MAX_REACTIONS reactions; what is still due
then is dropped, with a reaction "impossible" that says so. The verifier reports it like every impossible reaction; a
call counts it as a protocol violation and continues in the state it is in.

Order within a step, as in stock `transitions`: the event moves slots, the row's operations, the target is resolved,
exit operations, the state changes, entry operations. Reaching the state one is in runs no exit and no entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import attrs

from fsm.errors import LocalError
from fsm.language.problem import NOWHERE, Place
from fsm.language.spec import (
    MAX_CHOICES,
    STATE,
    Assign,
    Branch,
    Cell,
    Emit,
    Operation,
    Presume,
    Restart,
    Row,
    Spec,
    word_for,
)  # fmt: skip
from fsm.language.vocabulary import EffectWord, EventWord, Word

MAX_REACTIONS = 16
"""To one event and to those that had waited for it. No bundled spec needs more than three."""

Outcome = Literal["taken", "stayed", "deferred", "ignored", "refused", "impossible"]
_OUTCOMES: dict[str, Outcome] = {
    "go": "taken", "stay": "stayed", "defer": "deferred", "ignore": "ignored", "refuse": "refused",
    "cannot_happen": "impossible",
}  # fmt: skip


@attrs.frozen(cache_hash=True)
class Control:
    """A configuration: the value index of each variable of the spec, and the events that wait."""

    values: tuple[int, ...]
    waiting: tuple[str, ...]
    state: str = attrs.field(eq=False)
    is_final: bool = attrs.field(eq=False)


def control_of(spec: Spec, values: Sequence[int], waiting: tuple[str, ...] = ()) -> Control:
    """The configuration with these values."""
    state = spec.variables[STATE].domain[values[STATE]]
    return Control(tuple(values), waiting, state, spec.states[state].final)


@attrs.frozen
class Reaction:
    """All that is fixed about one step. `effects` are (word, literal); `path` the rows taken, the cell's first."""

    outcome: Outcome
    event: str
    after: Control
    effects: tuple[tuple[EffectWord, str | None], ...] = ()
    path: tuple[Row, ...] = ()
    reason: str = ""
    raised: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    admitted: bool = True
    """False: the event is out of place here, and not even its ids are taken note of."""

    @property
    def place(self) -> Place:
        return self.path[0].place if self.path else NOWHERE


class IllegalEffectError(LocalError):
    """An effect where its slots forbid it: only a spec that was not type-checked can get here."""


class Run:
    """One step in the making: the values as they change, and what came out so far."""

    def __init__(self, spec: Spec, values: Sequence[int], strict: bool = False) -> None:
        self.spec = spec
        self.slots = spec.slot_index
        self.values = list(values)
        self.effects: list[tuple[EffectWord, str | None]] = []
        self.raised: list[str] = []
        self.changed: set[int] = set()
        self.restarted: set[str] = set()
        self.strict = strict

    def move(self, word: Word) -> None:
        before = tuple(self.values)
        word.move(self.slots, self.values)
        self.changed.update(i for i, old in enumerate(before) if self.values[i] != old)

    def put(self, index: int, value: int) -> None:
        if self.values[index] != value:
            self.values[index] = value
            self.changed.add(index)

    def run(self, operations: Sequence[Operation]) -> None:
        for op in operations:
            if isinstance(op, Emit):
                self._emit(op)
            elif isinstance(op, Assign):
                self._assign(op)
            elif isinstance(op, Branch):
                self.run(op.then if op.condition.run(self.values) else op.otherwise)
            elif isinstance(op, Presume):
                self.move(self.spec.vocabulary.presumptions[op.name])
            elif isinstance(op, Restart):
                self.restarted.add(op.deadline)

    def _emit(self, op: Emit) -> None:
        word = self.spec.vocabulary.effects[op.effect]
        if self.strict and not word.admits(self.slots, self.values):
            raise IllegalEffectError(f"{op.place}: {op.text}")
        literal = op.literal
        if op.variable is not None:
            literal = op.variable.domain[self.values[op.variable.index]]
        self.effects.append((word, literal))
        self.move(word)

    def _assign(self, op: Assign) -> None:
        value, top = op.expr.run(self.values), len(op.variable.domain) - 1
        if value > top and op.variable.overflow is not None:
            self.raised.append(op.variable.overflow)
        self.put(op.variable.index, max(0, min(top, value)))


def chosen(rows: Sequence[Row], values: Sequence[int]) -> Row | None:
    """The row whose guard holds; the one without a guard where no other does."""
    fallback = None
    for row in rows:
        if row.guard is None:
            fallback = row
        elif row.guard.run(values):
            return row
    return fallback


CellAt = Callable[[tuple[str, str]], Cell | None]
"""The cell at (state, event)."""


def react(spec: Spec, control: Control, event: str, cell_at: CellAt | None = None) -> Reaction:
    """The one answer of `control` to `event` (a variant of the vocabulary, or `timer.<deadline>`).

    `cell_at` is the compiled table's; without it the spec's own cells answer.
    """
    word, name, possible = word_for(spec, event, control.values)
    if word is not None and word.noise is not None:
        return Reaction("ignored", name, control, reason=word.noise)
    if word is not None and not possible:
        return _out_of_place(spec, control, word)
    state = control.state
    run = Run(spec, control.values)
    if word is not None:
        run.move(word)
    cell = (cell_at or spec.cells.get)((state, name))
    row = chosen(cell.rows, run.values) if cell is not None else None
    if row is None:
        reason = f"no run of the spec brings '{name}' to '{state}'"
        return Reaction("impossible", name, control, reason=reason)
    if row.kind == "defer":
        waiting = control.waiting if name in control.waiting else (*control.waiting, name)
        return Reaction("deferred", name, control_of(spec, control.values, waiting), path=(row,), reason=row.reason)
    if row.kind in ("refuse", "cannot_happen"):
        after = control_of(spec, control.values, _without(control.waiting, name))
        return Reaction(_OUTCOMES[row.kind], name, after, path=(row,), reason=row.reason)
    path = _follow(spec, run, row) if row.kind != "ignore" else (row,)
    return _finish(spec, control, name, run, path, _OUTCOMES[row.kind])


def begin(spec: Spec, values: Sequence[int]) -> Reaction:
    """The first step of a call: the initial state's entry operations."""
    run = Run(spec, values)
    run.run(spec.states[spec.initial].entry)
    never = Control(tuple(-1 for _ in values), (), "", False)
    return _finish(spec, never, "call.started", run, (), "taken")


def dropped(spec: Spec, control: Control, event: str) -> Reaction:
    """An event that is due, after MAX_REACTIONS: it waits no longer, and nothing else comes of it."""
    reason = f"'{event}' is due after {MAX_REACTIONS} reactions to one event: the spec answers itself without end"
    after = control_of(spec, control.values, _without(control.waiting, event))
    return Reaction("impossible", event, after, reason=reason, admitted=False)


def _out_of_place(spec: Spec, control: Control, word: EventWord) -> Reaction:
    if word.otherwise is not None:
        return Reaction("ignored", word.name, control, reason=word.otherwise, admitted=False)
    slots = ", ".join(f"{s.name} {s.domain[control.values[s.index]]}" for s in spec.slots if s.name in word.when)
    reason = f"'{word.name}' cannot be while {slots}"
    return Reaction("impossible", word.name, control, reason=reason, admitted=False)


def _follow(spec: Spec, run: Run, row: Row) -> tuple[Row, ...]:
    """Takes a row: its operations, the choices behind its target, exit and entry. Returns the rows on the way."""
    path = [row]
    run.run(row.operations)
    target = row.target
    while target is not None and target in spec.choices:
        next_row = chosen(spec.choices[target].rows, run.values)
        if next_row is None or len(path) > MAX_CHOICES:
            target = None
            break
        path.append(next_row)
        run.run(next_row.operations)
        target = next_row.target
    here = spec.variables[STATE].domain[run.values[STATE]]
    if target is not None and target != here:
        run.run(spec.states[here].exit)
        run.put(STATE, spec.variables[STATE].value(target))
        run.run(spec.states[target].entry)
    return tuple(path)


def _finish(
    spec: Spec, before: Control, event: str, run: Run, path: tuple[Row, ...], outcome: Outcome
) -> Reaction:  # fmt: skip
    waiting = _without(before.waiting, event)
    waiting += tuple(r for r in dict.fromkeys(run.raised) if r not in waiting)
    after = control_of(spec, run.values, waiting)
    start, stop = [], []
    for deadline in spec.deadlines.values():
        condition = deadline.condition
        was = before.values[STATE] >= 0 and bool(condition.run(before.values))
        if not condition.run(run.values):
            if was:
                stop.append(deadline.name)
            continue
        changed = deadline.restarts and bool(condition.reads & run.changed)
        if not was or changed or deadline.event == event or deadline.name in run.restarted:
            start.append(deadline.name)
    if before.is_final:  # whatever an event says of the slots, nobody waits any more
        start = []
    return Reaction(
        outcome, event, after, tuple(run.effects), path, path[0].reason if path else "", tuple(run.raised),
        tuple(start), tuple(stop),
    )  # fmt: skip


def without(control: Control, event: str) -> Control:
    """The same configuration, in which this event waits no longer: it is answered now, out of place or not."""
    return attrs.evolve(control, waiting=_without(control.waiting, event))


def _without(waiting: tuple[str, ...], event: str) -> tuple[str, ...]:
    return tuple(w for w in waiting if w != event)
