"""The lifecycles with a world of their own, in the world that each names: each quick scene, each property."""

from __future__ import annotations

import functools

import pytest

from adapters.verify.run import load_environment
from fsm.verify.environment import Environment
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification, scenes
from tests.fsm.bundle import load_changed, loaded

NAMES = ("full_duplex", "provider_turns")
ASKS_AGAIN = {"answer_overdue in response_pending", "both_silent in configured", "transfer_overdue in closing"}
"""These fire, something is asked for, and the wait goes on: how often is counted, and bounded."""


@functools.cache
def environment(name: str) -> Environment:
    return load_environment(loaded(name).spec)


def judged(name: str, scene: str, *changes: tuple[str, str]) -> SceneVerdict:
    spec = load_changed(name, *((f"{name}.yaml", *change) for change in changes), typestate=False).spec
    around = environment(name)
    return Verification(spec, around.world, around.properties, SearchLimits(scene=scene)).run(lambda: 0.0)


@pytest.mark.parametrize(
    ("name", "scene"),
    [(name, scene) for name in NAMES for scene in scenes(loaded(name).spec, environment(name).world, "quick")],
)
def test_all_properties_hold(name: str, scene: str) -> None:
    found = judged(name, scene)
    assert not found.partial
    assert not found.problems, found.problems[0]
    assert not found.violated, f"{found.violated[0].name}:\n{found.violated[0].run}"
    assert set(found.in_vain) <= ASKS_AGAIN


@pytest.mark.parametrize(
    ("name", "scene", "broken", "noticed"),
    [
        (
            "full_duplex", "tools",
            ("{if: batch == due and tools_running == 0 and", "{if: batch == due and"),
            "no_partial_batch",
        ),
        (
            "full_duplex", "turns_fail",
            ("    - {if: spoken or (at_work", "    - {if: lonely == 2 or (at_work"),
            "turns_are_answered",
        ),
        (
            "full_duplex", "turns",
            ("  cut_in: [flush_playout, {if", "  cut_in: [{if"),
            "a_caller_who_talks_over_is_heard",
        ),
        (
            "full_duplex", "stuck",
            ("    - forget_delegations\n", ""),
            "calls_are_answered",
        ),
        (
            "full_duplex", "parting",
            ("do: [transfer, parting = no]", "do: [transfer]"),
            "nobody_is_put_through_unasked",
        ),
        (
            "full_duplex", "parting",
            ("spoken = yes, lonely = 0, parting = no]", "spoken = yes, lonely = 0]"),
            "nobody_is_hung_up_on",
        ),
        (
            "full_duplex", "parting",
            ("      transfer.completed:         {to: farewell}", "      transfer.completed:         {to: closed}"),
            "the_goodbye_is_heard",
        ),
        (
            "full_duplex", "keys",
            ("operator.hang_up_requested: {to: farewell}", "operator.hang_up_requested: {to: closing}"),
            "we_hang_up_when_all_is_said",
        ),
        (
            "full_duplex", "stuck",
            (
                "    - {if: tools_running > 0, do: [forget_tools, tools_running = 0]}\n    - fail\n",
                "    - {if: tools_running == 0, do: [forget_tools, tools_running = 0]}\n    - fail\n",
            ),
            "work_that_is_given_up_runs_no_tools",
        ),
        (
            "full_duplex", "turns_fail",
            ("{if: spoken, do: [take_turn, watch_silence]}", "{if: not spoken, do: [take_turn, watch_silence]}"),
            "first_words_are_a_turn",
        ),
        (
            "full_duplex", "stalled",
            ("[presume(voice_lost), talked_over = no]", "[presume(voice_lost)]"),
            "the_state_says_who_speaks",
        ),
        (
            "provider_turns", "turns",
            ("  is_cut: [flush_playout, ", "  is_cut: ["),
            "a_caller_who_talks_over_is_heard",
        ),
        (
            "provider_turns", "silent",
            ("{if: spoken != no, do: [lonely = 0]}, spoken = no, ", "spoken = no, lonely = 0, "),
            "nobody_is_pestered",
        ),
        (
            "provider_turns", "parting",
            ("application.hang_up_requested: {do: [parting = hang_up], to: next_floor}",
             "application.hang_up_requested: {to: closed}"),
            "the_goodbye_is_heard",
        ),
        (
            "provider_turns", "turns",
            ("voice.began.new, voice.ended.current: {to: next_floor}",
             "voice.began.new, voice.ended.current: {to: farewell}"),
            "calls_end_for_a_reason",
        ),
        (
            "provider_turns", "parting",
            ("      transfer.failed:           {do: [tell_of_failure], to: next_floor}",
             "      transfer.failed:           {do: [tell_of_failure]}"),
            "the_floor_is_as_it_is_heard",
        ),
        (
            "provider_turns", "alarms",
            ("do: [floor_opens, is_believed]", "do: [floor_opens]"),
            "turns_are_answered",
        ),
        (
            "provider_turns", "tools",
            ("{do: [send_tool_output, tools_running -= 1,", "{do: [tools_running -= 1,"),
            "calls_are_answered",
        ),
        (
            "provider_turns", "endless",
            ("do: [presume(voice_lost)], to", "do: [], to"),
            "every_wait_ends",
        ),
        (
            "provider_turns", "faults_again",
            ("do: [restore_history, renewal = no]", "do: [start_session, renewal = no]"),
            "history_is_restored",
        ),
    ],
)  # fmt: skip
def test_a_broken_version_is_noticed(name: str, scene: str, broken: tuple[str, str], noticed: str) -> None:
    found = judged(name, scene, broken)
    assert noticed in {finding.name.partition("[")[0] for finding in found.violated}
