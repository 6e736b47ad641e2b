"""An answer is what the caller has heard: a silent one is asked for again, one cut by its limit is continued once."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

TURN = """
    speech_started u1 | user_speaking    | flush_playout() watch_silence
    flushed           | user_speaking    |
    speech_stopped u1 | response_pending | unwatch_silence
    committed u1      | response_pending |
    created r1        | responding       |
"""
AGAIN = "wait 700 | response_pending | create_response(turn)"


def asked(**context: str) -> Story:
    return Story("server_vad", owed="none", **context).ready().tell(TURN)


@pytest.mark.parametrize("how", ["unheard", "filtered", "limited"])
def test_an_answer_without_a_sound_is_asked_for_again(how: str) -> None:
    asked().tell(f"done r1 {how} | response_pending |").tell("soundless r1 | response_pending |").tell(AGAIN)


def test_the_verdict_may_come_before_the_end_is_known() -> None:
    asked().tell("soundless r1 | responding |").tell("done r1 unheard | response_pending |").tell(AGAIN)


def test_a_verdict_that_never_comes_has_a_deadline() -> None:
    asked().tell("done r1 unheard").tell("timer sound_overdue | response_pending |").tell(AGAIN)


def test_what_is_heard_a_moment_after_its_end_is_an_answer() -> None:
    story = asked().tell(
        """
        done r1 unheard | response_pending |
        starts r1 i1    | playing_out      |
        enough r1       | playing_out      |
        drained         | configured       |
        wait 60000
        """
    )
    assert story.count("create_response") == 0


def test_the_third_answer_without_a_sound_is_apologised_for_and_the_call_goes_on() -> None:
    story = asked()
    for name in ("r1", "r2"):
        story.tell(f"done {name} unheard").tell(f"soundless {name} | response_pending |").tell(AGAIN)
        story.tell(f"created {'r2' if name == 'r1' else 'r3'} ours | responding |")
    story.tell("done r3 unheard").tell("soundless r3 | configured | play_prompt(apology)")
    story.tell("prompt_finished | configured =ignored |").tell("wait 60000")
    assert story.state == "configured"
    assert story.count("create_response") == 2


def test_a_sound_in_between_begins_the_count_anew() -> None:
    story = asked().tell("done r1 unheard").tell("soundless r1").tell(AGAIN).tell("created r2 ours | responding |")
    story.tell("heard r2 i2 | responding |")
    assert story.value("silences") == "0"


def test_an_agent_may_answer_without_a_sound() -> None:
    story = (
        asked(silent_answers="accept").tell("done r1 unheard").tell("soundless r1 | configured |").tell("wait 60000")
    )
    assert story.count("create_response") == 0


def test_a_response_that_calls_a_tool_owes_no_sound() -> None:
    story = asked().tell("calls r1 c1 | responding | run_tool(c1)").tell("done r1 calls c1 | tool_call |")
    story.tell("soundless r1 | tool_call |")
    assert story.value("owed") == "none"


def test_a_tool_call_that_was_cut_by_the_limit_is_asked_for_again() -> None:
    """Its item is not completed, so nothing is run, and there is no sound."""
    story = asked().tell("done r1 limited | response_pending |").tell("soundless r1 | response_pending |").tell(AGAIN)
    assert story.count("run_tool") == 0


def test_a_sentence_cut_by_the_token_limit_is_continued_once() -> None:
    story = asked().tell(
        """
        heard r1 i1     | responding       |
        done r1 limited | response_pending | create_response(turn)
        created r2 ours | responding       |
        drained         | responding       |
        heard r2 i2     | responding       |
        done r2 limited | playing_out      |
        drained         | configured       |
        wait 60000
        """
    )
    assert story.count("create_response") == 1


def test_the_limit_may_be_known_before_anything_is_heard() -> None:
    asked().tell("done r1 limited").tell("starts r1 i1 | playing_out |").tell(
        "enough r1 | response_pending | create_response(turn)"
    )


def test_an_answer_that_is_cut_before_it_was_heard_is_owed_until_the_next_one_begins() -> None:
    story = asked().tell("done r1 unheard").tell("starts r1 i1 | playing_out |")
    story.tell("speech_started u2 | user_speaking | flush_playout() watch_silence")
    assert story.value("owed") == "turn"
    story.tell("speech_stopped u2").tell("committed u2").tell("created r2 | responding |")
    assert story.value("owed") == "none"
