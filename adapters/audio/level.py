"""How loud PCM is: the mean square of its samples. Never what is loud enough, never over time."""

from __future__ import annotations

from typing import Final

import numpy as np

_FULL_SCALE: Final = 32768.0


def mean_square(pcm: bytes) -> float:
    """Of 16-bit PCM of any length; half a sample at its end is left out, and nothing at all is 0."""
    size = len(pcm) >> 1
    samples = np.frombuffer(pcm, np.int16, size).astype(np.float32)
    return float(samples.dot(samples)) / size if size else 0.0


def mean_square_at(dbfs: float) -> float:
    """What a level is as a mean square (0 dBFS: a square wave of full scale)."""
    return float((_FULL_SCALE * 10 ** (dbfs / 20)) ** 2)
