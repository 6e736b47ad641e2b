"""What the caller says and the provider does not report: it is asked for a sign of life, and left if it gives none."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

SPECS = ("server_vad", "owned_turns")
PROBED = """
    spoke                | configured |
    timer speech_overdue | configured | probe_session
"""


def quiet(spec: str) -> Story:
    return Story(spec, owed="none").ready()


@pytest.mark.parametrize("spec", SPECS)
def test_a_provider_that_gives_no_sign_of_life_is_left_within_four_seconds(spec: str) -> None:
    story = quiet(spec).tell("spoke | configured |").tell("wait 1500").tell("wait 2000")
    assert story.state == "reconnecting" and story.count("probe_session") == 1 and story.now_ms == 3500
    assert story.count("close_provider") == 1 and story.count("close_uplink") == 1


@pytest.mark.parametrize("spec", SPECS)
def test_a_provider_that_replies_took_it_for_no_speech(spec: str) -> None:
    story = quiet(spec).tell(PROBED).tell("session_updated | configured |").tell("wait 60000")
    assert story.state == "configured" and story.count("create_response") == 0
    assert story.value("session") == "configured"


@pytest.mark.parametrize("spec", SPECS)
def test_a_refusal_of_the_probe_is_a_sign_of_life(spec: str) -> None:
    story = quiet(spec).tell(PROBED).tell("error cannot_update probe_session | configured |").tell("wait 10000")
    assert story.state == "configured"


@pytest.mark.parametrize("spec", SPECS)
def test_the_third_time_in_a_row_the_turn_is_taken(spec: str) -> None:
    story = quiet(spec)
    for _ in range(2):
        story.tell(PROBED).tell("session_updated | configured |")
    story.tell(PROBED)
    story.tell("session_updated")
    assert story.state == "response_pending"
    assert story.count("commit_audio") == 1 and story.count("create_response") == 1
    story.tell("committed u1").tell("created r1 ours | responding |").tell("heard r1 i1").tell("done r1").tell(
        "drained"
    )
    story.tell("wait 60000")
    assert story.state == "configured" and story.count("create_response") == 1


@pytest.mark.parametrize("spec", SPECS)
def test_what_the_provider_reports_a_moment_later_is_its_turn(spec: str) -> None:
    story = quiet(spec).tell("spoke | configured |").tell("wait 400").tell("speech_started u1")
    story.tell("spoke | user_speaking =ignored |").tell("wait 5000")
    assert story.state == "user_speaking" and story.count("probe_session") == 0


@pytest.mark.parametrize("spec", SPECS)
def test_a_reported_turn_begins_the_count_anew(spec: str) -> None:
    story = quiet(spec).tell(PROBED).tell("session_updated")
    assert story.value("misses") == "1"
    story.tell("speech_started u1")
    assert story.value("misses") == "0"


def test_a_session_that_was_never_confirmed_is_not_probed() -> None:
    """A server that never sends session.updated would be left again and again."""
    story = Story("server_vad", owed="none").opened().tell("timer update_overdue | configured | open_uplink")
    story.tell("spoke | configured |").tell("wait 60000")
    assert story.count("probe_session") == 0 and story.state == "configured"
    assert story.count("reassure") == 0, "nothing is owed: a noise is no reason to ask for a moment"


def test_a_caller_who_is_not_heard_waits_six_seconds_in_silence_at_most() -> None:
    story = quiet("server_vad").tell("spoke").tell("wait 6000")
    assert story.count("reassure") == 1
