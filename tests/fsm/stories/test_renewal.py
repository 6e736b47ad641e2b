"""A session that will expire is replaced at a quiet moment: at once, with its history, and not counted as a failure."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

SPECS = ("server_vad", "owned_turns", "push_to_talk")


@pytest.mark.parametrize("spec", SPECS)
def test_in_a_quiet_moment_it_is_replaced_at_once(spec: str) -> None:
    story = Story(spec, owed="none").ready()
    story.tell("expiring | configured |").tell(
        "timer renewal_due | connecting | close_provider close_uplink connect_provider"
    )
    story.opened().tell("session_updated")
    assert story.state == "configured" and story.count("restore_history") == 1
    assert story.value("reconnects") == "0" and story.value("renewal") == "no"
    assert story.count("create_response") == 0


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_under_way_is_finished_first(spec: str) -> None:
    story = Story(spec).opened().tell("session_updated")
    story.tell("created g ours | responding |").tell("expiring | responding |").tell("heard g ig | responding |")
    story.tell("done g | playing_out |")
    assert story.count("close_provider") == 0
    story.tell("drained | configured |").tell(
        "timer renewal_due | connecting | close_provider close_uplink connect_provider"
    )


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
def test_a_caller_who_speaks_is_heard_out_and_answered(spec: str) -> None:
    story = Story(spec, owed="none").ready().tell("speech_started u1").tell("expiring | user_speaking |")
    story.tell("flushed | user_speaking |").tell("speech_stopped u1").tell("committed u1")
    assert story.state == "response_pending" and story.count("close_provider") == 0
    created = "created r1" if spec == "server_vad" else "created r1 ours"
    story.tell(created).tell("heard r1 i1").tell("done r1").tell("drained | configured |")
    story.tell("timer renewal_due | connecting | close_provider close_uplink connect_provider")


@pytest.mark.parametrize("spec", SPECS)
def test_one_that_is_about_to_expire_when_it_comes_gets_the_history_first(spec: str) -> None:
    story = Story(spec, owed="none").ready()
    story.tell("expiring").tell("timer renewal_due").opened()
    story.tell("expiring | configuring =deferred |").tell("session_updated")
    assert (story.state, story.count("restore_history"), story.value("renewal")) == ("configured", 1, "due")
    story.tell("timer renewal_due | connecting | close_provider close_uplink connect_provider")


@pytest.mark.parametrize("spec", SPECS)
def test_after_a_session_that_was_lost_it_is_replaced_as_well(spec: str) -> None:
    story = Story(spec, owed="none").ready()
    story.tell("closed").tell("timer reconnect_due").opened().tell("expiring").tell("session_updated")
    assert (story.count("restore_history"), story.value("renewal")) == (1, "due")
