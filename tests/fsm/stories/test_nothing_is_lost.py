"""Nothing is lost with a session: push to talk says again what nobody has answered."""

from __future__ import annotations

from tests.fsm.stories.story import Story


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
