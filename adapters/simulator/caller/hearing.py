"""What a caller hears, measured: speech by its energy, pacing, holes. No socket and no clock: times come in, in ms.

Asterisk hands on what arrives when it arrives (docs/facts/telephony.md section 2), so heard is when it
arrives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import attrs
import numpy as np

from adapters.simulator.caller.script import CallerSettings

JITTER_MS = 40.0
"""A telephone's jitter buffer, at the least: a message so much late makes no hole."""
HOLE_MIN_MS = 15.0
HOLE_MAX_MS = 1_000.0
EDGE_MS = 10
"""Next to a hole there is loud sound at least in this much; longer than a playout's fade, shorter than a word's."""


@attrs.frozen
class Segment:
    """Sound from `start_ms` to `end_ms`, since the call began."""

    start_ms: float
    end_ms: float

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms


@attrs.frozen
class HeardSpeech:
    """A message of the server: when it came, and its samples."""

    at_ms: float
    rate_hz: int
    pcm: bytes


@attrs.frozen
class Pacing:
    """How the server's audio arrived. Perfect is a mean of 20 ms, no lead beyond a frame, no drift."""

    messages: int = 0
    audio_ms: float = 0.0
    gap_mean_ms: float = 0.0
    gap_p99_ms: float = 0.0
    gap_max_ms: float = 0.0
    lead_max_ms: float = 0.0
    """The most audio that had come and could not have been played yet."""
    drift_ms: float = 0.0
    """How much later than its audio the last message came, counted from the first."""


class SpeechDetector:
    """Loud messages to speech segments. Gaps up to `pause_ms` belong to a segment; below `onset_ms` it is a click."""

    def __init__(self, onset_ms: float, pause_ms: float) -> None:
        self._onset_ms = onset_ms
        self._pause_ms = pause_ms
        self._segments: list[Segment] = []
        self._start_ms = 0.0
        self._end_ms: float | None = None  # of the last loud message; None before the first
        self._loud_ms = 0.0

    def hear_loud(self, at_ms: float, duration_ms: float) -> None:
        """A loud message. The quiet ones need not be reported."""
        if self._end_ms is None or at_ms - self._end_ms > self._pause_ms:
            self._close()
            self._start_ms, self._loud_ms = at_ms, 0.0
        self._end_ms = at_ms + duration_ms
        self._loud_ms += duration_ms

    def speaking_ms(self, now_ms: float) -> float | None:
        """How long there has been speech, without a pause; None if there is none."""
        if self._end_ms is None or self._loud_ms < self._onset_ms or now_ms - self._end_ms > self._pause_ms:
            return None
        return now_ms - self._start_ms

    def silent_ms(self, now_ms: float) -> float:
        """Since the last loud message, or since the call began."""
        return max(now_ms - (self._end_ms or 0.0), 0.0)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return (*self._segments, *self._open())

    def _open(self) -> tuple[Segment, ...]:
        if self._end_ms is None or self._loud_ms < self._onset_ms:
            return ()
        return (Segment(self._start_ms, self._end_ms),)

    def _close(self) -> None:
        self._segments.extend(self._open())


class Loudness:
    """Whether PCM is loud: its RMS against a threshold."""

    def __init__(self, threshold_dbfs: float) -> None:
        self._power = (32768.0 * 10 ** (threshold_dbfs / 20)) ** 2

    def is_loud(self, pcm: bytes) -> bool:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        return samples.size > 0 and float(np.dot(samples, samples)) >= self._power * samples.size


class CallerHearing:
    """All of a call's audio from the server."""

    def __init__(self, settings: CallerSettings) -> None:
        self.speech = SpeechDetector(settings.onset_ms, settings.pause_ms)
        self.heard: list[HeardSpeech] = []
        self.holes: list[Segment] = []
        self._loudness = Loudness(settings.threshold_dbfs)
        self._keep_audio = settings.keep_audio
        self._arrivals_ms: list[float] = []
        self._audio_ms = 0.0
        self._last_ms = 0.0  # duration of the last message
        self._played_ms = 0.0  # where a telephone with a small jitter buffer would be when it has played all
        self._lead_max_ms = 0.0
        self._loud_until_ms: float | None = None  # played time at which loud sound ended; None: it did not end loud

    def hear(self, at_ms: float, rate_hz: int, pcm: bytes, *, is_on_hold: bool = False) -> None:
        """A message as it arrives; `at_ms` never goes back. On hold it arrives, and nobody hears it."""
        duration_ms = len(pcm) / 2 / rate_hz * 1000
        if is_on_hold:
            self._loud_until_ms = None
        elif self._keep_audio:
            self.heard.append(HeardSpeech(at_ms, rate_hz, pcm))
        self._arrivals_ms.append(at_ms)
        self._audio_ms += duration_ms
        self._last_ms = duration_ms
        starts_ms = self._played_ms if at_ms - self._played_ms <= JITTER_MS else at_ms
        self._played_ms = starts_ms + duration_ms
        self._lead_max_ms = max(self._lead_max_ms, self._played_ms - at_ms)
        if is_on_hold:
            return
        is_loud = self._loudness.is_loud(pcm)
        if is_loud:
            self.speech.hear_loud(at_ms, duration_ms)
        if is_loud or pcm.count(0) != len(pcm):
            edge_bytes = rate_hz * EDGE_MS // 1000 * 2
            self._note_hole(starts_ms, is_loud and self._loudness.is_loud(pcm[:edge_bytes]))
            ends_loud = is_loud and self._loudness.is_loud(pcm[-edge_bytes:])
            self._loud_until_ms = self._played_ms if ends_loud else None

    def _note_hole(self, starts_ms: float, begins_loud: bool) -> None:
        """Nothing at all, between loud and loud: speech fades in and out, a queue that ran empty does not."""
        if not begins_loud or self._loud_until_ms is None:
            return
        if HOLE_MIN_MS <= starts_ms - self._loud_until_ms <= HOLE_MAX_MS:
            self.holes.append(Segment(self._loud_until_ms, starts_ms))

    @property
    def pacing(self) -> Pacing:
        arrivals = self._arrivals_ms
        if not arrivals:
            return Pacing()
        gaps = np.diff(arrivals) if len(arrivals) > 1 else np.zeros(1)
        return Pacing(
            messages=len(arrivals),
            audio_ms=self._audio_ms,
            gap_mean_ms=float(gaps.mean()),
            gap_p99_ms=float(np.percentile(gaps, 99)),
            gap_max_ms=float(gaps.max()),
            lead_max_ms=self._lead_max_ms,
            drift_ms=arrivals[-1] - arrivals[0] - (self._audio_ms - self._last_ms),
        )


def talk_over_ms(ours: Iterable[Segment], theirs: Sequence[Segment]) -> float:
    """How long both could be heard."""
    overlaps = (min(a.end_ms, b.end_ms) - max(a.start_ms, b.start_ms) for a in ours for b in theirs)
    return sum(overlap for overlap in overlaps if overlap > 0)


def longest_silence_ms(segments: Iterable[Segment], until_ms: float) -> float:
    """The longest time, from 0 to `until_ms`, with none of the segments."""
    longest, quiet_from_ms = 0.0, 0.0
    for segment in sorted(segments, key=lambda each: each.start_ms):
        longest = max(longest, segment.start_ms - quiet_from_ms)
        quiet_from_ms = max(quiet_from_ms, segment.end_ms)
    return max(longest, until_ms - quiet_from_ms)


def reply_times_ms(caller: Sequence[Segment], agent: Sequence[Segment]) -> tuple[float, ...]:
    """From the end of what the caller says to the agent's next beginning, where one comes before the caller's next."""
    replies: list[float] = []
    for said, following in itertools.zip_longest(caller, caller[1:]):
        before_ms = following.start_ms if following else float("inf")
        starts = (each.start_ms for each in agent if said.end_ms <= each.start_ms < before_ms)
        replies.extend(start_ms - said.end_ms for start_ms in itertools.islice(starts, 1))
    return tuple(replies)
