"""Barge-in: what plays is cut, late audio is named, items are truncated to what was heard, no talking over a caller."""

from __future__ import annotations

import pytest

from tests.fsm.stories.story import Story

ANSWERING = {
    "server_vad": """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
    """,
    "owned_turns": """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending | create_response(turn)
        created r1 ours   | responding       |
    """,
}
VAD = tuple(ANSWERING)


def answering(spec: str) -> Story:
    return Story(spec, owed="none").ready().tell(ANSWERING[spec])


@pytest.mark.parametrize("spec", VAD)
def test_while_the_model_generates(spec: str) -> None:
    story = answering(spec).tell(
        """
        heard r1 i1            | responding    |
        speech_started u2      | user_speaking | flush_playout(r1) watch_silence
        flushed i1:r1:900/4000 | user_speaking | truncate_item(i1@900)
        done r1 interrupted    | user_speaking |
        dropped i2:r1:0/0      | user_speaking | truncate_item(i2@0)
        """
    )
    assert (story.count("cancel_response"), story.value("owed")) == (0, "none")


@pytest.mark.parametrize("spec", VAD)
def test_after_response_done_while_the_audio_plays(spec: str) -> None:
    answering(spec).tell(
        """
        heard r1 i1             | responding    |
        done r1                 | playing_out   |
        speech_started u2       | user_speaking | flush_playout() watch_silence
        flushed i1:r1:1500/4000 | user_speaking | truncate_item(i1@1500)
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_with_a_second_item_queued_behind_the_one_that_plays(spec: str) -> None:
    answering(spec).tell(
        """
        heard r1 i1             | responding    |
        done r1                 | playing_out   |
        speech_started u2       | user_speaking | flush_playout() watch_silence
        flushed i1:r1:1500/4000 i2:r1:0/2000 | user_speaking | truncate_item(i1@1500) truncate_item(i2@0)
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_before_the_first_audio_the_answer_is_owed_again_and_never_twice(spec: str) -> None:
    """An answer cut before the caller heard of it: the next turn's answer covers it."""
    story = answering(spec).tell(
        """
        speech_started u2   | user_speaking | flush_playout(r1) watch_silence
        flushed             | user_speaking |
        done r1 interrupted | user_speaking |
        """
    )
    assert story.value("owed") == "turn"


def test_server_vad_between_our_create_and_response_created() -> None:
    """The response began past the provider's interrupt point: cancelled by its id, its audio dropped."""
    story = answering("server_vad").tell(
        """
        done r1 failed          | response_pending |
        timer retry_due         | response_pending | create_response(turn)
        speech_started u2       | user_speaking    | flush_playout() watch_silence
        created r2 ours         | user_speaking    | cancel_response(r2) flush_playout(r2)
        flushed                 | user_speaking    |
        done r2 cancelled       | user_speaking    |
        """
    )
    assert story.sent("cancel_response")
    assert story.value("owed") == "turn"
    story.tell(
        """
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r3        | responding       |
        """
    )
    assert (story.value("owed"), story.count("create_response")) == ("none", 1)


def test_owned_turns_between_our_create_and_response_created() -> None:
    story = Story("owned_turns", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending | create_response(turn)
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        created r1 ours   | user_speaking    | cancel_response(r1) flush_playout(r1)
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        done r1 cancelled | response_pending | create_response(turn)
        created r2 ours   | responding       |
        """
    )
    assert story.count("create_response") == 2


def test_server_vad_an_answer_that_begins_after_the_next_turn_did() -> None:
    """The provider's own response, begun past its interrupt point: cut by id; the turn stays owed and is answered."""
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        created r1        | user_speaking    | cancel_response(r1) flush_playout(r1)
        flushed           | user_speaking    |
        done r1 cancelled | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r2        | responding       |
        heard r2 i2       | responding       |
        done r2           | playing_out      |
        drained           | configured       |
        wait 60000        | configured =nothing |
        """
    )


@pytest.mark.parametrize(
    ("heard", "truncated"),
    [
        ("900/4000", "truncate_item(i1@900)"),
        ("3914/4000", "truncate_item(i1@3914)"),
        ("3915/4000", ""),  # within the 85 ms the server counts less of its own audio
        ("3999/4000", ""),
        ("4000/4000", ""),
        ("0/60", ""),
        ("0/86", "truncate_item(i1@0)"),
        ("0/0", "truncate_item(i1@0)"),
    ],
)
def test_truncation_never_goes_beyond_what_the_server_counts(heard: str, truncated: str) -> None:
    answering("server_vad").tell(
        f"""
        heard r1 i1         | responding    |
        done r1             | playing_out   |
        speech_started u2   | user_speaking | flush_playout() watch_silence
        flushed i1:r1:{heard} | user_speaking | {truncated}
        """
    )


@pytest.mark.parametrize(("heard", "at"), [("3999/4000", 3915), ("40/60", 0), ("500/4000", 500)])
def test_an_item_still_being_generated_is_truncated_also_within_the_margin(heard: str, at: int) -> None:
    """More of it is on the way, and will not be heard."""
    answering("server_vad").tell(
        f"""
        heard r1 i1         | responding    |
        speech_started u2   | user_speaking | flush_playout(r1) watch_silence
        flushed i1:r1:{heard} | user_speaking | truncate_item(i1@{at})
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_truncation_that_came_too_late_is_noise(spec: str) -> None:
    answering(spec).tell(
        """
        heard r1 i1            | responding    |
        speech_started u2      | user_speaking | flush_playout(r1) watch_silence
        flushed i1:r1:900/4000 | user_speaking | truncate_item(i1@900)
        error - truncate_item  | user_speaking =ignored |
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_the_turn_that_interrupted_is_answered_although_its_speech_started_was_lost(spec: str) -> None:
    story = answering(spec).tell(
        """
        heard r1 i1         | responding    |
        done r1 interrupted | user_speaking | flush_playout() watch_silence
        """
    )
    create = "create_response(turn)" if spec == "owned_turns" else ""
    story.tell(
        f"""
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending | {create}
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_an_answer_cut_unheard_by_a_turn_whose_start_was_lost_is_owed(spec: str) -> None:
    story = answering(spec).tell("done r1 interrupted | user_speaking | flush_playout() watch_silence")
    assert story.value("owed") == "turn"


@pytest.mark.parametrize(
    ("spec", "asked_by"), [("server_vad", "timer answer_overdue"), ("owned_turns", "timer close_overdue")]
)
@pytest.mark.parametrize("flushed", ["", "flushed | user_speaking |"])
def test_a_response_that_was_interrupted_late_is_cut_once(spec: str, asked_by: str, flushed: str) -> None:
    """Given up, found to be there still, and ended by the turn that we know of: what it had to say is cut already."""
    given_up = "timer close_overdue | response_pending |\n" if spec == "server_vad" else ""
    story = answering(spec).tell(
        f"""
        speech_started u2   | user_speaking    | flush_playout(r1) watch_silence
        flushed             | user_speaking    |
        speech_stopped u2   | response_pending | unwatch_silence
        committed u2        | response_pending |
        {given_up}
        {asked_by}          | response_pending | create_response(turn)
        speech_started u3   | user_speaking    | flush_playout(r1) watch_silence
        {flushed}
        busy r1             | user_speaking    |
        done r1 interrupted | user_speaking    |
        """
    )
    assert story.value("owed") == "turn"


@pytest.mark.parametrize("spec", VAD)
def test_a_turn_whose_end_was_lost_and_the_next_one_are_one_flush(spec: str) -> None:
    answering(spec).tell(
        """
        speech_started u2   | user_speaking    | flush_playout(r1) watch_silence
        speech_started u3   | user_speaking    |
        done r1 interrupted | user_speaking    |
        flushed             | user_speaking    |
        speech_stopped u3   | response_pending | unwatch_silence
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_what_has_begun_to_play_since_is_cut_by_a_late_interruption(spec: str) -> None:
    """A response that nobody told us of speaks on past the flush, and is known by a rejection."""
    create = {"server_vad": "timer answer_overdue", "owned_turns": "committed u1"}[spec]
    committed = "committed u1 | response_pending |" if spec == "server_vad" else ""
    Story(spec, owed="none").ready().tell(
        f"""
        speech_started u1   | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        speech_stopped u1   | response_pending | unwatch_silence
        {committed}
        {create}            | response_pending | create_response(turn)
        speech_started u2   | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        heard r9 i9         | user_speaking    |
        busy r9             | user_speaking    |
        done r9 interrupted | user_speaking    | flush_playout()
        """
    )


@pytest.mark.parametrize("spec", VAD)
def test_what_plays_is_cut_also_when_only_the_end_of_the_turn_is_told(spec: str) -> None:
    answering(spec).tell(
        """
        heard r1 i1             | responding       |
        done r1                 | playing_out      |
        speech_stopped u2       | response_pending | flush_playout()
        flushed i1:r1:1500/4000 | response_pending | truncate_item(i1@1500)
        """
    )
