"""What a sound spec says in vain: guards that never hold, variables and effects that come to nothing. Warnings only.

A guard is tried with the slots that the type check found (of a row of a state: after the event's own moves), and with
every value that a variable of the context can ever have: those it is given anywhere in the spec. So what is said here
is certain, and something may be left out: what no guard alone rules out.
Never here: actions and conditions that are not used, which the reader knows (fsm.language.spec_reader).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fsm.language.expression import Expr, Variable
from fsm.language.problem import Place, Problems
from fsm.language.spec import Assign, Branch, Operation, Row, Spec, word_for
from fsm.language.typestate import Flow, Slots

Possible = Mapping[int, frozenset[int]]
"""The values that each variable can have, by its index."""


def lint(spec: Spec, flow: Flow, problems: Problems) -> None:
    """Adds the warnings."""
    operations = tuple(_all_operations(spec))
    possible = _possible(spec, operations)
    _Guards(spec, flow, possible).lint(problems)
    for branch in (each for each in operations if isinstance(each, Branch)):
        if not holds(branch.condition, {}, possible):
            _never(branch.condition, branch.place, problems)
    _variables(spec, operations, problems)
    _effects(spec, problems)


def holds(expr: Expr, given: Mapping[int, int], possible: Possible) -> bool:
    """Can it be true? Only what it comes to read is tried."""
    pending = [dict(given)]
    while pending:
        values = pending.pop()
        try:
            if expr.run(values):  # type: ignore[arg-type]  # reads by index, as of a tuple
                return True
        except KeyError as unknown:
            index = unknown.args[0]
            pending += ({**values, index: each} for each in possible[index])
    return False


def _never(expr: Expr, place: Place, problems: Problems) -> None:
    hint = "no value that its variables can have makes it true: delete it, or say what you mean"
    problems.warn(place, "never-holds", f"'{expr.text}' never holds", hint)


# --- guards -----------------------------------------------------------------------------------------------------------


class _Guards:
    """The guards of rows, each over every situation in which its event is answered; those of choices over any."""

    def __init__(self, spec: Spec, flow: Flow, possible: Possible) -> None:
        self.spec, self.flow, self.possible = spec, flow, possible
        self._known: dict[tuple[str, str, frozenset[int]], frozenset[Slots]] = {}

    def lint(self, problems: Problems) -> None:
        idle: dict[Place, Expr] = {}
        used: set[Place] = set()
        for (state, event), cell in self.spec.cells.items():
            for row in cell.rows if (state, event) in self.flow.live_cells else ():
                if row.guard is None or row.place in used:
                    continue
                if self._holds(row.guard, state, event):
                    used.add(row.place)
                else:
                    idle[row.place] = row.guard
        for choice in self.spec.choices.values():
            for row in choice.rows:
                if row.guard is not None and not holds(row.guard, {}, self.possible):
                    idle[row.place] = row.guard
        for place, guard in idle.items():
            if place not in used:
                _never(guard, place, problems)

    def _holds(self, guard: Expr, state: str, event: str) -> bool:
        known = [0, *(slot.index for slot in self.spec.slots)]
        reads = sorted(guard.reads.intersection(known))
        position = {index: i for i, index in enumerate(known)}
        here = self.spec.variables[0].value(state)
        for slots in self._situations(state, event, frozenset(reads)):
            given = {index: here if index == 0 else slots[position[index] - 1] for index in reads}
            if holds(guard, given, self.possible):
                return True
        return False

    def _situations(self, state: str, event: str, reads: frozenset[int]) -> frozenset[Slots]:
        """The slots in which the event can come there, after its moves; what is not read is left at one value."""
        key = (state, event, reads)
        if key not in self._known:
            found = set()
            blank = [variable.initial for variable in self.spec.variables]
            for slots in self.flow.reached[state]:
                values = [blank[0], *slots, *blank[len(slots) + 1 :]]
                word, name, is_possible = word_for(self.spec, event, values)
                if not is_possible or name != event:
                    continue
                if word is not None:
                    word.move(self.spec.slot_index, values)
                found.add(tuple(v if i in reads else 0 for i, v in enumerate(values[1 : len(slots) + 1], 1)))
            self._known[key] = frozenset(found)
        return self._known[key]


# --- variables --------------------------------------------------------------------------------------------------------


def _possible(spec: Spec, operations: Sequence[Operation]) -> Possible:
    """To a fixpoint: what a variable begins with and what it is given, as far as that is known by then."""
    chosen = {*spec.settings.values()}
    found = {v.index: {*range(len(v.domain))} for v in spec.variables}
    for variable in spec.context:
        if variable.name not in chosen:
            named = spec.without_greeting.get(variable.name)
            found[variable.index] = {variable.initial, *([variable.value(named)] if named is not None else [])}
    puts = [each for each in operations if isinstance(each, Assign)]
    grows = True
    while grows:
        grows = False
        for put in puts:
            given = _values(put, found) - found[put.variable.index]
            found[put.variable.index] |= given
            grows = grows or bool(given)
    return {index: frozenset(values) for index, values in found.items()}


def _values(put: Assign, possible: Mapping[int, set[int]]) -> set[int]:
    reads, top = sorted(put.expr.reads), len(put.variable.domain) - 1
    choices = itertools.product(*(sorted(possible[index]) for index in reads))
    runs = (put.expr.run(dict(zip(reads, values, strict=True))) for values in choices)  # type: ignore[arg-type]
    return {max(0, min(top, value)) for value in runs}


def _variables(spec: Spec, operations: Sequence[Operation], problems: Problems) -> None:
    read = {index for expr in _all_expressions(spec, operations) for index in expr.reads}
    for each in operations:
        if isinstance(each, Assign):  # `tries += 1` is not a use of it
            read |= each.expr.reads - {each.variable.index}
    read |= {emit.variable.index for emit in spec.emits() if emit.variable is not None}
    for variable in spec.context:
        puts = [each for each in operations if isinstance(each, Assign) and each.variable.name == variable.name]
        if variable.index not in read and variable.overflow is None:
            what = "never read" if puts else "never used"
            problems.warn(variable.place, "unused", f"'{variable.name}' is {what}", "delete it, or read it in a guard")
        elif not puts and not _is_begun_otherwise(spec, variable):
            message = f"'{variable.name}' is never set: it stays {variable.domain[variable.initial]}"
            problems.warn(variable.place, "unused", message, "set it, or delete it")
        elif puts and not any(_resets(put, variable, spec) for put in puts) and not _is_begun_otherwise(spec, variable):
            initial = variable.domain[variable.initial]
            message = f"'{variable.name}' is set and never reset to {initial}"
            problems.warn(variable.place, "never-reset", message, f"say where it is {initial} again, or 'latch: yes'")


def _is_begun_otherwise(spec: Spec, variable: Variable) -> bool:
    """A variable that a call may begin with at another value, or that is meant to keep what it is given."""
    return variable.name in spec.settings.values() or variable.name in spec.latches


def _resets(put: Assign, variable: Variable, spec: Spec) -> bool:
    """Can it give the initial value to a variable that has another?"""
    reads = sorted({*put.expr.reads, variable.index})
    domains = [range(len(spec.variables[index].domain)) for index in reads]
    for values in itertools.product(*domains):
        before = dict(zip(reads, values, strict=True))
        if before[variable.index] != variable.initial:
            after = put.expr.run(before)  # type: ignore[arg-type]
            if max(0, min(len(variable.domain) - 1, after)) == variable.initial:
                return True
    return False


# --- effects ----------------------------------------------------------------------------------------------------------


def _effects(spec: Spec, problems: Problems) -> None:
    """An effect that needs a slot at a value which nothing ever gives it."""
    vocabulary = spec.vocabulary
    given = {slot.name: {slot.initial} for slot in spec.slots}
    for word in (*vocabulary.events.values(), *vocabulary.effects.values(), *vocabulary.presumptions.values()):
        for slot, table in word.moves.items():
            given[slot].update(table.values())
    told = set()
    for emit in spec.emits():
        word = vocabulary.effects[emit.effect]
        for slot, allowed in word.when.items():
            if not allowed & given[slot] and emit.effect not in told:
                told.add(emit.effect)
                message = f"'{emit.effect}' is forbidden always: nothing brings '{slot}' to what it needs"
                problems.warn(emit.place, "never-possible", message, f"it says so at {word.place}")


# --- walking ----------------------------------------------------------------------------------------------------------


def _rows(spec: Spec) -> Iterator[Row]:
    for cell in spec.cells.values():
        yield from cell.rows
    for choice in spec.choices.values():
        yield from choice.rows


def _all_operations(spec: Spec) -> Iterator[Operation]:
    for row in _rows(spec):
        yield from _within(row.operations)
    for state in spec.states.values():
        yield from _within((*state.entry, *state.exit))


def _within(operations: Iterable[Operation]) -> Iterator[Operation]:
    for each in operations:
        yield each
        if isinstance(each, Branch):
            yield from _within((*each.then, *each.otherwise))


def _all_expressions(spec: Spec, operations: Sequence[Operation]) -> Iterator[Expr]:
    """Those that decide something."""
    yield from (row.guard for row in _rows(spec) if row.guard is not None)
    yield from (each.condition for each in operations if isinstance(each, Branch))
    yield from (deadline.condition for deadline in spec.deadlines.values())
