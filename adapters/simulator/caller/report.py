"""What a simulated call was like, as one value, filled in at its end. Nothing here measures or waits."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs
import numpy as np
import soxr

from adapters.simulator.caller.hearing import (
    CallerHearing,
    HeardSpeech,
    Pacing,
    Segment,
    longest_silence_ms,
    reply_times_ms,
    talk_over_ms,
)
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.caller.voice import Voice

Ended: TypeAlias = Literal["hangup", "fin", "rst", "dropped", "caller"]
"""The server said `00 00 00`, or closed, or reset; Asterisk dropped the call for what it did; the caller left."""


@attrs.frozen
class CallerNote:
    """Something of the script that did not come to pass. `step` is its index."""

    at_ms: float
    step: int
    text: str


@attrs.frozen
class CallerEvent:
    """What happened in a call, as it is told to who watches it."""

    at_ms: float
    name: str
    data: Mapping[str, object]

    def __str__(self) -> str:
        rest = (str(value) for key, value in self.data.items() if key not in ("at_ms", "began_ms"))
        words = " ".join(each for each in rest if each != "None")
        return f"{self.at_ms / 1000:8.2f}  {self.name.replace('_', ' ')} {words}".rstrip()


@attrs.frozen
class CallerEnding:
    """How and when the call ended. `dropped` is what the server did to have Asterisk drop it."""

    how: Ended
    at_ms: float
    dropped: str | None = None


@attrs.frozen(kw_only=True)
class CallerReport:
    """Times are ms since the connection was made, on the loop's clock."""

    call_id: uuid.UUID
    ended: Ended
    dropped: str | None
    dialplan_continues: bool
    duration_ms: float
    server_closed_ms: float | None
    """From the caller's FIN to the server's; None: it was not seen, or the caller did not hang up first."""
    steps_done: int
    notes: tuple[CallerNote, ...]

    agent_speech: tuple[Segment, ...]
    caller_speech: tuple[Segment, ...]
    talk_over_ms: float
    longest_silence_ms: float
    """Of both sides together."""
    reply_ms: tuple[float, ...]
    """From the end of what the caller said to the agent's next beginning."""
    holes: tuple[Segment, ...]
    """Stretches of nothing in mid-speech, in the time of the audio: the server's queue ran empty."""
    pacing: Pacing
    heard: tuple[HeardSpeech, ...]
    events: tuple[CallerEvent, ...] = ()

    def times(self, name: str) -> tuple[float, ...]:
        """When events of that name happened."""
        return tuple(each.at_ms for each in self.events if each.name == name)

    def heard_pcm(self, rate_hz: int = 8_000) -> bytes:
        """All that was heard, each message at its time of arrival, as one PCM track (for a WAV file)."""
        heard_ms = max((each.at_ms + len(each.pcm) / 2 / each.rate_hz * 1000 for each in self.heard), default=0.0)
        track = np.zeros(round(max(self.duration_ms, heard_ms) * rate_hz / 1000) + rate_hz // 50, np.int16)
        end = 0
        for each in self.heard:
            samples = np.frombuffer(each.pcm, "<i2")
            if each.rate_hz != rate_hz:
                samples = np.asarray(soxr.resample(samples, each.rate_hz, rate_hz, "QQ"), np.int16)
            begin = round(each.at_ms * rate_hz / 1000)
            if abs(begin - end) <= rate_hz // 50:  # jitter of less than a frame would crackle
                begin = end
            samples = samples[: max(track.size - begin, 0)]
            track[begin : begin + samples.size] = samples
            end = begin + samples.size
        return track.astype("<i2").tobytes()


def dialplan_continues(how: Ended, settings: CallerSettings) -> bool:
    """Only a polite end spares the app's caller; Dial(...,g) continues anyway (docs/facts/telephony.md section 2)."""
    return how != "caller" and (settings.driver == "dial" or how in ("hangup", "fin"))


def make_report(
    *,
    call_id: uuid.UUID,
    settings: CallerSettings,
    ending: CallerEnding,
    hearing: CallerHearing,
    voice: Voice,
    notes: tuple[CallerNote, ...] = (),
    steps_done: int = 0,
    server_closed_ms: float | None = None,
    events: tuple[CallerEvent, ...] = (),
) -> CallerReport:
    agent, caller = hearing.speech.segments, voice.speech.segments
    return CallerReport(
        call_id=call_id,
        ended=ending.how,
        dropped=ending.dropped,
        dialplan_continues=dialplan_continues(ending.how, settings),
        duration_ms=ending.at_ms,
        server_closed_ms=server_closed_ms,
        steps_done=steps_done,
        notes=notes,
        agent_speech=agent,
        caller_speech=caller,
        talk_over_ms=talk_over_ms(caller, agent),
        longest_silence_ms=longest_silence_ms((*agent, *caller), ending.at_ms),
        reply_ms=reply_times_ms(caller, agent),
        holes=tuple(hearing.holes),
        pacing=hearing.pacing,
        heard=tuple(hearing.heard),
        events=events,
    )
