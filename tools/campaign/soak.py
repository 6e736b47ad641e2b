"""Many calls for a long time on one server: what the process holds whenever no call is there, from the first time on.

A generation is so many calls at once, each about a minute; between two of them nothing may be left but what the first
one left (threads that calls share, caches). Both ends are simulated in the same process, so they are counted, too.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import attrs

from adapters.demo.lines import LINES
from adapters.server import results
from adapters.server.server import TurnspecServer
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from tools.campaign.holdings import holdings, left_over, objects_by_type
from tools.campaign.play import GONE_S, server_settings

SETTLE_S: Final = 15.0
WARM: Final = 2
"""Generations after which everything that stays for good is there."""
MEMORY_GROWS: Final = 1.02
MEMORY_SLACK_KB: Final = 4_096
KEPT: Final[Mapping[str, int]] = {"adapters.server.results.KeptResult": results.MOST_RESULTS}
"""What is kept of calls that are over, and how much of it at most."""
_ANSWERED: Final[Sequence[Any]] = (
    {"wait_agent_speaking": {"within_ms": 6_000}},
    {"wait_agent_silent": {"for_ms": 700}},
)
_SCENARIO: Final = """\
responses:
  - {when: {user_turn: 2}, output: [{call: quick}]}
  - {when: {user_turn: 3}, output: [{say: "One moment, please."}, {call: broken}]}
"""
_SPOKEN: Final = ("caller_order_status", "caller_weather", "caller_returns", "caller_when_open", "caller_two_cities")
TURNS: Final = 6
"""Of a call: a minute or so."""


@attrs.frozen(kw_only=True)
class SoakSample:
    """What the process held when no call was there."""

    calls: int
    """So many had been."""
    memory_kb: int
    descriptors: int
    tasks: int
    timers: int
    threads: int
    objects: Mapping[str, int]

    @property
    def counts(self) -> Mapping[str, int]:
        """What has to be the same each time."""
        return {name: getattr(self, name) for name in ("descriptors", "tasks", "timers", "threads")}


def steps(random: Random, turns: int) -> list[Any]:
    """A caller who waits for the greeting, asks, interrupts now and then, and hangs up or just vanishes."""
    found: list[Any] = [*_ANSWERED]
    for _ in range(turns):
        said = random.choice(_SPOKEN)
        interrupts = random.random() < 0.25
        found.append(
            {"interrupt": {"file": said, "after_ms": 400, "within_ms": 1_000}} if interrupts else {"say": said}
        )
        found += _ANSWERED
    return [*found, random.choice(("hang_up", "hang_up", "reset"))]


async def soak(
    generations: int,
    calls: int,
    line: str,
    spec: str,
    turns: int = TURNS,
    tell: Callable[[SoakSample], None] | None = None,
) -> list[SoakSample]:
    """A sample before the first call and one after each generation, on the running loop."""
    with tempfile.TemporaryDirectory() as folder:
        async with _serving(line, spec, Path(folder)) as (server, provider):
            before = holdings()
            samples = [_sample(0)]
            for generation in range(generations):
                random = Random(f"soak:{generation}")
                await asyncio.gather(*(_call(server, line, steps(random, turns)) for _ in range(calls)))
                await _no_calls(server)
                await left_over(before, SETTLE_S, of_process=False)
                provider.sessions.clear()  # a simulator keeps what it has seen
                _empty(Path(folder))
                samples.append(_sample((generation + 1) * calls))
                if tell is not None:
                    tell(samples[-1])
    return samples


@asynccontextmanager
async def _serving(line: str, spec: str, folder: Path) -> AsyncIterator[tuple[TurnspecServer, ProviderServer]]:
    async with ProviderServer(scenario=parse_scenario(_SCENARIO, folder / "s.yaml")) as provider:
        settings = server_settings(spec, provider.url, folder)
        server = TurnspecServer(LINES[line].listening(settings))
        await server.start()
        gc.unfreeze()  # what is counted has to be seen
        try:
            yield server, provider
        finally:
            await server.close(0.0)


async def _call(server: TurnspecServer, line: str, script: Sequence[Any]) -> None:
    settings = CallerSettings(keep_audio=False)
    await run_call(LINES[line].dial(server), load_script({"steps": list(script)}), settings, call_id=uuid.uuid4())


async def _no_calls(server: TurnspecServer) -> None:
    async with asyncio.timeout(GONE_S):
        while server.calls:  # noqa: ASYNC110  a server does not say when it has no call
            await asyncio.sleep(0.05)


def _empty(folder: Path) -> None:
    """A disk is not what is measured."""
    for each in folder.iterdir():
        each.unlink()


def _sample(calls: int) -> SoakSample:
    objects = objects_by_type()
    held = holdings()
    return SoakSample(
        calls=calls,
        memory_kb=_memory_kb(),
        descriptors=len(held.descriptors),
        tasks=len(held.tasks),
        timers=len(held.timers),
        threads=len(held.threads),
        objects=objects,
    )


def _memory_kb() -> int:
    """Resident; 0 where nobody says it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def growth(samples: Sequence[SoakSample]) -> Iterator[str]:
    """What is not flat, in words. The first generations fill what stays for good."""
    flat = samples[WARM:]
    if len(flat) < 2:
        return
    first, last = flat[0], flat[-1]
    for name, count in last.counts.items():
        if count > first.counts[name]:
            yield f"{name}: {first.counts[name]} after {first.calls} calls, {count} after {last.calls}"
    for name, more in (Counter(last.objects) - Counter(first.objects)).items():
        if name in KEPT and last.objects[name] <= KEPT[name]:
            continue
        yield f"objects of {name}: {more} more after {last.calls} calls than after {first.calls}"
    third = max(len(flat) // 3, 1)
    began, ended = (median(each.memory_kb for each in part) for part in (flat[:third], flat[-third:]))
    if len(flat) >= 6 and ended > began * MEMORY_GROWS + MEMORY_SLACK_KB:
        yield f"memory: {began / 1024:.0f} MB in the first third, {ended / 1024:.0f} MB in the last"
