"""The lifecycle whose provider owns the turns, in the world that it names: each quick scene, each property."""

from __future__ import annotations

import functools

import pytest

from adapters.verify.run import load_environment
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification, scenes
from tests.fsm.bundle import load_changed, loaded

SPEC = loaded("provider_turns").spec
ENVIRONMENT = load_environment(SPEC)
SCENES = scenes(SPEC, ENVIRONMENT.world, "quick")
ASKS_AGAIN = {"answer_overdue in response_pending", "both_silent in configured", "transfer_overdue in closing"}
"""These fire, something is asked for, and the wait goes on: how often is counted, and bounded."""


def judged(scene: str, *changes: tuple[str, str, str]) -> SceneVerdict:
    spec = load_changed("provider_turns", *changes, typestate=False).spec
    return Verification(spec, ENVIRONMENT.world, ENVIRONMENT.properties, SearchLimits(scene=scene)).run(lambda: 0.0)


@functools.cache
def verdict(scene: str) -> SceneVerdict:
    return judged(scene)


@pytest.mark.parametrize("scene", SCENES)
def test_all_properties_hold(scene: str) -> None:
    found = verdict(scene)
    assert not found.partial
    assert not found.problems, found.problems[0]
    assert not found.violated, f"{found.violated[0].name}:\n{found.violated[0].run}"
    assert set(found.in_vain) <= ASKS_AGAIN


@pytest.mark.parametrize(
    ("scene", "broken", "noticed"),
    [
        (
            "turns",
            ("provider_turns.yaml", "  is_cut: [flush_playout, ", "  is_cut: ["),
            "a_caller_who_talks_over_is_heard",
        ),
        (
            "alarms",
            ("provider_turns.yaml", "do: [caller_begins, is_believed]", "do: [caller_begins]"),
            "turns_are_answered",
        ),
        (
            "tools",
            ("provider_turns.yaml", "{do: [send_tool_output, tools_running -= 1,", "{do: [tools_running -= 1,"),
            "calls_are_answered",
        ),
        (
            "endless",
            ("provider_turns.yaml", "do: [presume(voice_lost)], to", "do: [], to"),
            "every_wait_ends",
        ),
        (
            "faults_again",
            ("provider_turns.yaml", "do: [restore_history, renewal = no]", "do: [start_session, renewal = no]"),
            "history_is_restored",
        ),
    ],
)  # fmt: skip
def test_a_broken_version_is_noticed(scene: str, broken: tuple[str, str, str], noticed: str) -> None:
    found = judged(scene, broken)
    names = {finding.name.partition("[")[0] for finding in found.violated} | ({""} if found.problems else set())
    assert noticed in names or (not noticed and names)
