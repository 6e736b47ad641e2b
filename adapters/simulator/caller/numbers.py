"""A call in numbers, as `expect.summary` names them (script.WORDS): counted from a report. Nothing here is judged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import attrs

from adapters.simulator.caller.hearing import Segment
from adapters.simulator.caller.recognition import heard_lines
from adapters.simulator.caller.report import CallerReport


@attrs.frozen
class SpokenTurn:
    """Something the caller said: from its first to its last frame, and until it speaks again or the call is over."""

    file: str
    began_ms: float
    ended_ms: float
    until_ms: float
    answered_ms: float | None
    """When the agent was heard after it; None: it was not."""


def spoken_turns(report: CallerReport) -> tuple[SpokenTurn, ...]:
    """All that the caller said to its end."""
    said = [
        (str(each.data.get("file")), float(str(each.data.get("began_ms", each.at_ms))), each.at_ms)
        for each in report.events
        if each.name == "spoke"
    ]
    found = []
    for (file, began_ms, ended_ms), following in itertools.zip_longest(said, said[1:]):
        until_ms = following[1] if following else report.duration_ms
        # One who answers a little too soon has answered; one who has been speaking all the time has not.
        starts = (each.start_ms for each in report.agent_speech if (began_ms + ended_ms) / 2 < each.start_ms < until_ms)
        found.append(SpokenTurn(file, began_ms, ended_ms, until_ms, next(starts, None)))
    return tuple(found)


def yields_ms(report: CallerReport) -> Sequence[float]:
    """For each time the caller spoke over the agent: from the caller's first sound to the agent's last."""
    return [agent.end_ms - said.start_ms for said, agent in interruptions(report)]


def interruptions(report: CallerReport) -> Sequence[tuple[Segment, Segment]]:
    """What the caller said over the agent, and what of the agent it was said over."""
    return [
        (said, agent)
        for said in report.caller_speech
        for agent in report.agent_speech
        if agent.start_ms < said.start_ms < agent.end_ms
    ]


def caller_numbers(report: CallerReport) -> Mapping[str, object]:
    """Every word of script.WORDS."""
    turns, lines = spoken_turns(report), heard_lines(report)
    first_ms = turns[0].began_ms if turns else report.duration_ms
    greeting = next((each.start_ms for each in report.agent_speech if each.start_ms < first_ms), None)
    return {
        "steps_done": report.steps_done,
        "waits_in_vain": len(report.notes),
        "turns": len(turns),
        "answers": sum(turn.answered_ms is not None for turn in turns),
        "greeting_ms": None if greeting is None else round(greeting),
        "reply_ms": max(map(round, report.reply_ms), default=0),
        "longest_silence_ms": round(report.longest_silence_ms),
        "talk_over_ms": round(report.talk_over_ms),
        "yield_ms": max(map(round, yields_ms(report)), default=0),
        "holes": len(report.holes),
        "longest_hole_ms": max((round(each.duration_ms) for each in report.holes), default=0),
        "agent_speech_ms": round(sum(each.duration_ms for each in report.agent_speech)),
        "heard": [line.name for line in lines],
        "heard_percent": {line.name: line.percent for line in lines},
        "duration_ms": round(report.duration_ms),
        "ended": report.ended,
    }
