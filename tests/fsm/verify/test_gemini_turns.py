"""The lifecycle over Gemini Live, in the world of those whose provider owns the turns: what is its own."""

from __future__ import annotations

import pytest

from adapters.verify.run import load_environment
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.bundle import load_changed, loaded

ENVIRONMENT = load_environment(loaded("gemini_turns").spec)


def judged(scene: str, *changes: tuple[str, str, str]) -> SceneVerdict:
    spec = load_changed("gemini_turns", *changes, typestate=False).spec
    return Verification(spec, ENVIRONMENT.world, ENVIRONMENT.properties, SearchLimits(scene=scene)).run(lambda: 0.0)


@pytest.mark.parametrize("scene", ["taken_up", "renewed_by_handle", "tools"])
def test_all_properties_hold(scene: str) -> None:
    found = judged(scene)
    assert not found.partial
    assert not found.problems, found.problems[0]
    assert not found.violated, f"{found.violated[0].name}:\n{found.violated[0].run}"


def test_a_session_that_is_begun_anew_has_forgotten_what_was_said() -> None:
    broken = ("gemini_turns.yaml", "do: [restore_history, renewal = no]", "do: [start_session, renewal = no]")
    found = judged("taken_up", broken)
    assert "history_is_restored" in {finding.name for finding in found.violated}
