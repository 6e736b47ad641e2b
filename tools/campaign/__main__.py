"""`python -m tools.campaign`: calls that go wrong, neighbours of attackers, an hour of many calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import click
import structlog
import yaml

from adapters.demo.lines import LINES
from adapters.simulator.providers.realtime import ProviderServer
from adapters.specs import REALTIME
from adapters.verify.run import SearchProgress
from adapters.virtual_time import VirtualTimeLoop
from tools.campaign.bystanders import BEHAVIOURS, HEAD, measured, offend, provider_of
from tools.campaign.complaints import Complaints
from tools.campaign.plan import drawn
from tools.campaign.play import play_virtually
from tools.campaign.run import Tally, play_many, play_over_sockets
from tools.campaign.soak import SoakSample, growth, soak

_TELL_S: Final = 60.0


@click.group(help=__doc__)
def main() -> None:
    """Of `python -m tools.campaign`."""


@main.command()
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same calls.")
@click.option("--calls", default=10_000, show_default=True, help="So many in virtual time.")
@click.option("--real", default=300, show_default=True, help="So many over real sockets, in real time.")
@click.option("--first", default=0, show_default=True, help="The number of the first call.")
@click.option("--only", type=int, help="Play this one call, and show what was drawn and every step of it.")
@click.option("--sockets", is_flag=True, help="With --only: over real sockets, in real time.")
def calls(seed: int, calls: int, real: int, first: int, only: int | None, sockets: bool) -> None:
    """Calls with everything that the simulators can do wrong: over each line, each bundled spec, each attack.

    Exits with 1 if a call is stuck, leaves something behind, is answered twice, leaves its caller in silence for over
    8 s, or if an exception was not handled. Each failure is printed with the command that repeats its call.
    """
    if only is not None:
        tally = _show_one(seed, only, sockets)
        sys.exit(_shown(tally, "this call"))
    progress, bad = SearchProgress(), False
    if calls:
        tally = Tally(seed)
        with _told(progress, calls) as done:
            play_many(range(first, first + calls), tally, done)
        bad = _shown(tally, "in virtual time")
    if real and not progress.stopped:
        bad |= _shown(_over_sockets(seed, range(first, first + real), progress), "over real sockets")
    sys.exit(bad or progress.stopped)


def _over_sockets(seed: int, numbers: Sequence[int], progress: SearchProgress, *, keeps_trail: bool = False) -> Tally:
    tally, complaints = Tally(seed), Complaints()
    complaints.listen()
    with _told(progress, len(numbers)) as done:
        asyncio.run(play_over_sockets(numbers, tally, done, complaints, keeps_trail=keeps_trail))
    return tally


def _show_one(seed: int, number: int, sockets: bool) -> Tally:
    """What was drawn, and every step."""
    plan = drawn(seed, number)
    click.echo(yaml.safe_dump(json.loads(json.dumps(plan.as_values())), sort_keys=False, width=120).rstrip())
    if sockets:
        tally = _over_sockets(seed, [number], SearchProgress(), keeps_trail=True)
    else:
        tally, complaints = Tally(seed), Complaints()
        complaints.listen()
        tally.take(play_virtually(plan, complaints, keeps_trail=True))
    for line in tally.trail:
        click.echo(line)
    return tally


def _shown(tally: Tally, where: str) -> bool:
    """Prints it; whether there is anything that must not be."""
    click.echo(f"--- {where}")
    for line in tally.lines():
        click.echo(line)
    return bool(tally.failed)


@contextlib.contextmanager
def _told(progress: SearchProgress, total: int) -> Iterator[Callable[[int, str], bool]]:
    """A bar where somebody watches, else a line now and then."""
    last_s = time.monotonic()
    with progress.counting("calls", total) as done:

        def tell(played: int, more: str) -> bool:
            nonlocal last_s
            if progress.quiet and time.monotonic() - last_s >= _TELL_S:
                last_s = time.monotonic()
                click.echo(f"{played:,} of {total:,} calls{more}", err=True)
            return done(played, more)

        yield tell


@main.command()
@click.option("--only", type=click.Choice(list(BEHAVIOURS)), multiple=True, help="This behaviour, and no other.")
@click.option("--first", is_flag=True, help="Server and neighbours before all else on the machine (root; Linux).")
def bystanders(only: tuple[str, ...], first: bool) -> None:
    """How late the frames of three calls are beside a fourth one that misbehaves; as a table, for docs/campaign.md.

    Real processes and real time: on a busy machine the first row is bad, too, without --first. Exits with 1 if a frame
    is over 40 ms late.
    """
    rows = []
    for line in HEAD:
        click.echo(line)
    for name in only or BEHAVIOURS:
        rows.append(asyncio.run(measured(name, first=first)))
        click.echo(rows[-1].row())
    sys.exit(any(each.late for each in rows))


@main.command(hidden=True)
@click.argument("side", type=click.Choice(["provider", "offender"]))
@click.argument("behaviour")
@click.argument("port", type=int, default=0)
def side(side: str, behaviour: str, port: int) -> None:
    """A process of `bystanders`."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(_provide(behaviour) if side == "provider" else _offend(behaviour, port))


async def _provide(behaviour: str) -> None:
    async with ProviderServer(scenario=provider_of(behaviour)) as provider:
        click.echo(provider.url)
        await asyncio.Event().wait()


async def _offend(behaviour: str, port: int) -> None:
    click.echo("begins")
    await offend(behaviour, port)


@main.command("soak")
@click.option("--calls", default=50, show_default=True, help="At once.")
@click.option("--generations", default=60, show_default=True, help="So many times; each about a minute of calls.")
@click.option("--line", type=click.Choice(list(LINES)), default="audiosocket", show_default=True)
@click.option("--spec", type=click.Choice(REALTIME), default="server_vad", show_default=True)
@click.option("--virtual", is_flag=True, help="In virtual time: as fast as the machine can; the sockets are real.")
def soak_command(calls: int, generations: int, line: str, spec: str, virtual: bool) -> None:
    """Many calls for a long time on one server: is what it holds between them the same at the end as at the beginning?

    Exits with 1 if descriptors, tasks, timers, threads, objects of calls or memory grow.
    """
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with asyncio.Runner(loop_factory=VirtualTimeLoop if virtual else None) as runner:
        samples = runner.run(soak(generations, calls, line, spec, tell=_tell_sample))
    grown = list(growth(samples))
    for line_ in grown or ["flat: descriptors, tasks, timers, threads, objects of calls, memory"]:
        click.echo(line_)
    sys.exit(bool(grown))


def _tell_sample(sample: SoakSample) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in sample.counts.items())
    objects = sum(sample.objects.values())
    click.echo(f"{sample.calls:>7,} calls  {sample.memory_kb / 1024:>7.1f} MB  {counts}, {objects:,} objects", err=True)


if __name__ == "__main__":
    main()
