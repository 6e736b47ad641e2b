"""The same rows on `transitions` as its tutorial has them: conditions, before, after, on_enter and on_exit callbacks.

Made from the loaded spec, in the ways that cost the library least: one machine for all calls, no model bound, callables
instead of names, no queue, logging off. A row to a named choice is an internal transition whose `after` triggers the
choice. Ids go through the same ledger as ours, and deadlines are worked out only where something they read has changed.
Left out, as no event of `bench.conversation` needs it: deferred and refused events, counters that overflow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from transitions import Machine, State

from fsm.language.expression import Expr
from fsm.language.ledger import Args
from fsm.language.spec import STATE, Assign, Branch, Emit, Operation, Presume, Restart, Row, Spec, word_for
from fsm.language.vocabulary import PLAIN, EventWord, Word
from fsm.machine.machine import Effect, Event, Timer

logging.getLogger("transitions").setLevel(logging.ERROR)

Callback = Callable[[Any], Any]
_ANSWERED = ("go", "stay", "ignore")
_OUTCOME = {"go": "taken", "stay": "stayed", "ignore": "ignored"}


class StockCall:
    """The model: mutable, as the library wants it."""

    def __init__(self, spec: Spec) -> None:
        self.state = spec.initial
        self.values = [v.initial for v in spec.variables]
        self.ledger: Any = spec.vocabulary.ledger.begin("")
        self.data: Any = {}
        self.effects: list[Effect] = []
        self.changed: set[int] = set()
        self.restarted: set[str] = set()
        self.armed: dict[str, int] = {}
        self.outcome = ""
        self.serial = 0


class StockMachine:
    """A spec on stock `transitions`; `step` changes the call, and tells outcome, effects, deadlines."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._slots = spec.slot_index
        number = spec.variables[STATE].value
        states = [
            State(
                s.name, on_enter=[_entered(number(s.name)), *self._callbacks(s.entry)], on_exit=self._callbacks(s.exit)
            )
            for s in spec.states.values()
        ]
        self.machine = Machine(None, states, spec.initial, auto_transitions=False, send_event=True)
        for (state, event), cell in spec.cells.items():
            for row in sorted(cell.rows, key=lambda row: row.guard is None):
                if row.kind in _ANSWERED:
                    self._add_row(state, event, row)
        for word in spec.vocabulary.events.values():
            if word.noise is not None:
                self.machine.add_transition(word.name, "*", None, before=[_outcome("ignored")])
        for choice in spec.choices:
            for state in spec.states:
                self._add_choice(state, choice)
        self._deadlines = tuple(spec.deadlines.values())
        self._identities = {
            base: (spec.vocabulary.ledger.identities[identity].classify, f"{base}.")
            for base, identity in spec.vocabulary.identities.items()
        }

    def start(self) -> StockCall:
        """A new call, its first step taken."""
        call = StockCall(self._spec)
        for callback in self._callbacks(self._spec.states[call.state].entry):
            callback(_FirstEvent(call))
        call.changed.add(STATE)
        self._finish(call, [v.initial - 1 for v in self._spec.variables])
        return call

    def step(self, call: StockCall, event: Event) -> tuple[str, list[Effect], list[Timer], list[str]]:
        name, call.data = event
        identity = self._identities.get(name)
        if identity is not None:
            classify, prefix = identity
            tag, call.ledger = classify(call.ledger, event.data)
            name = prefix + tag
        before = list(call.values)
        self.machine.events[name].trigger(call)
        return self._finish(call, before)

    def _finish(self, call: StockCall, before: Sequence[int]) -> tuple[str, list[Effect], list[Timer], list[str]]:
        call.serial += 1
        start: list[Timer] = []
        stop: list[str] = []
        if call.changed or call.restarted:
            for deadline in self._deadlines:
                condition = deadline.condition
                touched = not call.changed.isdisjoint(condition.reads)
                if not touched and deadline.name not in call.restarted:
                    continue
                if condition.run(call.values):
                    call.armed[deadline.name] = call.serial
                    start.append(Timer(deadline.name, deadline.after_ms, call.serial))
                elif touched and condition.run(before):
                    call.armed.pop(deadline.name, None)
                    stop.append(deadline.name)
        effects, call.effects = call.effects, []
        call.changed = set()
        call.restarted = set()
        return call.outcome, effects, start, stop

    # --- the rows as the library wants them ---------------------------------------------------------------------------

    def _add_row(self, state: str, event: str, row: Row) -> None:
        word = self._spec.vocabulary.events.get(event)
        conditions: list[Any] = []
        before: list[Any] = [_outcome(_OUTCOME[row.kind])]
        if word is not None:
            if word.when:
                conditions.append(self._admits(word))
            if word.moves:
                before.append(self._move(word))
        if row.guard is not None:
            conditions.append(self._holds(row.guard, word))
        before += self._callbacks(row.operations)
        after: list[Any] = []
        dest = row.target
        if dest in self._spec.choices:
            after, dest = [self._decide(str(dest))], None
        dest = None if dest == state else dest
        self.machine.add_transition(event, state, dest, conditions=conditions, before=before, after=after)

    def _add_choice(self, state: str, choice: str) -> None:
        for guards, operations, target in self._leaves(choice):
            self.machine.add_transition(
                choice,
                state,
                None if target == state else target,
                conditions=[self._holds(guard, None) for guard in guards],
                before=self._callbacks(operations),
            )

    def _leaves(self, choice: str) -> Iterator[tuple[tuple[Expr, ...], tuple[Operation, ...], str | None]]:
        """Every way through a choice and the choices behind it."""
        for row in sorted(self._spec.choices[choice].rows, key=lambda row: row.guard is None):
            guards = () if row.guard is None else (row.guard,)
            if row.target not in self._spec.choices:
                yield guards, row.operations, row.target
                continue
            for more, operations, target in self._leaves(str(row.target)):
                yield (*guards, *more), (*row.operations, *operations), target

    # --- callbacks ----------------------------------------------------------------------------------------------------

    def _admits(self, word: EventWord) -> Callback:
        def admits(event: Any) -> bool:
            return word_for(self._spec, word.name, event.model.values)[1] == word.name

        return admits

    def _holds(self, guard: Expr, word: EventWord | None) -> Callback:
        if word is None or not word.moves:
            return lambda event: guard.run(event.model.values)

        def holds(event: Any) -> object:
            values = list(event.model.values)
            word.move(self._slots, values)
            return guard.run(values)

        return holds

    def _decide(self, choice: str) -> Callback:
        return lambda event: event.machine.events[choice].trigger(event.model)

    def _move(self, word: Word) -> Callback:
        moves = [(self._slots[slot], table) for slot, table in word.moves.items()]

        def move(event: Any) -> None:
            call = event.model
            values = call.values
            for index, table in moves:
                old = values[index]
                new = table.get(old, old)
                if new != old:
                    values[index] = new
                    call.changed.add(index)

        return move

    def _callbacks(self, operations: Sequence[Operation]) -> list[Any]:
        return [self._callback(operation) for operation in operations]

    def _callback(self, op: Operation) -> Callback:
        if isinstance(op, Emit):
            return self._emit(op)
        if isinstance(op, Assign):
            return _assign(op)
        if isinstance(op, Presume):
            return self._move(self._spec.vocabulary.presumptions[op.name])
        if isinstance(op, Restart):
            name = op.deadline
            return lambda event: event.model.restarted.add(name)
        return self._branch(op)

    def _branch(self, op: Branch) -> Callback:
        then, otherwise = self._callbacks(op.then), self._callbacks(op.otherwise)

        def branch(event: Any) -> None:
            for callback in then if op.condition.run(event.model.values) else otherwise:
                callback(event)

        return branch

    def _emit(self, op: Emit) -> Callback:
        word = self._spec.vocabulary.effects[op.effect]
        name, move = word.sends or word.name, self._move(word)
        recipe = None if word.recipe == PLAIN else self._spec.vocabulary.ledger.recipes[word.recipe].make

        def emit(event: Any) -> None:
            call = event.model
            literal = op.literal if op.variable is None else op.variable.domain[call.values[op.variable.index]]
            made: tuple[Args, ...] = ({},)
            if recipe is not None:
                made, call.ledger = recipe(name, call.ledger, literal, call.data)
            for args in made:
                call.effects.append(Effect(name, args))
            move(event)

        return emit


class _FirstEvent:
    """What callbacks need of the library's EventData, for the first step of a call."""

    def __init__(self, model: StockCall) -> None:
        self.model = model


def _outcome(outcome: str) -> Callback:
    def set_outcome(event: Any) -> None:
        event.model.outcome = outcome

    return set_outcome


def _entered(number: int) -> Callback:
    def entered(event: Any) -> None:
        event.model.values[STATE] = number
        event.model.changed.add(STATE)

    return entered


def _assign(op: Assign) -> Callback:
    index, top = op.variable.index, len(op.variable.domain) - 1

    def assign(event: Any) -> None:
        call = event.model
        value = max(0, min(top, op.expr.run(call.values)))
        if call.values[index] != value:
            call.values[index] = value
            call.changed.add(index)

    return assign
