"""One response while it lives: its options, its output items as far as they got, its wire object. No time, no sending.

Source: docs/facts/realtime_api.md section 3.10.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import attrs

from adapters.simulator.providers.realtime import checks as c
from adapters.simulator.providers.realtime.checks import Json
from adapters.simulator.providers.realtime.conversation import Item
from adapters.simulator.providers.realtime.scenario import Rule
from adapters.simulator.providers.realtime.session import beta_to_ga
from adapters.simulator.providers.realtime.voice import duration_ms
from adapters.simulator.providers.realtime.words import BETA_TO_GA_FORMAT

_FORMAT = c.shape({"type": c.one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": c.anything}, required=("type",))
_COMMON = {
    "conversation": c.one_of("auto", "none"),
    "metadata": c.nullable(c.string_map),
    "input": c.list_of(c.anything),
    "instructions": c.text,
    "tools": c.list_of(c.anything),
    "tool_choice": c.anything,
    "prompt": c.anything,
}
_MAX_TOKENS = c.number_or("inf", 1, 4096)
_GA_OPTIONS = c.shape(
    _COMMON
    | {
        "output_modalities": c.list_of(c.one_of("text", "audio")),
        "audio": c.shape({"output": c.shape({"format": _FORMAT, "voice": c.anything})}),
        "max_output_tokens": _MAX_TOKENS,
        "reasoning": c.anything,
        "parallel_tool_calls": c.flag,
    }
)
_BETA_OPTIONS = c.shape(
    _COMMON
    | {
        "modalities": c.list_of(c.one_of("text", "audio")),
        "voice": c.anything,
        "output_audio_format": c.one_of(*BETA_TO_GA_FORMAT),
        "temperature": c.number(0.6, 1.2),
        "max_response_output_tokens": _MAX_TOKENS,
        "max_output_tokens": _MAX_TOKENS,
    }
)


def read_options(given: Any, *, beta: bool) -> Json:
    """The `response` of a response.create in GA form. WireError: what is wrong with it."""
    if given is None:
        return {}
    if not beta:
        options: Json = _GA_OPTIONS(given, "response")
        return options
    checked = _BETA_OPTIONS(given, "response")
    return {name: checked[name] for name in _COMMON if name in checked} | {
        name: value for name, value in beta_to_ga(checked).items() if name in ("audio", "output_modalities")
    }


@attrs.define
class LiveItem:
    """One output item: what of it was sent so far."""

    item: Item
    words: list[str] = attrs.field(factory=list)
    arguments: list[str] = attrs.field(factory=list)
    audio_bytes: int = 0
    closed: bool = False


@attrs.define(kw_only=True)
class LiveResponse:
    """One response. `opened`: response.created was sent; `ending`: it is being cancelled; `done`: response.done was."""

    id: str
    out_of_band: bool
    automatic: bool
    options: Json
    session: Json
    conversation_id: str | None
    opened: bool = False
    ending: bool = False
    done: bool = False
    rule: Rule = attrs.field(factory=Rule)
    items: dict[int, LiveItem] = attrs.field(factory=dict)
    held_echoes: list[Callable[[float], None]] = attrs.field(factory=list)

    @property
    def text_only(self) -> bool:
        return "audio" not in self._modalities

    @property
    def _modalities(self) -> list[str]:
        return list(self.options.get("output_modalities") or self.session["output_modalities"])

    @property
    def wire_format(self) -> str:
        return str(self._output["format"]["type"])

    @property
    def _output(self) -> Json:
        configured = self.session["audio"]["output"]
        asked = self.options.get("audio", {}).get("output", {})
        return {name: asked.get(name, configured[name]) for name in ("format", "voice")}

    def has_call(self, call_id: str | None) -> bool:
        return any(live.item.call_id == call_id for live in self.items.values() if live.item.type == "function_call")

    def audio_ms(self) -> float:
        return sum(duration_ms(live.audio_bytes, self.wire_format) for live in self.items.values())

    def wire(
        self,
        status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"],
        details: Json | None = None,
        usage: Json | None = None,
    ) -> Json:
        """The response object as the wire shows it."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [self.items[index].item.wire() for index in sorted(self.items)] if usage else [],
            "conversation_id": self.conversation_id,
            "output_modalities": self._modalities,
            "max_output_tokens": self.options.get("max_output_tokens", self.session["max_output_tokens"]),
            "audio": {"output": self._output},
            "usage": usage,
            "metadata": self.options.get("metadata"),
        }

    def usage(self, input_text: int, input_audio: int) -> Json:
        """Tokens as the recordings have them: about one for 50 ms of speech, one for a word or a piece of arguments."""
        if not self.items and self.rule.status == "failed":
            input_text = input_audio = 0
        words = sum(len(live.words) + len(live.arguments) for live in self.items.values())
        audio = math.ceil(self.audio_ms() / 50)
        return {
            "total_tokens": input_text + input_audio + words + audio,
            "input_tokens": input_text + input_audio,
            "output_tokens": words + audio,
            "input_token_details": {
                "text_tokens": input_text,
                "audio_tokens": input_audio,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": words, "audio_tokens": audio},
        }
