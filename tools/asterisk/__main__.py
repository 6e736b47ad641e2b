"""The command: every trial, one after the other, and what went otherwise."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import structlog

from tools.asterisk.agents import HOSTS, MISTAKES, ScriptedAgent, keep_mistakes
from tools.asterisk.box import AsteriskBox, Executed, command
from tools.asterisk.trials import TRIALS, DialplanTrial

DIALPLAN: Final = Path(__file__).resolve().parents[2] / "deploy/asterisk/extensions.conf"
_LONGEST_S: Final = 45.0
_SETTLED_S: Final = 0.5


@click.command()
@click.argument("names", nargs=-1)
@click.option("--show", is_flag=True, help="What each dialplan executed, also where all is well.")
def main(names: tuple[str, ...], show: bool) -> None:
    """Run the dialplans of deploy/asterisk/extensions.conf (those trials whose NAMES are given) against an Asterisk.

    ASTERISK_ROOT names another root file system with Asterisk in it, e.g. one made by debootstrap (needs root).
    """
    found = command()
    if found is None:
        click.echo(
            "SKIPPED, NOTHING WAS TRIED: there is no Asterisk on this machine (ASTERISK_ROOT names another root)"
        )
        return
    structlog.configure(processors=[keep_mistakes])
    wanted = [trial for trial in TRIALS if not names or trial.name in names]
    sys.exit(asyncio.run(_all(found, wanted, show)))


async def _all(found: list[str], trials: Sequence[DialplanTrial], show: bool) -> int:
    agents = [ScriptedAgent(host) for host in HOSTS]
    failed = 0
    try:
        for agent in agents:
            await agent.start()
        box = await asyncio.to_thread(AsteriskBox(found, DIALPLAN.read_text(encoding="utf-8")).__enter__)
        try:
            click.echo((await asyncio.to_thread(box.say, "core show version")).strip())
            for trial in trials:
                complaints, trace = await _tried(box, agents, trial)
                click.echo(f"{'FAILED' if complaints else 'ok':<7} {trial.name} ({trial.dial})")
                for line in [*complaints, *(map(str, trace) if show or complaints else ())]:
                    click.echo(f"          {line}")
                failed += bool(complaints)
        finally:
            await asyncio.to_thread(box.__exit__, None, None, None)
    finally:
        for agent in agents:
            await agent.close()
    click.echo(f"{len(trials) - failed} of {len(trials)} dialplans did as they should")
    return 1 if failed else 0


async def _tried(
    box: AsteriskBox, agents: Sequence[ScriptedAgent], trial: DialplanTrial
) -> tuple[list[str], list[Executed]]:
    for agent, script in zip(agents, (trial.first, trial.second), strict=True):
        agent.next(*script)
    MISTAKES.clear()
    known = len(box.executed())
    complaints = []
    said = await asyncio.to_thread(box.say, f"channel originate Local/{trial.dial}/n {trial.caller}")
    until = time.monotonic() + _LONGEST_S
    while True:
        await asyncio.sleep(_SETTLED_S)
        if len(box.executed()) > known and await asyncio.to_thread(lambda: box.is_quiet):
            break
        if time.monotonic() > until:
            complaints.append(f"not over after {_LONGEST_S:g} s {said.strip()}")
            await asyncio.to_thread(box.say, "channel request hangup all")
            break
    trace = box.executed()[known:]
    return complaints + _complaints(trial, agents, trace), trace


def _complaints(trial: DialplanTrial, agents: Sequence[ScriptedAgent], trace: Sequence[Executed]) -> list[str]:
    found = []
    left = iter(trace)
    for beginning in trial.does:
        if not any(each.what.startswith(beginning) for each in left):
            found.append(f"{beginning}...) was not executed, or not in its place")
            break
    found += [f"{each} was executed" for each in trace if each.what.startswith(trial.never)] if trial.never else []
    came = tuple(len(agent.calls) for agent in agents)
    if came != trial.calls:
        found.append(f"{came} calls came to the agents, not {trial.calls}")
    if trial.rate_hz and agents[0].rates_hz != [trial.rate_hz]:
        found.append(f"rates were {agents[0].rates_hz}, not {trial.rate_hz} Hz")
    announced = [(each["id"], each["dialled"]) for each in agents[0].announced]
    if trial.dialled and announced != [(each, trial.dialled) for each in agents[0].calls]:
        found.append(f"announced was {agents[0].announced}")
    if trial.mistake and trial.mistake not in MISTAKES:
        found.append(f"the mistake {trial.mistake} was not named, but {MISTAKES or 'none'}")
    return found


if __name__ == "__main__":
    main()
