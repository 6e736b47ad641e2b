"""What a call costs: turnspec's server beside a bare bridge on the same libraries, under the same load.

For each number of calls and each contender a fresh process on one core, the load on the other. Calls begin one after
another, everything settles, then for some seconds is counted: CPU time of the bridge's process, lateness of every frame
as the caller's side sees it and as the ticker sees it, the way of a caller's frame to the provider, silence in the
middle of an answer, memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import click

from bench.bridge import WHO
from bench.report import console, machine_lines, table, verdict

ROOT = Path(__file__).resolve().parents[1]
FIRST_CALLS = 5
"""Calls that warm the bridge up before its memory is looked at for the first time."""

Json = Mapping[str, Any]


@attrs.frozen
class Run:
    """One run: what the bridge and the load reported."""

    who: str
    calls: int
    seconds: float
    bridge: Json
    load: Json
    rss_before: int

    @property
    def cpu_ms(self) -> float:
        """CPU time of the bridge for each second of each call."""
        return 1000 * float(self.bridge["user_s"] + self.bridge["system_s"]) / (self.seconds * self.calls)

    @property
    def core(self) -> float:
        return float(self.bridge["user_s"] + self.bridge["system_s"]) / self.seconds

    @property
    def kb_a_call(self) -> float:
        return float(self.bridge["rss"] - self.rss_before) / 1000 / max(self.calls - FIRST_CALLS, 1)

    @property
    def broken(self) -> int:
        """Underruns the bridge knows of, and silences in an answer that the caller heard."""
        return int(self.bridge["underruns"]) + int(self.load["breaks"])


class Process:
    """A child that is asked in lines and answers in JSON lines."""

    def __init__(self, stack: ExitStack, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=environment,
            )
        )
        stack.callback(self._end)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, line: str) -> dict[str, Any]:
        self.tell(line)
        return self.hear()

    def _end(self) -> None:
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()


def cores() -> tuple[list[str], list[str]]:
    """Where the bridge stays, and where the load does."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        return [], []
    return ["--core", str(available[0])], ["--core", str(available[1])]


def run(who: str, calls: int, seconds: float, spread: float, settle: float, profile: str | None = None) -> Run:
    """One contender under so many calls."""
    mine, other = cores()
    with ExitStack() as stack:
        load = Process(stack, "bench.load", "--spread", str(spread), *other)
        url = f"ws://127.0.0.1:{load.hear()['provider']}/v1/realtime"
        more = ["--profile", profile] if profile else []
        bridge = Process(stack, "bench.bridge", who, "--provider", url, *mine, *more)
        load.tell(f"bridge {bridge.hear()['port']}")
        _ring(load, min(FIRST_CALLS, calls))
        time.sleep(min(settle, 3.0))
        rss_before = bridge.ask("rss")["rss"]
        if calls > FIRST_CALLS:
            _ring(load, calls)
        time.sleep(settle)
        load.ask("mark")
        began = bridge.ask("mark")
        time.sleep(seconds)
        found, heard = bridge.ask("report"), load.ask("report")
        load.tell("stop")
        bridge.tell("stop")
    return Run(who, calls, found["at"] - began["at"], found, heard, rss_before)


def _ring(load: Process, calls: int) -> None:
    load.tell(f"ring {calls}")
    until = time.monotonic() + 60.0
    while load.ask("count")["sessions"] < calls:
        if time.monotonic() > until:
            raise RuntimeError(f"the bridge took fewer than {calls} calls in a minute")
        time.sleep(0.1)


# --- tables -----------------------------------------------------------------------------------------------------------


def _late(values: Json) -> str:
    return f"{values['p50']:.1f} / {values['p99']:.1f} / {values['p99_9']:.1f} / {values['worst']:.0f}"


def _tick(values: Json) -> str:
    return f"{values['p50_ms']:.1f} / {values['p99_ms']:.1f} / {values['p99_9_ms']:.1f} / {values['worst_ms']:.0f}"


def _rows(runs: Sequence[Run]) -> list[list[str]]:
    rows = []
    for found in runs:
        bare = next((r for r in runs if r.who == "bare" and r.calls == found.calls), None)
        ratio = f"{found.cpu_ms / bare.cpu_ms:.2f}" if bare is not None else ""
        rows.append(
            [
                f"{found.calls} calls, {found.who}",
                f"{found.cpu_ms:.2f}",
                ratio,
                f"{100 * found.core:.0f} %",
                _late(found.load["late_ms"]),
                _tick(found.bridge["tick_ms"]),
                str(found.broken),
                f"{found.load['uplink_ms']['p50']:.1f} / {found.load['uplink_ms']['p99']:.1f}",
                f"{found.kb_a_call:.0f}",
                f"{100 * float(found.load['busy']):.0f} %",
            ]
        )
    return rows


COLUMNS = (
    "", "CPU ms a\ncall-second", "bare\n= 1", "of one\ncore", "late at the caller, ms\np50 / 99 / 99.9 / worst",
    "late at the tick, ms\np50 / 99 / 99.9 / worst", "under-\nruns", "caller to\nprovider, ms\np50 / 99", "KB a\ncall",
    "load\nbusy",
)  # fmt: skip


def median_run(runs: Sequence[Run]) -> Run:
    """Of repetitions, the one in the middle by CPU time."""
    ordered = sorted(runs, key=lambda found: found.cpu_ms)
    return ordered[len(ordered) // 2]


def verdicts(repeated: Mapping[tuple[str, int], Sequence[Run]]) -> list[str]:
    """Each target, for each number of calls."""
    lines = []
    for (who, calls), runs in repeated.items():
        bare = repeated.get(("bare", calls))
        found = median_run(runs)
        if who == "bare":
            continue
        late, uplink = found.load["late_ms"]["p99"], found.load["uplink_ms"]["p99"]
        if bare is not None:
            ratio = statistics.median(ours.cpu_ms / theirs.cpu_ms for ours, theirs in zip(runs, bare, strict=False))
            lines.append(f"{calls} {who}: CPU at most 1.5 of bare: {ratio:.2f} {verdict(ratio <= 1.5)}")
        lines += [
            f"{calls} {who}: playout p99 under 5 ms: {late:.1f} {verdict(late < 5)}; no underrun: {found.broken} "
            f"{verdict(found.broken == 0)}; within the 20 ms frame: p99 {uplink:.1f} ms {verdict(uplink < 20)}; "
            f"under 150 KB a call: {found.kb_a_call:.0f} {verdict(found.kb_a_call < 150)}"
        ]
    return lines


def _notes(found: Run) -> str:
    load, bridge = found.load, found.bridge
    more = "".join(f", {name} {bridge[name]}" for name in ("turns", "violations", "rejections") if name in bridge)
    return (
        f"{found.calls} {found.who}: agent speaks {100 * load['agent_speaks']:.0f} % of the time, {load['answers']} "
        f"answers, {load['wrong_lengths']} of wrong length; first sound after {_late(load['first_sound_ms'])} ms; "
        f"silence after a barge-in {_late(load['cut_ms'])} ms; frames heard {load['frames_heard']} of "
        f"{load['frames_expected']}, appends {load['appends']} of {load['frames_sent']}{more}"
    )


def show(who: Sequence[str], calls: Sequence[int], seconds: float, spread: float, settle: float, rounds: int) -> None:
    """Measures and prints."""
    out = console()
    for line in machine_lines():
        out.print(line, highlight=False)
    repeated: dict[tuple[str, int], list[Run]] = {}
    for number in calls:
        for _ in range(rounds):
            for each in who:
                repeated.setdefault((each, number), []).append(run(each, number, seconds, spread, settle))
    runs = [median_run(found) for found in repeated.values()]
    title = (
        f"A call: G.711, {seconds:.0f} s counted, median of {rounds} rounds; load average now {os.getloadavg()[0]:.2f}"
    )
    out.print(table(title, COLUMNS, _rows(runs)))
    for found in runs:
        out.print(_notes(found), highlight=False)
    for line in verdicts(repeated):
        out.print(line)


@click.command(help=__doc__)
@click.option("--calls", default="50,100,250", show_default=True, help="Numbers of calls, with commas.")
@click.option("--who", default=",".join(WHO), show_default=True, help="Contenders, with commas.")
@click.option("--seconds", default=10.0, show_default=True, help="How long is counted.")
@click.option("--spread", default=8.0, show_default=True, help="Seconds over which the calls begin.")
@click.option("--settle", default=6.0, show_default=True, help="Seconds before counting.")
@click.option("--rounds", default=1, show_default=True, help="Repetitions, contenders in turn.")
def main(calls: str, who: str, seconds: float, spread: float, settle: float, rounds: int) -> None:
    show(who.split(","), [int(number) for number in calls.split(",")], seconds, spread, settle, rounds)


if __name__ == "__main__":
    main()
