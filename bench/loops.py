"""uvloop beside asyncio: CPU time of the same calls on either, at once on one core."""

from __future__ import annotations

import click

from bench.bridge import UVLOOP
from bench.calls import Contender, side_by_side
from bench.report import console, machine_lines


@click.command(help=__doc__)
@click.option("--calls", default=60, show_default=True, help="Of each.")
@click.option("--seconds", default=10.0, show_default=True, help="How long is counted.")
@click.option("--settle", default=6.0, show_default=True, help="Seconds before counting.")
def main(calls: int, seconds: float, settle: float) -> None:
    for line in machine_lines():
        console().print(line, highlight=False)
    who = [Contender("asyncio", "turnspec"), Contender(UVLOOP, UVLOOP)]
    console().print(side_by_side(who, calls, seconds / 2, settle).table())


if __name__ == "__main__":
    main()
