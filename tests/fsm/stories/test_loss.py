"""Each thing the provider or the playout owes us, lost for ever: an answer or a polite end follows, never silence.

Lost for ever means each time it is said. A turn is answered if a response that had seen it was heard to its end.
"""

from __future__ import annotations

import pytest

from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.stories.small_world import SmallWorld
from tests.fsm.stories.story import Story

LOST = (
    "session_created", "session_updated", "speech_started", "speech_stopped", "committed", "created", "done", "echo",
    "calls", "shows_item", "heard", "drained", "flushed", "progressed", "prompt_finished", "silent", "committable",
)  # fmt: skip
PATIENCE_MS = 25_000


def told(world: SmallWorld) -> str:
    return "\n".join(world.story.told)


def answered(world: SmallWorld) -> bool:
    """Was everything the provider knows of answered by a response that had seen it all?"""
    return any(r.heard_to_end and r.saw == world.seen for r in world.responses)


@pytest.mark.parametrize("spec", NAMES)
def test_without_any_loss_each_turn_has_one_answer(spec: str) -> None:
    world = SmallWorld(spec).run(8000)
    assert world.answers == 1, told(world)
    world.turn(listen_ms=8000)
    assert world.answers == 2, told(world)
    world.turn(with_call=True, listen_ms=8000)
    assert world.answers == 3, told(world)
    world.turn(listen_ms=500).turn(listen_ms=8000)  # the second one cuts the answer to the first
    assert world.answers == 4, told(world)
    assert "impossible" not in told(world)
    assert world.hang_up().over
    assert [e.name for e in world.story.effects].count("close_provider") == 1


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("spec", NAMES)
def test_what_is_lost_for_ever_ends_in_an_answer_or_politely(spec: str, lost: str) -> None:
    world = SmallWorld(spec, lose={lost}).run(PATIENCE_MS)
    for with_call in (False, True, False):
        if world.over:
            break
        world.turn(with_call=with_call, listen_ms=PATIENCE_MS)
        if world.seen and not world.over:
            assert answered(world), told(world)
    if world.over:
        assert "play_prompt(apology)" in told(world)
    assert "impossible" not in told(world), told(world)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("spec", NAMES)
def test_what_is_lost_once_costs_no_turn(spec: str, lost: str) -> None:
    world = SmallWorld(spec, lose={lost}, once=True).run(PATIENCE_MS)
    for with_call in (False, True, False):
        world.turn(with_call=with_call, listen_ms=PATIENCE_MS)
    assert not world.over, told(world)
    assert answered(world), told(world)
    assert "impossible" not in told(world), told(world)


@pytest.mark.parametrize("twice", LOST)
@pytest.mark.parametrize("spec", NAMES)
def test_what_comes_twice_is_one_thing(spec: str, twice: str) -> None:
    world = SmallWorld(spec, twice={twice}).run(8000)
    for number, with_call in enumerate((False, True, False), 2):
        world.turn(with_call=with_call, listen_ms=8000)
        assert world.answers == number, told(world)
    once = SmallWorld(spec).run(8000)
    for with_call in (False, True, False):
        once.turn(with_call=with_call, listen_ms=8000)
    assert world.story.count("create_response") == once.story.count("create_response"), told(world)


# --- each deadline by name --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        ("server_vad", "response_pending | unwatch_silence"),
        ("owned_turns", "response_pending | create_response(turn) unwatch_silence"),
    ],
)
def test_a_turn_whose_end_the_provider_never_tells_ends_by_local_silence(spec: str, after: str) -> None:
    """speech_stopped and committed both lost: the caller's silence ends the turn, and it is answered."""
    story = Story(spec, owed="none").ready()
    story.tell("speech_started u1 | user_speaking | flush_playout() watch_silence").tell(f"silent | {after}")
    if spec == "server_vad":
        story.tell("timer answer_overdue | response_pending | create_response(turn)")
    story.tell("created r1 ours | responding |")
    assert story.now_ms <= 5000


def test_the_audio_of_an_answer_never_comes_to_an_end() -> None:
    """No playout fact for 6 s ends the wait for it; while it really plays, it tells so and the wait starts anew."""
    story = (
        Story("server_vad")
        .opened()
        .tell(
            """
        session_updated       | response_pending | open_uplink create_response(greeting)
        created g ours        | responding       |
        heard g ig            | responding       |
        done g                | playing_out      |
        wait 5000             | playing_out =nothing |
        progressed            | playing_out      |
        wait 5999             | playing_out =nothing |
        wait 1                | configured       |
        """
        )
    )
    assert story.value("playout") == "idle"


def test_a_response_that_never_ends_is_cancelled_then_taken_for_lost_and_asked_for_again() -> None:
    story = (
        Story("server_vad", owed="none")
        .ready()
        .tell(
            """
        speech_started u1      | user_speaking    | flush_playout() watch_silence
        flushed                | user_speaking    |
        speech_stopped u1      | response_pending | unwatch_silence
        committed u1           | response_pending |
        created r1             | responding       |
        wait 5999              | responding =nothing |
        wait 1                 | responding       | reassure
        wait 3999              | responding =nothing |
        wait 1                 | response_pending | cancel_response(r1) flush_playout(r1)
        flushed                | response_pending |
        timer close_overdue    | response_pending | create_response(turn)
        busy r1                | responding       |
        done r1                | response_pending | create_response(turn)
        created r2 ours        | responding       |
        """
        )
    )
    assert story.now_ms == 13_000


def test_a_playout_that_never_answers_a_flush() -> None:
    story = (
        Story("server_vad", owed="none")
        .ready()
        .tell("speech_started u1 | user_speaking | flush_playout() watch_silence")
    )
    story.tell("wait 999 | user_speaking =nothing |").tell("wait 1 | user_speaking |")
    assert story.value("playout") == "idle"
