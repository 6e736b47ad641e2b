"""What a scenario over the wire counts of interruptions."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import MagicMock

import pytest

from adapters.scenario.interruptions import interruption_numbers
from adapters.simulator.caller.hearing import Segment
from fsm.machine.machine import Effect, Event


def step(event: str, *effects: str) -> MagicMock:
    return MagicMock(event=Event(event, {}), effects=tuple(Effect(name, {}) for name in effects))


def numbers(
    steps: Sequence[tuple[int, MagicMock]], agent: Segment, caller: Segment, *holes: Segment
) -> dict[str, object]:
    report = MagicMock(agent_speech=(agent,), caller_speech=(caller,), holes=holes)
    return dict(interruption_numbers(steps, report))


AGENT, CALLER = Segment(1000, 9000), Segment(5000, 6000)


@pytest.mark.parametrize(
    ("at_ms", "event", "effects", "false"),
    [
        (2000, "x", ("pause_playout",), 1),
        (2000, "x", ("flush_playout", "watch_silence"), 1),
        (2000, "x", ("resume_playout",), 0),
        (2000, "caller.pressed_key", ("flush_playout",), 0),
        (5200, "x", ("flush_playout",), 0),
        (7400, "x", ("flush_playout",), 0),
        (7600, "x", ("flush_playout",), 1),
        (9200, "x", ("flush_playout",), 0),
        (500, "x", ("pause_playout",), 0),
    ],
    ids=["a pause", "a cut", "no cut", "a key", "he speaks", "he has spoken", "long ago", "nothing to hear", "before"],
)
def test_false_is_what_the_caller_has_not_caused(at_ms: int, event: str, effects: tuple[str, ...], false: int) -> None:
    assert numbers([(at_ms, step(event, *effects))], AGENT, CALLER)["false_interruptions"] == false


def test_how_soon_the_agent_yields_and_what_holes_there_are() -> None:
    found = numbers([], Segment(1000, 5320), CALLER, Segment(2000, 2030), Segment(3000, 3060))
    assert (found["yield_ms"], found["longest_hole_ms"]) == (320, 60)
    assert numbers([], Segment(1000, 4000), CALLER)["yield_ms"] == 0
