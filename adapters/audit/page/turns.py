"""The table of turns and the transcript of a call, as the page shows them: words for figures, silence to scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from fsm.audit.record import clock, seconds
from fsm.audit.report.report import Timeline, TurnRow

_PX_S = 6.0  # of silence in the transcript
_TALL_S = 40.0  # longer silences are drawn broken, and say so
_PAUSE_S = 0.5  # shorter ones are not drawn
_SLOW_MS = 1500.0
_SHOWN = 200
_TALK_OVER_MS = 200.0  # of overlap that is worth a word


@attrs.frozen
class TurnCells:
    """A row of the table, in words."""

    name: str
    at_s: float
    at: str
    latency: str
    share: float  # of the slowest, for its bar
    is_slow: bool
    talk_over: str
    dead_air: str
    cut: str
    heard: str


@attrs.frozen
class TranscriptLine:
    """Something that was said, and the silence before it: its height in pixels, its length in words."""

    who: str
    at_s: float
    at: str
    text: str
    gap_px: float = 0.0
    gap: str = ""
    is_broken: bool = False


def latencies(timelines: Sequence[Timeline]) -> list[float]:
    """How long callers waited from the end of their speech to the first audio, sorted."""
    return sorted(row.latency_ms for each in timelines for row in each.rows if row.latency_ms is not None)


def percentiles(timelines: Sequence[Timeline]) -> list[tuple[str, str]]:
    """p50, p95 and the worst; nothing where no log tells."""
    found = latencies(timelines)
    if not found:
        return []
    return [(f"first audio {name}", seconds(found[max(-(-len(found) * share // 100) - 1, 0)])) for name, share in
            (("p50", 50), ("p95", 95), ("worst", 100))]  # fmt: skip


def sums(timelines: Sequence[Timeline]) -> list[tuple[str, str]]:
    """The other figures of all turns."""
    rows = [row for each in timelines if each.timed for row in each.rows]
    turns = [row for row in rows if row.number]
    if not rows:
        return []
    return [
        ("turns", str(len(turns))),
        ("unanswered", str(sum(row.unanswered for row in turns))),
        ("cut", str(sum(row.cut for row in rows))),
        ("talk-over", seconds(sum(row.talk_over_ms for row in turns))),
        ("longest silence", seconds(max((row.dead_air_ms for row in turns), default=0.0))),
        ("agent heard", seconds(sum(row.heard_ms for row in rows))),
    ]


def cells(timeline: Timeline) -> list[TurnCells]:
    """The rows of the table."""
    worst = max((row.latency_ms or 0.0 for row in timeline.rows), default=0.0)
    return [_cells(row, worst, timeline.timed) for row in timeline.rows[:_SHOWN]]


def more(timeline: Timeline) -> int:
    """Rows that are not shown."""
    return max(len(timeline.rows) - _SHOWN, 0)


def _cells(row: TurnRow, worst_ms: float, timed: bool) -> TurnCells:
    latency_ms = row.latency_ms
    wait = "no answer" if row.number and row.unanswered else "" if latency_ms is None else seconds(latency_ms)
    return TurnCells(
        f"turn {row.number}" if row.number else "opening",
        row.at_ms / 1000,
        clock(row.at_ms) if timed else "",
        wait,
        (latency_ms or 0.0) / worst_ms if worst_ms else 0.0,
        bool(row.number and row.unanswered) or (latency_ms or 0.0) > _SLOW_MS,
        seconds(row.talk_over_ms) if row.talk_over_ms > _TALK_OVER_MS else "",
        seconds(row.dead_air_ms) if row.dead_air_ms > 1000 else "",
        "cut" if row.cut else "",
        seconds(row.heard_ms) if row.heard_ms else "",
    )


def transcript(timeline: Timeline) -> Iterator[TranscriptLine]:
    """What was said, in order; silence before it as tall as it was long."""
    speaking = sorted(
        [(bar.start_ms, bar.end_ms) for bar in (*timeline.lanes.speech, *timeline.lanes.heard)],
        key=lambda each: each[0],
    )
    for said in timeline.said[:_SHOWN]:
        quiet_ms = _quiet_before(speaking, said.at_ms) if timeline.timed else 0.0
        gap_s = quiet_ms / 1000
        shown = gap_s >= _PAUSE_S
        yield TranscriptLine(
            said.who, said.at_ms / 1000, clock(said.at_ms) if timeline.timed else "", said.text,
            min(gap_s, _TALL_S) * _PX_S if shown else 0.0, seconds(quiet_ms) if shown else "", gap_s > _TALL_S,
        )  # fmt: skip


def _quiet_before(speaking: Sequence[tuple[float, float]], at_ms: float) -> float:
    """The silence that ended at a moment."""
    before = [end for start, end in speaking if start < at_ms - 1]
    return max(at_ms - max(before), 0.0) if before else 0.0
