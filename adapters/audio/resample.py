"""A streaming resampler: one direction of one call, 16-bit PCM in and out. Never files (soxr is for those), never time.

A polyphase FIR (Kaiser window, linear phase) for any rational ratio. Input is taken in blocks of whole ratio periods,
and one block is one row of a matrix product, so that numpy's overhead is paid once per frame and not once per phase.
Coefficients are whole multiples of 2**-20: every product and sum in here is exact in a double, so any split of the
input gives the same bytes on any machine. Nothing waits for a full block: what is known of it is computed.
"""

from __future__ import annotations

import functools
import math
from typing import TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

Doubles: TypeAlias = npt.NDArray[np.float64]

# Telephony wants 3.4 kHz of 8: flat to 0.425 of the lower rate, down by _ATTENUATION_DB where that band's images begin.
_CUT_OFF = 0.493
_SPAN = 32  # filter length in samples of the lower rate: delay is half of it, 2 ms at 8 kHz
_ATTENUATION_DB = 66.0
_ONE = 1 << 20  # steps a coefficient of 1.0 is made of
_BLOCK_SAMPLES = 16  # of the lower rate: measured, 8 to 32 cost about the same
_LOWEST, _HIGHEST = np.array(-32768.0), np.array(32767.0)  # arrays: a Python scalar costs a microsecond a call
_MAX_MACS = 200_000  # per product: OpenBLAS wakes its threads above 262,144, and they spin


@attrs.frozen(eq=False)
class _Design:
    """What resamplers of one ratio share: read only."""

    up: int
    down: int
    block_in_samples: int
    block_out_samples: int
    history_samples: int
    delay_ms: float
    tail_in_samples: int
    matrix: Doubles  # (history + block_in, block_out)
    max_rows: int


def _prototype(up: int, down: int) -> tuple[Doubles, int]:
    """Coefficients as (taps per phase, phases), newest sample last; each phase sums to exactly 1."""
    longer = max(up, down)
    taps_per_phase = math.ceil(_SPAN * longer / up)
    length = taps_per_phase * up
    # An odd-symmetric kernel with a whole span: what ceil() added stays zero at its end.
    span = _SPAN * longer
    position = np.arange(length) - (span - 1) / 2
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    inside = np.clip(1 - (2 * position / span) ** 2, 0, None)
    window = np.where(np.abs(position) <= span / 2, np.i0(beta * np.sqrt(inside)), 0.0)
    cut_off = 2 * _CUT_OFF / longer  # as a share of the Nyquist rate of the common (upsampled) rate
    kernel = np.sinc(cut_off * position) * window
    phases = kernel.reshape(taps_per_phase, up)
    whole = np.rint(phases / phases.sum(axis=0) * _ONE)
    whole[np.abs(whole).argmax(axis=0), np.arange(up)] += _ONE - whole.sum(axis=0)
    return whole[::-1] / _ONE, span


@functools.lru_cache(maxsize=64)
def _design(from_hz: int, to_hz: int) -> _Design:
    common = math.gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    coefficients, span = _prototype(up, down)
    taps = coefficients.shape[0]
    periods = max(1, _BLOCK_SAMPLES // min(up, down))
    block_in, block_out = down * periods, up * periods
    matrix = np.zeros((taps - 1 + block_in, block_out))
    for column in range(block_out):
        newest, phase = divmod(column * down, up)
        matrix[newest : newest + taps, column] = coefficients[:, phase]
    delay_s = (span - 1) / 2 / (up * from_hz)
    return _Design(
        up=up,
        down=down,
        block_in_samples=block_in,
        block_out_samples=block_out,
        history_samples=taps - 1,
        delay_ms=delay_s * 1000,
        tail_in_samples=math.ceil(2 * delay_s * from_hz),
        matrix=matrix,
        max_rows=max(1, _MAX_MACS // matrix.size),
    )


class Resampler:
    """One stream from `from_hz` to `to_hz`; the output lags by `delay_ms` (2 ms where the lower rate is 8 kHz).

    n samples in give n * to / from samples out, rounded up over the whole stream. Keep one per direction and call.
    """

    __slots__ = ("_buffer", "_design", "_emitted", "from_hz", "to_hz")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"a rate must be positive: {from_hz} Hz to {to_hz} Hz")
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._design = _design(from_hz, to_hz)
        self.reset()

    @property
    def delay_ms(self) -> float:
        """How long the output lags behind the input."""
        return self._design.delay_ms if self.from_hz != self.to_hz else 0.0

    def reset(self) -> None:
        """Forget the stream: the next sample is the first of a new one."""
        self._buffer: Doubles = np.zeros(self._design.history_samples)
        self._emitted = 0  # samples already given of the unfinished block at the end of the buffer

    def process(self, pcm: bytes) -> bytes:
        """16-bit little-endian mono PCM, any length, to all that is known of the output. Half a sample is dropped."""
        if self.from_hz == self.to_hz:
            return pcm
        return self._advance(np.frombuffer(pcm, np.int16, len(pcm) >> 1)).tobytes()

    def flush(self) -> bytes:
        """What the filter still holds (the tail, twice `delay_ms` long, fading out); then `reset`."""
        if self.from_hz == self.to_hz:
            return b""
        tail = self._advance(np.zeros(self._design.tail_in_samples, np.int16)).tobytes()
        self.reset()
        return tail

    def _advance(self, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        design = self._design
        buffer: Doubles = np.concatenate((self._buffer, samples))
        blocks, rest = divmod(buffer.size - design.history_samples, design.block_in_samples)
        known = blocks * design.block_out_samples + -(-rest * design.up // design.down)
        used = blocks * design.block_in_samples
        self._buffer = buffer[used:].copy() if used else buffer
        if rest:  # compute the unfinished block too; what is not known yet is cut off below
            buffer = np.concatenate((buffer, np.zeros(design.block_in_samples - rest)))
            blocks += 1
        out = self._product(buffer, blocks)[self._emitted : known]
        self._emitted = known - (used // design.block_in_samples) * design.block_out_samples
        return out

    def _product(self, buffer: Doubles, blocks: int) -> npt.NDArray[np.int16]:
        design = self._design
        # Overlapping rows over the same memory; the constructor is a fifth of as_strided()'s price.
        shape = (blocks, design.history_samples + design.block_in_samples)
        windows: Doubles = np.ndarray(shape, np.float64, buffer, 0, (design.block_in_samples * 8, 8))
        out: Doubles
        if blocks <= design.max_rows:
            out = np.dot(windows, design.matrix)
        else:
            steps = range(0, blocks, design.max_rows)
            out = np.concatenate([np.dot(windows[row : row + design.max_rows], design.matrix) for row in steps])
        np.rint(out, out=out)
        np.minimum(out, _HIGHEST, out=out)
        np.maximum(out, _LOWEST, out=out)
        return out.astype(np.int16).ravel()
