"""Who takes the demo's call: turnspec's own server, or the naive bridge behind the same listener. Never a display."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import attrs

from adapters.audio.recorder import Recorder
from adapters.audio.tick import Ticker
from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.demo.lines import HOST, LINES
from adapters.demo.naive import NaiveBridge
from adapters.demo.narrator import CallNarrator
from adapters.demo.plan import TALK_KEY, DemoPlan, SpokenTo
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.logs import LogSettings
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.server.server import TurnspecServer
from adapters.settings.config import AgentSettings, Settings
from adapters.settings.sections import DEFAULT_AGENT
from adapters.settings.words import words_of
from adapters.simulator.caller.caller import Dial
from adapters.simulator.lines.audiosocket import dial_audiosocket
from fsm.language.problem import NOWHERE
from fsm.machine.machine import Step

Numbers = Mapping[str, Any]


class DemoBridge(Protocol):
    """A listener for one call. `numbers` is set when the call has ended."""

    numbers: asyncio.Future[Numbers]

    @property
    def dial(self) -> Dial:
        """How it is called."""

    async def start(self) -> None: ...

    def hang_up(self) -> None:
        """The call is to end politely, soon."""

    async def close(self) -> None: ...


class TurnspecBridge:
    """`adapters.server.server` as it is deployed, with settings made here instead of read from a file."""

    def __init__(self, plan: DemoPlan, endpoint: SpokenTo, folder: Path, narrator: CallNarrator) -> None:
        provider, call = plan.sides(endpoint, folder)
        agent = AgentSettings(
            name=DEFAULT_AGENT, numbers=(), spec=plan.spec, spec_digest=plan.spec_digest, provider=provider, call=call,
            prompts=words_of(plan.spec).prompts,
        )  # fmt: skip
        settings = Settings(
            file="turnspec demo", agents=(agent,), audiosocket=AudioSocketSettings(port=0), log=LogSettings(),
            shutdown_s=5.0, tool_threads=4, listen_place=NOWHERE, calls_place=NOWHERE,
        )  # fmt: skip
        self._line = LINES[plan.options.line]
        settings = self._line.listening(settings)
        self.numbers: asyncio.Future[Numbers] = asyncio.get_running_loop().create_future()
        self._server = TurnspecServer(settings, lambda _call_id: [narrator, SummaryWaiter(self.numbers)])

    @property
    def dial(self) -> Dial:
        return self._line.dial(self._server)

    async def start(self) -> None:
        await self._server.start()

    def hang_up(self) -> None:
        for call in self._server.calls.values():
            call.hang_up("ctrl-c")

    async def close(self) -> None:
        await self._server.close()


@attrs.frozen
class SummaryWaiter:
    """An observer that waits for the summary."""

    numbers: asyncio.Future[Numbers]

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None: ...

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None:
        if not self.numbers.done():
            self.numbers.set_result(summary.as_json())


class NaiveListener:
    """The naive bridge with the same line, audio path and recorder."""

    def __init__(self, plan: DemoPlan, endpoint: SpokenTo, folder: Path, narrator: CallNarrator) -> None:
        self.numbers: asyncio.Future[Numbers] = asyncio.get_running_loop().create_future()
        provider, self._settings = plan.sides(endpoint, None)
        if not isinstance(provider, RealtimeProvider):
            raise ValueError("the naive controller speaks Realtime")
        self._provider = provider
        self._hold_key = TALK_KEY if plan.holds_turns else None
        self._folder = folder
        self._narrator = narrator
        self._ticker = Ticker()
        self._recordings = FileWriterThread()
        self._server = AudioSocketServer(AudioSocketSettings(port=0), self._ticker, self._on_call)
        self._bridge: NaiveBridge | None = None

    @property
    def dial(self) -> Dial:
        return partial(dial_audiosocket, HOST, self._server.port)

    async def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._server.start()

    def hang_up(self) -> None:
        if self._bridge is not None:
            self._bridge.hang_up()

    async def close(self) -> None:
        await self._server.close()
        self._ticker.close()
        self._recordings.close()

    async def _on_call(self, connection: Connection) -> None:
        path = self._folder / f"{connection.uuid}.wav"
        recorder = Recorder(self._recordings, path, rate_hz=connection.rate_hz)
        self._bridge = NaiveBridge(connection, self._provider, self._settings, self._narrator, recorder, self._hold_key)
        numbers = await self._bridge.run()
        if not self.numbers.done():
            self.numbers.set_result(numbers)
