"""A whole call over GPT-Live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.providers.endpoint import bearer_endpoint
from adapters.providers.live.provider import LiveProvider
from adapters.providers.live.session import LiveSettings
from adapters.simulator.providers.live import LiveScenario, LiveServer
from tests.adapters.call.model_rig import HELLO, Offered, PlayedModel, play_model

__all__ = ["HELLO", "PlayedModel", "play_live"]


async def play_live(
    steps: list[Any],
    scenario: LiveScenario,
    *,
    spec: str = "full_duplex",
    session: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PlayedModel:
    """One call from the first packet to the last."""

    def provider(url: str, tools: Offered) -> LiveProvider:
        delegation = {"delegates": "responses", "delegate_model": "gpt-5"} if tools else {}
        made = LiveSettings(**{"model": "gpt-live-1", "tools": tools, **delegation, **(session or {})})
        return LiveProvider(endpoint=bearer_endpoint(url, "sk-test"), session=made)

    return await play_model(PlayedModel, spec, steps, LiveServer(scenario), provider, settings)
