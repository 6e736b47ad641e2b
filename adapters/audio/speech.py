"""The local ear: whether the caller speaks, by the energy of what the line brings. Never who has the floor.

A voice activity detector beside the provider's own: for a provider that says nothing, and for one that takes an echo
for the caller. A frame is speech if it is louder than the line's noise, and louder than what comes back of what the
caller hears. The noise is the quietest of the last two seconds (minimum statistics: speech has pauses). The clock is
the call's 20 ms tick, as of the silence watch.

Frames are kept and judged together, several ticks' at once: sooner only where something may have to be reported, and
in one pass where none of them can be speech. What is found, and when it is reported, is what it would be if each were
judged as it comes, for a small part of the cost.
"""

from __future__ import annotations

import math
from array import array
from statistics import median
from typing import Final

import numpy as np

from adapters.audio import OnFact
from adapters.audio.formats import FRAME_MS
from adapters.audio.level import mean_square, mean_square_at, mean_squares

LOCAL_SPEECH: Final = "caller.spoke"
SOUND_BEGAN: Final = "caller.sound_began"
SOUND_ENDED: Final = "caller.sound_ended"

PAUSE_MS: Final = 200  # within a word or between two; after a longer one speech has to prove itself again
PATIENT_PAUSE_MS: Final = 400  # the same for who has paused the agent to listen
SOUND_MS: Final = 60  # so much without a gap is more than a click
SOUND_GAP_MS: Final = 40
PLAYS_MS: Final = 100  # so long after the last frame of the agent something still plays
MISSING_MS: Final = 200  # no frame for so long is silence: DTX, hold, a muted phone
BLOCK_TICKS: Final = 12
"""Noise and echo are learned four times a second."""

_BLOCK_MS: Final = BLOCK_TICKS * FRAME_MS
_WAITING_AT_MOST: Final = 4 * BLOCK_TICKS  # a flood of short frames
_ONE_EACH_TICK: Final = list(range(1, BLOCK_TICKS + 1))

_NOISE_BLOCKS: Final = 8
_OVER_NOISE: Final = 10 ** (9 / 10)
_OVER_ECHO: Final = 10 ** (6 / 10)
_WORST_ECHO: Final = 10 ** (-6 / 10)  # what a line is taken for until its own echo is known
_PLAYED: Final = mean_square_at(-50.0)  # from here on there is something to learn an echo from
_MOST_DELAY_TICKS: Final = 2 * BLOCK_TICKS
ECHO_AT_MOST_MS: Final = _MOST_DELAY_TICKS * FRAME_MS  # what comes later is not known for one
_COMPARED_TICKS: Final = 4 * BLOCK_TICKS
_ONE_EACH: Final = np.ones(_COMPARED_TICKS)
_BLOCKS_TO_A_DELAY: Final = 4
_RATIOS: Final = 8
_ALIKE: Final = 0.8


class VoiceActivityDetector:
    """Reports `caller.spoke` {} when the caller has spoken for `min_speech_ms`; again only after `hang_ms` of none.

    Short pauses count as speech, if they are less than half of it. Below `threshold_dbfs` (RMS) nothing is speech.
    With `reports_sounds` also `caller.sound_began` {}, 60 ms into anything like speech while something plays, and
    `caller.sound_ended` {} after 400 ms of none; a pause between two words may be as long then.
    """

    __slots__ = (
        "_began_ms", "_clock_ms", "_due_ms", "_echo", "_hang_ms", "_heard", "_heard_by", "_in_sound", "_is_patient",
        "_is_reported", "_last_ms", "_learned_noise", "_loud_power", "_min_speech_ms", "_missing_ms", "_noise",
        "_noises", "_now_ms", "_on_fact", "_pause_ms", "_played", "_played_ms", "_rate_hz", "_reports_sounds",
        "_run_ms", "_said_ms",
    )  # fmt: skip

    def __init__(
        self,
        on_fact: OnFact,
        *,
        min_speech_ms: int = 300,
        hang_ms: int = 500,
        threshold_dbfs: float = -45.0,
        reports_sounds: bool = False,
    ) -> None:
        self._on_fact = on_fact
        self._min_speech_ms = min_speech_ms
        self._hang_ms = hang_ms
        self._loud_power = mean_square_at(threshold_dbfs)
        self._echo = _Echo()
        self._clock_ms = 0
        self._heard: list[bytes] = []  # the caller's frames that wait
        self._played: list[bytes | None] = []  # of each tick that waits, the agent's frame
        self._heard_by: list[int] = []  # of each tick that waits, how many of the caller's frames came before it
        self._rate_hz = 0
        self._due_ms = 0.0  # a block ends, or from here on something may have to be reported
        self._now_ms = 0  # what has been judged; all below is as of then
        self._missing_ms = 0
        self._noise = math.inf  # the quietest frame of this block
        self._noises: list[float] = []  # a deque would take ten times as much
        self._learned_noise = math.inf
        self._began_ms = self._last_ms = -hang_ms
        self._said_ms = 0.0
        self._is_reported = False
        self._reports_sounds = reports_sounds
        self._pause_ms = PATIENT_PAUSE_MS if reports_sounds else PAUSE_MS
        # Whoever holds the agent back meanwhile wants to know at once.
        self._is_patient = not reports_sounds and hang_ms > self._pause_ms
        self._in_sound = False
        self._run_ms = 0.0  # what is like speech, without a gap
        self._played_ms = -PLAYS_MS - FRAME_MS

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        """A caller's frame: PCM of any length."""
        if rate_hz != self._rate_hz:
            self._judge()
            self._rate_hz = rate_hz
        if not self._is_patient:
            self._hear(pcm, mean_square(pcm))
            return
        self._heard.append(pcm)
        if self._clock_ms >= self._due_ms or len(self._heard) >= _WAITING_AT_MOST:
            self._judge()

    def ignore(self) -> None:
        """A frame came in that the provider is not to hear."""
        self._judge()
        self._missing_ms = 0

    def tick(self, agent_frame: bytes | None) -> None:
        """20 ms begin, in which the caller hears this frame, or silence."""
        if not self._is_patient:
            self._tick(agent_frame, 0.0 if agent_frame is None else mean_square(agent_frame))
            return
        self._clock_ms = clock_ms = self._clock_ms + FRAME_MS
        self._played.append(agent_frame)
        self._heard_by.append(len(self._heard))
        if clock_ms >= self._due_ms:
            self._judge()

    def _judge(self) -> None:
        """All that waits, in its order. It lies within one block: where one ends, nothing is left waiting."""
        heard, played, heard_by = self._heard, self._played, self._heard_by
        if not (heard or played):
            return
        self._heard, self._played, self._heard_by = [], [], []
        powers = mean_squares(heard + list(filter(None, played)))
        caller, agent = powers[: len(heard)], powers[len(heard) :]
        if len(agent) != len(played):
            left = iter(agent)
            agent = [next(left) if frame else 0.0 for frame in played]
        if self._may_be_speech(caller, heard_by):
            self._judge_each(heard, caller, played, agent, heard_by)
        else:
            self._judge_none(caller, agent, heard_by)
        self._due_ms = min(self._next_due_ms(), self._now_ms + _BLOCK_MS - self._now_ms % _BLOCK_MS)

    def _may_be_speech(self, caller: list[float], heard_by: list[int]) -> bool:
        """Else none of these frames can be, whatever its place; nor are so many missed that it counts."""
        ticks_without = len(heard_by) + 1 - len({0, *heard_by})
        if self._missing_ms + ticks_without * FRAME_MS >= MISSING_MS:
            return True
        loudest = max(caller, default=0.0)
        noise = min(self._noise, self._learned_noise, min(caller, default=math.inf))
        return loudest >= self._loud_power and loudest >= _OVER_NOISE * noise

    def _judge_none(self, caller: list[float], agent: list[float], heard_by: list[int]) -> None:
        """What comes of them where none is speech: as if each were judged by itself."""
        echo, ticks, start = self._echo, len(heard_by), 0
        self._noise = min(self._noise, *caller, math.inf)
        if heard_by == _ONE_EACH_TICK[:ticks] and len(caller) == ticks:  # nearly always
            echo.heard.extend(caller)
            echo.heard[-ticks] = max(echo.peak, caller[0])
            echo.peak = 0.0
        else:
            for end in heard_by:
                echo.heard.append(max(echo.peak, *caller[start:end], 0.0))
                echo.peak, start = 0.0, end
            echo.peak = max(echo.peak, *caller[start:], 0.0)
        echo.played.extend(agent)
        self._now_ms += FRAME_MS * ticks
        since_ms = FRAME_MS * heard_by.count(len(caller))
        self._missing_ms = since_ms if caller else self._missing_ms + since_ms
        if ticks and not self._now_ms % _BLOCK_MS:
            self._learn()

    def _judge_each(
        self, heard: list[bytes], caller: list[float], played: list[bytes | None], agent: list[float],
        heard_by: list[int],
    ) -> None:  # fmt: skip
        start = 0
        for frame, power, end in zip(played, agent, heard_by, strict=True):
            for index in range(start, end):
                self._hear(heard[index], caller[index])
            start = end
            self._tick(frame, power)
        for index in range(start, len(heard)):
            self._hear(heard[index], caller[index])

    def _next_due_ms(self) -> float:
        """Nothing is reported before this, whatever comes."""
        if not self._is_reported and self._now_ms - self._last_ms <= self._pause_ms:
            return self._began_ms + self._min_speech_ms - FRAME_MS
        return self._now_ms + self._min_speech_ms - FRAME_MS  # it has to begin first

    def _hear(self, frame: bytes, power: float) -> None:
        self._missing_ms, echo = 0, self._echo
        if power > echo.peak:
            echo.peak = power
        if power < self._noise:
            self._noise = power
        if power < self._loud_power or power < _OVER_NOISE * min(self._noise, self._learned_noise):
            return
        if power >= _OVER_ECHO * echo.expected():
            self._hear_speech(len(frame) * 500 / self._rate_hz)

    def _tick(self, agent_frame: bytes | None, played: float) -> None:
        echo = self._echo
        self._now_ms = now_ms = self._now_ms + FRAME_MS
        if agent_frame is not None:
            self._played_ms = now_ms
        self._missing_ms += FRAME_MS
        if self._missing_ms >= MISSING_MS:
            self._noise = 0.0
        echo.heard.append(echo.peak)
        echo.peak = 0.0
        echo.played.append(played)
        if self._in_sound and now_ms - self._last_ms > self._pause_ms:
            self._in_sound = False
            self._on_fact(SOUND_ENDED, {})
        if not now_ms % _BLOCK_MS:
            self._learn()

    def _hear_speech(self, duration_ms: float) -> None:
        now_ms, silent_ms = self._now_ms, self._now_ms - self._last_ms
        if silent_ms >= self._hang_ms:
            self._is_reported = False
        if silent_ms > self._pause_ms:
            self._began_ms, self._said_ms = now_ms, 0.0
        self._run_ms = duration_ms + (self._run_ms if silent_ms <= SOUND_GAP_MS else 0.0)
        self._last_ms = now_ms
        self._said_ms += duration_ms
        if self._reports_sounds:
            self._hear_sound()
        lasted_ms = now_ms + FRAME_MS - self._began_ms
        if not self._is_reported and self._min_speech_ms <= min(lasted_ms, 2 * self._said_ms):
            self._is_reported = True
            self._on_fact(LOCAL_SPEECH, {})

    def _hear_sound(self) -> None:
        if not self._in_sound and self._run_ms >= SOUND_MS and self._now_ms - self._played_ms <= PLAYS_MS:
            self._in_sound = True
            self._on_fact(SOUND_BEGAN, {})

    def _learn(self) -> None:
        if self._noise < math.inf:
            self._noises = [*self._noises[1 - _NOISE_BLOCKS :], self._noise]
            self._learned_noise = min(self._noises)
        self._noise = math.inf
        self._echo.learn()


class _Echo:
    """What comes back of what was played: how late it is (up to 480 ms), and how loud. All levels are mean squares.

    Late as much as the two courses of loudness are most alike; while none is alike, any delay is possible.
    """

    __slots__ = ("_blocks", "_delays", "_ratio", "_ratios", "_to_compare", "heard", "peak", "played")

    def __init__(self) -> None:
        self.played = array("d", (0.0,))
        """In each tick, the newest last."""
        self.heard = array("d")
        """The loudest of the caller in each tick but the newest."""
        self.peak = 0.0
        """The same in the newest."""
        self._ratios: list[float] = []
        self._ratio: float | None = _WORST_ECHO  # None: of those, for whoever asks
        self._blocks = 0
        self._delays = slice(-_MOST_DELAY_TICKS - 1, None)
        self._to_compare: tuple[array[float], array[float]] | None = None
        """What was heard and played: the delay as of then, for whoever asks before it is known anew."""

    def expected(self) -> float:
        """The most that may come back now."""
        if self._to_compare is not None:  # it costs more than all else here, and while nobody speaks nobody asks
            self._delays, self._to_compare = _likely_delays(*self._to_compare), None
        if self._ratio is None:
            self._ratio = median(self._ratios)
        return self._ratio * max(self.played[self._delays], default=0.0)

    def learn(self) -> None:
        """Of the ticks since the last time; where nothing was played, there is nothing to learn."""
        del self.played[: -_COMPARED_TICKS - _MOST_DELAY_TICKS - 1]
        del self.heard[:-_COMPARED_TICKS]
        before = self.played[-_MOST_DELAY_TICKS - BLOCK_TICKS - 1 : -_MOST_DELAY_TICKS - 1]
        if max(before, default=0.0) < _PLAYED:
            return
        # All of its echo has come by now, and perhaps that of something louder: not less than the true ratio. The
        # median is unmoved by a caller who speaks at the same time.
        ratio = max(self.heard[-_MOST_DELAY_TICKS - BLOCK_TICKS :]) / max(before)
        self._ratios = [*self._ratios[1 - _RATIOS :], ratio]
        self._ratio = None
        self._blocks += 1
        if self._blocks % _BLOCKS_TO_A_DELAY:  # it changes seldom
            return
        if len(self.heard) == _COMPARED_TICKS and len(self.played) > _COMPARED_TICKS + _MOST_DELAY_TICKS:
            self._to_compare = self.heard[:], self.played[:-1]


def _likely_delays(heard_power: array[float], played_power: array[float]) -> slice:
    """Where the correlation coefficient of what was played, moved by a delay, and what was heard is greatest."""
    heard, power = np.sqrt(heard_power), np.array(played_power)
    heard -= heard.dot(_ONE_EACH) / _COMPARED_TICKS
    played = np.sqrt(power)
    sums = np.zeros((2, len(played) + 1))
    sums[0, 1:], sums[1, 1:] = played, power
    sums = sums.cumsum(axis=1)
    total, total_power = sums[:, _COMPARED_TICKS:] - sums[:, :-_COMPARED_TICKS]  # of each delay's ticks
    spread = np.maximum(total_power - total * total / _COMPARED_TICKS, 0.0)
    alike = np.correlate(played, heard) / np.maximum(np.sqrt(spread * heard.dot(heard)), 1e-9)
    best = int(alike.argmax())
    if alike[best] < _ALIKE:
        return slice(-_MOST_DELAY_TICKS - 1, None)
    newest = best - len(alike)  # as an index of what has been played: one later in each tick
    return slice(newest - 3, newest + 2 if newest + 2 < 0 else None)
