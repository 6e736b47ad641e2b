"""push_to_talk: a key opens and closes the turn; never a commit of less than 100 ms."""

from __future__ import annotations

import pytest

from tests.fsm.bundle import machine
from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.places import in_state
from tests.fsm.stories.story import Story

PRESS = "key # | user_speaking | flush_playout() clear_audio open_uplink watch_silence"
COMMIT = "key # | response_pending | close_uplink commit_audio unwatch_silence"


def idle() -> Story:
    return Story("push_to_talk", owed="none").ready()


def test_press_and_press() -> None:
    story = idle().tell(PRESS).tell("committable | user_speaking |").tell(COMMIT)
    story.tell("committed u1 | response_pending | create_response(turn)")


def test_too_short_a_turn_is_discarded_and_nothing_is_asked() -> None:
    story = idle().tell(PRESS).tell("key # | configured | close_uplink clear_audio unwatch_silence")
    story.tell("flushed").tell("wait 60000")
    assert (story.state, story.count("create_response"), story.count("commit_audio")) == ("configured", 0, 0)


def test_silence_ends_the_turn_as_the_key_does() -> None:
    story = idle().tell(PRESS).tell("committable | user_speaking |")
    story.tell("silent | response_pending | close_uplink commit_audio unwatch_silence")
    story.tell("key # | user_speaking | flush_playout() clear_audio open_uplink watch_silence")
    story.tell("silent | response_pending | close_uplink clear_audio unwatch_silence")  # the first turn is still out
    story.tell("committed u1 | response_pending | create_response(turn)")


def test_enough_audio_counts_for_its_own_turn_only() -> None:
    story = idle().tell(PRESS).tell("committable | user_speaking |").tell(COMMIT)
    story.tell("committed u1 | response_pending | create_response(turn)")
    story.tell(PRESS)
    assert story.value("buffer") == "short"


@pytest.mark.parametrize("code", ["input_audio_buffer_commit_empty", None])
@pytest.mark.parametrize(
    "message",
    [
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has "
        "0.00ms of audio.",
        "Error committing input audio buffer: the buffer is empty.",
    ],
)
def test_a_commit_the_provider_rejects(code: str | None, message: str) -> None:
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.play(wire.error(code, message))
    assert story.state == "configured"
    story.tell("wait 60000")
    assert story.count("create_response") == 0


def test_a_commit_that_is_rejected_when_the_next_turn_is_open_already() -> None:
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT).tell(PRESS)
    story.play(wire.error("input_audio_buffer_commit_empty", "Error committing input audio buffer: it is empty."))
    assert (story.state, story.value("commit_out")) == ("user_speaking", "no")


def test_a_commit_that_is_rejected_after_the_next_one_was_sent_is_not_taken_for_that() -> None:
    """Said again to a new session, say, and too short for it; the turn behind it is answered."""
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.play(wire.error("input_audio_buffer_commit_empty", "Error committing input audio buffer: it is empty."))
    story.tell("committed u2 | response_pending | create_response(turn)")


def test_two_commits_that_are_rejected_leave_nothing_to_wait_for() -> None:
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    for state in ("response_pending", "configured"):
        story.play(wire.error("input_audio_buffer_commit_empty", "Error committing input audio buffer: it is empty."))
        assert story.state == state


def test_a_press_while_the_agent_generates() -> None:
    story = in_state("push_to_talk", "responding").tell("heard r1 i1 | responding |")
    story.tell(
        """
        key # | user_speaking | cancel_response(r1) flush_playout(r1) clear_audio open_uplink watch_silence
        flushed i1:r1:1200/4000 | user_speaking | truncate_item(i1@1200)
        done r1 cancelled       | user_speaking |
        """
    )
    assert story.value("owed") == "none"


def test_a_press_while_the_agent_is_still_heard() -> None:
    story = in_state("push_to_talk", "playing_out")
    story.tell(PRESS).tell("flushed i1:r1:1200/4000 | user_speaking | truncate_item(i1@1200)")


def test_a_press_while_a_create_is_in_flight() -> None:
    """The response that comes begins after the caller did: cancelled by its id, its turn stays owed."""
    story = in_state("push_to_talk", "response_pending").tell(PRESS)
    story.tell(
        """
        created r1 ours   | user_speaking    | cancel_response(r1) flush_playout(r1)
        flushed           | user_speaking    |
        done r1 cancelled | user_speaking    |
        committable       | user_speaking    |
        key #             | response_pending | close_uplink commit_audio unwatch_silence
        committed u2      | response_pending | create_response(turn)
        created r2 ours   | responding       |
        done r2           | configured       |
        wait 60000
        """
    )
    assert story.count("create_response(turn)") == 2


def test_a_press_while_the_commit_is_in_flight() -> None:
    """The first turn is committed by the provider all the same; both are answered by one response."""
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.tell(PRESS)
    story.tell(
        """
        flushed         | user_speaking    |
        committed u1    | user_speaking    |
        committable     | user_speaking    |
        key #           | response_pending | close_uplink commit_audio unwatch_silence
        committed u2    | response_pending | create_response(turn)
        created r1 ours | responding       |
        done r1         | configured       |
        wait 60000
        """
    )
    assert story.count("create_response") == 1


def test_the_first_turn_is_answered_although_the_second_one_is_too_short() -> None:
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.tell(PRESS)
    story.tell(
        """
        flushed      | user_speaking    |
        committed u1 | user_speaking    |
        key #        | response_pending | close_uplink clear_audio create_response(turn) unwatch_silence
        """
    )


def test_a_key_before_the_session_is_configured_begins_a_turn_and_ends_it() -> None:
    for state in ("connecting", "awaiting_session_created", "configuring", "reconnecting"):
        story = in_state("push_to_talk", state).tell(f"key # | {state} | flush_playout() keep_turn")
        story.tell(f"key # | {state} | end_kept_turn")


def test_other_keys_are_digits_for_the_model() -> None:
    story = (
        idle().tell("key 1").tell("wait 1000").tell("key 2 | configured |").tell("wait 1000 | configured =nothing |")
    )
    story.tell("timer keys_done | response_pending | send_digits(12) create_response(turn)")
    story.tell("digits_echo | response_pending |").tell("created r1 ours | responding |").tell("done r1 | configured |")


def test_no_event_of_the_providers_vad_is_in_its_alphabet() -> None:
    events = machine("push_to_talk").spec.vocabulary.events
    assert not [name for name in events if "speech_" in name]


def test_a_commit_that_comes_after_the_next_turn_was_too_short_is_answered() -> None:
    story = idle().tell(PRESS).tell("flushed").tell("committable | user_speaking |").tell(COMMIT)
    story.tell(PRESS).tell("flushed").tell("key #").tell("committed u1").tell("wait 5000")
    assert story.count("create_response(turn)") == 1, "\n".join(story.told)
