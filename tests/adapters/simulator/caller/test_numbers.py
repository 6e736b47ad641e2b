"""A call in numbers: answers, greeting, barge-in, and which of the bundled lines were heard."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from adapters.simulator.caller.hearing import HeardSpeech
from adapters.simulator.caller.numbers import caller_numbers, spoken_turns, yields_ms
from adapters.simulator.caller.recognition import heard_lines
from adapters.simulator.caller.script import WORDS
from adapters.simulator.speech.library import lines, read_samples, wav_path
from tests.adapters.simulator.caller.reports import report, sound

HEARABLE = [line.name for line in lines().values() if line.voice != "caller"]


def samples(name: str) -> np.ndarray:
    return read_samples(wav_path(name), 8_000)


def test_every_word_of_expect_has_its_number() -> None:
    assert set(caller_numbers(report())) == set(WORDS)


def test_answers_are_turns_after_which_the_agent_was_heard() -> None:
    played = report([(500, 2000), (4000, 5000), (9000, 9500)], [(2500, 3500), (5500, 6500), (7000, 8000)])
    numbers = caller_numbers(played)
    assert (numbers["turns"], numbers["answers"], numbers["greeting_ms"]) == (3, 2, 500)
    assert [turn.answered_ms for turn in spoken_turns(played)] == [4000, None, 9000]
    assert numbers["reply_ms"] == 1000


def test_an_agent_that_speaks_on_has_not_answered() -> None:
    played = report([(500, 6000)], [(1000, 2000)])
    assert caller_numbers(played)["answers"] == 0
    assert yields_ms(played) == [5000]


def test_an_agent_that_answers_a_moment_too_soon_has_answered() -> None:
    assert caller_numbers(report([(1900, 3000)], [(1000, 2000)]))["answers"] == 1


def test_without_a_greeting_there_is_no_time_of_it() -> None:
    assert caller_numbers(report([(3000, 4000)], [(1000, 2000)]))["greeting_ms"] is None
    assert caller_numbers(report([(3000, 4000)]))["greeting_ms"] == 3000


@pytest.mark.parametrize("name", HEARABLE)
def test_a_line_is_heard_as_itself_and_as_no_other(name: str) -> None:
    noise = np.random.default_rng(1).normal(0, 40, samples(name).size)
    through = mulaw_to_pcm16(pcm16_to_mulaw((samples(name) * 0.7 + noise).astype("<i2").tobytes()))
    heard = heard_lines(report(heard=sound(1234, np.frombuffer(through, "<i2"), 4000)))
    assert [(line.name, line.percent) for line in heard] == [(name, 100)]
    assert heard[0].at_ms == pytest.approx(154, abs=1)


def test_lines_are_heard_in_order_and_in_part() -> None:
    long, hello = samples("agent_long_story"), samples("agent_hello")
    heard = heard_lines(report(heard=sound(800, long[: long.size // 2], 8000, hello, 8000, hello)))
    assert [line.name for line in heard] == ["agent_long_story", "agent_hello", "agent_hello"]
    assert 40 <= heard[0].percent <= 60 and heard[1].percent == 100


@pytest.mark.parametrize("rate_hz", [8_000, 24_000])
def test_a_line_that_comes_in_bursts_is_heard_whole(rate_hz: int) -> None:
    """As on a machine that is busy: nothing for a moment, then several frames at once."""
    pcm, frame = read_samples(wav_path("agent_understood"), rate_hz).tobytes(), rate_hz // 50 * 2
    frames = [pcm[start : start + frame] for start in range(0, len(pcm), frame)]
    late = [
        HeardSpeech(1000 + (n + (7 - n % 7 if n % 7 > 2 else 0)) * 20, rate_hz, each) for n, each in enumerate(frames)
    ]
    [line] = heard_lines(attrs.evolve(report(), heard=tuple(late)))
    assert (line.name, line.percent) == ("agent_understood", 100)


@pytest.mark.parametrize("pcm", [b"", bytes(200), bytes(80_000), np.random.default_rng(2).bytes(80_000)])
def test_in_nothing_and_in_noise_no_line_is_heard(pcm: bytes) -> None:
    assert heard_lines(report(heard=pcm)) == ()
