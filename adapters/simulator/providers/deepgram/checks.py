"""Whether a message is one that the Voice Agent takes: its type, its fields, the formats asked for. No state.

Source: docs/facts/deepgram_agent.md sections 3, 4 and 7; the wordings are ours where no source has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from adapters.simulator.providers.live.wire_audio import LiveFormat
from fsm.errors import RemoteError

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Settings": ("audio", "agent"),
    "KeepAlive": (),
    "UpdatePrompt": ("prompt",),
    "InjectUserMessage": ("content",),
    "InjectAgentMessage": ("message",),
    "FunctionCallResponse": ("id", "name", "content"),
}
"""The fields that each message must have; those of text are texts."""
FORMATS: Final[Mapping[tuple[object, object], LiveFormat]] = {
    ("mulaw", 8000): LiveFormat("audio/pcmu", 8000),
    ("alaw", 8000): LiveFormat("audio/pcma", 8000),
    ("linear16", 24000): LiveFormat("audio/pcm", 24000),
}
BEHAVIORS: Final = ("default", "queue", "interrupt")


@attrs.frozen
class AgentWireError(RemoteError):
    """One `Error` message; the session ends with it."""

    code: str
    description: str


def refused(message: object) -> AgentWireError | None:
    """Why a message is not even looked at; None: its form is right."""
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(kind, str) or kind not in FIELDS:
        return AgentWireError("UNPARSABLE_CLIENT_MESSAGE", f"Error parsing client message of type {kind!r}.")
    for name in FIELDS[kind]:
        wanted = dict if kind == "Settings" else str
        if not isinstance(message.get(name), wanted):
            return AgentWireError("UNPARSABLE_CLIENT_MESSAGE", f"{kind}.{name} is missing or of the wrong type.")
    if message.get("behavior", "default") not in BEHAVIORS:
        return AgentWireError("UNPARSABLE_CLIENT_MESSAGE", f"behavior: one of {', '.join(BEHAVIORS)}")
    return None


def formats_of(settings: Mapping[str, Any]) -> tuple[LiveFormat, LiveFormat] | AgentWireError:
    """What is sent and what is to be sent; what is left out would be heard as static."""
    audio = settings["audio"]
    found = []
    for way in ("input", "output"):
        given = audio.get(way) or {}
        known = FORMATS.get((given.get("encoding"), given.get("sample_rate")))
        if known is None:
            return AgentWireError("INVALID_SETTINGS", f"audio.{way}: encoding and sample_rate do not go together.")
        found.append(known)
    if audio["output"].get("container") != "none":
        return AgentWireError("INVALID_SETTINGS", "audio.output.container: this simulator wants it said: none.")
    if not isinstance((settings["agent"].get("think") or {}).get("provider"), dict):
        return AgentWireError("INVALID_SETTINGS", "agent.think.provider is missing.")
    return found[0], found[1]


def deferred_of(settings: Mapping[str, Any]) -> frozenset[str]:
    """The functions that are not called before the end of the caller's turn is certain."""
    functions = settings["agent"]["think"].get("functions") or []
    return frozenset(str(each.get("name")) for each in functions if each.get("defer_until_eot") is True)
