"""The recorded traces are runs of the world, each in the dialect named for it, and no assumption has to go for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.acceptance.logs import accepted, projection, rows
from tools.acceptance.projection import marks_of

DIALECTS = {
    "ga_openai_server_vad_turn": "ga",
    "ga_openai_three_server_vad_turns": "ga",
    "ga_openai_tool_call_round": "ga",
    "ga_openai_text_in_audio_out": "ga",
    "ga_openai_client_cancel_text": "ga",
    "ga_openai_webrtc_sideband_audio": "sideband",
    "ga_azure_vad_transcription_failed": "ga",
    "voicelive_server_vad_turn": "voicelive",
    "beta_openai_webrtc_bargein_after_response_done": "beta",
    "errors_seen": "excerpt",
}
ASSUMED = {  # what a trace leaves out
    "beta_openai_webrtc_bargein_after_response_done": {"client_is_recorded": "no"},
    "errors_seen": {"client_is_recorded": "no", "updates_are_recorded": "no", "things_fail": "yes"},
}


def test_no_trace_is_left_out(traces: Path) -> None:
    assert {file.stem for file in traces.glob("*.jsonl")} == set(DIALECTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_trace_is_a_run_of_the_world(traces: Path, name: str) -> None:
    found = accepted(rows(traces / f"{name}.jsonl"), dialect=DIALECTS[name])
    assert (found.outcome, found.stop) == ("accepted", None)
    assert found.relaxed == {}
    assert found.assumed == ASSUMED.get(name, {})
    assert found.events >= 7


@pytest.mark.parametrize("name", DIALECTS)
def test_its_marks_tell_the_dialect(traces: Path, name: str) -> None:
    marks = {mark for row in rows(traces / f"{name}.jsonl") for mark in marks_of(row["event"])}
    assert projection().recognised(marks).name == DIALECTS[name]


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - {"errors_seen"}))
def test_most_of_a_trace_says_something_or_why_not(traces: Path, name: str) -> None:
    log = rows(traces / f"{name}.jsonl")
    found = accepted(log)
    assert found.events + sum(found.passed.values()) == len(log)
    assert all(found.passed) and "" not in found.passed


def test_the_world_of_the_projection_is_the_one_that_specs_are_verified_in() -> None:
    assert projection().world.name == "realtime"
