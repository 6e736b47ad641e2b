"""What of a call is a fault of the bridge, by what the caller heard of it. Measured by the simulator, named here."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.kit.faults import CallFault, JudgeLimits
from adapters.simulator.caller.numbers import SpokenTurn, caller_numbers, interruptions, spoken_turns
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import Script

_ENDED = {"hangup": "hung up", "fin": "closed the connection", "rst": "reset the connection", "dropped": "was cut off"}


def caller_faults(report: CallerReport, script: Script, limits: JudgeLimits | None = None) -> list[CallFault]:
    """Every fault there is, causes before what follows from them."""
    limits = limits or JudgeLimits()
    if report.ended == "dropped" and not report.events:
        return [CallFault("not-connected", str(report.dropped), 0.0)]
    found = [*_ends(report, script)]
    if not report.agent_speech:
        found.append(CallFault("agent-silent", "the agent was never heard"))
    found += [CallFault("waited-in-vain", f"step {each.step + 1}: {each.text}", each.at_ms) for each in report.notes]
    found += _unanswered(report, limits)
    found += _ignored(report, limits)
    if report.longest_silence_ms > limits.silence_ms:
        found.append(CallFault("dead-air", f"neither was heard for {report.longest_silence_ms / 1000:.1f} s"))
    if script.expect is not None:
        wrong = script.expect.mismatches(caller_numbers(report), report.times)
        found += [CallFault("not-as-expected", str(each)) for each in wrong]
    return found


def steps_text(report: CallerReport, script: Script) -> str:
    """`1 of 9 steps`."""
    return f"{report.steps_done} of {len(script.steps)} steps"


def _ends(report: CallerReport, script: Script) -> Iterator[CallFault]:
    if report.dropped:
        yield CallFault("dropped", report.dropped, report.duration_ms)
    if report.ended != "caller" and not script.is_played(report.steps_done):
        step = type(script.steps[report.steps_done]).__name__
        text = f"the other side {_ENDED[report.ended]} after {steps_text(report, script)}, in {step}"
        yield CallFault("call-died", text, report.duration_ms)


def _unanswered(report: CallerReport, limits: JudgeLimits) -> Iterator[CallFault]:
    turns = spoken_turns(report)
    for number, turn in enumerate(turns, 1):
        if not _was_heard_after(report, turn) and _was_waited_for(report, turn, limits):
            before = sum(each.answered_ms is not None for each in turns[: number - 1])
            dead = f"; dead after {before} answered turn{'s' * (before != 1)}" if number == len(turns) else ""
            waited_s = (turn.until_ms - turn.ended_ms) / 1000
            text = f"turn {number} ({turn.file}): the agent was not heard for {waited_s:.1f} s"
            yield CallFault("turn-unanswered", text + dead, turn.ended_ms)


def _was_heard_after(report: CallerReport, turn: SpokenTurn) -> bool:
    """One who speaks on over a barge-in may have answered in the same breath; what is wrong there is something else."""
    return any(each.end_ms > turn.ended_ms and each.start_ms < turn.until_ms for each in report.agent_speech)


def _was_waited_for(report: CallerReport, turn: SpokenTurn, limits: JudgeLimits) -> bool:
    """Long enough to say that no answer came: so long as the limit says, or as a wait of the script does."""
    in_vain = any(turn.ended_ms <= note.at_ms <= turn.until_ms for note in report.notes)
    return in_vain or turn.until_ms - turn.ended_ms > limits.silence_ms


def _ignored(report: CallerReport, limits: JudgeLimits) -> Iterator[CallFault]:
    for said, agent in interruptions(report):
        yield_ms = agent.end_ms - said.start_ms
        if yield_ms > limits.barge_in_ms:
            text = f"the agent went on for {yield_ms / 1000:.1f} s (allowed are {limits.barge_in_ms / 1000:.1f} s)"
            yield CallFault("barge-in-ignored", text, said.start_ms)
