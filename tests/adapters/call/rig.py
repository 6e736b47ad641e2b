"""A whole call over loopback: the simulated caller, the AudioSocket server, a call, the simulated provider."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from adapters.audio.prompt import load_prompts
from adapters.audio.tick import Ticker
from adapters.call.call import Call, CallServices
from adapters.call.mailbox import Envelope
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.call.transfers import PutThrough
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.providers.connection import ConnectionLimits
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.realtime import ProviderScenario, ProviderServer, ProviderSettings
from adapters.simulator.providers.realtime.session_context import SessionStats
from fsm.language.loader import load
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import Step, TurnSpecMachine

SPECS = Path(__file__).resolve().parents[3] / "specs"


def fetch(reference: str) -> tuple[str, str]:
    """A file that a bundled spec refers to."""
    path = SPECS / reference
    return path.read_text(encoding="utf-8"), f"specs/{reference}"


@functools.cache
def machine(name: str = "server_vad") -> TurnSpecMachine:
    """A bundled spec, loaded once a process."""
    text, file = fetch(f"{name}.yaml")
    return TurnSpecMachine(load(text, file, fetch, LEDGERS).spec)


@attrs.define
class Watcher:
    """Keeps every step and wire event of a call."""

    steps: list[tuple[int, Step]] = attrs.field(factory=list)
    wires: list[tuple[int, str, WireEvent]] = attrs.field(factory=list)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope
        self.steps.append((at_ms, step))

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None:
        self.wires.append((at_ms, direction, event))

    def ended(self, summary: Summary) -> None: ...

    @property
    def story(self) -> list[str]:
        """What happened, a line a step, for a failing test to show."""
        return [
            f"{at:6} {s.variant:44} {s.outcome:9} {s.before} -> {s.snapshot.state} {[e.name for e in s.effects]}"
            for at, s in self.steps
        ]


@attrs.frozen
class Played:
    """What is left of a call when it is over."""

    summary: Summary
    caller: CallerReport
    watcher: Watcher
    sessions: list[SessionStats]
    call: Call


async def play(
    script: Mapping[str, Any],
    *,
    spec: str = "server_vad",
    scenario: ProviderScenario | None = None,
    session: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    caller: CallerSettings | None = None,
    provider: ProviderSettings | None = None,
    limits: ConnectionLimits | None = None,
    put_through: PutThrough | None = None,
) -> Played:
    """One call from the first packet to the last."""
    watcher = Watcher()
    calls: list[Call] = []
    server_settings = provider or ProviderSettings()
    with ThreadPoolExecutor(4) as threads:
        async with ProviderServer(server_settings, scenario) as realtime:
            endpoint = openai_endpoint(
                "gpt-realtime", "sk-test", base_url=realtime.url, dialect=server_settings.dialect
            )
            offered = [tool.definition for tool in (settings or {}).get("tools", {}).values()] or None
            chosen = SessionSettings(**{"model": "gpt-realtime", "tools": offered, **(session or {})})
            realtime_provider = RealtimeProvider(endpoint=endpoint, session=chosen, limits=limits or ConnectionLimits())
            call_settings = CallSettings(**{"greeting": "Greet.", **(settings or {})})
            recordings = FileWriterThread()
            shared = CallServices(
                machine(spec), realtime_provider, call_settings, load_prompts(8000), threads, recordings,
                put_through=put_through,
            )  # fmt: skip
            ticker = Ticker()
            summaries: list[Summary] = []

            async def on_call(connection: Connection) -> None:
                call = Call(str(connection.uuid), connection, shared, [watcher])
                calls.append(call)
                summaries.append(await call.run())

            server = AudioSocketServer(AudioSocketSettings(port=0, rates_hz=(8_000,)), ticker, on_call)
            await server.start()
            try:
                report = await run_caller(
                    "127.0.0.1", server.port, load_script(script, SPECS), caller or CallerSettings()
                )
            finally:
                await server.close()
                ticker.close()
                recordings.close()
        return Played(summaries[0], report, watcher, list(realtime.stats), calls[0])
