"""Recorded calls are runs of the world, each in the dialect named for it, and no assumption has to go for one."""

from __future__ import annotations

import pytest

from tests.recordings import CALLS, DIALECTS, Recorded
from tests.tools.acceptance.logs import accepted, projection
from tools.acceptance.projection import marks_of

ASSUMED = {  # what a trace leaves out
    "beta_openai_webrtc_bargein_after_response_done": {"client_is_recorded": "no"},
    "errors_seen": {"client_is_recorded": "no", "updates_are_recorded": "no", "things_fail": "yes"},
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_trace_is_a_run_of_the_world(recorded: Recorded, name: str) -> None:
    found = accepted(recorded(name), dialect=DIALECTS[name])
    assert (found.outcome, found.stop) == ("accepted", None)
    assert found.relaxed == {}
    assert found.assumed == ASSUMED.get(name, {})
    assert found.events >= 7


@pytest.mark.parametrize("name", DIALECTS)
def test_its_marks_tell_the_dialect(recorded: Recorded, name: str) -> None:
    marks = {mark for row in recorded(name) for mark in marks_of(row["event"])}
    assert projection().recognised(marks).name == DIALECTS[name]


@pytest.mark.parametrize("name", CALLS)
def test_most_of_a_trace_says_something_or_why_not(recorded: Recorded, name: str) -> None:
    log = recorded(name)
    found = accepted(log)
    assert found.events + sum(found.passed.values()) == len(log)
    assert all(found.passed) and "" not in found.passed


def test_the_world_of_the_projection_is_the_one_that_specs_are_verified_in() -> None:
    assert projection().world.name == "realtime"
