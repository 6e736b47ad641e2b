"""Several workers: how evenly calls are shared, what a call costs beside one process, and a burst of twice what fits.

`turnspec serve` as a process, the canned provider and callers of `bench.load` around it. Where other programs run
meanwhile, ratios hold and latenesses are theirs as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import click

from bench.calls import ROOT, Child, _ring
from bench.report import console, machine_lines

READY_S = 60.0
_BUNCHES = 10
EVEN = 1.2
"""At most so many times the mean has the worker with most calls."""
_CONFIG = """
listen: {{audiosocket: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
provider: {{url: "{url}", model: gpt-realtime, api_key: "", instructions: "You are brief.", format: pcmu}}
greeting: Greet the caller.
limits: {{calls: 2000, shutdown_s: 1, loop_lag_ms: {lag_ms}, new_calls_s: {new_calls_s}}}
"""
_TICKS_S = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class BenchService:
    """`turnspec serve` under a load of its own."""

    load: Child
    process: subprocess.Popen[bytes]
    door: str

    @classmethod
    def start(
        cls, stack: ExitStack, workers: int, lag_ms: float = 60_000.0, new_calls_s: float = 10_000.0
    ) -> BenchService:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnspec-bench-")))
        load = Child(stack, "bench.load", "--spread", "5")
        config, log = folder / "bench.yaml", folder / "log"
        url = f"ws://127.0.0.1:{load.hear()['provider']}/v1/realtime"
        config.write_text(_CONFIG.format(url=url, lag_ms=lag_ms, new_calls_s=new_calls_s), encoding="utf-8")
        program = "from adapters.cli import main; main()"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", str(config), "--workers", str(workers)],
                cwd=ROOT, stdout=written, stderr=written,
            )  # fmt: skip
        stack.callback(process.wait, READY_S)
        stack.callback(process.terminate)
        ready, door = _line(log, "ready"), _line(log, "door_open")
        load.tell(f"bridge {ready['addresses'][0][1]}")
        return cls(load, process, f"http://127.0.0.1:{door['addresses'][0][1]}")

    def cpu_s(self) -> float:
        """Of the process and its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(map(_cpu_s, [str(self.process.pid), *children]))

    def calls_of_workers(self) -> list[float]:
        with urllib.request.urlopen(f"{self.door}/metrics", timeout=10.0) as answer:
            lines = answer.read().decode().splitlines()
        return [float(line.rpartition(" ")[2]) for line in lines if line.startswith("turnspec_worker_calls{")]


def _line(log: Path, event: str) -> dict[str, Any]:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        for text in log.read_text(encoding="utf-8").splitlines():
            found: dict[str, Any] = json.loads(text) if text.startswith("{") else {}
            if found.get("event") == event and "worker" not in found:
                return found
        time.sleep(0.1)
    raise RuntimeError(f"no line '{event}': {log.read_text(encoding='utf-8')}")


def _cpu_s(pid: str) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_S


def shares(workers: int, calls: int, settle: float) -> list[float]:
    """How many calls each worker has when there are most: they come in bunches."""
    found = [0.0]
    with ExitStack() as stack:
        service = BenchService.start(stack, workers)
        for _ in range(_BUNCHES):
            service.load.tell(f"burst {calls // _BUNCHES}")
            time.sleep(0.5)
        until = time.monotonic() + settle
        while sum(found) < calls and time.monotonic() < until:
            found = max(found, service.calls_of_workers(), key=sum)
            time.sleep(0.2)
        service.load.tell("stop")
    return found


def cost(calls: int, seconds: float, settle: float) -> tuple[float, float]:
    """CPU ms of a call-second: in one process with half of the calls, in two workers and their supervisor with all."""
    with ExitStack() as stack:
        one, two = BenchService.start(stack, 1), BenchService.start(stack, 2)
        _ring(one.load, calls // 2)
        _ring(two.load, calls)
        time.sleep(settle)
        before, began = (one.cpu_s(), two.cpu_s()), time.monotonic()
        time.sleep(seconds)
        spent, passed = (one.cpu_s() - before[0], two.cpu_s() - before[1]), time.monotonic() - began
        for each in (one, two):
            each.load.tell("stop")
    return 1000 * spent[0] / passed / (calls // 2), 1000 * spent[1] / passed / calls


def overload(calls: int, lag_ms: float, new_calls_s: float, seconds: float) -> dict[str, Any]:
    """So many calls at once on one process that admits by its lag and by how many have just begun."""
    with ExitStack() as stack:
        service = BenchService.start(stack, 1, lag_ms, new_calls_s)
        time.sleep(2.0)
        service.load.tell(f"burst {calls}")
        time.sleep(seconds)
        found = service.load.ask("taken")
        service.load.tell("stop")
    return found


@click.command(help=__doc__)
@click.option("--workers", default=4, show_default=True, help="Among how many calls are shared.")
@click.option("--calls", default=200, show_default=True, help="How many; 0: not that.")
@click.option("--cost", "cost_calls", default=60, show_default=True, help="Calls of two workers, for their cost.")
@click.option("--burst", default=700, show_default=True, help="Twice what a core holds; 0: not that.")
@click.option("--lag", default=15.0, show_default=True, help="limits.loop_lag_ms of the burst.")
@click.option("--new-calls", default=50.0, show_default=True, help="limits.new_calls_s of the burst.")
@click.option("--seconds", default=10.0, show_default=True, help="How long is counted.")
def main(workers: int, calls: int, cost_calls: int, burst: int, lag: float, new_calls: float, seconds: float) -> None:
    out = console()
    for line in machine_lines():
        out.print(line, highlight=False)
    if calls:
        found = shares(workers, calls, 20.0)
        most = max(found) / (sum(found) / len(found))
        out.print(f"{workers} workers, {calls} calls: {found}; the most has {most:.2f} of the mean (target {EVEN})")
    if cost_calls:
        one, two = cost(cost_calls, seconds, 6.0)
        out.print(
            f"CPU ms a call-second: {one:.2f} in one process, {two:.2f} in two workers and their supervisor: "
            f"two cores hold {2 * one / two:.2f} of what one holds (target 1.9)"
        )
    if burst:
        burst_found = json.dumps(overload(burst, lag, new_calls, seconds))
        out.print(f"a burst of {burst}, limits.loop_lag_ms {lag:g}, new_calls_s {new_calls:g}: {burst_found}")


if __name__ == "__main__":
    main()
