"""A whole call over loopback and a simulated model that decides who speaks: caller, AudioSocket server, call, model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import attrs

from adapters.audio.prompt import load_prompts
from adapters.audio.tick import Ticker
from adapters.call.call import Call, CallServices
from adapters.call.journal_writer import JournalWriter, header_of
from adapters.call.observers import Observer
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.providers.provider import Provider
from adapters.settings.words import words_of
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.model_server import ModelServer
from tests.adapters.call.rig import SPECS, Watcher, machine

HELLO = "Hello! How can I help you?"
Offered = Sequence[Mapping[str, object]]


@attrs.frozen
class PlayedModel:
    """What is left of a call when it is over. `sessions`: the simulated model's cores."""

    summary: Summary
    caller: CallerReport
    watcher: Watcher
    sessions: Sequence[Any]

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
    def refusals(self) -> list[str]:
        """Errors of the model's, where its protocol has errors."""
        return [error.code for core in self.sessions for error in core.stats.errors]


_Played = TypeVar("_Played", bound=PlayedModel)


async def play_model(
    played: type[_Played],
    spec: str,
    steps: list[Any],
    model: ModelServer[Any],
    provider: Callable[[str, Offered], Provider],
    settings: Mapping[str, Any] | None = None,
    journals: Path | None = None,
) -> _Played:
    """One call from the first packet to the last. `provider`: of the model's URL and the tools that it is offered.

    `journals`: the folder in which its journal is left.
    """
    watcher, summaries, lifecycle = Watcher(), list[Summary](), machine(spec)
    with ThreadPoolExecutor(4) as threads:
        async with model as server:
            offered = [tool.definition for tool in (settings or {}).get("tools", {}).values()]
            recordings, ticker = FileWriterThread(), Ticker()
            writer = JournalWriter(journals) if journals is not None else None
            words = words_of(lifecycle.spec)
            call_settings = CallSettings(**{"greeting": HELLO, "say": words.say, **(settings or {})})
            prompts = load_prompts(8000, words.prompts)
            shared = CallServices(lifecycle, provider(server.url, offered), call_settings, prompts, threads, recordings)

            async def on_call(connection: Connection) -> None:
                name, observers = str(connection.uuid), list[Observer]([watcher])
                if writer is not None:
                    header = header_of(lifecycle.spec, "", call_settings, name, datetime.now(UTC))
                    observers.append(writer.open(header))
                summaries.append(await Call(name, connection, shared, observers).run())

            line = AudioSocketServer(AudioSocketSettings(port=0, rates_hz=(8_000,)), ticker, on_call)
            await line.start()
            try:
                script = load_script({"steps": steps}, SPECS)
                report = await run_caller("127.0.0.1", line.port, script, CallerSettings())
            finally:
                await line.close()
                ticker.close()
                recordings.close()
                if writer is not None:
                    writer.close()
            return played(summaries[0], report, watcher, list(server.sessions))
