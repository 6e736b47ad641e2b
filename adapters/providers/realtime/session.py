"""What the provider's session is to be, and how a server spells it. Never an event, a socket.

One row per concept, one column per dialect (docs/facts/realtime_api.md section 2); what a server has elsewhere is in
its own row (realtime_server.py). What is not set is not sent: the update is partial, and GA rejects the whole of it for
one field it does not know.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

from adapters.providers.provider import EncodingError
from adapters.providers.realtime.realtime_server import Dialect, RealtimeServer


class Unset(enum.Enum):
    """Says "leave it alone" where null already means "switch it off"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class SettingsError(EncodingError):
    """A setting that the dialect cannot say; the message begins with the name of the field."""


@attrs.frozen(kw_only=True)
class SessionSettings:
    """The session as configured. A field at its default is not sent, but for the two formats.

    Formats are names of realtime_server.FORMATS that the server's row has. `turn_detection` is UNSET (the server's
    default), None (off: the client commits) or a mapping; `noise_reduction` UNSET, None (off) or
    `{"type": "near_field" | "far_field"}`.
    `tools` are the wire's own objects (`{"type": "function", "name", "description", "parameters"}`); () clears them.
    `temperature` exists in beta only, `truncation`, `reasoning` and `parallel_tool_calls` in GA only. `model` belongs
    to the endpoint and is never in the session object. `extra` is laid over all of it as it is, mapping by mapping.
    """

    model: str
    voice: str | Mapping[str, object] | None = None
    instructions: str | None = None
    input_format: str = "pcmu"
    output_format: str = "pcmu"
    turn_detection: Mapping[str, object] | Unset | None = UNSET
    transcription: Mapping[str, object] | None = None
    noise_reduction: Mapping[str, object] | Unset | None = UNSET
    tools: Sequence[Mapping[str, object]] | None = None
    tool_choice: str | Mapping[str, object] | None = None
    temperature: float | None = None
    speed: float | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    truncation: str | Mapping[str, object] | None = None
    reasoning: Mapping[str, object] | None = None
    parallel_tool_calls: bool | None = None
    prompt: Mapping[str, object] | None = None
    include: Sequence[str] | None = None
    tracing: str | Mapping[str, object] | None = None
    extra: Mapping[str, object] = attrs.field(factory=dict)


# What every update says. Azure's preview rejects ["audio"] alone; GA takes one of the two, never both.
FIXED: Final[Mapping[Dialect, Mapping[str, object]]] = {
    "ga": {"type": "realtime", "output_modalities": ["audio"]},
    "beta": {"modalities": ["text", "audio"]},
}

# Where each field goes. None: the dialect has no such field.
PATHS: Final[Mapping[str, Mapping[Dialect, tuple[str, ...] | None]]] = {
    "instructions": {"ga": ("instructions",), "beta": ("instructions",)},
    "voice": {"ga": ("audio", "output", "voice"), "beta": ("voice",)},
    "speed": {"ga": ("audio", "output", "speed"), "beta": ("speed",)},
    "input_format": {"ga": ("audio", "input", "format"), "beta": ("input_audio_format",)},
    "output_format": {"ga": ("audio", "output", "format"), "beta": ("output_audio_format",)},
    "turn_detection": {"ga": ("audio", "input", "turn_detection"), "beta": ("turn_detection",)},
    "transcription": {"ga": ("audio", "input", "transcription"), "beta": ("input_audio_transcription",)},
    "noise_reduction": {"ga": ("audio", "input", "noise_reduction"), "beta": ("input_audio_noise_reduction",)},
    "tools": {"ga": ("tools",), "beta": ("tools",)},
    "tool_choice": {"ga": ("tool_choice",), "beta": ("tool_choice",)},
    "max_output_tokens": {"ga": ("max_output_tokens",), "beta": ("max_response_output_tokens",)},
    "truncation": {"ga": ("truncation",), "beta": None},
    "reasoning": {"ga": ("reasoning",), "beta": None},
    "parallel_tool_calls": {"ga": ("parallel_tool_calls",), "beta": None},
    "prompt": {"ga": ("prompt",), "beta": ("prompt",)},
    "include": {"ga": ("include",), "beta": ("include",)},
    "tracing": {"ga": ("tracing",), "beta": ("tracing",)},
    "temperature": {"ga": None, "beta": ("temperature",)},
}

_NULLABLE: Final = ("turn_detection", "noise_reduction")  # null switches them off


def session_object(settings: SessionSettings, server: RealtimeServer) -> dict[str, object]:
    """The `session` of a session.update. Raises SettingsError for what the server has no word for."""
    fixed = _plain(server.fixed or FIXED[server.names])
    assert isinstance(fixed, dict)
    session: dict[str, object] = fixed
    for field in (*PATHS, *(each for each in server.paths if each not in PATHS)):
        value = getattr(settings, field)
        if not _is_set(field, value) and not (field == "turn_detection" and server.detection):
            continue
        path = path_of(field, server)
        if path is None:
            raise SettingsError(f"{field}: the {server.names} dialect has no such field")
        _put(session, path, _said(field, value, server))
    _lay_over(session, settings.extra)
    return session


def path_of(field: str, server: RealtimeServer) -> tuple[str, ...] | None:
    """Where a field is in the server's session; None: it has no such field."""
    if field in server.paths:
        return tuple(str(server.paths[field]).split(".")) if server.paths[field] else None
    return PATHS[field][server.names]


def _said(field: str, value: object, server: RealtimeServer) -> object:
    """The value as the server has it."""
    if field.endswith("_format"):
        return _format(field, str(value), server)
    if field == "turn_detection" and value is UNSET:
        return {"type": server.detection}
    if field == "voice" and isinstance(value, str) and server.voice:
        return {key: str(text).format(voice=value) for key, text in server.voice.items()}
    if field == "tools" and server.tools == "nested" and isinstance(value, Sequence):
        return [_nested(tool) for tool in value]
    return _plain(value)


def _nested(tool: Mapping[str, object]) -> object:
    if tool.get("type") != "function":
        return _plain(tool)
    return {"type": "function", "function": {key: _plain(each) for key, each in tool.items() if key != "type"}}


def known_in(extra: Mapping[str, object], server: RealtimeServer) -> tuple[str, ...]:
    """The fields that `extra` says and that have a key of their own, or are fixed."""
    paths = {field: path for field in PATHS if (path := path_of(field, server)) is not None}
    fixed = {key: (key,) for key in server.fixed or FIXED[server.names]}
    return tuple(field for field, path in (fixed | paths).items() if _has(extra, path))


def _has(extra: Mapping[str, object], path: tuple[str, ...]) -> bool:
    place: object = extra
    for step in path:
        if not isinstance(place, Mapping) or step not in place:
            return False
        place = place[step]
    return True


def _lay_over(session: dict[str, object], extra: Mapping[str, object]) -> None:
    for key, value in extra.items():
        here = session.get(key)
        if isinstance(here, dict) and isinstance(value, Mapping):
            _lay_over(here, value)
        else:
            session[key] = _plain(value)


def _is_set(field: str, value: object) -> bool:
    return value is not UNSET and (value is not None or field in _NULLABLE)


def _format(field: str, name: str, server: RealtimeServer) -> object:
    known = server.formats_in if field == "input_format" else server.formats_out
    if name in known:
        return _plain(known[name])
    raise SettingsError(f"{field}: {name!r} is not one of {', '.join(known)}")


def _put(session: dict[str, object], path: tuple[str, ...], value: object) -> None:
    place = session
    for step in path[:-1]:
        inner = place.setdefault(step, {})
        assert isinstance(inner, dict)
        place = inner
    place[path[-1]] = value


def _plain(value: object) -> object:
    """A copy of plain dicts and lists: what goes out is nobody else's to change, and JSON writers know no Mapping."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
