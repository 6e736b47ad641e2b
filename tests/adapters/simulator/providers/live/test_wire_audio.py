"""Audio of the simulated GPT-Live: each format of its wire, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.simulator.providers.live.wire_audio import LiveFormat, silence, speech

FORMATS = [
    LiveFormat("audio/pcmu", 8_000), LiveFormat("audio/pcma", 8_000), LiveFormat("audio/pcm", 24_000),
    LiveFormat("audio/pcm", 16_000),
]  # fmt: skip


@pytest.mark.parametrize("audio", FORMATS, ids=str)
def test_what_is_encoded_is_heard_again(audio: LiveFormat) -> None:
    samples = (8_000 * np.sin(np.arange(audio.rate_hz // 10) / 5)).astype(np.int16)
    heard = audio.samples(audio.encoded(samples))
    assert len(heard) == len(samples) and np.max(np.abs(heard.astype(int) - samples)) < 300
    assert audio.ms(len(audio.encoded(samples))) == 100


@pytest.mark.parametrize("audio", FORMATS, ids=str)
def test_silence_is_quiet_and_speech_is_not(audio: LiveFormat) -> None:
    quiet, said = audio.samples(silence(audio, 200)), audio.samples(speech("We are open until six today.", audio))
    assert len(silence(audio, 200)) == audio.bytes_in(200) and 0 < np.max(np.abs(quiet)) < 50
    assert np.max(np.abs(said)) > 1_000 and len(said) > audio.rate_hz
