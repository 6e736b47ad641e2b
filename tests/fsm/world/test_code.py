"""The generated code of a world against an interpreter of the same text, on the worlds of a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from fsm.verify.verify import SearchLimits, Verification
from fsm.world.code import Code
from fsm.world.queues import QueueChange
from fsm.world.world import Act
from tests.fsm.verify import house
from tests.fsm.world.interpreter import Interpreter

WILD = {"events_may_be_lost": "yes", "things_fail": "yes"}
BOUNDS = {"calls": 1, "losses": 1, "faults": 1, "keys": 1, "says": 1}
POP = QueueChange("pop", 0)


def searched(name: str) -> Verification:
    limits = SearchLimits(assume=WILD, bounds=BOUNDS, max_states=5000)
    made = Verification(house.spec(name), house.world(), house.properties(), limits)
    made.run(lambda: 0.0)
    return made


def sequences(made: Verification) -> Iterator[tuple[Act, ...]]:
    """The operations of every move, and of every sequence of effects that a step of the machine has had."""
    hooks, world = made.binding.hooks, made.world
    for move in made.binding.moves:
        yield (*move.acts, *hooks.get(("move", move.name), ()))
    for effects in made.tables.sequences:
        acts: list[Act] = []
        for name, literal in effects:
            acts += (*world.effects[name], *hooks.get(("effect", name), ()))
            acts += hooks.get(("effect", f"{name}({literal})"), ())
        yield tuple(acts)


def differences(made: Verification, acts: Sequence[Act], lose: int, every: int) -> int:
    """Compares on every n-th world; how often there was something to compare."""
    hooks, compared = made.binding.hooks, 0
    code = Code(made.world, hooks, acts, (POP,), True, lose)
    for values in made.tables.worlds[::every]:
        plain = Interpreter(made.world, hooks, values, True, lose)
        plain.changes.append(POP)
        plain.take(acts)
        after = bytearray(values)
        path = code.paths[code.run(after)]
        if path is None:
            assert lose >= 0 and plain.lost is None
            continue
        compared += 1
        assert list(after) == plain.values
        assert (path.changes, path.event, path.lost) == (tuple(plain.changes), plain.event, plain.lost)
        assert path.sends == plain.sends
    return compared


@pytest.mark.parametrize("name", house.BUNDLED)
def test_the_generated_code_does_what_the_text_says(name: str) -> None:
    made = searched(name)
    compared = {lose: sum(differences(made, a, lose, 29) for a in sequences(made)) for lose in (-1, 0, 1)}
    assert compared[-1] > 1000 and compared[0] > 100 and compared[1] > 10


def test_a_queue_changes_as_its_name_says() -> None:
    queue = bytes((1, 2, 1, 3, 1))
    assert QueueChange("push", 0, b"\x04").on(queue) == bytes((1, 2, 1, 3, 1, 4))
    assert QueueChange("pop", 0).on(queue) == bytes((2, 1, 3, 1))
    assert QueueChange("clear", 0).on(queue) == b""
    assert QueueChange("rename", 0, bytes((1, 9))).on(queue) == bytes((9, 2, 9, 3, 9))
    assert QueueChange("rename", 0, bytes((1, 9, 3))).on(queue) == bytes((9, 2, 9, 3, 1))  # up to the first 3
    assert QueueChange("rename", 0, bytes((1, 0, 2))).on(queue) == bytes((2, 1, 3, 1))  # taken out
