"""Sound made by rule for the tests of this room: tones, and bursts that are like speech. No files, no chance."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Wave: TypeAlias = npt.NDArray[np.float64]


def tone(hz: float, rate_hz: int, duration_ms: int = 1000, level: float = 10_000) -> bytes:
    time_s = np.arange(rate_hz * duration_ms // 1000) / rate_hz
    return to_pcm(level * np.sin(2 * np.pi * hz * time_s))


def speech_like(rate_hz: int, duration_ms: int = 4000, seed: int = 1) -> bytes:
    """Syllables of a gliding, voiced harmonic tone and of band noise, all below 3.2 kHz, with pauses in between."""
    noise = np.random.default_rng(seed)
    samples = rate_hz * duration_ms // 1000
    time_s = np.arange(samples) / rate_hz
    pitch_hz = 120 + 40 * np.sin(2 * np.pi * 0.7 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    voiced = sum(np.sin(k * phase) / k for k in range(1, 19))
    hiss = np.zeros(samples)
    for hz in noise.uniform(400, 3200, 200):
        hiss += np.sin(2 * np.pi * hz * time_s + noise.uniform(0, 2 * np.pi)) / 10
    syllable = np.clip(np.sin(2 * np.pi * 3 * time_s), 0, None) ** 0.7
    consonant = np.clip(np.sin(2 * np.pi * 3 * time_s + np.pi), 0, None) ** 2 * (time_s % 1 < 0.6)
    return to_pcm(6000 * (voiced * syllable + 0.5 * hiss * consonant))


def to_pcm(wave: npt.ArrayLike) -> bytes:
    return np.clip(np.rint(np.asarray(wave, np.float64)), -32768, 32767).astype(np.int16).tobytes()


def to_wave(pcm: bytes) -> Wave:
    return np.frombuffer(pcm, np.int16).astype(np.float64)


def level_db(wave: Wave, hz: float, rate_hz: int) -> float:
    """Level of one frequency, in dB of a sine of amplitude 1."""
    window = np.hanning(wave.size)
    turning = np.exp(-2j * np.pi * hz * np.arange(wave.size) / rate_hz)
    return float(20 * np.log10(2 * abs(np.dot(wave * window, turning)) / window.sum() + 1e-9))


def snr_db(wanted: Wave, got: Wave) -> float:
    """Of two waves already in line."""
    size = min(wanted.size, got.size)
    error = wanted[:size] - got[:size]
    return float(10 * np.log10(np.dot(wanted[:size], wanted[:size]) / max(float(np.dot(error, error)), 1e-9)))


def delayed(wave: Wave, samples: float) -> Wave:
    """The same wave later by any fraction of samples, exactly, by its spectrum."""
    padded = np.concatenate((wave, np.zeros(4096)))
    shift = np.exp(-2j * np.pi * np.fft.rfftfreq(padded.size) * samples)
    return np.fft.irfft(np.fft.rfft(padded) * shift, padded.size)[: wave.size]


class Facts(list[tuple[str, dict[str, Any]]]):
    """An OnFact that remembers."""

    def __call__(self, name: str, data: dict[str, Any]) -> None:
        self.append((name, data))

    def names(self) -> list[str]:
        return [name for name, _ in self]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for found, data in self if found == name]
