"""What the caller's script and the call's effects say of interruptions: false ones, and how soon the agent yields.

False is any pause or cut of what is heard that the caller has not caused: neither by speaking nor by a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.simulator.caller.hearing import Segment
from adapters.simulator.caller.numbers import yields_ms
from adapters.simulator.caller.report import CallerReport
from fsm.machine.machine import Step

_CUTS: Final = ("pause_playout", "flush_playout")
_BY_KEY: Final = "caller.pressed_key"
_HEARD_MS: Final = 100.0  # what was heard so long ago is what was cut
_LATE_MS: Final = 1500.0  # so long after the caller's last word it may still be its consequence: a commit, a transcript


def interruption_numbers(steps: Sequence[tuple[int, Step]], report: CallerReport) -> Mapping[str, object]:
    """`false_interruptions`; `yield_ms`, the longest from the caller's first sample to the agent's last; `holes`."""
    return {
        "false_interruptions": sum(_is_false(at_ms, step, report) for at_ms, step in steps),
        "yield_ms": max((round(each) for each in yields_ms(report)), default=0),
        "longest_hole_ms": max((round(hole.duration_ms) for hole in report.holes), default=0),
    }


def _is_false(at_ms: int, step: Step, report: CallerReport) -> bool:
    if step.event.name == _BY_KEY or not any(effect.name in _CUTS for effect in step.effects):
        return False
    return _any_at(report.agent_speech, at_ms, _HEARD_MS) and not _any_at(report.caller_speech, at_ms, _LATE_MS)


def _any_at(segments: Sequence[Segment], at_ms: float, lasts_ms: float) -> bool:
    return any(each.start_ms <= at_ms <= each.end_ms + lasts_ms for each in segments)
