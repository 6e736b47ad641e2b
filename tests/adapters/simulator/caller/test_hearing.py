"""What is measured, on audio made for it."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from adapters.audio.wav import load_wav
from adapters.simulator.caller.hearing import (
    CallerHearing,
    Pacing,
    Segment,
    longest_silence_ms,
    reply_times_ms,
    talk_over_ms,
)
from adapters.simulator.caller.report import CallerEnding, CallerReport, make_report
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.caller.voice import Voice
from adapters.simulator.speech.library import lines, wav_path

LOUD = (np.sin(np.arange(160) * 0.3) * 8000).astype("<i2").tobytes()
QUIET = (np.sin(np.arange(160) * 0.3) * 40).astype("<i2").tobytes()
NOTHING = bytes(320)


def hear(*frames: tuple[bytes, int], settings: CallerSettings | None = None) -> CallerHearing:
    """So many frames of each, one per 20 ms."""
    hearing, n = CallerHearing(settings or CallerSettings()), 0
    for pcm, count in frames:
        for _ in range(count):
            hearing.hear(n * 20.0, 8_000, pcm)
            n += 1
    return hearing


def test_speech_is_told_by_its_energy() -> None:
    hearing = hear((NOTHING, 10), (LOUD, 50), (QUIET, 100), (LOUD, 10), (NOTHING, 10))
    assert hearing.speech.segments == (Segment(200, 1200), Segment(3200, 3400))
    assert hearing.speech.segments[0].duration_ms == 1000
    assert hearing.speech.silent_ms(3600) == 200
    assert hearing.speech.speaking_ms(3500) == 300
    assert hearing.speech.speaking_ms(4000) is None


def test_a_pause_between_sentences_is_in_a_segment_and_a_click_is_none() -> None:
    assert hear((LOUD, 10), (NOTHING, 20), (LOUD, 10)).speech.segments == (Segment(0, 800),)
    assert hear((NOTHING, 5), (LOUD, 1), (NOTHING, 5)).speech.segments == ()


def test_before_any_speech_all_has_been_silence() -> None:
    assert hear((NOTHING, 5)).speech.silent_ms(100) == 100
    assert hear((NOTHING, 5)).speech.speaking_ms(100) is None


def test_steady_frames_are_paced_perfectly() -> None:
    pacing = hear((LOUD, 100)).pacing
    assert pacing == Pacing(100, 2000.0, 20.0, 20.0, 20.0, 20.0, 0.0)


def test_gaps_bursts_and_drift_are_seen() -> None:
    hearing = CallerHearing(CallerSettings())
    for at_ms in (0, 20, 40, 340, 340, 340, 341):
        hearing.hear(at_ms, 8_000, LOUD)
    pacing = hearing.pacing
    assert pacing.gap_max_ms == 300
    assert pacing.lead_max_ms == 79
    assert pacing.drift_ms == 341 - 6 * 20
    assert CallerHearing(CallerSettings()).pacing == Pacing()
    assert hear((LOUD, 1)).pacing.gap_max_ms == 0


@pytest.mark.parametrize(("empty_frames", "holes"), [(1, 1), (5, 1), (60, 0)])
def test_nothing_between_loud_and_loud_is_a_hole(empty_frames: int, holes: int) -> None:
    hearing = hear((LOUD, 10), (NOTHING, empty_frames), (LOUD, 10))
    assert hearing.holes == [Segment(200, 200 + empty_frames * 20)] * holes


def test_audio_that_did_not_come_is_a_hole_and_audio_that_came_late_is_none() -> None:
    hearing = CallerHearing(CallerSettings())
    for at_ms in (0, 20, 75, 76, 80, 100, 300, 320):
        hearing.hear(at_ms, 8_000, LOUD)
    assert hearing.holes == [Segment(120, 300)]


def test_real_speech_has_no_holes_until_one_is_cut() -> None:
    for name in lines():
        pcm = load_wav(wav_path(name), 8_000)
        hearing = CallerHearing(CallerSettings())
        for n in range(0, len(pcm), 320):
            hearing.hear(n / 16, 8_000, pcm[n : n + 320])
        assert hearing.holes == [], name
        assert hearing.speech.segments


def test_talk_over_silence_and_replies() -> None:
    caller = (Segment(1000, 2000), Segment(5000, 6000), Segment(9000, 9500))
    agent = (Segment(0, 1200), Segment(2700, 5300), Segment(5500, 5600))
    assert talk_over_ms(caller, agent) == 200 + 300 + 100
    assert longest_silence_ms((*caller, *agent), 10_000) == 3000
    assert longest_silence_ms((), 700) == 700
    assert longest_silence_ms([Segment(0, 100)], 2_000) == 1900
    assert reply_times_ms(caller, agent) == (700,)
    assert reply_times_ms((), agent) == ()


def report(hearing: CallerHearing, settings: CallerSettings) -> CallerReport:
    ending = CallerEnding("fin", 2_000.0)
    return make_report(call_id=uuid.uuid4(), settings=settings, ending=ending, hearing=hearing, voice=Voice(settings))


def test_what_was_heard_is_laid_out_by_time() -> None:
    settings = CallerSettings()
    hearing = CallerHearing(settings)
    for at_ms in (100.0, 120.4, 139.8, 1000.0):
        hearing.hear(at_ms, 8_000, LOUD)
    pcm = report(hearing, settings).heard_pcm()
    assert pcm[1600:2560] == LOUD * 3
    assert pcm[16_000:16_320] == LOUD
    assert pcm.count(LOUD) == 4
    assert any(report(hearing, settings).heard_pcm(16_000)[3200:5120])


def test_audio_need_not_be_kept() -> None:
    settings = CallerSettings(keep_audio=False)
    made = report(hear((LOUD, 10), settings=settings), settings)
    assert made.heard == ()
    assert made.agent_speech == (Segment(0, 200),)
