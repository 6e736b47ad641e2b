"""What a call costs: turnspec's server beside a bare bridge on the same libraries, under the same load.

First side by side: all contenders at once on one core, each with its own calls, in either order, so that whatever else
the machine does happens to all of them in the same second; from this comes the ratio of CPU time.

Then each alone: for each number of calls a fresh process on one core, the load on the other. Calls begin one after
another, everything settles, then for some seconds is counted: CPU time of the bridge's process, lateness of every frame
as the caller's side sees it and as the ticker sees it, the way of a caller's frame to the provider and of an answer's
first sound to the caller, silence in the middle of an answer, memory; and how long bridge and load waited for their
cores, which on a machine with nothing else to do is next to nothing. (On one that is busy, `chrt -f 1` before the
command, as root, puts them before all others.)
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
from rich.table import Table

from bench.bridge import WHO
from bench.report import Progress, console, machine_lines, table
from bench.targets import BUSY_SHARE, call_lines, shown

ROOT = Path(__file__).resolve().parents[1]
FIRST_CALLS = 5
"""Calls that warm the bridge up before its memory is looked at for the first time."""
BESIDE_WINDOWS = 3

Json = Mapping[str, Any]


@attrs.frozen
class BenchRun:
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

    @property
    def late(self) -> Json:
        """Of every frame, against its 20 ms schedule, as the caller sees it: ms."""
        found: Json = self.load["late_ms"]
        return found

    @property
    def uplink(self) -> Json:
        """From the caller's frame to the provider's append: ms."""
        found: Json = self.load["uplink_ms"]
        return found

    @property
    def first_sound(self) -> Json:
        """From an answer's first audio to the caller's ear: ms. The next frame is due in 0 to 20."""
        found: Json = self.load["first_sound_ms"]
        return found

    @property
    def waited(self) -> tuple[float, float]:
        """Shares of the time in which the bridge, and the load, could have run and another program did."""
        return float(self.bridge["waited_s"]) / self.seconds, float(self.load["waited_s"]) / self.load["seconds"]

    @property
    def is_busy(self) -> bool:
        return max(self.waited) > BUSY_SHARE


class Child:
    """A child that is asked in lines and answers in JSON lines."""

    def __init__(self, stack: ExitStack, *arguments: str, root: Path = ROOT) -> None:
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=root,
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


@attrs.frozen
class Contender:
    """Who is measured, by which name, and the tree whose code it runs."""

    name: str
    who: str
    root: Path = ROOT
    line: str = ""
    """Nothing: AudioSocket, which the code of an earlier commit knows as well."""
    protocol: str = ""
    """Nothing: Realtime, as above."""


@attrs.frozen
class Pair:
    """A bridge and its load."""

    who: str
    bridge: Child
    load: Child

    @classmethod
    def start(cls, stack: ExitStack, contender: Contender, spread: float, *more: str) -> Pair:
        mine, other = cores()
        by = ["--line", contender.line] if contender.line else []
        by += ["--protocol", contender.protocol] if contender.protocol else []
        load = Child(stack, "bench.load", "--spread", str(spread), *other, *by)
        path = "live/sessions" if contender.protocol == "live" else "realtime"
        url = f"ws://127.0.0.1:{load.hear()['provider']}/v1/{path}"
        bridge = Child(stack, "bench.bridge", contender.who, "--provider", url, *mine, *by, *more, root=contender.root)
        load.tell(f"bridge {bridge.hear()['port']}")
        return cls(contender.name, bridge, load)

    def mark(self) -> float:
        """Counting begins; the bridge's clock."""
        self.load.ask("mark")
        return float(self.bridge.ask("mark")["at"])

    def report(self, calls: int, began: float, rss_before: int) -> BenchRun:
        found, heard = self.bridge.ask("report"), self.load.ask("report")
        return BenchRun(self.who, calls, found["at"] - began, found, heard, rss_before)

    def stop(self) -> None:
        self.load.tell("stop")
        self.bridge.tell("stop")


def run(
    contender: Contender, calls: int, seconds: float, spread: float, settle: float, profile: str | None = None
) -> BenchRun:
    """One contender alone under so many calls."""
    with ExitStack() as stack:
        pair = Pair.start(stack, contender, spread, *(["--profile", profile] if profile else []))
        held = _ring(pair.load, min(FIRST_CALLS, calls))
        time.sleep(min(settle, 3.0))
        rss_before = pair.bridge.ask("rss")["rss"]
        if calls > FIRST_CALLS:
            held = _ring(pair.load, calls)
        time.sleep(settle)
        began = pair.mark()
        time.sleep(seconds)
        found = pair.report(held, began, rss_before)
        pair.stop()
    return found


def together(
    who: Sequence[Contender], calls: int, seconds: float, settle: float, windows: int = BESIDE_WINDOWS
) -> list[list[BenchRun]]:
    """All contenders at once, each with so many calls: for each of some windows the run of each, in this order."""
    with ExitStack() as stack:
        pairs = [Pair.start(stack, each, 3.0) for each in who]
        for pair in pairs:
            _ring(pair.load, calls)
        time.sleep(settle)
        found = []
        for _ in range(windows):
            began = [pair.mark() for pair in pairs]
            time.sleep(seconds)
            found.append([pair.report(calls, at, 0) for pair, at in zip(pairs, began, strict=True)])
        for pair in pairs:
            pair.stop()
    return found


def _ring(load: Child, calls: int) -> int:
    """How many have a session: all of them, or as many as the bridge took in a minute."""
    load.tell(f"ring {calls}")
    until = time.monotonic() + 60.0
    while (held := int(load.ask("count")["sessions"])) < calls and time.monotonic() < until:
        time.sleep(0.1)
    return min(held, calls)


# --- tables -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class SideBySide:
    """CPU of contenders that ran at once, by contender: ms a call-second, and as a multiple of the first's."""

    calls: int
    cpu_ms: Mapping[str, float]
    ratio: Mapping[str, float]

    def table(self) -> Table:
        rows = [[who, f"{self.cpu_ms[who]:.2f}", f"{self.ratio[who]:.2f}"] for who in self.cpu_ms]
        title = f"CPU side by side: {self.calls} calls each, at once on one core"
        return table(title, ("", "CPU ms a\ncall-second", f"{next(iter(self.ratio))}\n= 1"), rows)


def side_by_side(who: Sequence[Contender], calls: int, seconds: float, settle: float) -> SideBySide:
    """In either order: who begins first is a few percent dearer. Medians of the windows, the mean of both orders.

    The first contender is what the others are multiples of.
    """
    means: dict[str, list[float]] = {each.name: [] for each in who}
    ratios: dict[str, list[float]] = {each.name: [] for each in who}
    for order in (list(who), list(reversed(who))):
        windows = together(order, calls, seconds, settle)
        one = order.index(who[0])
        for place, each in enumerate(order):
            means[each.name].append(statistics.median(window[place].cpu_ms for window in windows))
            ratios[each.name].append(statistics.median(window[place].cpu_ms / window[one].cpu_ms for window in windows))
    mean = {each: statistics.fmean(found) for each, found in means.items()}
    return SideBySide(calls, mean, {each: statistics.fmean(found) for each, found in ratios.items()})


def _late(values: Json) -> str:
    return f"{values['p50']:.1f} / {values['p99']:.1f} / {values['p99_9']:.1f} / {values['worst']:.0f}"


def _tick(values: Json) -> str:
    return f"{values['p50_ms']:.1f} / {values['p99_ms']:.1f} / {values['p99_9_ms']:.1f} / {values['worst_ms']:.0f}"


def _rows(runs: Sequence[BenchRun]) -> list[list[str]]:
    return [
        [
            f"{found.calls} {found.who}",
            f"{found.cpu_ms:.2f}",
            f"{100 * found.core:.0f} %",
            _late(found.late),
            _tick(found.bridge["tick_ms"]),
            str(found.broken),
            f"{found.uplink['p50']:.1f} / {found.uplink['p99']:.1f}",
            f"{found.kb_a_call:.0f}",
            f"{100 * float(found.load['busy']):.0f} %",
            " / ".join(f"{100 * share:.1f}" for share in found.waited),
        ]
        for found in runs
    ]


COLUMNS = (
    "calls", "CPU ms a\ncall-second", "of one\ncore", "late at the caller, ms\np50 / 99 / 99.9 / worst",
    "late at the tick, ms\np50 / 99 / 99.9 / worst", "under-\nruns", "caller to\nprovider, ms\np50 / 99",
    "KB a\ncall", "load\nbusy", "waited\n%",
)  # fmt: skip


def median_run(runs: Sequence[BenchRun]) -> BenchRun:
    """Of repetitions, the one in the middle by CPU time."""
    ordered = sorted(runs, key=lambda found: found.cpu_ms)
    return ordered[len(ordered) // 2]


def _notes(found: BenchRun) -> str:
    load, bridge = found.load, found.bridge
    more = "".join(f", {name} {bridge[name]}" for name in ("turns", "violations", "rejections") if name in bridge)
    return (
        f"{found.calls} {found.who}: agent speaks {100 * load['agent_speaks']:.0f} % of the time, {load['answers']} "
        f"answers, {load['wrong_lengths']} of wrong length; first sound after {_late(found.first_sound)} ms; "
        f"silence after a barge-in {_late(load['cut_ms'])} ms; frames heard {load['frames_heard']} of "
        f"{load['frames_expected']}, appends {load['appends']} of {load['frames_sent']}{more}"
    )


@attrs.frozen(kw_only=True)
class CallPlan:
    """What is measured, and how long."""

    who: Sequence[str] = WHO
    calls: Sequence[int] = (50, 250)
    beside: int = 60
    seconds: float = 10.0
    spread: float = 8.0
    settle: float = 6.0
    rounds: int = 1

    @property
    def is_beside(self) -> bool:
        """A ratio takes two, and one of them is bare."""
        return self.beside > 0 and "bare" in self.who and len(self.who) > 1

    @property
    def turns(self) -> list[tuple[int, str]]:
        """Runs of one contender alone, in their order."""
        return [(number, who) for number in self.calls for _ in range(self.rounds) for who in self.who]

    @property
    def takes_s(self) -> float:
        """About."""
        beside = 2 * (BESIDE_WINDOWS * self.seconds / 2 + self.settle + 4.0 * len(self.who))
        alone = self.seconds + self.spread + self.settle + min(self.settle, 3.0) + 3.0
        return beside * self.is_beside + alone * len(self.turns)


@attrs.frozen
class MeasuredCalls:
    """All that was measured."""

    beside: SideBySide | None
    runs: Sequence[BenchRun]


def measure(plan: CallPlan, progress: Progress) -> MeasuredCalls:
    """Minutes; `progress` hears of every part."""
    beside = None
    if plan.is_beside:
        progress.step(f"side by side: {plan.beside} calls of each of {', '.join(plan.who)}")
        first = sorted(plan.who, key=lambda each: each != "bare")  # what the others are multiples of
        beside = side_by_side([Contender(each, each) for each in first], plan.beside, plan.seconds / 2, plan.settle)
    repeated: dict[tuple[int, str], list[BenchRun]] = {}
    for number, who in plan.turns:
        progress.step(f"alone: {number} calls of {who}")
        repeated.setdefault((number, who), []).append(
            run(Contender(who, who), number, plan.seconds, plan.spread, plan.settle)
        )
    return MeasuredCalls(beside, [median_run(each) for each in repeated.values()])


def show(plan: CallPlan, found: MeasuredCalls) -> None:
    """Prints all of it, and what it says of the promises."""
    out = console()
    if found.beside is not None:
        out.print(found.beside.table())
    if found.runs:
        title = f"Each alone: G.711, {plan.seconds:.0f} s counted, median of {plan.rounds} rounds"
        out.print(table(title, COLUMNS, _rows(found.runs)))
    for each in found.runs:
        out.print(_notes(each), highlight=False)
    out.print(shown("A call: the promises", call_lines(found)))
    if any(each.is_busy for each in found.runs):
        out.print(
            "Other programs ran meanwhile: what is late is not judged. Try again later, or with chrt -f 1 as root."
        )


@click.command(help=__doc__)
@click.option("--calls", default="50,250", show_default=True, help="Numbers of calls, with commas; empty for none.")
@click.option("--who", default=",".join(WHO), show_default=True, help="Contenders, with commas.")
@click.option("--beside", default=60, show_default=True, help="Calls of each contender side by side; 0: not that.")
@click.option("--seconds", default=10.0, show_default=True, help="How long is counted.")
@click.option("--spread", default=8.0, show_default=True, help="Seconds over which the calls begin.")
@click.option("--settle", default=6.0, show_default=True, help="Seconds before counting.")
@click.option("--rounds", default=1, show_default=True, help="Repetitions, contenders in turn.")
def main(calls: str, who: str, beside: int, seconds: float, spread: float, settle: float, rounds: int) -> None:
    numbers = [int(number) for number in calls.split(",") if number]
    times = {"seconds": seconds, "spread": spread, "settle": settle}
    plan = CallPlan(who=who.split(","), calls=numbers, beside=beside, rounds=rounds, **times)
    for line in machine_lines():
        console().print(line, highlight=False)
    show(plan, measure(plan, Progress(plan.takes_s)))


if __name__ == "__main__":
    main()
