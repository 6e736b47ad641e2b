"""Audio of the simulated GPT-Live in the formats of its wire: recorded lines, made-up speech, its kind of silence."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from adapters.audio.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from adapters.simulator.providers.realtime.wire_audio import RATES_HZ, utterance
from adapters.simulator.speech import line_for_text, wav_path
from adapters.simulator.speech.library import Samples

_HISS: Final = 12
"""Silence is not all zeros: an amplitude of 0.0004 (docs/facts/gpt_live.md section 1)."""


@attrs.frozen
class LiveFormat:
    """As session.start names it."""

    type: str
    rate_hz: int

    @property
    def sample_bytes(self) -> int:
        return 2 if self.type == "audio/pcm" else 1

    def ms(self, size: int) -> float:
        return size * 1000 / (self.rate_hz * self.sample_bytes)

    def bytes_in(self, duration_ms: int) -> int:
        return self.rate_hz * duration_ms // 1000 * self.sample_bytes

    def samples(self, payload: bytes) -> Samples:
        if self.type == "audio/pcmu":
            return mulaw_decode(payload)
        if self.type == "audio/pcma":
            return alaw_decode(payload)
        return np.frombuffer(payload, dtype="<i2").astype(np.int16)

    def encoded(self, samples: Samples) -> bytes:
        if self.type == "audio/pcmu":
            return mulaw_encode(samples)
        if self.type == "audio/pcma":
            return alaw_encode(samples)
        return samples.astype("<i2").tobytes()


def silence(audio: LiveFormat, duration_ms: int) -> bytes:
    """What is sent while the model says nothing."""
    count = audio.rate_hz * duration_ms // 1000
    return audio.encoded(np.tile(np.array([_HISS, -_HISS], dtype=np.int16), count // 2 + 1)[:count])


def speech(text: str, audio: LiveFormat) -> bytes:
    """A recorded line where there is one with this text, else something like a voice."""
    line = line_for_text(text)
    whole = utterance(text, wav_path(line.name) if line is not None else None, audio.type)
    if audio.rate_hz == RATES_HZ[audio.type]:
        return whole
    samples = audio.samples(whole)  # 16 kHz, of 24
    at = np.arange(0, len(samples), RATES_HZ[audio.type] / audio.rate_hz)
    return audio.encoded(np.interp(at, np.arange(len(samples)), samples).astype(np.int16))
