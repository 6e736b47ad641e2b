"""What a session is told, once and first. Never a wire event that follows, a default of the provider's we do not need.

Encoding, rate and container are all stated: what is left out is heard as static. Source: docs/facts/deepgram_agent.md
section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat
from fsm.errors import LocalError

WIRE_FORMATS: Final[Mapping[str, AudioFormat]] = {"pcmu": PCMU, "pcma": PCMA, "pcm16": PCM_24K}
_ENCODINGS: Final[Mapping[str, str]] = {"pcmu": "mulaw", "pcma": "alaw", "pcm16": "linear16"}
LISTEN_MODEL: Final = "flux-general-en"
MOST_PROMPT_CHARS: Final = 25_000
"""Of models that the provider runs."""


class DeepgramSettingsError(LocalError, ValueError):
    """A setting that no session can be told; the message is `field: what is wrong`."""


@attrs.frozen(kw_only=True)
class DeepgramSettings:
    """`model` is the language model's; `extra` is laid over the whole message, object by object."""

    model: str
    instructions: str | None = None
    voice: str | None = None
    format: str = "pcmu"
    tools: Sequence[Mapping[str, object]] = ()
    deferred: frozenset[str] = frozenset()
    """Tools that the provider is to call when the turn is confirmed, and not before: those that act on the call."""
    extra: Mapping[str, object] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not self.model:
            raise DeepgramSettingsError("model: is missing; it names the language model, e.g. gpt-4o-mini")
        if self.format not in WIRE_FORMATS:
            raise DeepgramSettingsError(f"format: {self.format!r} is not one of {', '.join(WIRE_FORMATS)}")
        if len(self.instructions or "") > MOST_PROMPT_CHARS:
            raise DeepgramSettingsError(f"instructions: more than {MOST_PROMPT_CHARS} characters")
        if "type" in self.extra:
            raise DeepgramSettingsError("extra: 'type' is what the message is")


def settings_message(settings: DeepgramSettings, history: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    """The `Settings` of a session."""
    encoding, rate_hz = _ENCODINGS[settings.format], WIRE_FORMATS[settings.format].rate_hz
    agent: dict[str, object] = {
        "listen": {"provider": {"type": "deepgram", "version": "v2", "model": LISTEN_MODEL}},
        "think": _think(settings),
    }
    if settings.voice is not None:
        agent["speak"] = {"provider": {"type": "deepgram", "model": settings.voice}}
    if history:
        agent["context"] = {"messages": list(history)}
    audio = {
        "input": {"encoding": encoding, "sample_rate": rate_hz},
        "output": {"encoding": encoding, "sample_rate": rate_hz, "container": "none"},
    }
    message = {"type": "Settings", "flags": {"history": False}, "audio": audio, "agent": agent}
    return _laid_over(message, settings.extra)


def _think(settings: DeepgramSettings) -> dict[str, object]:
    think: dict[str, object] = {"provider": {"type": "open_ai", "model": settings.model}}
    if settings.instructions is not None:
        think["prompt"] = settings.instructions
    if settings.tools:
        think["functions"] = [_function(tool, settings.deferred) for tool in settings.tools]
    return think


def _function(tool: Mapping[str, object], deferred: frozenset[str]) -> dict[str, object]:
    """Without an endpoint it is the client who runs it."""
    made = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
    return {**made, "defer_until_eot": True} if tool.get("name") in deferred else made


def _laid_over(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged key by key, all else is replaced."""
    merged = dict(base)
    for key, value in extra.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(known, value) if both else value  # type: ignore[arg-type]
    return merged
