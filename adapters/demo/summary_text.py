"""What is said before a demo and after it: what this is, whether it was healthy, what it left, what to try next.

Numbers in, words out; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.demo.demo_call import DemoOutcome, PlayedCall, counted
from adapters.demo.lines import LINES, DemoLine
from adapters.demo.plan import TALK_KEY, DemoPlan
from adapters.specs import BUNDLED
from fsm.audit.report import phrases

STALL_MS: Final = 100.0


def in_words(played: PlayedCall) -> list[str]:
    """The headline numbers, in lines of less than 80 characters."""
    n: Mapping[str, Any] = played.numbers
    nouns = {"turns": "turn", "answers": "answer", "rejections": "rejection", "barge_ins": "barge-in",
             "tools": "tool call", "underruns": "underrun"}  # fmt: skip
    return [
        " · ".join(phrases.counted(n[key], noun) for key, noun in nouns.items()),
        f"{n['creates']} response.create sent: {counted(n['creates_by_cause'])}",
    ]


def remarks(played: PlayedCall, line: DemoLine) -> list[str]:
    """What is nobody's fault here and may be heard all the same."""
    stalled_ms = played.caller.pacing.gap_max_ms
    if not line.is_paced or stalled_ms < STALL_MS:
        return []
    return [f"this machine was busy: up to {stalled_ms:.0f} ms without a frame, so the recording may have holes"]


def side_by_side(turnspec: PlayedCall, naive: PlayedCall) -> Table:
    """Both runs' numbers, what is wrong in red."""
    table = Table(title="the same call, twice", title_style="bold", title_justify="left")
    table.add_column("")
    table.add_column("turnspec", justify="right")
    table.add_column("flags (--naive)", justify="right")
    for name, key in (
        ("turns of the caller", "turns"), ("answers", "answers"), ("response.create sent", "creates"),
        ("rejected by the provider", "rejections"), ("barge-ins", "barge_ins"), ("underruns", "underruns"),
    ):  # fmt: skip
        bad = {"answers": lambda n: n["answers"] != n["turns"], "rejections": lambda n: n["rejections"] > 0}.get(key)
        cells = []
        for played in (turnspec, naive):
            is_bad = bad is not None and bad(played.numbers)
            cells.append(Text(str(played.numbers[key]), "bold red" if is_bad else ""))
        table.add_row(name, *cells)
    for name, value in (("caller and agent at once, s", "talk_over_ms"), ("longest silence, s", "longest_silence_ms")):
        table.add_row(name, *(f"{getattr(played.caller, value) / 1000:.1f}" for played in (turnspec, naive)))
    table.add_row("length of the call, s", *(f"{played.caller.duration_ms / 1000:.1f}" for played in (turnspec, naive)))
    return table


FILES: Final = {
    "recording.wav": "what was said: caller left, agent right",
    "journal.jsonl": "every step with its cause, every event on the wire",
    "summary.json": "the numbers above",
    "log.jsonl": "what the server logged",
    "naive/recording.wav": "the same call with flags",
}


def show_beginning(console: Console, plan: DemoPlan, folder: Path, naive: bool, about: str) -> None:
    """The heading: what is played, how long it takes, where it goes."""
    controller = "a controller made of flags" if naive else f"spec {plan.spec.name}"
    provider = "OpenAI" if plan.endpoint is not None else "simulated provider"
    console.print(
        Text("turnspec demo", "bold").append(
            f" · {controller} · {provider} · {plan.options.line} · {plan.options.audio_format}", "dim"
        )
    )
    console.print(f"A real call over loopback sockets, in real time: {about}. Ctrl-C hangs up.", soft_wrap=True)
    if plan.scenario.description and plan.options.scenario:
        console.print(f"Fault: {plan.scenario.description}", style="yellow", soft_wrap=True)
    if plan.holds_turns:
        console.print(f"The caller holds a turn between two presses of {TALK_KEY}.")
    if naive:
        console.print(f"turnspec ({plan.spec.name}) takes the same call unseen; the end compares the two.")
    console.print(f"Everything is kept in {folder}/\n", soft_wrap=True)


def show_ending(
    console: Console, plan: DemoPlan, folder: Path, outcome: DemoOutcome | None, program: str = "turnspec"
) -> None:
    """Numbers, verdict, files, and what to try next; `program`: how this command is called here."""
    console.print()
    if outcome is not None and outcome.naive is not None:
        console.print(side_by_side(outcome.turnspec, outcome.naive))
    elif outcome is not None:
        for line in in_words(outcome.turnspec):
            console.print(line, soft_wrap=True)
    if outcome is not None and outcome.problems:
        for problem in outcome.problems:
            if outcome.is_interrupted:
                console.print(f"Not judged: {problem}", style="yellow")
            else:
                console.print(f"NOT HEALTHY: {problem}", style="bold red")
    elif outcome is not None:
        who = "turnspec is healthy" if outcome.naive is not None else "Healthy"
        console.print(f"{who}: one answer per turn, nothing rejected, no underrun.", style="bold green")
    for remark in remarks(outcome.turnspec, LINES[plan.options.line]) if outcome is not None else ():
        console.print(f"Note: {remark}.", style="yellow")
    _show_files(console, folder)
    _show_next(console, plan, folder, outcome, program)


def _show_files(console: Console, folder: Path) -> None:
    console.print(f"\n{folder}/", style="bold", soft_wrap=True)
    for name, about in FILES.items():
        if (folder / name).exists():
            console.print(f"  {name:<20} {about}", soft_wrap=True)


def _show_next(console: Console, plan: DemoPlan, folder: Path, outcome: DemoOutcome | None, program: str) -> None:
    ideas = {f"{program} replay {folder}/journal.jsonl": "step this call again"}
    speaks_realtime = plan.model is None
    if speaks_realtime and outcome is not None and outcome.naive is None:
        ideas[f"{program} demo --naive"] = "flags instead of a spec"
    if speaks_realtime and not plan.options.scenario:
        ideas[f"{program} demo --scenario lost_response_done"] = "the same with a fault"
    if plan.options.spec in BUNDLED:
        mine = "mine/mine.yaml" if speaks_realtime else f"mine/mine.yaml --protocol {plan.options.protocol}"
        ideas[f"{program} new mine --from {plan.options.spec}"] = "yours: change it, then"
        ideas[f"{program} check mine/mine.yaml"] = "is it sound? then"
        ideas[f"{program} demo --spec {mine}"] = "hear it"
    console.print("\nnext", style="bold")
    width = min(max(map(len, ideas)), 60)
    for command, about in ideas.items():
        console.print(f"  {command:<{width}}  {about}", soft_wrap=True)
