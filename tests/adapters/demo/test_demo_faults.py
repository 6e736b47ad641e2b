"""The demo's call under faults: answers come, nobody is silent without end, and it says what was not healthy."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.demo.plan import PlanError, fault_names
from tests.adapters.demo.played_demo import planned, play

UNHARMED = ("crossing", "lost_speech_stopped", "late_session_updated", "twice_response_done", "garbage")


@pytest.mark.parametrize("name", UNHARMED)
def test_a_fault_that_a_caller_does_not_notice(name: str, tmp_path: Path) -> None:
    summary = play(tmp_path, scenario=name).summary
    assert summary["problems"] == []
    assert (summary["turns"], summary["answers"], summary["violations"]) == (6, 6, 0)


def test_the_end_of_an_answer_that_never_comes_costs_seconds_and_no_more(tmp_path: Path) -> None:
    summary = play(tmp_path, scenario="lost_response_done").summary
    assert summary["rejections"] == 0 and summary["underruns"] == 0
    assert summary["answers"] >= 5
    assert summary["caller"]["longest_silence_ms"] < 12_000
    assert summary["answers_by_outcome"]["unended"] == 1


def test_a_connection_that_drops_is_opened_again_and_the_call_goes_on(tmp_path: Path) -> None:
    demo = play(tmp_path, scenario="closed_in_mid_call")
    assert demo.summary["reconnects"] == 1
    assert (demo.summary["turns"], demo.summary["answers"]) == (6, 6)
    assert demo.said("caller")[-1] == "Thank you, bye."
    assert demo.said("agent")[-1] == "You are welcome. Bye!"
    assert any("1006" in note for note in demo.said("note"))


def test_a_provider_that_is_not_there_is_an_apology_and_it_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "down.yaml"
    file.write_text("faults: [{fault: http_status, status: 401}]\n")
    demo = play(tmp_path / "out", scenario=str(file))
    assert "the caller hears a recorded apology" in demo.said("note")
    assert demo.summary["reconnects"] == 0
    assert demo.outcome.problems


@pytest.mark.parametrize("spec", ["owned_turns", "push_to_talk"])
@pytest.mark.parametrize("name", ["lost_response_done", "closed_in_mid_call"])
def test_the_other_specs_bear_them_too(spec: str, name: str, tmp_path: Path) -> None:
    summary = play(tmp_path, spec=spec, scenario=name).summary
    assert summary["answers"] >= 4 and summary["rejections"] == 0
    assert summary["caller"]["longest_silence_ms"] < 14_000
    assert summary["violations"] == 0


def test_a_scenario_of_ones_own_has_its_own_conversation(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "user_turns: [One, Two, Three, Four, Five]\n"
        'responses: [{when: {after: user}, times: 0, output: [{say: "I hear you, and take my time to say so."}]}]\n'
    )
    demo = play(tmp_path / "out", scenario=str(file))
    assert demo.said("caller") == ["One", "Two", "Three", "Four", "Five"]
    assert demo.said("agent").count("I hear you, and take my time to say so.") >= 5


def test_a_rejected_create_is_found_and_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("faults: [{fault: cross_create, nth: 1}]\n")
    demo = play(tmp_path / "out", scenario=str(file))
    assert demo.summary["rejections"] == 1
    assert any("rejected by the provider" in problem for problem in demo.outcome.problems)
    assert demo.summary["answers"] >= 6


@pytest.mark.parametrize("name", fault_names())
def test_the_scenarios_of_the_demo_say_what_they_are(name: str) -> None:
    assert planned(scenario=name).scenario.description


def test_a_scenario_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nowhere\.yaml"):
        planned(scenario=str(tmp_path / "nowhere.yaml"))
    (tmp_path / "bad.yaml").write_text("faults: [{fault: lose, typ: x}]")
    with pytest.raises(PlanError, match=r"faults\[0\]"):
        planned(scenario=str(tmp_path / "bad.yaml"))
