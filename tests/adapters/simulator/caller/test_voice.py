"""What a caller's telephone sends, frame by frame."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from adapters.simulator.caller import script as steps
from adapters.simulator.caller.hearing import Segment
from adapters.simulator.caller.script import CallerSettings, Echo, Script
from adapters.simulator.caller.voice import Voice, load_utterances

LOUD = (np.sin(np.arange(800) * 0.3) * 8000).astype("<i2").tobytes()  # 100 ms at 8 kHz


def rms(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(float) ** 2)))


@pytest.mark.parametrize(("ptime_ms", "size"), [(10, 160), (20, 320), (30, 480), (40, 640)])
def test_an_utterance_in_frames_of_one_ptime_and_silence_around_it(ptime_ms: int, size: int) -> None:
    voice = Voice(CallerSettings(ptime_ms=ptime_ms))
    assert voice.frame(0) == bytes(size)
    voice.say(LOUD)
    frames: list[bytes | None] = []
    while voice.is_speaking:
        frames.append(voice.frame((1 + len(frames)) * ptime_ms))
    assert b"".join(frame for frame in frames if frame) == LOUD.ljust(len(frames) * size, b"\0")
    assert voice.frame(500) == bytes(size)
    assert voice.speech.segments == (Segment(ptime_ms, (1 + len(frames)) * ptime_ms),)


def test_dtx_sends_nothing_between_utterances() -> None:
    voice = Voice(CallerSettings(dtx=True))
    assert voice.frame(0) is None
    voice.say(LOUD)
    assert [voice.frame(20 + n * 20) is None for n in range(6)] == [False] * 5 + [True]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_the_agent_comes_back_late_and_low(rate_hz: int) -> None:
    voice = Voice(CallerSettings(rate_hz=rate_hz, echo=Echo(delay_ms=100, gain_db=-20)))
    sent = []
    for n in range(20):
        at_ms = n * 20.0
        frame = voice.frame(at_ms)
        assert frame is not None
        sent.append(frame)
        if n < 5:  # arrives while the frame is on its way
            voice.hear(at_ms, 8_000, LOUD[n * 320 : n * 320 + 320])
    assert [rms(frame) > 100 for frame in sent] == [False] * 5 + [True] * 5 + [False] * 10
    assert rms(sent[7]) == pytest.approx(rms(LOUD) / 10, rel=0.05)
    assert voice.speech.segments == ()


def test_echo_is_heard_under_the_callers_own_voice_and_through_dtx() -> None:
    voice = Voice(CallerSettings(dtx=True, echo=Echo(delay_ms=40, gain_db=0)))
    assert voice.frame(0) is None
    voice.hear(0, 8_000, LOUD[:320])
    assert voice.frame(20) is None
    assert voice.frame(40) == LOUD[:320]
    assert voice.frame(60) is None
    voice.hear(60, 8_000, LOUD[:320])
    voice.frame(80)
    voice.say(LOUD[:320])
    mixed = voice.frame(100)
    assert mixed is not None and rms(mixed) == pytest.approx(2 * rms(LOUD[:320]), rel=0.01)


def test_a_flood_does_not_come_back() -> None:
    voice = Voice(CallerSettings(echo=Echo()))
    voice.hear(0, 8_000, LOUD * 100)
    assert [voice.frame(n * 20.0) for n in range(100)] == [bytes(320)] * 100


def test_files_are_read_before_the_call_at_the_rate_of_the_leg(tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(LOUD)  # 50 ms
    script = Script((steps.Say(path), steps.WaitMs(1), steps.Interrupt(path)))
    [(file_path, pcm)] = load_utterances(script, 8_000).items()
    assert (file_path, len(pcm)) == (path, 800)
    assert load_utterances(script, 16_000)[path] == LOUD
    with pytest.raises(OSError, match="nobody"):
        load_utterances(Script((steps.Say(tmp_path / "nobody.wav"),)), 8_000)
    path.write_bytes(b"no wave at all")
    with pytest.raises(ValueError, match="hello"):
        load_utterances(script, 8_000)
