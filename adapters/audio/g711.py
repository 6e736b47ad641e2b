"""G.711: mu-law and A-law companding by table, both ways. Never rates, frames or streams: one byte is one sample.

The laws are those of ITU-T G.711 in the arithmetic of the ITU's reference software (G.191, module g711): 16-bit samples
are cut to 14 bits (mu-law) or 13 bits (A-law) with one's complement magnitudes, so that both signs err alike.
Tables are filled once at import: 128 KB for encoding, 1 KB for decoding.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.int16]
Codes: TypeAlias = npt.NDArray[np.uint8]

MULAW_SILENCE = 0xFF
ALAW_SILENCE = 0xD5

_MULAW_BIAS = 33
_MULAW_MAX = 0x1FFF


def _mulaw_decode_table() -> Samples:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (codes >> 4) & 7, codes & 0xF
    magnitude = (((2 * mantissa + _MULAW_BIAS) << exponent) - _MULAW_BIAS) << 2
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decode_table() -> Samples:
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (codes >> 4) & 7, codes & 0xF
    # The lowest two segments have the same step: exponent 0 has no hidden bit.
    magnitude = np.where(exponent == 0, mantissa * 16 + 8, (mantissa * 16 + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _all_samples() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Every 16-bit sample, in the order of its unsigned reading, and its one's complement magnitude."""
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return samples, np.where(samples < 0, ~samples, samples)


def _bit_length(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


def _mulaw_encode_table() -> Codes:
    samples, magnitude = _all_samples()
    biased = np.minimum((magnitude >> 2) + _MULAW_BIAS, _MULAW_MAX)
    exponent = _bit_length(biased) - 6
    codes = (exponent << 4) | ((biased >> (exponent + 1)) & 0xF)
    table: Codes = (~(codes | np.where(samples < 0, 0x80, 0)) & 0xFF).astype(np.uint8)
    return table


def _alaw_encode_table() -> Codes:
    samples, magnitude = _all_samples()
    cut = magnitude >> 4
    exponent = np.maximum(_bit_length(cut) - 4, 0)
    mantissa = (cut >> np.maximum(exponent - 1, 0)) & 0xF
    codes = (exponent << 4) | mantissa | np.where(samples < 0, 0, 0x80)
    table: Codes = (codes ^ 0x55).astype(np.uint8)
    return table


_MULAW_TO_PCM = _mulaw_decode_table()
_ALAW_TO_PCM = _alaw_decode_table()
_PCM_TO_MULAW = _mulaw_encode_table()
_PCM_TO_ALAW = _alaw_encode_table()


def mulaw_decode(codes: bytes) -> Samples:
    """mu-law bytes to int16 samples, one for one."""
    return _MULAW_TO_PCM.take(np.frombuffer(codes, np.uint8))


def alaw_decode(codes: bytes) -> Samples:
    """A-law bytes to int16 samples, one for one."""
    return _ALAW_TO_PCM.take(np.frombuffer(codes, np.uint8))


def mulaw_encode(samples: Samples) -> bytes:
    """int16 samples to mu-law bytes, one for one. Beyond +-32635 the law saturates."""
    return _PCM_TO_MULAW.take(samples.view(np.uint16)).tobytes()


def alaw_encode(samples: Samples) -> bytes:
    """int16 samples to A-law bytes, one for one."""
    return _PCM_TO_ALAW.take(samples.view(np.uint16)).tobytes()


def mulaw_to_pcm16(codes: bytes) -> bytes:
    """mu-law bytes to 16-bit little-endian PCM, twice as long."""
    return mulaw_decode(codes).tobytes()


def alaw_to_pcm16(codes: bytes) -> bytes:
    """A-law bytes to 16-bit little-endian PCM, twice as long."""
    return alaw_decode(codes).tobytes()


def pcm16_to_mulaw(pcm: bytes) -> bytes:
    """16-bit little-endian PCM to mu-law bytes, half as long. ValueError: half a sample at the end."""
    # "wrap": every index is in the table, and the check for it costs a third.
    return _PCM_TO_MULAW.take(np.frombuffer(pcm, np.uint16), None, None, "wrap").tobytes()


def pcm16_to_alaw(pcm: bytes) -> bytes:
    """16-bit little-endian PCM to A-law bytes, half as long. ValueError: half a sample at the end."""
    return _PCM_TO_ALAW.take(np.frombuffer(pcm, np.uint16), None, None, "wrap").tobytes()
