"""Nothing is lost with a session: what nobody has answered is said to the next one, and answered once."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

VAD = ["server_vad", "owned_turns"]


def called(spec: str) -> Story:
    """A tool has returned, and its output was sent."""
    story = Story(spec, owed="none").ready()
    if spec == "push_to_talk":
        story.tell("key #").tell("committable").tell("key #").tell("committed u1").tell("created r1 ours")
    else:
        story.tell("speech_started u1").tell("flushed").tell("speech_stopped u1").tell("committed u1")
        story.tell("created r1" if spec == "server_vad" else "created r1 ours")
    story.tell("calls r1 c1").tell("done r1 calls c1")
    return story.tell("returned c1 | response_pending | send_tool_output(c1) create_response(tools)")


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns", "push_to_talk"])
def test_an_output_that_is_rejected_is_sent_once_more_and_then_told_as_a_message(spec: str) -> None:
    story = called(spec)
    story.tell("error invalid_value send_tool_output | response_pending | send_tool_output(c1)")
    assert story.value("unechoed") == "1"
    story.tell("error invalid_value send_tool_output | response_pending | tell_tool_output")
    assert story.value("owed") == "tools" and story.value("unechoed") == "1"
    told = next(e for e in story.effects if e.name == "tell_tool_output")
    assert told.args["output"] == "12 degrees"
    story.tell("created r2 ours | responding |").tell("heard r2 i2").tell("done r2")
    assert story.count("send_tool_output") == 2


def test_what_was_said_in_a_lost_session_of_push_to_talk_is_said_to_the_next_one_and_answered_once() -> None:
    story = Story("push_to_talk", owed="none").ready()
    story.tell("key #").tell("committable").tell("key # | response_pending | close_uplink commit_audio unwatch_silence")
    story.tell("closed").tell("timer reconnect_due").tell("kept | connecting |").opened()
    story.tell("session_updated | response_pending | restore_history resend_turn commit_audio")
    story.tell("committed u2 | response_pending | create_response(turn)")
    story.tell("created r1 ours").tell("heard r1 i1").tell("done r1").tell("drained").tell("wait 60000")
    assert story.state == "configured" and story.count("create_response") == 1


def test_an_answer_that_was_on_its_way_is_not_asked_for_beside_what_is_said_again() -> None:
    story = Story("push_to_talk", owed="none").ready()
    story.tell("key #").tell("committable").tell("key #").tell("committed u1").tell("closed")
    assert story.value("owed") == "turn"
    story.tell("timer reconnect_due").tell("kept").opened()
    story.tell("session_updated | response_pending | restore_history resend_turn commit_audio")
    assert story.count("create_response") == 1  # of the session that is gone


def lost_after_its_turn(spec: str) -> Story:
    """The session went after the commit of a turn, whose answer is owed; the caller's words are kept."""
    story = Story(spec, owed="none").ready()
    story.tell("speech_started u1").tell("flushed").tell("speech_stopped u1").tell("committed u1")
    before = story.count("create_response")
    story.tell("closed | reconnecting | close_uplink").tell("kept | reconnecting |").tell(
        "timer reconnect_due"
    ).opened()
    assert story.value("owed") == "turn" and before == (spec == "owned_turns")
    return story


@pytest.mark.parametrize("spec", VAD)
def test_what_the_provider_hears_again_is_not_asked_for_beside_it(spec: str) -> None:
    story = lost_after_its_turn(spec)
    before = story.count("create_response")
    story.tell("session_updated | response_pending | restore_history open_uplink")
    story.tell("speech_started u2 | user_speaking | flush_playout() watch_silence").tell("flushed")
    story.tell("speech_stopped u2 | response_pending | unwatch_silence").tell("committed u2")
    story.tell("created r2 ours" if spec == "owned_turns" else "created r2")
    story.tell("heard r2 i2").tell("done r2").tell("drained").tell("wait 60000")
    assert story.state == "configured" and story.count("create_response") - before == (spec == "owned_turns")


@pytest.mark.parametrize("spec", VAD)
def test_where_the_provider_hears_nothing_in_it_the_answer_is_asked_for(spec: str) -> None:
    story = lost_after_its_turn(spec).tell("session_updated | response_pending | restore_history open_uplink")
    story.tell("wait 2999 | response_pending =nothing |").tell("wait 1 | response_pending | create_response(turn)")


@pytest.mark.parametrize("spec", VAD)
def test_what_is_being_said_again_is_still_owed_when_that_session_goes_too(spec: str) -> None:
    story = lost_after_its_turn(spec).tell("session_updated | response_pending | restore_history open_uplink")
    story.tell("closed | reconnecting | close_uplink")
    assert story.value("owed") == "turn"
    story.tell("timer reconnect_due").opened()  # and this time nothing was kept
    story.tell("session_updated | response_pending | restore_history open_uplink create_response(turn)")


# --- push to talk: a turn that begins or ends while there is no session -----------------------------------------------


def gap(**context: str) -> Story:
    """A session of push to talk was lost, with nothing owed; the next one is being opened."""
    return Story("push_to_talk", owed="none", **context).ready().tell("closed").tell("timer reconnect_due")


def test_a_turn_that_is_spoken_without_a_session_is_said_to_the_next_one() -> None:
    story = gap().tell("key # | connecting | flush_playout() keep_turn").tell("flushed").tell("kept | connecting |")
    story.tell("key # | connecting | end_kept_turn").opened()
    story.tell("session_updated | response_pending | restore_history resend_turn commit_audio")
    story.tell("committed u1 | response_pending | create_response(turn)")


def test_a_turn_that_is_held_when_the_session_comes_goes_on_in_it() -> None:
    story = gap().tell("key #").tell("kept").tell("flushed").opened()
    story.tell("session_updated | user_speaking | restore_history resend_turn open_uplink watch_silence")
    story.tell("key # | response_pending | close_uplink commit_audio unwatch_silence")
    story.tell("committed u1 | response_pending | create_response(turn)")


def test_a_turn_that_has_only_begun_when_the_session_comes_is_opened_in_it() -> None:
    story = gap().tell("key #").tell("flushed").opened()
    story.tell("session_updated | user_speaking | restore_history clear_audio open_uplink watch_silence")
    story.tell("key # | configured | close_uplink clear_audio unwatch_silence")


def test_too_short_a_turn_without_a_session_is_nothing() -> None:
    story = gap().tell("key #").tell("flushed").tell("key #").opened()
    story.tell("session_updated | configured | restore_history")


def test_a_key_that_is_pressed_before_the_first_session_is_a_turn_and_no_greeting_comes_before_its_answer() -> None:
    story = Story("push_to_talk").tell("key # | connecting | flush_playout() keep_turn").tell("kept").tell("flushed")
    story.tell("key #").opened().tell("session_updated | response_pending | resend_turn commit_audio")
    story.tell("committed u1 | response_pending | create_response(turn)")


def test_a_turn_that_is_held_when_its_session_goes_ends_with_the_key_and_not_with_the_session() -> None:
    story = Story("push_to_talk", owed="none").ready().tell("key #").tell("flushed").tell("committable")
    story.tell("closed | reconnecting | close_uplink unwatch_silence").tell("timer reconnect_due").tell("kept")
    story.tell("key # | connecting | end_kept_turn").opened()
    story.tell("session_updated | response_pending | restore_history resend_turn commit_audio")
