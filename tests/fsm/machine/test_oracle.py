"""Stock `transitions` as the oracle: the same spec on the library's own Machine decides every reachable cell alike.

Nothing of fsm.machine builds it: guards become `conditions`, operations `before`, exit and entry
operations `on_exit` and `on_enter` of the library; choices are rolled out into paths. A cell without a target is an
internal transition, and so is one that leads to the state it is in (docs/facts/state_machines.md section 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import pytest
from transitions import EventData, Machine

from fsm.language.spec import STATE, Assign, Branch, Emit, Operation, Presume, Restart, Row, Spec
from fsm.language.vocabulary import Word
from fsm.machine.reaction import Control, control_of
from fsm.machine.table import StrictEvent
from tests.fsm.bundle import NAMES, loaded, machine

Trace = list[str]
Path = tuple[Row, ...]
TUPLES = 10  # compared for each cell


class Model:
    """What the library moves: its `state`, the other variables, and what was done, in order."""

    def __init__(self, spec: Spec, values: Sequence[int]) -> None:
        self.spec = spec
        self.values = list(values)
        self.trace: Trace = []
        self.state = spec.variables[STATE].domain[values[STATE]]

    def all(self) -> list[int]:
        return [self.spec.variables[STATE].value(self.state), *self.values[1:]]


def do(model: Model, operations: Sequence[Operation]) -> None:
    """A naive reading of operations, one after the other."""
    for op in operations:
        if isinstance(op, Branch):
            do(model, op.then if op.condition.run(model.all()) else op.otherwise)
        elif isinstance(op, Emit):
            word = model.spec.vocabulary.effects[op.effect]
            literal = op.literal if op.variable is None else op.variable.domain[model.values[op.variable.index]]
            model.trace.append(f"{word.name}({literal})")
            move(model, word)
        elif isinstance(op, Presume):
            move(model, model.spec.vocabulary.presumptions[op.name])
        elif isinstance(op, Assign):
            assert not isinstance(op, Restart)
            value = op.expr.run(model.all())
            top = len(op.variable.domain) - 1
            if value > top:
                model.trace.append(f"{op.variable.overflow}!")
            model.values[op.variable.index] = min(max(value, 0), top)


def move(model: Model, word: Word) -> None:
    for name, table in word.moves.items():
        index = model.spec.variable(name).index
        model.values[index] = dict(table).get(model.values[index], model.values[index])


def paths(spec: Spec, row: Row) -> Iterator[tuple[Path, str | None]]:
    """Every way through the choices behind a row, and where it ends."""
    choice = spec.choices.get(row.target or "")
    if choice is None:
        yield (row,), row.target
        return
    for following in choice.rows:
        for rest, target in paths(spec, following):
            yield (row, *rest), target


def holds(row: Row, rows: Sequence[Row], values: Sequence[int]) -> bool:
    if row.guard is not None:
        return bool(row.guard.run(values))
    return not any(other.guard.run(values) for other in rows if other.guard is not None)


def condition(spec: Spec, path: Path, cell: Sequence[Row]) -> Callable[[EventData], bool]:
    """Does this path hold, its operations done on the way? Worked out on a copy of the model."""

    def check(event: EventData) -> bool:
        assert isinstance(event.model, Model)
        trial = Model(spec, event.model.all())
        siblings = cell
        for row in path:
            if not holds(row, siblings, trial.all()):
                return False
            do(trial, row.operations)
            choice = spec.choices.get(row.target or "")
            siblings = choice.rows if choice else ()
        return True

    return check


def action(operations: Sequence[Operation]) -> Callable[[EventData], None]:
    def act(event: EventData) -> None:
        assert isinstance(event.model, Model)
        do(event.model, operations)

    return act


@attrs.define
class Oracle:
    """The library's machine of a spec; `stock` holds for each (state, event) whether it acts."""

    spec: Spec
    stock: Any

    def react(self, control: Control, event: str) -> tuple[list[int], Trace, bool]:
        """Values after the event, what was done in order, and whether a transition was found at all."""
        model = Model(self.spec, control.values)
        word = self.spec.vocabulary.events.get(event)
        if word is not None:
            move(model, word)
        if event not in self.stock.events:
            return model.all(), model.trace, False
        found = bool(self.stock.events[event].trigger(model))
        return model.all(), model.trace, found


def built(spec: Spec) -> Oracle:
    states = [
        {"name": name, "on_enter": [action(state.entry)], "on_exit": [action(state.exit)]}
        for name, state in spec.states.items()
    ]
    stock = Machine(
        model=None, states=states, initial=spec.initial, auto_transitions=False, send_event=True,
        ignore_invalid_triggers=True,
    )  # fmt: skip
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            if row.kind not in ("go", "stay"):
                continue
            for path, target in paths(spec, row):
                stock.add_transition(
                    event, state, None if target in (None, state) else target,
                    conditions=[condition(spec, path, cell.rows)],
                    before=[action([op for each in path for op in each.operations])],
                )  # fmt: skip
    return Oracle(spec, stock)


def configurations(name: str) -> Iterator[Control]:
    """Every tuple of slots that can be found in a state, as the type check knows, each with other values of context."""
    spec = loaded(name).spec
    reached = [(state, slots) for state, found in loaded(name).flow.reached.items() for slots in sorted(found)]
    for number, (state, slots) in enumerate(reached):
        context = [number * (2 * place + 3) // 2 % len(v.domain) for place, v in enumerate(spec.context)]
        values = [spec.variables[STATE].value(state), *slots, *context]
        yield control_of(spec, values)


def compare(oracle: Oracle, control: Control, event: str, strict: StrictEvent) -> bool:
    """Both agree on the values after the event and on all that was done, in order. Was there anything to compare?"""
    reaction = strict.react(control)
    if reaction.event != event or not reaction.path:
        return False  # decided by the vocabulary alone: noise, `otherwise`, `instead`
    values, trace, found = oracle.react(control, event)
    where = f"{oracle.spec.name}: '{event}' in {control.values}"
    if reaction.outcome in ("deferred", "refused", "impossible"):
        assert (found, trace, reaction.effects, reaction.after.values) == (False, [], (), control.values), where
        return True
    assert found == (reaction.outcome in ("taken", "stayed")), where
    assert list(reaction.after.values) == values, where
    assert [f"{word.name}({literal})" for word, literal in reaction.effects] == [
        line for line in trace if not line.endswith("!")
    ], where
    assert list(dict.fromkeys(line[:-1] for line in trace if line.endswith("!"))) == list(reaction.raised), where
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_decided_as_the_library_would(name: str) -> None:
    """Every reachable (state, event), each in several tuples of slots and values of context."""
    spec = loaded(name).spec
    oracle = built(spec)
    compared: Counter[tuple[str, str]] = Counter()
    strict_events = machine(name).table.strict_events()
    for control in configurations(name):
        state = spec.variables[STATE].domain[control.values[STATE]]
        for event, strict in strict_events.items():
            if compared[state, event] < TUPLES and compare(oracle, control, event, strict):
                compared[state, event] += 1
    live = loaded(name).flow.live_cells
    assert not live - set(compared), "cells that were never compared"
    assert sum(compared.values()) > 2000


@pytest.mark.parametrize("name", NAMES)
def test_the_table_in_the_library_is_the_spec(name: str) -> None:
    table = machine(name).table.cells()
    assert {(state, event): cell for state, row in table.items() for event, cell in row.items()} == dict(
        loaded(name).spec.cells
    )
    assert machine(name).table.models == []
    assert not [event for event in machine(name).table.events if event.startswith("to_")]
