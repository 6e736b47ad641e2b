"""A whole call over Deepgram's Voice Agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.providers.deepgram.provider import AgentProvider, agent_endpoint
from adapters.providers.deepgram.session import DeepgramSettings
from adapters.simulator.providers.deepgram import AgentScenario, AgentServer
from tests.adapters.call.model_rig import HELLO, Offered, PlayedModel, play_model

__all__ = ["HELLO", "PlayedModel", "play_agent"]


async def play_agent(
    steps: list[Any],
    scenario: AgentScenario,
    *,
    spec: str = "provider_turns",
    session: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    journals: Path | None = None,
) -> PlayedModel:
    """One call from the first packet to the last."""

    def provider(url: str, tools: Offered) -> AgentProvider:
        made = DeepgramSettings(**{"model": "gpt-4o-mini", "tools": tools, **(session or {})})
        return AgentProvider(endpoint=agent_endpoint("test", url), session=made)

    return await play_model(PlayedModel, spec, steps, AgentServer(scenario), provider, settings, journals)
