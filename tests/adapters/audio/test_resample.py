"""The streaming resampler: flat where speech is, quiet where images and aliases would be, the same for every split."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audio.formats import RATES_HZ
from adapters.audio.resample import Resampler, _design
from tests.adapters.audio.sound import delayed, level_db, snr_db, speech_like, to_pcm, to_wave, tone

PAIRS = sorted({(rate, to) for rate in RATES_HZ for to in (8000, 24000) if rate != to})


def stream(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """As a call does it: 20 ms at a time."""
    resampler = Resampler(from_hz, to_hz)
    step = from_hz // 50 * 2
    return b"".join(resampler.process(pcm[at : at + step]) for at in range(0, len(pcm), step))


def steady(pcm: bytes, rate_hz: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Without the first and the last 50 ms."""
    return to_wave(pcm)[rate_hz // 20 : -rate_hz // 20]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_comes_through_clean_and_in_time(from_hz: int, to_hz: int) -> None:
    out = to_wave(stream(tone(1000, from_hz, 400), from_hz, to_hz))
    wanted = to_wave(tone(1000, to_hz, 400))
    edge = to_hz // 50
    late = Resampler(from_hz, to_hz).delay_ms * to_hz / 1000
    assert snr_db(delayed(wanted, late)[edge:-edge], out[edge:-edge]) > 70


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_less_than_five_milliseconds_are_held_back(from_hz: int, to_hz: int) -> None:
    assert 0 < Resampler(from_hz, to_hz).delay_ms < 2.1


@pytest.mark.parametrize("hz", [50, 300, 1000, 2000, 3000, 3300, 3400])
@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 24000), (24000, 8000), (16000, 8000), (44100, 8000)])
def test_flat_to_the_end_of_the_telephone_band(hz: int, from_hz: int, to_hz: int) -> None:
    out = steady(stream(tone(hz, from_hz), from_hz, to_hz), to_hz)
    assert level_db(out, hz, to_hz) == pytest.approx(20 * math.log10(10_000), abs=0.1)


@pytest.mark.parametrize("hz", [300, 1000, 2500, 3400])
def test_no_images_above_the_callers_band(hz: int) -> None:
    out = steady(stream(tone(hz, 8000), 8000, 24000), 24000)
    for image_hz in (8000 - hz, 8000 + hz):
        assert level_db(out, image_hz, 24000) < 20 * math.log10(10_000) - 60


@pytest.mark.parametrize("hz", [4600, 5000, 7000, 9500, 11_500])
def test_no_aliases_in_the_callers_band(hz: int) -> None:
    out = steady(stream(tone(hz, 24000), 24000, 8000), 8000)
    alias_hz = abs(hz - 8000 * round(hz / 8000))
    assert level_db(out, alias_hz, 8000) < 20 * math.log10(10_000) - 60


@given(data=st.data(), pair=st.sampled_from([*PAIRS, (24000, 16000), (44100, 48000), (8000, 8000)]))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_bytes(data: st.DataObject, pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    seed = data.draw(st.integers(0, 2**32 - 1))
    samples = np.random.default_rng(seed).integers(-32768, 32768, from_hz // 20).astype(np.int16)
    cuts = sorted(data.draw(st.lists(st.integers(0, samples.size), max_size=12)))
    whole, pieces = Resampler(from_hz, to_hz), Resampler(from_hz, to_hz)
    wanted = whole.process(samples.tobytes()) + whole.flush()
    parts = np.split(samples, cuts)
    assert b"".join(pieces.process(part.tobytes()) for part in parts) + pieces.flush() == wanted


@given(sizes=st.lists(st.integers(0, 400), max_size=20), pair=st.sampled_from(PAIRS))
@settings(max_examples=60, deadline=None)
def test_nothing_known_is_held_back(sizes: list[int], pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    resampler = Resampler(from_hz, to_hz)
    came = went = 0
    for size in sizes:
        went += len(resampler.process(bytes(2 * size))) // 2
        came += size
        assert went == math.ceil(came * to_hz / from_hz)


def test_a_frame_in_is_a_frame_out() -> None:
    up, down = Resampler(8000, 24000), Resampler(24000, 8000)
    assert [len(up.process(bytes(320))) for _ in range(3)] == [960, 960, 960]
    assert [len(down.process(bytes(960))) for _ in range(3)] == [320, 320, 320]


def test_flush_gives_the_tail_and_starts_afresh() -> None:
    resampler = Resampler(24000, 8000)
    pcm = speech_like(24000, 500)
    first = resampler.process(pcm) + resampler.flush()
    assert resampler.process(pcm) + resampler.flush() == first
    late_bytes = 2 * math.ceil(2 * resampler.delay_ms * 8)
    assert len(first) == len(pcm) // 3 + late_bytes
    resampler.process(pcm)
    resampler.reset()
    assert resampler.process(pcm) + resampler.flush() == first


def test_loud_is_saturated_and_never_wraps() -> None:
    square = np.repeat(np.array([32767, -32768] * 20, np.int16), 40)
    out = to_wave(stream(square.tobytes(), 8000, 24000))
    assert out.max() == 32767 and out.min() == -32768
    assert np.abs(np.diff(out)).max() < 40_000  # a wrap would be a jump of 65535


def test_a_constant_stays_exactly_what_it_is() -> None:
    out = to_wave(stream(to_pcm(np.full(800, 12_345)), 8000, 24000))
    assert set(out[200:-200]) == {12_345.0}
    for pair in PAIRS:
        assert (_design(*pair).matrix.sum(axis=0) == 1).all()


def test_long_input_in_one_piece_is_the_same_stream() -> None:
    pcm = speech_like(24000, 3000)
    assert Resampler(24000, 8000).process(pcm) == stream(pcm, 24000, 8000)


def test_half_a_sample_is_dropped_and_rates_are_checked() -> None:
    assert Resampler(8000, 24000).process(bytes(321)) == bytes(960)
    with pytest.raises(ValueError, match="0 Hz"):
        Resampler(0, 8000)


def test_resamplers_of_one_ratio_share_no_state() -> None:
    one, other = Resampler(8000, 24000), Resampler(8000, 24000)
    one.process(tone(1000, 8000, 20))
    assert other.process(bytes(320)) == bytes(960)
