"""Controllers that do what failing systems do: each is refuted by a property, with a run of about this length."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from adapters.specs import load_spec
from adapters.verify.run import load_environment
from fsm.language.problem import SpecError
from fsm.verify.environment import Environment
from fsm.verify.sequence_diagram import mermaid
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.verify import house

# controller: scene, turns, the property that fails, and the steps of its shortest run
REFUTED = {
    "answer_tool_twice": ("keys", 0, "tools_answered_once", 16),
    "ask_after_each_tool": ("keys", 0, "one_create_at_a_time", 15),
    "ask_while_caller_speaks": ("turns", 1, "one_create_at_a_time", 10),
    "cancel_and_create": ("turns", 1, "no_create_is_rejected", 15),
    "check_then_send": ("tools", 1, "no_create_is_rejected", 26),
    "forget_the_owed_answer": ("turns", 2, "nothing_is_forgotten", 26),
    "log_the_rejection": ("turns", 1, "turns_are_answered", 19),
    "update_before_created": ("turns", 1, "update_after_created", 2),
    "wait_for_created": ("loss", 1, "every_wait_ends[response_pending]", 6),
}
REFUSED = {
    "ask_after_each_tool", "ask_while_caller_speaks", "cancel_and_create", "check_then_send", "log_the_rejection",
    "update_before_created",
}  # fmt: skip
SLACK = 3  # the world and the bundled parts go on growing
BROKEN = house.SPECS / "broken"


@functools.cache
def around() -> Environment:
    return load_environment()


def verdict(path: Path, scene: str, turns: int) -> SceneVerdict:
    spec = load_spec(path, typestate=False).spec
    limits = SearchLimits(scene, bounds={"turns": turns})
    return Verification(spec, around().world, around().properties, limits).run(lambda: 0.0)


def test_every_broken_controller_is_here() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == set(REFUTED)


@pytest.mark.parametrize("name", REFUTED)
def test_it_is_refuted_with_a_run(name: str) -> None:
    scene, turns, broken, steps = REFUTED[name]
    found = {f.name: f.run for f in verdict(BROKEN / f"{name}.yaml", scene, turns).violated}
    assert broken in found, f"violated: {sorted(found)}"
    run = found[broken]
    assert run is not None
    assert abs(len(run.steps) - steps) <= SLACK, str(run)
    assert run.places and all(place.line > 0 for place in run.places)
    assert mermaid(run).startswith("sequenceDiagram")


@pytest.mark.parametrize("name", REFUTED)
def test_the_type_check_refuses_it_where_it_can(name: str) -> None:
    """What no set of slots can tell (a wait too long, a debt forgotten, a late result) only a run can."""
    if name in REFUSED:
        with pytest.raises(SpecError, match="illegal-effect"):
            load_spec(BROKEN / f"{name}.yaml")
    else:
        load_spec(BROKEN / f"{name}.yaml")
