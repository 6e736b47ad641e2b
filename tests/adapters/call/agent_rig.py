"""A call over loopback and Deepgram's Voice Agent: a simulated caller, a line, a call, a simulated agent."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

from adapters.audio.prompt import load_prompts
from adapters.audio.tick import Ticker
from adapters.call.call import Call, CallServices
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.providers.deepgram.provider import AgentProvider, agent_endpoint
from adapters.providers.deepgram.session import DeepgramSettings
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.deepgram import AgentCore, AgentScenario, AgentServer
from tests.adapters.call.rig import SPECS, Watcher, machine

HELLO = "Hello! How can I help you?"


@attrs.frozen
class PlayedAgent:
    """What is left of a call when it is over."""

    summary: Summary
    caller: CallerReport
    watcher: Watcher
    sessions: list[AgentCore]

    @property
    def states(self) -> list[str]:
        """Each once, where it changes."""
        found: list[str] = []
        for _, step in self.watcher.steps:
            if not found or found[-1] != step.snapshot.state:
                found.append(step.snapshot.state)
        return found

    @property
    def refusals(self) -> list[str]:
        return [error.code for core in self.sessions for error in core.stats.errors]

    @property
    def said(self) -> list[str]:
        return [text for core in self.sessions for text in core.stats.utterances]


async def play_agent(
    steps: list[Any],
    scenario: AgentScenario,
    *,
    session: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PlayedAgent:
    """One call from the first packet to the last."""
    watcher, summaries = Watcher(), list[Summary]()
    with ThreadPoolExecutor(4) as threads:
        async with AgentServer(scenario) as server:
            tools = (settings or {}).get("tools", {}).values()
            offered = [tool.definition for tool in tools]
            made = DeepgramSettings(**{"model": "gpt-4o-mini", "tools": offered, **(session or {})})
            provider = AgentProvider(endpoint=agent_endpoint("test", server.url), session=made)
            recordings, ticker = FileWriterThread(), Ticker()
            call_settings = CallSettings(
                **{
                    "greeting": HELLO,
                    "say": {k: w.text for k, w in machine("provider_turns").spec.say.items()},
                    **(settings or {}),
                }
            )
            shared = CallServices(
                machine("provider_turns"), provider, call_settings, load_prompts(8000), threads, recordings
            )

            async def on_call(connection: Connection) -> None:
                summaries.append(await Call(str(connection.uuid), connection, shared, [watcher]).run())

            line = AudioSocketServer(AudioSocketSettings(port=0, rates_hz=(8_000,)), ticker, on_call)
            await line.start()
            try:
                script = load_script({"steps": steps}, SPECS)
                report = await run_caller("127.0.0.1", line.port, script, CallerSettings())
            finally:
                await line.close()
                ticker.close()
                recordings.close()
            return PlayedAgent(summaries[0], report, watcher, list(server.sessions))
