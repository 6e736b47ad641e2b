"""A beep is heard when it is over; voices, noise, keys and clicks are none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from adapters.audio.beep import BeepDetector
from adapters.audio.wav import load_wav
from adapters.simulator.speech.library import HERE
from tests.adapters.audio.sound import speech_like, to_pcm, tone


def frames(pcm: bytes, rate_hz: int) -> Iterator[bytes]:
    size = rate_hz // 50 * 2
    yield from (pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size))


def beeps(pcm: bytes, rate_hz: int = 8000) -> list[int]:
    """The numbers of the frames at which one was over."""
    detector = BeepDetector()
    return [number for number, frame in enumerate(frames(pcm, rate_hz)) if detector.hear(frame, rate_hz)]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
@pytest.mark.parametrize("hz", [425, 800, 1000, 1400, 2000])
def test_a_beep_is_heard_when_it_is_over(hz: int, rate_hz: int) -> None:
    quiet = bytes(rate_hz)
    assert beeps(quiet + tone(hz, rate_hz, 400) + quiet, rate_hz) == [45]


def test_a_beep_after_a_voice_is_heard_and_the_voice_is_none() -> None:
    voice = speech_like(8000, 3000)
    assert not beeps(voice)
    assert beeps(voice + tone(1000, 8000, 500) + bytes(1600)) == [175]


def test_short_tones_keys_and_noise_are_no_beep() -> None:
    quiet = bytes(1600)
    key = np.frombuffer(tone(770, 8000, 400), np.int16) / 2 + np.frombuffer(tone(1336, 8000, 400), np.int16) / 2
    noise = np.random.default_rng(7).normal(0, 3000, 16000)
    for sound in (tone(1000, 8000, 100), to_pcm(key), to_pcm(noise), tone(200, 8000, 600), tone(1000, 8000, 600, 50)):
        assert not beeps(quiet + sound + quiet)


def test_a_tone_that_glides_is_no_beep() -> None:
    time_s = np.arange(8000) / 8000
    siren = to_pcm(8000 * np.sin(2 * np.pi * (500 * time_s + 600 * time_s**2)))
    assert not beeps(siren + bytes(1600))


@pytest.mark.parametrize("name", ["agent_long_story", "caller_order_status", "caller_interrupt", "agent_weather"])
def test_what_people_say_is_no_beep(name: str) -> None:
    assert not beeps(load_wav(HERE / f"{name}.wav", 8000))
