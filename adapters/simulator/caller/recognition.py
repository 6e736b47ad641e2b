"""Which of the bundled lines a caller heard, when, and how much of each: by comparing sound with sound. No words.

A line is cut into pieces; a piece was heard where the normalised correlation with what was heard is high. So a line
that was cut off was heard in part, and a codec or a resampler on the way does no harm. What is not of the bundled lines
(a real model's voice, the simulator's noise) is not known here.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import soxr

from adapters.simulator.caller.hearing import HeardSpeech
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.speech.library import lines, read_samples, wav_path

RATE_HZ = 8_000
PIECE_MS = 400
LIKE = 0.8
"""The least correlation; the same voice's other syllables reach 0.9, for a piece or two."""
_STRAY = RATE_HZ * 150 // 1000  # samples: so far from where its line has it a piece may be, after a hole
PATIENCE_MS = 300
"""What comes so much late leaves no silence."""
LIKE_ALONE = 0.95
"""Of a line of which one piece alone was heard."""
_PIECE = RATE_HZ * PIECE_MS // 1000
_QUIET = 200.0  # of the RMS of a piece that is a pause: it is like anything
Floats = npt.NDArray[np.float64]


@attrs.frozen
class HeardLine:
    """A bundled line that was heard, from `at_ms` on."""

    name: str
    at_ms: float
    percent: int


@functools.cache
def _pieces(name: str) -> tuple[tuple[int, Floats], ...]:
    """The loud pieces of a line, and where in it they begin, in samples."""
    samples = read_samples(wav_path(name), RATE_HZ).astype(np.float64)
    found = []
    for start in range(0, max(samples.size - _PIECE, 0) + 1, _PIECE):
        piece = samples[start : start + _PIECE]
        piece = piece - piece.mean()
        if piece.size == _PIECE and float(np.sqrt(np.mean(piece**2))) > _QUIET:
            found.append((start, piece / float(np.linalg.norm(piece))))
    return tuple(found)


def heard_lines(report: CallerReport) -> tuple[HeardLine, ...]:
    """In the order in which they were heard; a line that was said twice is there twice."""
    track = _track(report.heard)
    if track.size < _PIECE or not track.any():
        return ()
    norms = np.sqrt(np.maximum(_windowed(track**2), 1.0))
    padded = 1 << (track.size + _PIECE - 1).bit_length()
    spectrum = np.fft.rfft(track, padded)
    found = [each for line in lines().values() if line.voice != "caller"
             for each in _occurrences(line.name, spectrum, norms, padded)]  # fmt: skip
    return tuple(sorted((each.line for each in _claimed(found)), key=lambda each: each.at_ms))


def _track(heard: Sequence[HeardSpeech]) -> Floats:
    """All that was heard, as a patient ear has it: what came a little late, or in a burst, is one after the other."""
    parts: list[Floats] = []
    size = 0
    for rate_hz, messages in itertools.groupby(heard, key=lambda each: each.rate_hz):
        stretch: list[npt.NDArray[np.int16]] = []
        begin, length = size * rate_hz // RATE_HZ, 0
        for each in messages:
            late = round(each.at_ms * rate_hz / 1000) - begin - length
            samples = np.frombuffer(each.pcm, "<i2")
            silence = late if late > rate_hz * PATIENCE_MS // 1000 else 0
            stretch += [np.zeros(silence, np.int16), samples]
            length += silence + samples.size
        joined = np.concatenate(stretch).astype(np.float64)
        parts.append(joined if rate_hz == RATE_HZ else soxr.resample(joined, rate_hz, RATE_HZ))
        size += parts[-1].size
    return np.concatenate(parts) if parts else np.zeros(0)


def _windowed(values: Floats) -> Floats:
    """The sum of each stretch of a piece's length."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    windowed: Floats = sums[_PIECE:] - sums[:-_PIECE]
    return windowed


@attrs.define
class _Occurrence:
    """A line that may have been heard: where it would have begun, and how like each of its pieces was, by its place."""

    name: str
    begin: int
    likeness: dict[int, float]
    starts: set[int]

    @property
    def line(self) -> HeardLine:
        percent = round(100 * len(self.starts) / len(_pieces(self.name)))
        return HeardLine(self.name, max(self.begin, 0) / RATE_HZ * 1000, percent)


def _occurrences(name: str, spectrum: npt.NDArray[np.complex128], norms: Floats, padded: int) -> Iterator[_Occurrence]:
    """Pieces that were heard, put together by where their line would have begun."""
    begins: list[_Occurrence] = []
    for start, piece in _pieces(name):
        likeness = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, padded)), padded)[: norms.size] / norms
        for place in _peaks(likeness):
            begin = place - start
            near = next((each for each in begins if abs(each.begin - begin) <= _STRAY), None)
            if near is None:
                near = _Occurrence(name, begin, {}, set())
                begins.append(near)
            near.likeness[place] = float(likeness[place])
            near.starts.add(start)
    yield from begins


def _claimed(found: list[_Occurrence]) -> Iterator[_Occurrence]:
    """One voice says the same syllables in many lines: each stretch belongs to the line of which most was heard."""
    taken: list[tuple[int, int]] = []
    for each in sorted(found, key=lambda one: -sum(one.likeness.values())):
        is_stray = len(each.likeness) == 1 and max(each.likeness.values()) < LIKE_ALONE
        if not is_stray and not any(
            begin < place + _PIECE and place < end for place in each.likeness for begin, end in taken
        ):
            taken.append((min(each.likeness), max(each.likeness) + _PIECE))
            yield each


def _peaks(likeness: Floats) -> Iterator[int]:
    """The best place of each stretch of a piece's length in which the piece was heard."""
    places = np.flatnonzero(likeness >= LIKE)
    while places.size:
        near = places[places < places[0] + _PIECE]
        yield int(near[np.argmax(likeness[near])])
        places = places[places >= near[-1] + _PIECE]
