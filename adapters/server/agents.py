"""The agents of a server: which one takes a call, by what is known about it, and what its calls share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import attrs

from adapters.audio.prompt import load_prompts
from adapters.call.call import CallServices
from adapters.call.journal_writer import header_of
from adapters.call.lifecycle import Lifecycle
from adapters.call.transfers import PutThrough, TellResult
from adapters.call.words import filler
from adapters.files import FileWriterThread
from adapters.lines.line import CallData
from adapters.server.circuits import Circuits
from adapters.settings.config import AgentSettings
from adapters.tool_processes import ToolProcesses
from fsm.journal.journal import Header
from fsm.machine.machine import TurnSpecMachine

AGENT = "agent"
"""The variable of a call that names its agent."""


class Agent:
    """One of them, ready for calls."""

    def __init__(
        self,
        settings: AgentSettings,
        threads: ThreadPoolExecutor,
        recordings: FileWriterThread,
        put_through: PutThrough | None,
        tell_result: TellResult | None = None,
        processes: ToolProcesses | None = None,
        *,
        circuits: Circuits,
    ) -> None:
        self.settings = settings
        self.providers = circuits.choice(settings.providers)
        self._services = CallServices(
            TurnSpecMachine(settings.spec), self.providers, settings.call, {}, threads, recordings, settings.name,
            put_through, processes, tell_result, settings.spec_digest, _elsewhere(settings),
        )  # fmt: skip
        self._prompts: dict[int, Mapping[str, bytes]] = {}

    def warm_up(self, rates_hz: Iterable[int]) -> None:
        """What would hold the loop during the first call. ValueError, OSError: a recording cannot be read."""
        self.providers.warm_up()
        for rate_hz in rates_hz:
            self._prompts_at(rate_hz)
        if self.settings.call.tools:
            import jsonschema  # noqa: F401

    def services(self, rate_hz: int) -> CallServices:
        """Of a call whose leg has this rate."""
        return attrs.evolve(self._services, prompts=self._prompts_at(rate_hz))

    def header(self, call_id: str, data: CallData) -> Header:
        """Of the journal of a call that begins now."""
        settings = self.settings
        return header_of(
            settings.spec, settings.spec_digest, settings.call, call_id, datetime.now(UTC), settings.name, data
        )

    def session_to_accept(self, call_id: str, data: CallData) -> Mapping[str, object]:
        """What a call that the provider has begins with, its words filled in. EncodingError: it has no such calls."""
        return self.providers.with_words(filler(call_id, self.settings.name, data)).session_to_accept()

    def _prompts_at(self, rate_hz: int) -> Mapping[str, bytes]:
        if rate_hz not in self._prompts:
            self._prompts[rate_hz] = load_prompts(rate_hz, self.settings.prompts)
        return self._prompts[rate_hz]


def _elsewhere(settings: AgentSettings) -> Mapping[str, Lifecycle]:
    made = [Lifecycle(TurnSpecMachine(each.spec), each.call, each.digest) for each in settings.further]
    return {each.protocol: each for each in made}


class Agents:
    """All of them; the first is the default."""

    def __init__(
        self,
        settings: Iterable[AgentSettings],
        threads: ThreadPoolExecutor,
        recordings: FileWriterThread,
        put_through: PutThrough | None = None,
        tell_result: TellResult | None = None,
        processes: ToolProcesses | None = None,
        circuits: Circuits | None = None,
    ) -> None:
        """`circuits`: of the process."""
        known = circuits or Circuits(lambda: asyncio.get_running_loop().time())
        shared = (threads, recordings, put_through, tell_result, processes)
        self._by_name = {each.name: Agent(each, *shared, circuits=known) for each in settings}
        self._by_number = {number: agent for agent in self._by_name.values() for number in agent.settings.numbers}
        self._default = next(iter(self._by_name.values()))

    def warm_up(self, rates_hz: Iterable[int]) -> None:
        """Of every agent, at the rates that lines have."""
        for agent in self._by_name.values():
            agent.warm_up(rates_hz)

    def refusal(self) -> str:
        """Why no call at all can be held: none of the agents has a provider that would. "": one has."""
        found = [agent.providers.refusal() for agent in self._by_name.values()]
        return found[0] if all(found) else ""

    def of(self, data: CallData) -> Agent | None:
        """By name, where the line gives one; else by the number that was dialled, else the default. None: no such."""
        name = data.variables.get(AGENT, "")
        if name:
            return self._by_name.get(name)
        return self._by_number.get(data.dialled, self._default)
