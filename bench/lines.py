"""What a call costs over each line: turnspec beside a bare bridge on the same line and libraries, under the same load.

As `bench.calls`: side by side for the ratio of CPU time, both at once on one core; then turnspec alone under many
calls, for what the caller notices. Where the peer queues and plays by its own clock (chan_websocket, Twilio) no frame
is late at the caller as long as the queue is not empty; there a break is a queue that ran empty within an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import click

from bench.bare_lines import PHONES
from bench.calls import BenchRun, Contender, SideBySide, run, side_by_side
from bench.report import Progress, console, machine_lines
from bench.targets import line_lines, shown


@attrs.frozen(kw_only=True)
class LinePlan:
    """What is measured of each line, and how long."""

    lines: Sequence[str] = tuple(PHONES)
    calls: int = 250
    beside: int = 60
    seconds: float = 10.0

    @property
    def takes_s(self) -> float:
        """About."""
        return len(self.lines) * (2 * (1.5 * self.seconds + 14.0) + self.seconds + 18.0)


@attrs.frozen
class MeasuredLine:
    """Of one line; `alone` is turnspec's."""

    beside: SideBySide
    asked: int
    """Calls of turnspec alone; `alone` has as many as it held."""
    alone: BenchRun


def measure(plan: LinePlan, progress: Progress) -> Mapping[str, MeasuredLine]:
    """Minutes; `progress` hears of every part."""
    found = {}
    for line in plan.lines:
        progress.step(f"{line}: side by side")
        both = [Contender(who, who, line=line) for who in ("bare", "turnspec")]
        beside = side_by_side(both, plan.beside, plan.seconds / 2, 6.0)
        progress.step(f"{line}: {plan.calls} calls")
        found[line] = MeasuredLine(beside, plan.calls, run(both[1], plan.calls, plan.seconds, 8.0, 6.0))
    return found


@click.command(help=__doc__)
@click.option("--lines", default=",".join(PHONES), show_default=True, help="Lines, with commas.")
@click.option("--calls", default=250, show_default=True, help="Calls of turnspec alone.")
@click.option("--beside", default=60, show_default=True, help="Calls of each, side by side.")
@click.option("--seconds", default=10.0, show_default=True, help="How long is counted.")
def main(lines: str, calls: int, beside: int, seconds: float) -> None:
    plan = LinePlan(lines=lines.split(","), calls=calls, beside=beside, seconds=seconds)
    out = console()
    for line in machine_lines():
        out.print(line, highlight=False)
    found = measure(plan, Progress(plan.takes_s))
    out.print(shown("A call over each line: the promises", line_lines(found)))


if __name__ == "__main__":
    main()
