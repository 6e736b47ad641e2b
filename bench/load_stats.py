"""What the load measures, as the two sides of the bridge see it. Never a socket."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


def percentiles(values: Sequence[float], unit: float = 1000.0) -> dict[str, float]:
    """p50, p99, p99.9 and the worst, in milliseconds for seconds; zeros where nothing was measured."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0, "p99_9": 0.0, "worst": 0.0, "count": 0}
    at = {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in _SHARES.items()}
    return {name: round(value * unit, 3) for name, value in at.items()} | {"count": len(ordered)}


_SHARES = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "worst": 1.0}
FRAME_S = 0.02


def lateness(arrivals: Sequence[float]) -> list[float]:
    """How late each frame of a call came, in seconds, against the schedule its earliest frame shows."""
    offsets = [at - number * FRAME_S for number, at in enumerate(arrivals)]
    first = min(offsets, default=0.0)
    return [offset - first for offset in offsets]


@attrs.define
class HeardByCaller:
    """Of one call, from the mark on."""

    arrivals: list[float] = attrs.field(factory=list)
    loud: int = 0
    breaks: int = 0
    """Silence in the middle of an answer."""
    wrong_lengths: int = 0
    """Answers nobody cut that were heard too short or too long."""
    answers: int = 0
    """Answers whose sound was heard to begin."""
    uplink_s: list[float] = attrs.field(factory=list)
    """From sending a frame to seeing it in an append."""
    first_sound_s: list[float] = attrs.field(factory=list)
    """From sending an answer's first audio to hearing it."""
    cut_s: list[float] = attrs.field(factory=list)
    """From sending speech_started to hearing silence."""
    appends: int = 0
    frames_sent: int = 0


def summary(calls: Sequence[HeardByCaller], seconds: float) -> dict[str, object]:
    """One JSON object for all calls of a run."""
    frames = sum(len(call.arrivals) for call in calls)
    return {
        "calls": len(calls),
        "late_ms": percentiles([late for call in calls for late in lateness(call.arrivals)]),
        "uplink_ms": percentiles([s for call in calls for s in call.uplink_s]),
        "first_sound_ms": percentiles([s for call in calls for s in call.first_sound_s]),
        "cut_ms": percentiles([s for call in calls for s in call.cut_s]),
        "breaks": sum(call.breaks for call in calls),
        "wrong_lengths": sum(call.wrong_lengths for call in calls),
        "answers": sum(call.answers for call in calls),
        "agent_speaks": round(sum(call.loud for call in calls) / max(frames, 1), 3),
        "frames_heard": frames,
        "frames_expected": round(len(calls) * seconds / FRAME_S),
        "frames_sent": sum(call.frames_sent for call in calls),
        "appends": sum(call.appends for call in calls),
    }
