"""Whether a caller has heard a response: by the sound that left for the line, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.audio.playout import Playout
from tests.adapters.audio.sound import Facts, to_pcm

SILENCE = bytes(320)
SOUND = to_pcm(np.full(160, 3000))


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def playout(facts: Facts) -> Playout:
    return Playout(facts)


def verdicts(facts: Facts) -> list[tuple[str, object]]:
    return [(name, data["response_id"]) for name, data in facts if name in ("playout.heard", "playout.silent")]


def pull(playout: Playout, frames: int) -> None:
    for _ in range(frames):
        playout.pull()


@pytest.mark.parametrize("chunk_frames", [1, 3, 50])
def test_two_hundred_milliseconds_of_sound_are_an_answer(playout: Playout, facts: Facts, chunk_frames: int) -> None:
    for _ in range(0, 50, chunk_frames):
        playout.push("r1", "i1", 0, SOUND * chunk_frames)
    pull(playout, 9)
    assert verdicts(facts) == []
    pull(playout, 1)
    assert verdicts(facts) == [("playout.heard", "r1")]
    playout.mark_response_ended("r1")
    pull(playout, 60)
    assert verdicts(facts) == [("playout.heard", "r1")]


def test_silence_in_between_does_not_count(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, (SILENCE + SOUND) * 20)
    pull(playout, 19)
    assert verdicts(facts) == []
    pull(playout, 1)
    assert verdicts(facts) == [("playout.heard", "r1")]


def test_a_shorter_answer_is_heard_when_all_of_it_is(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, SOUND * 3)
    playout.mark_response_ended("r1")
    pull(playout, 2)
    assert verdicts(facts) == []
    pull(playout, 1)
    assert verdicts(facts) == [("playout.heard", "r1")]


def test_an_end_without_any_audio_is_silent_at_once(playout: Playout, facts: Facts) -> None:
    playout.mark_response_ended("r1")
    assert verdicts(facts) == [("playout.silent", "r1")]
    playout.mark_response_ended("r1")
    assert len(facts) == 1


def test_audio_that_is_silence_is_no_answer_once_it_has_played(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, SILENCE * 30)
    playout.mark_response_ended("r1")
    pull(playout, 29)
    assert verdicts(facts) == []
    pull(playout, 1)
    assert verdicts(facts) == [("playout.silent", "r1")]
    pull(playout, 2)
    assert facts.names()[-1] == "playout.drained"


def test_what_is_cut_gets_no_verdict(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, SOUND * 30)
    pull(playout, 5)
    playout.flush(["r1", "r2"])
    for name in ("r1", "r2"):
        playout.mark_response_ended(name)
    pull(playout, 10)
    assert verdicts(facts) == []


def test_two_responses_in_the_queue_are_judged_each(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, SOUND * 5)
    playout.mark_response_ended("r1")
    playout.push("r2", "i2", 0, SILENCE * 5)
    playout.mark_response_ended("r2")
    pull(playout, 10)
    assert verdicts(facts) == [("playout.heard", "r1"), ("playout.silent", "r2")]


def test_what_counts_as_sound_is_a_setting() -> None:
    facts = Facts()
    playout = Playout(facts, sound_dbfs=-10)
    playout.push("r1", "i1", 0, SOUND * 20)
    playout.mark_response_ended("r1")
    pull(playout, 21)
    assert verdicts(facts) == [("playout.silent", "r1")]
