"""What a GPT-Live session is started with. Never a wire event, a default of the provider's that we do not need.

Model, instructions, voice, format and kind of delegation cannot be changed after the start, so there is one event for
all of them. Source: docs/facts/gpt_live.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

from fsm.errors import LocalError

Delegates = Literal["client", "responses"]
"""Who does the work that the model delegates: the application, or a hosted model that calls our tools."""

FORMATS: Final[Mapping[str, Mapping[str, object]]] = {
    "pcmu": {"type": "audio/pcmu", "rate": 8000},
    "pcma": {"type": "audio/pcma", "rate": 8000},
    "pcm16": {"type": "audio/pcm", "rate": 24000},
}
MOST_INPUT: Final = 128
MOST_INPUT_CHARS: Final = 16_000
"""Of history: 8,192 tokens of two characters, which is few."""
MOST_INSTRUCTION_CHARS: Final = 64_000


class LiveSettingsError(LocalError, ValueError):
    """A setting that no session can be started with; the message is `field: what is wrong`."""


@attrs.frozen(kw_only=True)
class LiveSettings:
    """`tools` and `delegate_model` are for Responses delegation alone."""

    model: str
    instructions: str | None = None
    voice: str | None = None
    format: str = "pcmu"
    delegates: Delegates = "client"
    delegate_model: str | None = None
    delegate_instructions: str | None = None
    tools: Sequence[Mapping[str, object]] = ()
    extra: Mapping[str, object] = attrs.field(factory=dict)
    """Fields of the session that are sent as they are."""

    def __attrs_post_init__(self) -> None:
        if not self.model:
            raise LiveSettingsError("model: is missing; the session is started with it")
        if self.format not in FORMATS:
            raise LiveSettingsError(f"format: {self.format!r} is not one of {', '.join(FORMATS)}")
        if len(self.instructions or "") > MOST_INSTRUCTION_CHARS:
            raise LiveSettingsError(f"instructions: more than {MOST_INSTRUCTION_CHARS} characters")
        if self.delegates == "responses" and not self.delegate_model:
            raise LiveSettingsError("delegation: name the model that does the work: {to: responses, model: NAME}")
        if self.delegates == "client" and self.tools:
            raise LiveSettingsError("tools: work is delegated to the application, so no model would call them")
        known = [key for key in ("model", "instructions", "audio", "delegation", "input") if key in self.extra]
        if known:
            raise LiveSettingsError(f"extra: '{known[0]}' has a key of its own")


def session_object(settings: LiveSettings, history: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    """The `session` of a session.start."""
    audio: dict[str, object] = {"format": dict(FORMATS[settings.format])}
    if settings.voice is not None:
        audio["output"] = {"voice": settings.voice}
    session: dict[str, object] = {
        "model": settings.model,
        "audio": audio,
        "delegation": _delegation(settings),
        **settings.extra,
    }
    if settings.instructions:
        session["instructions"] = settings.instructions
    if history:
        session["input"] = [dict(message) for message in history]
    return session


def _delegation(settings: LiveSettings) -> dict[str, object]:
    if settings.delegates == "client":
        return {"type": "client"}
    responses: dict[str, object] = {"model": settings.delegate_model}
    if settings.delegate_instructions is not None:
        responses["instructions"] = settings.delegate_instructions
    if settings.tools:
        responses["tools"] = [dict(tool) for tool in settings.tools]
    return {"type": "responses", "responses": responses}
