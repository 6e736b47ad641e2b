"""The greeting: asked for without waiting for caller audio; the caller speaks before, during and after it."""

from __future__ import annotations

import pytest

from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.stories.story import Story

VAD = ("server_vad", "owned_turns")


@pytest.mark.parametrize("spec", NAMES)
def test_the_greeting_is_asked_for_once_configured_and_heard(spec: str) -> None:
    story = Story(spec).greeted()
    assert story.count("create_response") == 1
    assert story.value("owed") == "none"


@pytest.mark.parametrize("spec", NAMES)
def test_nothing_is_asked_for_where_no_greeting_is_wanted(spec: str) -> None:
    story = Story(spec, owed="none").ready()
    story.tell("wait 60000")
    assert story.count("create_response") == 0


@pytest.mark.parametrize("spec", NAMES)
def test_nothing_is_sent_before_the_provider_has_spoken(spec: str) -> None:
    story = Story(spec).tell("opened | awaiting_session_created |")
    assert [e.name for e in story.effects] == ["connect_provider"]


def test_the_caller_speaks_before_session_updated_which_is_lost_for_long() -> None:
    """What the caller said before the session was configured counts only once the uplink is open."""
    Story("server_vad").opened().tell(
        """
        speech_started u1 | configuring      =ignored |
        session_updated   | response_pending | open_uplink create_response(greeting)
        """
    )


def test_server_vad_the_caller_speaks_between_our_create_and_its_response() -> None:
    """The greeting is cut, by its id, and not repeated; the turn gets one answer, the provider's."""
    story = Story("server_vad").opened()
    story.tell(
        """
        session_updated   | response_pending | open_uplink create_response(greeting)
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        created g ours    | user_speaking    | cancel_response(g) flush_playout(g)
        flushed           | user_speaking    |
        done g cancelled  | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        flushed           | response_pending |
        created r1        | responding       |
        heard r1 i1       | responding       |
        done r1           | playing_out      |
        drained           | configured       |
        wait 60000        | configured =nothing |
        """
    )
    assert story.count("create_response") == 1


@pytest.mark.parametrize("spec", VAD)
def test_the_caller_speaks_while_the_greeting_is_generated(spec: str) -> None:
    story = Story(spec).opened()
    story.tell(
        """
        session_updated    | response_pending | open_uplink create_response(greeting)
        created g ours     | responding       |
        heard g ig         | responding       |
        speech_started u1  | user_speaking    | flush_playout(g) watch_silence
        flushed ig:g:700/3000 | user_speaking | truncate_item(ig@700)
        done g interrupted | user_speaking    |
        """
    )
    assert story.value("owed") == "none"
    assert story.count("cancel_response") == 0  # the provider interrupts by itself


@pytest.mark.parametrize("spec", VAD)
def test_the_caller_speaks_while_the_greeting_still_plays(spec: str) -> None:
    story = Story(spec).opened()
    story.tell(
        """
        session_updated    | response_pending | open_uplink create_response(greeting)
        created g ours     | responding       |
        heard g ig         | responding       |
        done g             | playing_out      |
        speech_started u1  | user_speaking    | flush_playout() watch_silence
        flushed ig:g:700/3000 | user_speaking | truncate_item(ig@700)
        """
    )
    assert story.value("owed") == "none"


def test_push_to_talk_a_press_before_the_greeting_has_begun_cuts_it() -> None:
    story = Story("push_to_talk").opened()
    story.tell(
        """
        session_updated | response_pending | create_response(greeting)
        key #           | user_speaking    | flush_playout() clear_audio open_uplink watch_silence
        created g ours  | user_speaking    | cancel_response(g) flush_playout(g)
        done g cancelled | user_speaking   |
        """
    )
    assert story.value("owed") == "none"
    assert story.count("create_response") == 1


@pytest.mark.parametrize(
    ("spec", "speaks"),
    [
        ("server_vad", "speech_started u1 | user_speaking | flush_playout() watch_silence"),
        ("owned_turns", "speech_started u1 | user_speaking | flush_playout() watch_silence"),
        ("push_to_talk", "key # | user_speaking | flush_playout() clear_audio open_uplink watch_silence"),
    ],
)
def test_a_greeting_that_is_not_under_way_when_the_caller_speaks_is_dropped(spec: str, speaks: str) -> None:
    """Its create was rejected; before it is asked for again the caller has begun."""
    story = Story(spec).opened().tell("session_updated")
    story.tell("error server_error create_response | response_pending |")
    assert story.value("owed") == "greeting"
    story.tell(speaks)
    assert story.value("owed") == "none"


@pytest.mark.parametrize("spec", NAMES)
def test_a_greeting_that_failed_unheard_is_asked_for_again(spec: str) -> None:
    story = Story(spec).opened().tell("session_updated").tell("created g ours | responding |")
    story.tell("done g failed | response_pending |").tell(
        "timer retry_due | response_pending | create_response(greeting)"
    )
