"""One demo from its plan to its summary: both simulators and a bridge on loopback sockets, from first packet to last.

With the naive controller two calls at once. Everything opened here is closed here, also when a call is cancelled in the
middle. The summary is what `--json` prints and summary.json holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from adapters.demo.bridges import DemoBridge, NaiveListener, Numbers, TurnspecBridge
from adapters.demo.display_events import DisplayEvent, Show
from adapters.demo.lines import LINES
from adapters.demo.narrator import CallNarrator
from adapters.demo.plan import TALK_KEY, DemoPlan, SpokenTo
from adapters.providers.realtime.endpoint import endpoint_of
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.providers.realtime.server import ProviderServer
from adapters.simulator.providers.realtime.session_context import SessionStats

_SETTLE_S: Final = 10.0
"""How long a call may take to end after the caller has left."""
_NAMES: Final = {".wav": "recording.wav", ".jsonl": "journal.jsonl"}


@attrs.frozen(kw_only=True)
class PlayedCall:
    """What is left of a call. `numbers` has the keys of adapters.call.summary; `sessions` those of a simulator."""

    numbers: Numbers
    states: tuple[str, ...]
    tool_rounds: int
    caller: CallerReport
    sessions: tuple[SessionStats, ...]


@attrs.define
class DemoCall:
    """One call, played once. `folder` gets recording.wav and, from turnspec, journal.jsonl."""

    plan: DemoPlan
    folder: Path
    show: Show
    is_naive: bool = False
    _bridge: DemoBridge | None = None

    def hang_up(self) -> None:
        """The call is to end politely, soon."""
        if self._bridge is not None:
            self._bridge.hang_up()

    async def play(self) -> PlayedCall:
        """From the first packet to the last. OSError: no port, or no place to write. TimeoutError: it did not end."""
        plan = self.plan
        talk_key = TALK_KEY if plan.holds_turns else ""
        narrator = CallNarrator(self.show, talk_key, plan.spec.tagged("floor_caller"))
        try:
            async with self._provider(narrator) as (endpoint, provider):
                make = NaiveListener if self.is_naive else TurnspecBridge
                bridge: DemoBridge = make(plan, endpoint, self.folder, narrator)
                numbers, report = await self._call(bridge, narrator)
                sessions = tuple(provider.stats) if provider is not None else ()
        finally:
            self._name_files()
        return PlayedCall(
            numbers=numbers,
            states=tuple(narrator.states),
            tool_rounds=narrator.tool_rounds,
            caller=report,
            sessions=sessions,
        )

    @contextlib.asynccontextmanager
    async def _provider(self, narrator: CallNarrator) -> AsyncIterator[tuple[SpokenTo, ProviderServer | None]]:
        plan = self.plan
        if plan.endpoint is not None:
            yield plan.endpoint, None
            return
        if plan.model is not None:
            async with plan.model.serve() as simulated:
                yield simulated.url, None
            return
        async with ProviderServer(plan.simulated, plan.scenario) as provider:
            narrator.on_lost_session = lambda: _continue_script(provider, plan)
            yield endpoint_of(plan.server, provider.url, plan.session.model, "sk-demo"), provider

    async def _call(self, bridge: DemoBridge, narrator: CallNarrator) -> tuple[Numbers, CallerReport]:
        await bridge.start()
        self._bridge = bridge
        try:
            report = await run_call(
                bridge.dial, self.plan.script, CallerSettings(), narrator.caller, call_id=self.plan.call_id
            )
            return await asyncio.wait_for(bridge.numbers, _SETTLE_S), report
        finally:
            self._bridge = None
            await bridge.close()

    def _name_files(self) -> None:
        call_id = LINES[self.plan.options.line].call_id(self.plan.call_id)
        for suffix, name in _NAMES.items():
            made = self.folder / f"{call_id}{suffix}"
            if made.exists():
                made.replace(self.folder / name)


def _continue_script(provider: ProviderServer, plan: DemoPlan) -> None:
    """A new session hears the caller's further turns, not the first one again."""
    heard = sum(stats.user_turns for stats in provider.stats)
    provider.scenario = attrs.evolve(plan.scenario, user_turns=plan.scenario.user_turns[heard:])


@attrs.frozen(kw_only=True)
class DemoOutcome:
    """`naive` is there if it was played, too. `problems`: what is not healthy about turnspec's call."""

    turnspec: PlayedCall
    naive: PlayedCall | None
    problems: tuple[str, ...]
    is_interrupted: bool = False
    summary: dict[str, Any]


def nobody(_event: DisplayEvent) -> None:
    """For a call that is not shown."""


async def run_demo(plan: DemoPlan, folder: Path, show: Show, *, naive: bool = False) -> DemoOutcome:
    """Plays, judges, writes summary.json. With `naive`, `show` gets that call, and turnspec's is played unseen."""
    calls = [DemoCall(plan, folder, nobody if naive else show)]
    if naive:
        calls.append(DemoCall(plan, folder / "naive", show, is_naive=True))
    with _interruptible(calls, show) as is_interrupted:
        played = await asyncio.gather(*(call.play() for call in calls))
        was_interrupted = is_interrupted()
        problems = problems_of(played[0], was_interrupted, own_script=plan.options.caller is not None)
    summary = _summary(plan, folder, played, problems)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return DemoOutcome(
        turnspec=played[0],
        naive=played[1] if naive else None,
        problems=tuple(problems),
        summary=summary,
        is_interrupted=was_interrupted,
    )


def problems_of(played: PlayedCall, is_interrupted: bool = False, *, own_script: bool = False) -> list[str]:
    """What a healthy demo call is not; empty for one that is.

    `own_script`: the caller is somebody's own, who may hang up on an answer, but waits for nothing in vain.
    """
    numbers: Mapping[str, Any] = played.numbers
    causes: Mapping[str, int] = numbers["creates_by_cause"]
    found = []
    if is_interrupted:
        return ["the call was ended before its time (Ctrl-C)"]
    if own_script:
        found += [f"the caller waited in vain: step {note.step + 1}, {note.text}" for note in played.caller.notes]
    elif not numbers["turns"]:
        found.append("the caller had no turn at all")
    if numbers["answers"] != numbers["turns"] and not own_script:
        found.append(f"not one answer per turn: {numbers['answers']} answers, {numbers['turns']} turns")
    if numbers["rejections"]:
        found.append(f"rejected by the provider: {counted(numbers['rejections_by_cause'])}")
    if numbers["underruns"]:
        found.append(f"{numbers['underruns']} underruns: holes in the agent's voice")
    if causes.get("greeting", 0) > 1:
        found.append(f"{causes['greeting']} response.create for one greeting")
    if causes.get("tools", 0) > played.tool_rounds:
        found.append(f"{causes['tools']} response.create for {played.tool_rounds} rounds of tools")
    if played.caller.dropped:
        found.append(f"Asterisk would have dropped the call: {played.caller.dropped}")
    return found


def counted(counts: Mapping[str, int]) -> str:
    """`3 turn, 1 greeting`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _summary(plan: DemoPlan, folder: Path, played: list[PlayedCall], problems: list[str]) -> dict[str, Any]:
    shown = {
        "controller": "naive" if len(played) > 1 else "turnspec",
        "spec": plan.spec.name,
        "provider": plan.options.provider,
        "line": plan.options.line,
        "format": plan.options.audio_format,
        "seed": plan.options.seed,
        "healthy": not problems,
        "problems": problems,
        "folder": str(folder),
    }
    if len(played) > 1:
        return {**_numbers(played[1]), **shown, "turnspec": _numbers(played[0])}
    return {**_numbers(played[0]), **shown}


def _numbers(played: PlayedCall) -> dict[str, Any]:
    caller = played.caller
    heard = {
        "ended": caller.ended,
        "talk_over_ms": round(caller.talk_over_ms),
        "longest_silence_ms": round(caller.longest_silence_ms),
        "reply_ms": [round(each) for each in caller.reply_ms],
        "waited_in_vain": [note.text for note in caller.notes],
    }
    return {**played.numbers, "states": list(played.states), "tool_rounds": played.tool_rounds, "caller": heard}


@contextmanager
def _interruptible(calls: list[DemoCall], show: Show) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C hangs up politely, the second cuts. Yields whether there was one."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    began_s, count = loop.time(), 0

    def interrupt() -> None:
        nonlocal count
        count += 1
        if count > 1 and task is not None:
            task.cancel()
            return
        for call in calls:
            call.hang_up()
        show(
            DisplayEvent(
                round((loop.time() - began_s) * 1000),
                "note",
                "Ctrl-C: hanging up once the agent has finished; again to cut the call",
            )
        )

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows; a loop outside of the main thread
        yield lambda: False
        return
    try:
        yield lambda: count > 0
    finally:
        loop.remove_signal_handler(signal.SIGINT)
