"""What a call over GPT-Live costs: turnspec beside a bare bridge on the same libraries, under the same load.

As `bench.calls`: side by side for the ratio of CPU time, both at once on one core. The load's model speaks and is
silent by turns, at the pace of speech and without end, as GPT-Live does.
"""

from __future__ import annotations

import sys

import attrs
import click

from bench.calls import BESIDE_WINDOWS, Contender, SideBySide, side_by_side
from bench.report import Progress, console, machine_lines
from bench.targets import live_lines, shown


@attrs.frozen(kw_only=True)
class LivePlan:
    """What is measured, and how long."""

    calls: int = 40
    seconds: float = 3.0
    settle: float = 5.0

    @property
    def takes_s(self) -> float:
        """About."""
        return 2 * (BESIDE_WINDOWS * self.seconds + self.settle + 8.0)


def measure(plan: LivePlan, progress: Progress) -> SideBySide:
    """Less than a minute."""
    progress.step(f"side by side: {plan.calls} calls of each over GPT-Live")
    both = [Contender(who, who, protocol="live") for who in ("bare", "turnspec")]
    return side_by_side(both, plan.calls, plan.seconds, plan.settle)


@click.command(help=__doc__)
@click.option("--calls", default=40, show_default=True, help="Calls of each.")
@click.option("--seconds", default=3.0, show_default=True, help="How long is counted, each of some windows.")
def main(calls: int, seconds: float) -> None:
    plan = LivePlan(calls=calls, seconds=seconds)
    out = console()
    for line in machine_lines():
        out.print(line, highlight=False)
    found = measure(plan, Progress(plan.takes_s))
    out.print(found.table())
    promises = live_lines(found)
    out.print(shown("A call over GPT-Live: the promise", promises))
    sys.exit(any(line.missed for line in promises))


if __name__ == "__main__":
    main()
