"""What the provider's session is to be, and how either dialect spells it. Never an event, a socket.

One row per concept, one column per dialect (docs/facts/realtime_api.md section 2). What is not set is not sent: the
update is partial, and GA rejects the whole of it for one field it does not know.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

from adapters.providers.provider import EncodingError

Dialect = Literal["ga", "beta"]


class Unset(enum.Enum):
    """Says "leave it alone" where null already means "switch it off"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class SettingsError(EncodingError):
    """A setting that the dialect cannot say; the message begins with the name of the field."""


@attrs.frozen(kw_only=True)
class SessionSettings:
    """The session as configured. A field at its default is not sent, but for the two formats.

    Formats are "pcm16" (24 kHz), "pcmu" or "pcma" (8 kHz); another name goes as it is to a beta server and is an
    error in GA. `turn_detection` is UNSET (the server's default), None (off: the client commits) or a mapping;
    `noise_reduction` UNSET, None (off) or `{"type": "near_field" | "far_field"}`.
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

FORMATS: Final[Mapping[str, Mapping[Dialect, object]]] = {
    "pcm16": {"ga": {"type": "audio/pcm", "rate": 24000}, "beta": "pcm16"},
    "pcmu": {"ga": {"type": "audio/pcmu"}, "beta": "g711_ulaw"},
    "pcma": {"ga": {"type": "audio/pcma"}, "beta": "g711_alaw"},
}


def session_object(settings: SessionSettings, dialect: Dialect) -> dict[str, object]:
    """The `session` of a session.update. Raises SettingsError for what the dialect has no word for."""
    session: dict[str, object] = dict(FIXED[dialect])
    for field, path_by_dialect in PATHS.items():
        value = getattr(settings, field)
        if not _is_set(field, value):
            continue
        path = path_by_dialect[dialect]
        if path is None:
            raise SettingsError(f"{field}: the {dialect} dialect has no such field")
        _put(session, path, _format(field, value, dialect) if field.endswith("_format") else _plain(value))
    _lay_over(session, settings.extra)
    return session


def known_in(extra: Mapping[str, object], dialect: Dialect) -> tuple[str, ...]:
    """The fields that `extra` says and that have a key of their own, or are fixed."""
    paths = {field: path for field, by_dialect in PATHS.items() if (path := by_dialect[dialect]) is not None}
    return tuple(
        field for field, path in ({key: (key,) for key in FIXED[dialect]} | paths).items() if _has(extra, path)
    )


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


def _format(field: str, name: str, dialect: Dialect) -> object:
    known = FORMATS.get(name)
    if known is not None:
        return _plain(known[dialect])
    if dialect == "beta":
        return name
    raise SettingsError(f"{field}: {name!r} is not one of {', '.join(FORMATS)}")


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
