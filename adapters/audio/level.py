"""How loud PCM is: the mean square of its samples. Never what is loud enough, never over time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

_FULL_SCALE: Final = 32768.0
_INT16: Final = np.dtype(np.int16)  # made once: it is looked up fifty times a second for each call
_FLOAT32: Final = np.dtype(np.float32)


def mean_square(pcm: bytes) -> float:
    """Of 16-bit PCM of any length; half a sample at its end is left out, and nothing at all is 0."""
    if len(pcm) & 1:
        pcm = pcm[:-1]
    if not pcm:
        return 0.0
    samples = np.frombuffer(pcm, _INT16).astype(_FLOAT32)
    return float(samples.dot(samples)) / len(samples)


def mean_squares(frames: Sequence[bytes]) -> list[float]:
    """Of each of them. Together they cost little more than one alone, if they are of one length."""
    size = len(frames[0]) if len(frames) > 1 else 0
    if not size or size & 1 or {size} != set(map(len, frames)):
        return [mean_square(frame) for frame in frames]
    samples = np.frombuffer(b"".join(frames), _INT16).astype(_FLOAT32).reshape(-1, size // 2)
    np.multiply(samples, samples, samples)
    found: list[float] = samples.dot(_mean_of(size // 2)).tolist()
    return found


@functools.lru_cache(maxsize=8)
def _mean_of(samples: int) -> npt.NDArray[np.float32]:
    """Multiplied by it, so many samples become their mean."""
    return np.full(samples, 1 / samples, _FLOAT32)


def mean_square_at(dbfs: float) -> float:
    """What a level is as a mean square (0 dBFS: a square wave of full scale)."""
    return float((_FULL_SCALE * 10 ** (dbfs / 20)) ** 2)
