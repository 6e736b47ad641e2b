"""The demo's providers that do not speak Realtime: a row for each protocol. Their simulators play one conversation.

A row has the simulated side (its scenario, its server) and ours (the provider that a configuration would make).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import cattrs
import yaml

from adapters.providers.deepgram.provider import AgentProvider, agent_endpoint
from adapters.providers.deepgram.session import DeepgramSettings
from adapters.providers.endpoint import bearer_endpoint
from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings
from adapters.providers.live.provider import LiveProvider
from adapters.providers.live.session import LiveSettings
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.protocols import ConfiguredProvider
from adapters.simulator.providers.deepgram import AgentScenario, AgentServer
from adapters.simulator.providers.gemini import GeminiScenario, GeminiServer
from adapters.simulator.providers.live import LiveScenario, LiveServer
from adapters.simulator.providers.model_server import ModelServer

CONVERSATION: Final = Path(__file__).resolve().parent / "model_call.yaml"
KEY: Final = "demo"
Tools: TypeAlias = Sequence[Mapping[str, object]]


@attrs.frozen
class DemoModel:
    """What it takes to call a simulated model of one protocol."""

    scenario: type[Any]
    server: Callable[[Any], ModelServer[Any]]
    provider: Callable[[str, SessionSettings, Tools], ConfiguredProvider]
    """Of a server's URL, what the model is told, and the tools that it is offered."""

    def serve(self) -> ModelServer[Any]:
        document = yaml.safe_load(CONVERSATION.read_text(encoding="utf-8"))
        return self.server(cattrs.Converter(forbid_extra_keys=True).structure(document, self.scenario))


def _live(url: str, session: SessionSettings, tools: Tools) -> LiveProvider:
    settings = LiveSettings(
        model="gpt-live-1", instructions=session.instructions, format=session.output_format, tools=tools,
        delegates="responses", delegate_model="simulated",
    )  # fmt: skip
    return LiveProvider(endpoint=bearer_endpoint(url, KEY), session=settings)


def _deepgram(url: str, session: SessionSettings, tools: Tools) -> AgentProvider:
    settings = DeepgramSettings(model="simulated", instructions=session.instructions, tools=tools)
    return AgentProvider(endpoint=agent_endpoint(KEY, url), session=settings)


def _gemini(url: str, session: SessionSettings, tools: Tools) -> GeminiProvider:
    settings = GeminiSettings(
        model="gemini-2.5-flash-native-audio-preview", instructions=session.instructions, tools=tools
    )
    return GeminiProvider(endpoint=gemini_endpoint(url, KEY), session=settings)


MODELS: Final[Mapping[str, DemoModel]] = {
    "live": DemoModel(LiveScenario, LiveServer, _live),
    "deepgram": DemoModel(AgentScenario, AgentServer, _deepgram),
    "gemini": DemoModel(GeminiScenario, GeminiServer, _gemini),
}
