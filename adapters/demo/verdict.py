"""What a healthy call is, in numbers, and two calls side by side. Numbers in, words out; nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from adapters.demo.stage import Played

STALL_MS: Final = 100.0


def problems_of(played: Played, is_interrupted: bool = False) -> list[str]:
    """What a healthy demo call is not; empty for one that is."""
    numbers: Mapping[str, Any] = played.numbers
    causes: Mapping[str, int] = numbers["creates_by_cause"]
    found = []
    if is_interrupted:
        return ["the call was ended before its time (Ctrl-C)"]
    if not numbers["turns"]:
        found.append("the caller had no turn at all")
    if numbers["answers"] != numbers["turns"]:
        found.append(f"not one answer per turn: {numbers['answers']} answers, {numbers['turns']} turns")
    if numbers["rejections"]:
        found.append(f"rejected by the provider: {_counts(numbers['rejections_by_cause'])}")
    if numbers["underruns"]:
        found.append(f"{numbers['underruns']} underruns: holes in the agent's voice")
    if causes.get("greeting", 0) > 1:
        found.append(f"{causes['greeting']} response.create for one greeting")
    if causes.get("tools", 0) > played.tool_rounds:
        found.append(f"{causes['tools']} response.create for {played.tool_rounds} rounds of tools")
    if played.caller.dropped:
        found.append(f"Asterisk would have dropped the call: {played.caller.dropped}")
    return found


def in_words(played: Played) -> list[str]:
    """The headline numbers, in lines of less than 80 characters."""
    n: Mapping[str, Any] = played.numbers
    names = {"turns": "turns", "answers": "answers", "rejections": "rejections", "barge_ins": "barge-ins",
             "tools": "tool calls", "underruns": "underruns"}  # fmt: skip
    return [
        " · ".join(f"{n[key]} {name}" for key, name in names.items()),
        f"{n['creates']} response.create sent: {_counts(n['creates_by_cause'])}",
    ]


def remarks(played: Played) -> list[str]:
    """What is nobody's fault here and may be heard all the same."""
    stalled_ms = played.caller.pacing.gap_max_ms
    if stalled_ms < STALL_MS:
        return []
    return [f"this machine was busy: up to {stalled_ms:.0f} ms without a frame, so the recording may have holes"]


def side_by_side(turnspec: Played, naive: Played) -> Table:
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


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
