"""The beep of an answering machine: a tone that no voice makes, until it is over. Never what is said after it.

A frame is a tone if nearly all of its power is at one pitch; a beep is a tone that lasts, at the same pitch. A voice
has overtones, noise has no pitch, a click and a key are short.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from adapters.audio.level import mean_square, mean_square_at

LEAST_MS: Final = 200
LOWEST_HZ, HIGHEST_HZ = 350.0, 2200.0
_LOUD: Final = mean_square_at(-40.0)
_PURE: Final = 0.9
_SPREAD_HZ: Final = 150.0  # of a pure tone, in a window of 20 ms
_SAME_HZ: Final = 60.0


class BeepDetector:
    """`hear` with every frame of the caller: True once a beep is over."""

    __slots__ = ("_pitch_hz", "_tone_ms")

    def __init__(self) -> None:
        self._pitch_hz = 0.0
        self._tone_ms = 0.0

    def hear(self, pcm: bytes, rate_hz: int) -> bool:
        pitch_hz = pitch_of_tone(pcm, rate_hz)
        if pitch_hz is not None and (not self._tone_ms or abs(pitch_hz - self._pitch_hz) <= _SAME_HZ):
            self._pitch_hz = self._pitch_hz if self._tone_ms else pitch_hz
            self._tone_ms += len(pcm) * 500 / rate_hz
            return False
        was_ms, self._pitch_hz = self._tone_ms, pitch_hz or 0.0
        self._tone_ms = 0.0 if pitch_hz is None else len(pcm) * 500 / rate_hz
        return was_ms >= LEAST_MS


def pitch_of_tone(pcm: bytes, rate_hz: int) -> float | None:
    """In Hz; None: there is no tone, or it is none of a machine's."""
    if len(pcm) < rate_hz // 50 or mean_square(pcm) < _LOUD:  # 10 ms
        return None
    samples = np.frombuffer(pcm[: len(pcm) & ~1], np.int16).astype(np.float64)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    step_hz = rate_hz / len(samples)
    peak = int(np.argmax(power))
    near = max(round(_SPREAD_HZ / step_hz), 2)
    around = power[max(peak - near, 0) : peak + near + 1].sum()
    pitch_hz = peak * step_hz
    if around < _PURE * power.sum() or not LOWEST_HZ <= pitch_hz <= HIGHEST_HZ:
        return None
    return pitch_hz
