"""Formats and the way between them: the cheapest one, and nothing lost in it."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.audio import formats, g711
from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat, Transcoder, converted
from adapters.audio.resample import Resampler
from tests.adapters.audio.sound import delayed, snr_db, speech_like, to_wave, tone

PCM_8K = AudioFormat("pcm16", 8000)


def test_sizes() -> None:
    assert (PCM_8K.frame_bytes, PCM_24K.frame_bytes, PCMU.frame_bytes) == (320, 960, 160)
    assert AudioFormat("pcm16", 44100).frame_bytes == 1764
    assert (PCM_24K.ms(960), PCMU.ms(8000), PCM_8K.ms(319)) == (20, 1000, 19)
    assert PCMU.silence() == b"\xff" * 160
    assert PCMA.silence(1) == b"\xd5" * 8
    assert AudioFormat("pcm16", 16000).silence(10) == bytes(320)


def test_all_kinds_have_whole_frames() -> None:
    assert all(rate % 50 == 0 for rate in formats.RATES_HZ)


@pytest.mark.parametrize(("encoding", "rate_hz"), [("pcmu", 16000), ("pcm16", 11025), ("opus", 8000)])
def test_formats_that_are_none(encoding: formats.Encoding, rate_hz: int) -> None:
    with pytest.raises(ValueError, match=r"8000|must be in"):
        AudioFormat(encoding, rate_hz)


@pytest.mark.parametrize(
    ("payload_format", "encode", "decode"),
    [(PCMU, g711.pcm16_to_mulaw, g711.mulaw_to_pcm16), (PCMA, g711.pcm16_to_alaw, g711.alaw_to_pcm16)],
    ids=["pcmu", "pcma"],
)
def test_g711_end_to_end_is_the_table_and_nothing_else(
    payload_format: AudioFormat, encode: object, decode: object
) -> None:
    transcoder = Transcoder(payload_format)
    pcm = speech_like(8000, 200)
    assert callable(encode) and callable(decode)
    assert transcoder.to_provider(pcm) == encode(pcm)
    assert transcoder.from_provider(encode(pcm)) == decode(encode(pcm))
    assert transcoder.delay_ms == 0
    assert transcoder.end_of_provider_audio() == b""


def test_the_same_pcm_on_both_sides_is_handed_through() -> None:
    transcoder = Transcoder(PCM_24K, leg_rate_hz=24000)
    pcm = speech_like(24000, 20)
    assert transcoder.to_provider(pcm) is pcm
    assert transcoder.from_provider(pcm) is pcm


def test_both_directions_may_differ() -> None:
    transcoder = Transcoder(PCMU, PCM_24K)
    assert len(transcoder.to_provider(bytes(320))) == 160
    assert len(transcoder.from_provider(bytes(960))) == 320
    assert 1.9 < transcoder.delay_ms < 2.1


def test_24_khz_both_ways_and_back() -> None:
    transcoder = Transcoder(PCM_24K)
    pcm = speech_like(8000, 1000)
    up = b"".join(transcoder.to_provider(pcm[at : at + 320]) for at in range(0, len(pcm), 320))
    assert len(up) == 3 * len(pcm)
    back = transcoder.from_provider(up) + transcoder.end_of_provider_audio()
    assert snr_db(delayed(to_wave(pcm), transcoder.delay_ms * 8), to_wave(back)) > 45
    assert abs(transcoder.delay_ms - 3.96) < 0.01


def test_the_rate_may_change_from_message_to_message() -> None:
    transcoder = Transcoder(PCMU)
    sizes = [len(transcoder.to_provider(bytes(rate // 25), rate)) for rate in sorted(formats.RATES_HZ)]
    assert sizes == [160] * len(formats.RATES_HZ)
    assert transcoder.to_provider(bytes(320)) == b"\xff" * 160
    with pytest.raises(ValueError, match="11025"):
        transcoder.to_provider(bytes(320), 11025)


def test_filters_keep_their_state_per_rate() -> None:
    pcm = tone(440, 16000, 100)
    transcoder = Transcoder(AudioFormat("pcm16", 8000))
    parts = []
    for at in range(0, len(pcm), 640):
        parts.append(transcoder.to_provider(pcm[at : at + 640], 16000))
        transcoder.to_provider(tone(300, 24000, 20), 24000)  # another rate in between
    assert b"".join(parts) == Resampler(16000, 8000).process(pcm)


def test_a_provider_may_cut_a_sample_in_two() -> None:
    pcm = speech_like(24000, 100)
    whole = Transcoder(PCM_24K).from_provider(pcm)
    split = Transcoder(PCM_24K)
    parts = [split.from_provider(pcm[at : at + 77]) for at in range(0, len(pcm), 77)]
    assert b"".join(parts) == whole


def test_a_caller_who_cuts_a_sample_loses_it() -> None:
    assert len(Transcoder(PCMU).to_provider(bytes(321))) == 160


def test_after_a_flush_nothing_of_the_old_answer_sounds() -> None:
    transcoder = Transcoder(PCM_24K)
    transcoder.from_provider(tone(1000, 24000, 100) + b"\x01")
    transcoder.drop_provider_audio()
    assert not np.any(to_wave(transcoder.from_provider(bytes(960))))


@pytest.mark.parametrize("new", [PCM_24K, AudioFormat("pcm16", 16000), PCMA])
def test_a_piece_of_audio_in_another_format_is_the_same_sound(new: AudioFormat) -> None:
    said = speech_like(8000, 1000)
    there = converted(g711.pcm16_to_mulaw(said), PCMU, new)
    assert 997 <= new.ms(len(there)) <= 1000
    said_wave, back = to_wave(said), to_wave(g711.mulaw_to_pcm16(converted(there, new, PCMU)))
    likeness = np.correlate(said_wave, back, "full").max() / (np.linalg.norm(said_wave) * np.linalg.norm(back))
    assert likeness > 0.95


def test_a_transcoder_goes_on_in_another_format() -> None:
    transcoder = Transcoder(PCMU)
    transcoder.from_provider(bytes(160))
    transcoder.send_as(AudioFormat("pcm16", 16000))
    transcoder.receive_as(PCM_24K)
    assert len(transcoder.to_provider(bytes(1600))) in range(3200 - 130, 3201)
    assert len(transcoder.from_provider(bytes(4801))) in range(1600 - 40, 1601)
