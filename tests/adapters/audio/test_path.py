"""Speech through the whole path, as a call takes it: provider payload, codec, filter, playout, frames; nothing cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat, Transcoder
from adapters.audio.g711 import pcm16_to_alaw, pcm16_to_mulaw
from adapters.audio.playout import Playout
from tests.adapters.audio.sound import Facts, Wave, delayed, snr_db, speech_like, to_wave

# Pieces as providers send them: 250 ms on gpt-realtime, odd ones for the rest (docs/facts/realtime_api.md section 7).
PIECE_BYTES = {"pcm16": [12_000, 18_000, 77, 4801], "pcmu": [2000, 3000, 13, 800], "pcma": [2000, 3000, 13, 800]}


def heard_at_the_phone(payload: bytes, provider: AudioFormat, leg_rate_hz: int) -> tuple[Wave, Playout]:
    """Audio comes ten times faster than it plays; every pull is one frame on the wire."""
    transcoder, playout = Transcoder(provider, leg_rate_hz=leg_rate_hz), Playout(Facts(), rate_hz=leg_rate_hz)
    sizes = PIECE_BYTES[provider.encoding]
    frames: list[bytes] = []
    at = turn = 0
    while at < len(payload):
        size = sizes[turn % len(sizes)]
        playout.push("r1", "i1", 0, transcoder.from_provider(payload[at : at + size]))
        at, turn = at + size, turn + 1
        if frame := playout.pull():
            frames.append(frame)
    playout.push("r1", "i1", 0, transcoder.end_of_provider_audio())
    playout.mark_response_ended("r1")
    while frame := playout.pull():
        frames.append(frame)
    assert {len(frame) for frame in frames} == {playout.format.frame_bytes}
    return to_wave(b"".join(frames)), playout


@pytest.mark.parametrize(
    ("provider", "leg_rate_hz", "least_snr_db"),
    [(PCM_24K, 8000, 50.0), (PCM_24K, 16000, 50.0), (PCMU, 8000, 34.0), (PCMA, 8000, 34.0), (PCMU, 16000, 34.0)],
    ids=["24k to 8k", "24k to 16k", "mu-law", "A-law", "mu-law to 16k"],
)
def test_speech_arrives_intact(provider: AudioFormat, leg_rate_hz: int, least_snr_db: float) -> None:
    speech = speech_like(provider.rate_hz)
    encoders: dict[str, Callable[[bytes], bytes]] = {"pcm16": bytes, "pcmu": pcm16_to_mulaw, "pcma": pcm16_to_alaw}
    encode = encoders[provider.encoding]
    heard, playout = heard_at_the_phone(encode(speech), provider, leg_rate_hz)
    wanted = (
        to_wave(speech_like(leg_rate_hz)) if leg_rate_hz == provider.rate_hz else ideal(speech, provider, leg_rate_hz)
    )
    late = Transcoder(provider, leg_rate_hz=leg_rate_hz)._down.delay_ms * leg_rate_hz / 1000
    wanted = delayed(wanted, late)
    assert snr_db(wanted, heard) > least_snr_db
    assert playout.stats.underruns == 0
    # No click: no step is larger than the speech's own; no gap: silence is never longer than the speech's own pauses.
    assert np.abs(np.diff(heard)).max() < 1.05 * np.abs(np.diff(wanted)).max() + 300
    assert longest_quiet(heard[: wanted.size]) <= longest_quiet(wanted) + leg_rate_hz // 1000
    assert playout.stats.generated_ms == playout.stats.played_ms
    assert abs(playout.stats.played_ms - 4000) <= 5


def ideal(speech: bytes, provider: AudioFormat, leg_rate_hz: int) -> Wave:
    """The same speech at another rate by way of its spectrum, exact for what is periodic, good but for the edges."""
    wave = to_wave(speech)
    size = wave.size * leg_rate_hz // provider.rate_hz
    spectrum = np.fft.rfft(wave)
    kept = np.zeros(size // 2 + 1, np.complex128)
    both = min(kept.size, spectrum.size)
    kept[:both] = spectrum[:both]
    return np.fft.irfft(kept, size) * size / wave.size


def longest_quiet(wave: Wave) -> int:
    """Samples in the longest run below -60 dBFS."""
    loud = np.flatnonzero(np.abs(wave) > 32)
    return int(np.diff(loud, prepend=-1, append=wave.size).max())


@pytest.mark.parametrize("provider", [PCM_24K, PCMU], ids=["24k", "mu-law"])
def test_the_callers_speech_reaches_the_provider_intact(provider: AudioFormat) -> None:
    transcoder = Transcoder(provider)
    speech = speech_like(8000)
    ptimes = [160, 320, 480, 640]  # 10, 20, 30 and 40 ms: Asterisk passes on what the phone sends
    payload, at, turn = b"", 0, 0
    while at < len(speech):
        payload += transcoder.to_provider(speech[at : at + ptimes[turn % 4]])
        at, turn = at + ptimes[turn % 4], turn + 1
    assert provider.ms(len(payload)) == 4000
    if provider.encoding == "pcmu":
        assert payload == pcm16_to_mulaw(speech)
        return
    wanted = delayed(ideal(speech, AudioFormat("pcm16", 8000), 24000), transcoder._up(8000).delay_ms * 24)
    assert snr_db(wanted, to_wave(payload)) > 50
