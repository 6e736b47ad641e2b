"""Whether a client event is one that GPT-Live takes: its type, its fields and no other, their values. No state.

Source: docs/facts/gpt_live.md sections 2, 3 and 5; the wordings are ours where no source has them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import attrs

from adapters.providers.live.session import MOST_INPUT
from fsm.errors import RemoteError

MOST_CONTENT: Final = 2_000  # 500 tokens of four characters
_APPEND: Final = ("content", "delegation_id")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "session.start": ("session",),
    "session.update": ("session",),
    "session.close": (),
    "session.input_audio.append": ("audio",),
    "session.input_audio.mute": (),
    "session.input_audio.unmute": (),
    "session.instructions.append": _APPEND,
    "session.thinking.append": _APPEND,
    "session.commentary.append": _APPEND,
    "session.output_audio.fixture.play": ("audio",),
    "response.item.create": ("item",),
    "response.create": (),
}
"""The fields of each event, all of them required; beside them `type` and `event_id`."""

SESSION: Final[Mapping[str, Any]] = {
    "model": None, "instructions": None, "input": None, "store": None, "safety_identifier": None, "triggers": None,
    "client": None,
    "audio": {"format": {"type": None, "rate": None}, "output": {"voice": None}},
    "delegation": {
        "type": None, "acknowledgement_delay_ms": None,
        "responses": {
            "model": None, "instructions": None, "tools": None, "tool_choice": None, "reasoning": None, "text": None,
            "parallel_tool_calls": None, "max_output_tokens": None, "service_tier": None, "truncation": None,
            "metadata": None, "prompt_cache_key": None, "include": None, "max_tool_calls": None,
        },
    },
}  # fmt: skip
"""What a session may say; None: looked into no further."""
FORMATS: Final[Mapping[str, tuple[int, ...]]] = {
    "audio/pcm": (16000, 24000),
    "audio/pcmu": (8000,),
    "audio/pcma": (8000,),
}
ROLES: Final = ("developer", "user", "assistant")


@attrs.frozen
class LiveWireError(RemoteError):
    """One `error` event's inside."""

    code: str
    message: str
    param: str | None = None
    type: str = "invalid_request_error"


def refused(event: object) -> LiveWireError | None:
    """Why an event is not even looked at; None: its form is right."""
    if not isinstance(event, dict):
        return LiveWireError("invalid_json", "The message is not a JSON object.")
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        supported = ", ".join(f"'{name}'" for name in FIELDS)
        return LiveWireError("invalid_value", f"Invalid value: '{kind}'. Supported values are: {supported}.", "type")
    fields = FIELDS[kind]
    for name in event:
        if name not in (*fields, "type", "event_id"):
            return _unknown(name)
    for name in fields:
        if name not in event:
            return _missing(name)
    if fields == _APPEND:
        return _append(event)
    if kind == "session.start":
        return _session(event["session"])
    if kind in ("session.input_audio.append", "session.output_audio.fixture.play"):
        return None if audio_of(event["audio"]) is not None else _invalid("audio", "base64 text is expected")
    return _item(event["item"]) if kind == "response.item.create" else None


def audio_of(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return None


def _append(event: Mapping[str, object]) -> LiveWireError | None:
    content, delegation = event["content"], event["delegation_id"]
    if not isinstance(content, str) or not content:
        return _invalid("content", "a text is expected")
    if len(content) > MOST_CONTENT:
        return LiveWireError("string_above_max_length", "content: at most 500 tokens.", "content")
    if delegation is not None and not isinstance(delegation, str):
        return _invalid("delegation_id", "a text or null is expected")
    return None


def _item(item: object) -> LiveWireError | None:
    if not isinstance(item, dict):
        return _invalid("item", "an object is expected")
    if item.get("type") == "function_call_output":
        wrong = [key for key in item if key not in ("type", "call_id", "output", "id", "status")]
        return _unknown(f"item.{wrong[0]}") if wrong else None
    return None if item.get("type") == "message" else _invalid("item.type", "function_call_output or message")


def _session(session: object) -> LiveWireError | None:
    if not isinstance(session, dict):
        return _invalid("session", "an object is expected")
    unknown = _stranger(session, SESSION, "session")
    if unknown is not None:
        return _unknown(unknown)
    if not isinstance(session.get("model"), str) or not session["model"]:
        return _missing("session.model")
    return _format(session) or _history(session.get("input")) or _delegation(session.get("delegation"))


def _format(session: Mapping[str, Any]) -> LiveWireError | None:
    audio = session.get("audio") or {}
    given = audio.get("format") if isinstance(audio, dict) else None
    if given is None:
        return None
    rates = FORMATS.get(given.get("type", "")) if isinstance(given, dict) else None
    if rates is None:
        return _invalid("session.audio.format.type", f"one of {', '.join(FORMATS)}")
    if given.get("rate") not in rates:
        return _invalid("session.audio.format.rate", f"one of {', '.join(map(str, rates))}")
    return None


def _history(given: object) -> LiveWireError | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > MOST_INPUT:
        return _invalid("session.input", f"at most {MOST_INPUT} messages")
    for index, message in enumerate(given):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or len(content) != 1 or message.get("role") not in ROLES:
            return _invalid(f"session.input[{index}]", "a message of one text part by developer, user or assistant")
    return None


def _delegation(given: object) -> LiveWireError | None:
    if not isinstance(given, dict):
        return None if given is None else _invalid("session.delegation", "an object is expected")
    if given.get("type") not in ("client", "responses", "decisions"):
        return _invalid("session.delegation.type", "client, responses or decisions")
    responses = given.get("responses")
    if given["type"] == "responses" and not (isinstance(responses, dict) and responses.get("model")):
        return _missing("session.delegation.responses.model")
    return None


def _stranger(given: Mapping[str, Any], known: Mapping[str, Any], path: str) -> str | None:
    """The path of the first field that is not known."""
    for key, value in given.items():
        if key not in known:
            return f"{path}.{key}"
        if isinstance(known[key], dict) and isinstance(value, dict):
            found = _stranger(value, known[key], f"{path}.{key}")
            if found is not None:
                return found
    return None


def _unknown(path: str) -> LiveWireError:
    return LiveWireError("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def _missing(path: str) -> LiveWireError:
    return LiveWireError("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def _invalid(path: str, expected: str) -> LiveWireError:
    return LiveWireError("invalid_value", f"Invalid value for '{path}': {expected}.", path)
