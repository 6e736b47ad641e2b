"""A situation, a state and the slots as one integer, and what of a spec reads which of its bits: for the type check.

Each thing that reads slots has a `mask` of the bits it reads, and `known`: what came of it, by the value of these bits.
Never here: working that out, problems (fsm.language.typestate).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from fsm.language.expression import Expr
from fsm.language.problem import Place
from fsm.language.spec import STATE, Branch, Emit, Operation, Presume, Row, Spec
from fsm.language.vocabulary import Word

Situation = int


class Packing:
    """A field of bits for the state and for each slot, the state on top."""

    def __init__(self, spec: Spec) -> None:
        self.known = 1 + len(spec.slots)
        self._unknown = (-1,) * (len(spec.variables) - self.known)
        self._values: dict[Situation, tuple[int, ...]] = {}
        self.shifts, self.masks = [0] * self.known, [0] * self.known
        shift = 0
        for index in reversed(range(self.known)):
            width = max(1, (len(spec.variables[index].domain) - 1).bit_length())
            self.shifts[index], self.masks[index] = shift, ((1 << width) - 1) << shift
            shift += width
        self.top = self.shifts[STATE]

    def pack(self, v: Sequence[int]) -> Situation:
        """Of a configuration, or of what is known of it."""
        return sum(value << shift for value, shift in zip(v, self.shifts, strict=False))

    def values(self, situation: Situation) -> tuple[int, ...]:
        """A configuration; context positions hold -1, nobody may read them directly."""
        found = self._values.get(situation)
        if found is None:
            fields = zip(self.masks, self.shifts, strict=True)
            found = (*[(situation & mask) >> shift for mask, shift in fields], *self._unknown)
            self._values[situation] = found
        return found

    def moved(self, situation: Situation, word: Word, slots: Mapping[str, int]) -> Situation:
        """After a word has moved the slots, which `slots` maps to positions."""
        v = list(self.values(situation))
        word.move(slots, v)
        return self.pack(v)

    def mask(self, indexes: Iterable[int]) -> int:
        """The bits of the state and of the slots among these variables."""
        return sum(self.masks[index] for index in set(indexes) if index < self.known)

    def entering(self, situation: Situation, state: int) -> Situation:
        return situation & ~self.masks[STATE] | state << self.top


@attrs.frozen(eq=False)
class Condition:
    """An expression; known are the truth values it can have over every value of the context it reads."""

    expr: Expr
    mask: int
    known: dict[int, frozenset[bool]] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class OperationStep:
    """An operation that reads or moves slots, by its word or as a branch; known are the bits it can leave behind."""

    op: Operation
    mask: int
    word: Word | None = None
    condition: Condition | None = None
    then: tuple[OperationStep, ...] = ()
    otherwise: tuple[OperationStep, ...] = ()
    known: dict[int, tuple[int, ...]] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class RowSteps:
    """A row; `followed` are the situations from which its target was followed to the end."""

    row: Row
    guard: Condition | None
    steps: tuple[OperationStep, ...]
    followed: set[Situation]


@attrs.frozen(eq=False)
class Decision:
    """The rows of a cell or a choice; known are those that can be the answer."""

    what: str
    place: Place
    rows: tuple[RowSteps, ...]
    mask: int
    known: dict[int, tuple[RowSteps, ...]] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class KnownAnswer:
    """An event in a state; known are the rows to take, each with the bits that the event moves; `keep` are the others.

    `decision` is None where nobody has written an answer; `running` is the condition of a timer.
    """

    event: str
    word: Word | None
    running: Condition | None
    decision: Decision | None
    mask: int
    keep: int
    known: dict[int, tuple[tuple[RowSteps, int], ...]] = attrs.field(factory=dict)


class Readers:
    """Everything in a spec that reads slots, made when it is first asked for, once each."""

    def __init__(self, spec: Spec, packing: Packing) -> None:
        self.spec = spec
        self.packing = packing
        self._conditions: dict[str, Condition] = {}
        self._answers: dict[str, tuple[KnownAnswer, ...]] = {}
        self._choices: dict[str, Decision] = {}
        self._followed: dict[str | None, set[Situation]] = {}
        self._rows: dict[int, RowSteps] = {}
        self._events = [self._event(event) for event in spec.events]
        self.entry = {name: self._steps(state.entry) for name, state in spec.states.items()}
        self.exit = {name: self._steps(state.exit) for name, state in spec.states.items()}

    def answers(self, state: str) -> tuple[KnownAnswer, ...]:
        """For each event, in the order of the spec."""
        found = self._answers.get(state)
        if found is None:
            found = self._answers[state] = tuple(self._answer(state, event) for event in self._events)
        return found

    def choice(self, name: str) -> Decision:
        found = self._choices.get(name)
        if found is None:
            choice = self.spec.choices[name]
            found = self._choices[name] = self._decision(f"choice '{name}'", choice.rows, choice.place)
        return found

    def condition(self, expr: Expr) -> Condition:
        found = self._conditions.get(expr.python)
        if found is None:
            found = self._conditions[expr.python] = Condition(expr, self.packing.mask(expr.reads))
        return found

    def _event(self, event: str) -> KnownAnswer:
        """Of no state, so without a decision."""
        word = self.spec.vocabulary.events.get(event)
        deadline = self.spec.deadlines.get(event.removeprefix("timer.")) if event.startswith("timer.") else None
        running = self.condition(deadline.condition) if deadline is not None else None
        mask = self._mask(word) | (running.mask if running is not None else 0)
        return KnownAnswer(event, word, running, None, mask, ~self._moved(word))

    def _answer(self, state: str, event: KnownAnswer) -> KnownAnswer:
        name, cell = event.event, self.spec.cells.get((state, event.event))
        if cell is None:
            return KnownAnswer(name, event.word, event.running, None, event.mask, event.keep)
        decision = self._decision(f"'{name}' in state '{state}'", cell.rows, cell.place)
        return KnownAnswer(name, event.word, event.running, decision, event.mask | decision.mask, event.keep)

    def _decision(self, what: str, rows: Sequence[Row], place: Place) -> Decision:
        made = tuple(self._row(row) for row in rows)
        return Decision(what, place, made, _union(row.guard.mask for row in made if row.guard is not None))

    def _row(self, row: Row) -> RowSteps:
        """One for all states of a group, which share the row itself; kept alive here, its id stays its own."""
        found = self._rows.get(id(row))
        if found is None:
            guard = self.condition(row.guard) if row.guard is not None else None
            followed = self._followed.setdefault(row.target, set())
            found = self._rows[id(row)] = RowSteps(row, guard, self._steps(row.operations), followed)
        return found

    def _steps(self, operations: Sequence[Operation]) -> tuple[OperationStep, ...]:
        return tuple(step for op in operations if (step := self._step(op)) is not None)

    def _step(self, op: Operation) -> OperationStep | None:
        """None: it neither reads nor moves a slot."""
        if isinstance(op, Branch):
            then, otherwise = self._steps(op.then), self._steps(op.otherwise)
            condition = self.condition(op.condition)
            mask = _union([condition.mask, *(step.mask for step in (*then, *otherwise))])
            return OperationStep(op, mask, None, condition, then, otherwise) if then or otherwise else None
        if not isinstance(op, Emit | Presume):
            return None
        vocabulary = self.spec.vocabulary
        word: Word = vocabulary.effects[op.effect] if isinstance(op, Emit) else vocabulary.presumptions[op.name]
        return OperationStep(op, self._mask(word), word) if word.when or word.moves else None

    def _mask(self, word: Word | None) -> int:
        """What a word reads; what it moves is among it."""
        slots = word.when if word is not None else ()
        return self._moved(word) | self.packing.mask(self.spec.slot_index[slot] for slot in slots)

    def _moved(self, word: Word | None) -> int:
        return self.packing.mask(self.spec.slot_index[slot] for slot in (word.moves if word is not None else ()))


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
