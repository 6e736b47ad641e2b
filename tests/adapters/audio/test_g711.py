"""G.711 byte by byte: known vectors, all 256 codes, all 65536 samples, the standard library where it has it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from adapters.audio import g711

CODES = bytes(range(256))
SAMPLES = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


def audioop() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("audioop")  # gone in Python 3.13


@pytest.mark.parametrize(
    ("code", "sample"),
    [
        (0xFF, 0),
        (0x7F, 0),
        (0xFE, 8),
        (0x7E, -8),
        (0xF0, 120),
        (0xEF, 132),
        (0x80, 32124),
        (0x00, -32124),
        (0x8F, 16764),
    ],
)
def test_mulaw_known_values(code: int, sample: int) -> None:
    assert g711.mulaw_decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(
    ("code", "sample"),
    [(0xD5, 8), (0x55, -8), (0xD4, 24), (0x54, -24), (0xC5, 264), (0xAA, 32256), (0x2A, -32256), (0x80, 5504)],
)
def test_alaw_known_values(code: int, sample: int) -> None:
    assert g711.alaw_decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(
    ("sample", "mulaw", "alaw"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7F, 0x55),
        (3, 0xFF, 0xD5),
        (4, 0xFE, 0xD5),
        (-5, 0x7E, 0x55),
        (15, 0xFD, 0xD5),
        (16, 0xFD, 0xD4),
        (-17, 0x7D, 0x54),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
        (32767, 0x80, 0xAA),
        (-32768, 0x00, 0x2A),
    ],
)
def test_encoding_known_values(sample: int, mulaw: int, alaw: int) -> None:
    pcm = np.array([sample], np.int16).tobytes()
    assert g711.pcm16_to_mulaw(pcm) == bytes([mulaw])
    assert g711.pcm16_to_alaw(pcm) == bytes([alaw])


def test_every_alaw_code_survives_decoding_and_encoding() -> None:
    assert g711.pcm16_to_alaw(g711.alaw_to_pcm16(CODES)) == CODES


def test_every_mulaw_code_survives_but_the_second_zero() -> None:
    again = g711.pcm16_to_mulaw(g711.mulaw_to_pcm16(CODES))
    assert again == CODES.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize(
    ("encode", "decode", "smallest_step", "largest"),
    [(g711.mulaw_encode, g711.mulaw_decode, 8, 32635), (g711.alaw_encode, g711.alaw_decode, 16, 32767)],
)
def test_every_sample_is_within_half_a_step(encode: Any, decode: Any, smallest_step: int, largest: int) -> None:
    """The law itself: a step doubles from segment to segment, and a value stands in the middle of its step."""
    inside = SAMPLES[np.abs(SAMPLES.astype(np.int32)) <= largest]
    codes = np.frombuffer(encode(inside), np.uint8)
    plain = codes ^ 0x55 if smallest_step == 16 else ~codes
    segment = (plain >> 4) & 7
    step = smallest_step << (np.maximum(segment, 1) - 1 if smallest_step == 16 else segment).astype(np.int32)
    values = decode(codes.tobytes()).astype(np.int32)
    assert (np.abs(values - inside.astype(np.int32)) <= step // 2).all()
    assert (np.diff(values) >= 0).all()


def test_all_samples_as_the_standard_library_has_them() -> None:
    library = audioop()
    pcm = SAMPLES.tobytes()
    assert g711.pcm16_to_alaw(pcm) == library.lin2alaw(pcm, 2)
    assert g711.alaw_to_pcm16(CODES) == library.alaw2lin(CODES, 2)
    assert g711.mulaw_to_pcm16(CODES) == library.ulaw2lin(CODES, 2)
    # For mu-law audioop rounds negative samples away from zero before it cuts: only what is not negative is comparable.
    positive = SAMPLES[SAMPLES >= 0].tobytes()
    assert g711.pcm16_to_mulaw(positive) == library.lin2ulaw(positive, 2)


def test_signs_err_alike() -> None:
    positive = np.arange(32768, dtype=np.int32)
    negative = (-1 - positive).astype(np.int16)
    mulaw = np.frombuffer(g711.mulaw_encode(positive.astype(np.int16)), np.uint8)
    assert (mulaw ^ 0x80).tobytes() == g711.mulaw_encode(negative)


def test_silence_is_silent_and_nothing_is_nothing() -> None:
    assert g711.mulaw_decode(bytes([g711.MULAW_SILENCE])).tolist() == [0]
    assert abs(int(g711.alaw_decode(bytes([g711.ALAW_SILENCE]))[0])) == 8  # A-law has no zero
    assert g711.pcm16_to_mulaw(b"") == g711.alaw_to_pcm16(b"") == b""
    with pytest.raises(ValueError, match="multiple of element size"):
        g711.pcm16_to_mulaw(b"\x00")
