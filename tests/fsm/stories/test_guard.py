"""A guard: what the provider takes for speech while the agent is heard, and whose it turns out to be."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

ECHO = """
    speech_started u1 | responding =stayed |
    speech_stopped u1 | responding =stayed |
    committed u1      | responding         |
"""


def answering() -> Story:
    """A turn was answered, and the caller hears the answer."""
    return (
        Story("guarded_turns", owed="none")
        .ready()
        .tell("""
            speech_started u0 | user_speaking    | flush_playout() watch_silence
            flushed           | user_speaking    |
            speech_stopped u0 | response_pending | unwatch_silence
            committed u0      | response_pending | create_response(turn)
            created r1 ours   | responding       |
            heard r1 i1       | responding       |
        """)
    )


def test_an_echo_cuts_nothing_and_is_not_answered() -> None:
    story = (
        answering()
        .tell(ECHO)
        .tell("transcript u1")
        .tell("""
        done r1 | playing_out |
        drained | configured  |
    """)
    )
    assert story.count("create_response") == 1 and story.count("flush_playout") == 1
    story.tell("wait 30000")
    assert story.state == "configured" and story.count("create_response") == 1


def test_who_speaks_on_is_the_caller() -> None:
    answering().tell("""
        speech_started u1 | responding =stayed |
        sound_began       | responding =stayed | pause_playout
        spoke             | user_speaking      | cancel_response(r1) flush_playout(r1) watch_silence
        flushed           | user_speaking      |
        sound_ended       | user_speaking =ignored |
        done r1 cancelled | user_speaking      |
        speech_stopped u1 | response_pending   | unwatch_silence
        committed u1      | response_pending   | create_response(turn)
    """)


def test_who_was_heard_before_the_provider_reported_him_is_the_caller() -> None:
    answering().tell("""
        spoke             | responding =stayed |
        speech_started u1 | user_speaking      | cancel_response(r1) flush_playout(r1) watch_silence
    """)


def test_a_short_word_is_known_from_its_transcript() -> None:
    answering().tell(ECHO).tell(
        "transcript u1 Stop. | response_pending | cancel_response(r1) flush_playout(r1)"
    ).tell("""
        done r1 cancelled | response_pending | create_response(turn)
    """)


def test_a_word_that_an_answer_has_heard_is_not_asked_for_again() -> None:
    """The outputs of a tool were asked about after its commit: that answer knows it."""
    story = answering().tell("calls r1 c1").tell(ECHO).tell("done r1 | playing_out |")
    story.tell("returned c1 | response_pending | send_tool_output(c1) create_response(tools)")
    story.tell("created r2 ours | responding |").tell("transcript u1 Stop. | responding =ignored |")
    assert story.count("flush_playout") == 1


def test_a_cough_pauses_the_agent_and_nothing_more() -> None:
    story = answering().tell("""
        sound_began | responding =stayed | pause_playout
        sound_began | responding =ignored |
        sound_ended | responding =stayed | resume_playout
        sound_ended | responding =ignored |
    """)
    assert story.count("flush_playout") == 1


def test_a_pause_ends_after_three_seconds_whatever_the_noise() -> None:
    story = answering().tell("sound_began | responding =stayed | pause_playout").tell("wait 2900")
    assert story.count("resume_playout") == 0
    assert story.tell("wait 200").count("resume_playout") == 1
    story.tell("sound_ended | responding =ignored |")


def test_a_pause_counts_as_no_stall_of_the_playout() -> None:
    story = answering().tell("wait 3000").tell("sound_began").tell("wait 2500").tell("sound_ended").tell("wait 5000")
    assert story.value("playout") == "playing"


def test_what_is_paused_goes_on_when_the_session_goes() -> None:
    answering().tell("sound_began").tell("closed | reconnecting | resume_playout close_uplink")


def test_an_echo_that_does_not_end_with_the_agent_is_the_caller() -> None:
    story = answering().tell("speech_started u1").tell("done r1 | playing_out |").tell("drained | configured |")
    assert story.tell("wait 3900").state == "configured"
    assert story.tell("wait 200").state == "user_speaking"


@pytest.mark.parametrize("end", ["speech_stopped u1", "committed u1"])
def test_a_turn_that_nothing_announced_is_doubted_over_an_answer(end: str) -> None:
    story = answering().tell(end)
    assert story.state == "responding" and story.count("flush_playout") == 1
