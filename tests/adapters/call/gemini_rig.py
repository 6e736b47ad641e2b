"""A whole call over Gemini Live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings
from adapters.simulator.providers.gemini import GeminiScenario, GeminiServer
from tests.adapters.call.model_rig import HELLO, Offered, PlayedModel, play_model

__all__ = ["HELLO", "PlayedGemini", "play_gemini"]


@attrs.frozen
class PlayedGemini(PlayedModel):
    """With what the wire of Gemini Live has alone."""

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
    spec: str = "gemini_turns",
    detection: Mapping[str, object] | None = None,
    settings: Mapping[str, Any] | None = None,
    journals: Path | None = None,
) -> PlayedGemini:
    """One call from the first packet to the last."""

    def provider(url: str, tools: Offered) -> GeminiProvider:
        made = GeminiSettings(model=model, tools=tools, detection=detection or {})
        return GeminiProvider(endpoint=gemini_endpoint(url, "test"), session=made)

    return await play_model(PlayedGemini, spec, steps, GeminiServer(scenario), provider, settings, journals)
