"""Audio in the formats of the wire: decoded, encoded, measured; an utterance is recorded speech or made-up noise."""

from __future__ import annotations

import base64
import functools
from pathlib import Path

import numpy as np

from adapters.audio.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from adapters.simulator.speech import read_samples
from adapters.simulator.speech.library import Samples

RATES_HZ = {"audio/pcm": 24000, "audio/pcmu": 8000, "audio/pcma": 8000}
_SECONDS_PER_CHARACTER = 0.062
_SHORTEST_S = 0.4


def audio_bytes(text: str) -> bytes | None:
    """The bytes of a wire's base64 text; None: it is not base64, or not even ASCII."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def decode_audio(payload: bytes, wire_format: str) -> Samples:
    """Bytes of a wire format to int16 samples at its rate; half a sample at the end of audio/pcm is dropped."""
    if wire_format == "audio/pcmu":
        return mulaw_decode(payload)
    if wire_format == "audio/pcma":
        return alaw_decode(payload)
    return np.frombuffer(payload[: len(payload) & ~1], dtype="<i2").astype(np.int16)


def to_pcm(payload: bytes, wire_format: str) -> bytes:
    """A piece of a wire format as 24 kHz PCM; G.711 without a filter, good enough for a simulated ear."""
    samples = decode_audio(payload, wire_format)
    return np.repeat(samples, RATES_HZ["audio/pcm"] // RATES_HZ[wire_format]).astype("<i2").tobytes()


def of_pcm(pcm: bytes, wire_format: str) -> bytes:
    """24 kHz PCM as a piece of a wire format; a third of the samples is their mean."""
    if wire_format == "audio/pcm":
        return pcm
    samples = decode_audio(pcm, "audio/pcm")
    means = samples[: len(samples) // 3 * 3].reshape(-1, 3).mean(axis=1).astype(np.int16)
    return mulaw_encode(means) if wire_format == "audio/pcmu" else alaw_encode(means)


@functools.lru_cache(maxsize=256)
def utterance(text: str, speech: Path | None, wire_format: str) -> bytes:
    """The whole utterance in a wire format: recorded when there is a file, else made up from the text."""
    rate_hz = RATES_HZ[wire_format]
    samples = read_samples(speech, rate_hz) if speech else _murmur(text, rate_hz)
    if wire_format == "audio/pcmu":
        return mulaw_encode(samples)
    if wire_format == "audio/pcma":
        return alaw_encode(samples)
    return samples.astype("<i2").tobytes()


def _murmur(text: str, rate_hz: int) -> Samples:
    """A voice-like buzz: a 130 Hz tone with overtones, four syllables a second."""
    seconds = max(len(text) * _SECONDS_PER_CHARACTER, _SHORTEST_S)
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 130 * harmonic * time_s) / harmonic for harmonic in range(1, 8))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_s)
    return np.rint(np.asarray(buzz) * syllables * 5000).astype(np.int16)


def duration_ms(audio_bytes: int, wire_format: str) -> float:
    """How long that many bytes of a wire format play."""
    width = 2 if wire_format == "audio/pcm" else 1
    return audio_bytes * 1000 / (RATES_HZ[wire_format] * width)


def delta_bytes(delta_ms: int, wire_format: str) -> int:
    """How many bytes of a wire format one delta of this length has; whole samples."""
    width = 2 if wire_format == "audio/pcm" else 1
    return RATES_HZ[wire_format] * delta_ms // 1000 * width
