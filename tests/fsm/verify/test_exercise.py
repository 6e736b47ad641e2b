"""What a verdict says nothing of: states, events, effects and rows that no run of its scenes came to."""

from __future__ import annotations

import attrs

from fsm.language.problem import Place
from fsm.verify.exercise import IdleRow, NotExercised, not_exercised
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.verify import house

NAME = "push_to_talk"


def verdict(scene: str) -> SceneVerdict:
    limits = SearchLimits(scene=scene)
    return Verification(house.spec(NAME), house.world(), house.properties(), limits).run(lambda: 0.0)


def test_what_one_scene_leaves_out_another_exercises() -> None:
    spec, turns, tools = house.spec(NAME), verdict("turns"), verdict("tools")
    alone, both = not_exercised(spec, [turns]), not_exercised(spec, [turns, tools])
    assert "tool_call" in alone.states and "tool_call" not in both.states
    assert "tool.called.new" in alone.events and "tool.called.new" not in both.events
    assert "run_tool" in alone.effects and "run_tool" not in both.effects
    assert "connect_provider" not in alone.effects  # done before anything has happened
    assert set(both.rows) < set(alone.rows) and both.count < alone.count


def test_a_new_state_that_nothing_leads_to_is_named() -> None:
    spec = house.spec(NAME)
    hold = attrs.evolve(spec.states["configured"], name="on_hold")
    found = not_exercised(
        attrs.evolve(spec, states={**spec.states, "on_hold": hold}), [verdict("turns"), verdict("tools")]
    )
    assert found.states[-1] == "on_hold"
    assert f"of {len(spec.states) + 1} states never visited (reconnecting, on_hold), " in str(found)
    assert next(found.named()) == ("states:", "reconnecting, on_hold")


def test_where_everything_was_exercised_there_is_nothing_to_say() -> None:
    nothing = NotExercised((), (), (), ())
    assert (str(nothing), list(nothing.named()), nothing.count) == ("", [], 0)
    some = attrs.evolve(nothing, effects=("a",), events=("b", "c"), of={"effects": 4, "events": 9})
    assert str(some) == "2 of 9 events, 1 of 4 effects never exercised"
    row = IdleRow(Place("x.yaml", 3, 5), "idle/caller.spoke")
    assert list(attrs.evolve(nothing, rows=(row,)).named()) == [("row:", "x.yaml:3:5  idle/caller.spoke")]
