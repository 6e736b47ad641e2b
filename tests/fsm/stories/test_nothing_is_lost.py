"""Nothing is lost with a session, nor with an item that was rejected."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story


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
