"""What the model says, found in its endless audio: where speech begins and ends, and what of the rest is heard.

The provider sends at the pace of speech, silence included, and says neither when the model begins nor when it stops
(docs/facts/gpt_live.md section 1). Silence between two utterances is dropped: playout is silent by itself, and what has
come late is caught up there. What is still late is caught up in the pauses of speech. Speech is never dropped.
Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple

from adapters.audio.formats import FRAME_MS, AudioFormat, converted
from adapters.audio.level import mean_square, mean_square_at

SOUND_DBFS: Final = -52.0
"""Silence is below -64 dBFS, speech ten times as loud or more (docs/facts/gpt_live.md section 1)."""
BEGINS_MS: Final = 40  # a click is shorter
ENDS_MS: Final = 300  # a pause between two words is shorter
LEADING_MS: Final = 140
"""Of the silence before it, which is played, too: a word begins softly, and what comes a little late is in time."""
LATE_MS: Final = 140
"""From so much on, that waits in the playout's queue when more comes, pauses are shortened."""
PAUSE_MS: Final = 60
"""What is left of each."""


class SpeechPiece(NamedTuple):
    """A piece of what the model says, in the provider's format; `began` and `ended` carry none."""

    what: Literal["began", "audio", "ended"]
    number: int
    payload: bytes = b""


class Utterances:
    """Of one session. `push` with what the provider sends, cut anywhere."""

    def __init__(self, audio: AudioFormat, sound_dbfs: float = SOUND_DBFS) -> None:
        self._audio = audio
        self._pcm = AudioFormat("pcm16", audio.rate_hz)
        self._loud = mean_square_at(sound_dbfs)
        self._rest = b""
        self._leading: deque[bytes] = deque(maxlen=LEADING_MS // FRAME_MS)
        self._number = 0
        self._is_speech = False
        self._loud_ms = 0
        self._silent_ms = 0
        self._queued_ms = 0.0  # in the playout: it plays as fast as time goes by
        self._at_s: float | None = None
        self._late_ms = 0.0

    @property
    def number(self) -> int:
        """Of the utterance that has begun last; 0: none has."""
        return self._number

    @property
    def is_speech(self) -> bool:
        """Has it not ended yet?"""
        return self._is_speech

    def push(self, payload: bytes, now_s: float) -> list[SpeechPiece]:
        """What is to be heard of it, with where it begins and ends."""
        self._play(now_s)
        self._late_ms = self._queued_ms
        data = self._rest + payload
        size = self._audio.frame_bytes
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        found: list[SpeechPiece] = []
        for start in range(0, whole, size):
            self._take(data[start : start + size], found)
        return found

    def _play(self, now_s: float) -> None:
        if self._at_s is not None:
            self._queued_ms = max(0.0, self._queued_ms - (now_s - self._at_s) * 1000)
        self._at_s = now_s

    def _take(self, frame: bytes, found: list[SpeechPiece]) -> None:
        is_loud = mean_square(converted(frame, self._audio, self._pcm)) >= self._loud
        if not self._is_speech:
            self._wait(frame, is_loud, found)
            return
        self._silent_ms = 0 if is_loud else self._silent_ms + FRAME_MS
        if is_loud or self._late_ms < LATE_MS or self._silent_ms <= PAUSE_MS:
            self._hear(frame, found)
        else:
            self._late_ms -= FRAME_MS
        if self._silent_ms >= ENDS_MS:
            self._is_speech, self._loud_ms = False, 0
            found.append(SpeechPiece("ended", self._number))

    def _wait(self, frame: bytes, is_loud: bool, found: list[SpeechPiece]) -> None:
        self._leading.append(frame)
        self._loud_ms = self._loud_ms + FRAME_MS if is_loud else 0
        if self._loud_ms < BEGINS_MS:
            return
        self._number += 1
        self._is_speech, self._silent_ms = True, 0
        found.append(SpeechPiece("began", self._number))
        self._hear(b"".join(self._leading), found)
        self._leading.clear()

    def _hear(self, payload: bytes, found: list[SpeechPiece]) -> None:
        self._queued_ms += self._audio.ms(len(payload))
        if found and found[-1].what == "audio":
            found[-1] = found[-1]._replace(payload=found[-1].payload + payload)
        else:
            found.append(SpeechPiece("audio", self._number, payload))
