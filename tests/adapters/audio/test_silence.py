"""The silence watch: on the tick, with and without frames."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.audio import silence
from adapters.audio.silence import SilenceWatch
from tests.adapters.audio.sound import Facts, speech_like, to_pcm, tone

LOUD = tone(400, 8000, 20, 3000)
QUIET = tone(400, 8000, 20, 50)


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def watch(facts: Facts) -> SilenceWatch:
    return SilenceWatch(facts)


def pass_time(watch: SilenceWatch, ticks: int, frame: bytes | None) -> None:
    for _ in range(ticks):
        if frame is not None:
            watch.hear(frame)
        watch.tick()


def test_nothing_is_reported_unwatched(watch: SilenceWatch, facts: Facts) -> None:
    pass_time(watch, 500, QUIET)
    assert facts == []


@pytest.mark.parametrize(
    "frame", [None, QUIET, bytes(320), b"", b"\x01"], ids=["none", "quiet", "zeros", "empty", "half"]
)
def test_silence_is_quiet_frames_or_none_at_all(watch: SilenceWatch, facts: Facts, frame: bytes | None) -> None:
    watch.watch()
    pass_time(watch, 99, frame)
    assert facts == []
    pass_time(watch, 1, frame)
    assert facts == [("caller.silent", {})]


def test_it_is_reported_again_while_watched(watch: SilenceWatch, facts: Facts) -> None:
    watch.watch()
    pass_time(watch, 299, None)
    assert len(facts) == 2
    pass_time(watch, 1, None)
    assert len(facts) == 3
    watch.unwatch()
    pass_time(watch, 500, None)
    assert len(facts) == 3


def test_a_loud_frame_starts_the_count_again(watch: SilenceWatch, facts: Facts) -> None:
    watch.watch()
    pass_time(watch, 99, QUIET)
    pass_time(watch, 1, LOUD)
    pass_time(watch, 98, QUIET)
    assert facts == []
    pass_time(watch, 1, QUIET)
    assert len(facts) == 1


def test_silence_before_the_watch_does_not_count(watch: SilenceWatch, facts: Facts) -> None:
    pass_time(watch, 500, None)
    watch.watch()
    pass_time(watch, 50, None)
    watch.watch()  # and a new watch starts anew
    pass_time(watch, 99, None)
    assert facts == []


def test_speech_is_never_silence(watch: SilenceWatch, facts: Facts) -> None:
    watch.watch()
    speech = speech_like(8000, 10_000)
    for at in range(0, len(speech), 320):
        pass_time(watch, 1, speech[at : at + 320])
    assert facts == []


def test_a_tick_may_be_several_frames_and_hold_is_settable(facts: Facts) -> None:
    watch = SilenceWatch(facts, hold_ms=100)
    watch.watch()
    watch.tick(3)
    assert facts == []
    watch.tick(2)
    assert len(facts) == 1
    with pytest.raises(ValueError, match="hold_ms"):
        SilenceWatch(facts, hold_ms=0)


def test_the_threshold_is_the_power_of_a_frame(facts: Facts) -> None:
    watch = SilenceWatch(facts, threshold_dbfs=-40)
    assert watch.is_loud(to_pcm(np.full(160, 330)))  # -39.9 dBFS
    assert not watch.is_loud(to_pcm(np.full(160, 325)))  # -40.1 dBFS
    assert watch.is_loud(to_pcm(np.full(960, -330)))


def test_an_unwatched_frame_costs_no_arithmetic(watch: SilenceWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "mean_square", None)
    watch.hear(LOUD)
