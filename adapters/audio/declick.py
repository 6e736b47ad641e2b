"""The ramps that hide a cut. Never know why there was one.

Speech cut between two samples jumps to silence, and a jump is a click; a few milliseconds of slope are not heard.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

RAMP_MS = 4


@functools.cache
def _ramp(rate_hz: int) -> npt.NDArray[np.float64]:
    """Half a cosine from just under 1 down to 0."""
    samples = rate_hz * RAMP_MS // 1000
    return 0.5 + 0.5 * np.cos(np.pi * np.arange(1, samples + 1) / samples)


def faded_in_front_of(last_sample: bytes, frame: bytes, rate_hz: int) -> bytes:
    """`frame` (16-bit PCM, at least RAMP_MS long) with a slope from `last_sample` to nothing laid over its start."""
    level = int.from_bytes(last_sample, "little", signed=True)
    if not level:
        return frame
    ramp = _ramp(rate_hz)
    samples = np.frombuffer(frame, np.int16).astype(np.float64)
    samples[: ramp.size] += level * ramp
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16).tobytes()


def faded_in(frame: bytes, rate_hz: int) -> bytes:
    """`frame` (16-bit PCM, at least RAMP_MS long) with its start rising from nothing: it goes on where it was cut."""
    ramp = _ramp(rate_hz)
    samples = np.frombuffer(frame, np.int16).astype(np.float64)
    samples[: ramp.size] *= 1 - ramp
    return np.rint(samples).astype(np.int16).tobytes()
