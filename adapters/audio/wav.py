"""Prompts and speech from WAV files. Never on the audio path: a whole file at once, by soxr."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr


def load_wav(path: Path, rate_hz: int) -> bytes:
    """A 16-bit PCM WAV file of any rate, as mono 16-bit little-endian PCM at `rate_hz`; channels are averaged.

    ValueError names the file: not a WAV file, not 16 bit. OSError: cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, sample_bytes, file_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a PCM WAV file: {error or 'it ends too early'}") from error
    if sample_bytes != 2:
        raise ValueError(f"{path}: {8 * sample_bytes} bits a sample; 16 are wanted")
    whole = len(frames) // (2 * channels) * channels
    samples = np.frombuffer(frames, np.int16, whole).reshape(-1, channels)
    mono = samples[:, 0].astype(np.float64) if channels == 1 else samples.mean(axis=1)
    if file_hz != rate_hz:
        mono = np.asarray(soxr.resample(mono, file_hz, rate_hz, "VHQ"), np.float64)
    whole_steps: npt.NDArray[np.int16] = np.clip(np.rint(mono), -32768, 32767).astype(np.int16)
    return whole_steps.tobytes()
