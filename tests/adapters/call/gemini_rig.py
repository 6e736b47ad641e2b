"""A whole call over loopback and Gemini Live: a simulated caller, the AudioSocket server, a call, a simulated model."""

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
from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.gemini import GeminiCore, GeminiScenario, GeminiServer
from tests.adapters.call.rig import SPECS, Watcher, machine

HELLO = "Hello! How can I help you?"


@attrs.frozen
class PlayedGemini:
    """What is left of a call when it is over."""

    summary: Summary
    caller: CallerReport
    watcher: Watcher
    sessions: list[GeminiCore]

    @property
    def states(self) -> list[str]:
        """Each once, where it changes."""
        found: list[str] = []
        for _, step in self.watcher.steps:
            if not found or found[-1] != step.snapshot.state:
                found.append(step.snapshot.state)
        return found

    @property
    def effects(self) -> list[str]:
        return [effect.name for _, step in self.watcher.steps for effect in step.effects]

    @property
    def said(self) -> list[str]:
        return [text for core in self.sessions for text in core.stats.utterances]

    @property
    def closes(self) -> list[tuple[int, str]]:
        """By the provider."""
        found = [core.stats.closing for core in self.sessions]
        return [(each.code, each.reason) for each in found if each is not None]

    def sent(self, key: str) -> list[dict[str, Any]]:
        """Of the messages with this key, their insides."""
        return [m[key] for core in self.sessions for m in core.stats.messages if key in m]


async def play_gemini(
    steps: list[Any],
    scenario: GeminiScenario,
    *,
    model: str = "gemini-2.5-flash-native-audio-preview",
    settings: Mapping[str, Any] | None = None,
) -> PlayedGemini:
    """One call from the first packet to the last."""
    watcher, summaries = Watcher(), list[Summary]()
    spec = machine("gemini_turns")
    with ThreadPoolExecutor(4) as threads:
        async with GeminiServer(scenario) as server:
            tools = (settings or {}).get("tools", {}).values()
            made = GeminiSettings(model=model, tools=[tool.definition for tool in tools])
            provider = GeminiProvider(endpoint=gemini_endpoint(server.url, "test"), session=made)
            recordings, ticker = FileWriterThread(), Ticker()
            say = {name: words.text for name, words in spec.spec.say.items()}
            call_settings = CallSettings(**{"greeting": HELLO, "say": say, **(settings or {})})
            shared = CallServices(spec, provider, call_settings, load_prompts(8000), threads, recordings)

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
            return PlayedGemini(summaries[0], report, watcher, list(server.sessions))
