"""Reports of calls that never were, for what counts and judges them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np

from adapters.simulator.caller.hearing import HeardSpeech, Pacing, Segment, longest_silence_ms, reply_times_ms
from adapters.simulator.caller.report import CallerEvent, CallerNote, CallerReport, Ended

Spans = Sequence[tuple[float, float]]


def report(
    agent: Spans = (),
    caller: Spans = (),
    *,
    ended: Ended = "caller",
    dropped: str | None = None,
    duration_ms: float = 10_000.0,
    steps_done: int = 0,
    notes: tuple[CallerNote, ...] = (),
    heard: bytes = b"",
    events: bool = True,
) -> CallerReport:
    """`agent`, `caller`: from when to when each could be heard."""
    agent_speech, caller_speech = (tuple(Segment(*each) for each in spans) for spans in (agent, caller))
    spoke = [
        CallerEvent(end, "spoke", {"at_ms": end, "file": f"line_{n}", "began_ms": begin})
        for n, (begin, end) in enumerate(caller, 1)
    ]
    return CallerReport(
        call_id=uuid.UUID(int=1),
        ended=ended,
        dropped=dropped,
        dialplan_continues=False,
        duration_ms=duration_ms,
        server_closed_ms=None,
        steps_done=steps_done,
        notes=notes,
        agent_speech=agent_speech,
        caller_speech=caller_speech,
        talk_over_ms=0.0,
        longest_silence_ms=longest_silence_ms((*agent_speech, *caller_speech), duration_ms),
        reply_ms=reply_times_ms(caller_speech, agent_speech),
        holes=(),
        pacing=Pacing(),
        heard=(HeardSpeech(0.0, 8_000, heard),) if heard else (),
        events=(CallerEvent(0.0, "connected", {"at_ms": 0.0}), *spoke) if events else (),
    )


def sound(*parts: object) -> bytes:
    """Samples one after the other; a number is so many of silence."""
    arrays = [np.zeros(each, np.int16) if isinstance(each, int) else np.asarray(each, np.int16) for each in parts]
    return np.concatenate(arrays).astype("<i2").tobytes()
