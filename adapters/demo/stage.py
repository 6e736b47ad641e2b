"""The call itself: both simulators and a house on loopback sockets, from the first packet to the last. No display.

Everything opened here is closed here, also when the call is cancelled in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import attrs

from adapters.demo.houses import House, NaiveHouse, Numbers, TurnspecHouse
from adapters.demo.moments import Tell
from adapters.demo.plan import TALK_KEY, Plan
from adapters.demo.story import Story
from adapters.providers.realtime.endpoint import Endpoint, openai_endpoint
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.providers.realtime.server import ProviderServer
from adapters.simulator.providers.realtime.session_context import SessionStats

_SETTLE_S: Final = 10.0
"""How long a call may take to end after the caller has left."""
_NAMES: Final = {".wav": "recording.wav", ".jsonl": "journal.jsonl"}


@attrs.frozen(kw_only=True)
class Played:
    """What is left of a call. `numbers` has the keys of adapters.call.summary; `sessions` those of a simulator."""

    numbers: Numbers
    states: tuple[str, ...]
    tool_rounds: int
    caller: CallerReport
    sessions: tuple[SessionStats, ...]


@attrs.define
class Stage:
    """One call, played once. `folder` gets recording.wav and, from turnspec, journal.jsonl."""

    plan: Plan
    folder: Path
    tell: Tell
    is_naive: bool = False
    _house: House | None = None

    def hang_up(self) -> None:
        """The call is to end politely, soon."""
        if self._house is not None:
            self._house.hang_up()

    async def play(self) -> Played:
        """From the first packet to the last. OSError: no port, or no place to write. TimeoutError: it did not end."""
        plan = self.plan
        story = Story(self.tell, TALK_KEY if plan.holds_turns else "")
        try:
            async with self._provider(story) as (endpoint, provider):
                make = NaiveHouse if self.is_naive else TurnspecHouse
                house: House = make(plan, endpoint, self.folder, story)
                numbers, report = await self._call(house, story)
                sessions = tuple(provider.stats) if provider is not None else ()
        finally:
            self._name_files()
        return Played(
            numbers=numbers, states=tuple(story.states), tool_rounds=story.tool_rounds, caller=report, sessions=sessions
        )

    @contextlib.asynccontextmanager
    async def _provider(self, story: Story) -> AsyncIterator[tuple[Endpoint, ProviderServer | None]]:
        plan = self.plan
        if plan.endpoint is not None:
            yield plan.endpoint, None
            return
        async with ProviderServer(plan.simulated, plan.scenario) as provider:
            story.on_lost_session = lambda: _tell_the_rest(provider, plan)
            yield openai_endpoint(plan.session.model, "sk-demo", base_url=provider.url), provider

    async def _call(self, house: House, story: Story) -> tuple[Numbers, CallerReport]:
        await house.start()
        self._house = house
        try:
            report = await run_caller(
                "127.0.0.1", house.port, self.plan.script, CallerSettings(), story.caller, call_id=self.plan.call_id
            )
            return await asyncio.wait_for(house.numbers, _SETTLE_S), report
        finally:
            self._house = None
            await house.close()

    def _name_files(self) -> None:
        for suffix, name in _NAMES.items():
            made = self.folder / f"{self.plan.call_id}{suffix}"
            if made.exists():
                made.replace(self.folder / name)


def _tell_the_rest(provider: ProviderServer, plan: Plan) -> None:
    """A new session hears the caller's further turns, not the first one again."""
    heard = sum(stats.user_turns for stats in provider.stats)
    provider.scenario = attrs.evolve(plan.scenario, user_turns=plan.scenario.user_turns[heard:])
