"""What the wire takes from a client, as tables: sessions, items, responses, tools, and every client event by its name.

Nothing here knows a session's state. Source: docs/facts/realtime_api.md sections 1.1, 2, 3 and 11; the fields are those
of the `openai` SDK's types, against which the tests hold these tables. Where null is taken: `nullable` where null is a
value of its own, `optional` where it counts as not given. Of a response's options the live API takes a null
`instructions` (LiveKit sends one with each create); that it takes null of the others too is inferred: [INF].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.simulator.providers.realtime import checks as c
from adapters.simulator.providers.realtime.checks import Check
from adapters.simulator.providers.realtime.dialect import BETA_TO_GA_FORMAT, MAX_APPEND_CHARS
from adapters.simulator.providers.realtime.errors import bad_mcp_tool, invalid_modalities, string_too_long

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")

# --- sound ------------------------------------------------------------------------------------------------------------


def _combination(*supported: tuple[str, ...]) -> Check:
    def check(value: Any, path: str) -> Any:
        if set(value) not in [set(each) for each in supported] or len(value) != len(set(value)):
            raise invalid_modalities(path, value, supported)
        return value

    return c.in_turn(c.list_of(c.one_of("text", "audio")), check)


_GA_MODALITIES = _combination(("text",), ("audio",))
_BETA_MODALITIES = _combination(("text",), ("audio", "text"))
_FORMAT = c.variants(
    "type",
    {
        "audio/pcm": c.shape({"type": c.text, "rate": c.number(24000, 24000, whole=True)}),
        "audio/pcmu": c.shape({"type": c.text}),
        "audio/pcma": c.shape({"type": c.text}),
    },
)
_BETA_FORMAT = c.one_of(*BETA_TO_GA_FORMAT)
_VOICE = c.word_or(VOICES, c.shape({"id": c.text}, required=("id",)))
_SPEED = c.number(0.25, 1.5)
_FLAGS = {"create_response": c.flag, "interrupt_response": c.flag}
_SERVER_VAD = {
    "type": c.text,
    "threshold": c.number(0, 1),
    "prefix_padding_ms": c.number(0, 10_000, whole=True),
    "silence_duration_ms": c.number(0, 10_000, whole=True),
    "idle_timeout_ms": c.nullable(c.number(5000, 30_000, whole=True)),
    **_FLAGS,
}
_SEMANTIC_VAD = {"type": c.text, "eagerness": c.one_of("low", "medium", "high", "auto"), **_FLAGS}
_DETECTION = c.nullable(
    c.variants("type", {"server_vad": c.shape(_SERVER_VAD), "semantic_vad": c.shape(_SEMANTIC_VAD)})
)
_EFFORT = c.one_of("minimal", "low", "medium", "high", "xhigh")
_TRANSCRIPTION = c.nullable(
    c.shape(
        {
            "model": c.nullable(c.text),
            "language": c.nullable(c.text),
            "languages": c.list_of(c.text),
            "keywords": c.list_of(c.text),
            "prompt": c.nullable(c.text),
            "delay": _EFFORT,
        }
    )
)
_NOISE = c.nullable(
    c.shape(
        {"type": c.one_of("near_field", "far_field"), "strength": c.number(float("-inf"), float("inf"))},
        required=("type",),
    )
)
_AUDIO_INPUT = {"format": _FORMAT, "transcription": _TRANSCRIPTION, "noise_reduction": _NOISE}

# --- tools ------------------------------------------------------------------------------------------------------------

_NAMES = c.list_of(c.text)
_APPROVAL_FILTER = c.shape({"read_only": c.flag, "tool_names": c.list_of(c.text)})


def _names_or_filter(value: Any, path: str) -> Any:
    return (_NAMES if isinstance(value, list) else _APPROVAL_FILTER)(value, path)


_FUNCTION_TOOL = c.shape(
    {"type": c.text, "name": c.text, "description": c.optional(c.text), "parameters": c.optional(c.mapping)},
    required=("name",),
)
_MCP_TOOL = c.shape(
    {
        "type": c.text,
        "server_label": c.text,
        "server_url": c.text,
        "connector_id": c.text,
        "tunnel_id": c.text,
        "server_description": c.text,
        "authorization": c.text,
        "headers": c.optional(c.string_map()),
        "allowed_callers": c.optional(c.list_of(c.one_of("direct", "programmatic"))),
        "allowed_tools": c.optional(_names_or_filter),
        "defer_loading": c.flag,
        "require_approval": c.optional(
            c.word_or(("always", "never"), c.shape({"always": _APPROVAL_FILTER, "never": _APPROVAL_FILTER}))
        ),
    },
    required=("server_label",),
)


def _one_address(value: Any, path: str) -> Any:
    """What stops an MCP definition before any import: two addresses, or the authorization twice."""
    if "server_url" in value and "connector_id" in value:
        raise bad_mcp_tool(path, "set either 'server_url' or 'connector_id', not both.")
    if "authorization" in value and "authorization" in {name.lower() for name in value.get("headers", {})}:
        raise bad_mcp_tool(path, "set either 'authorization' or an Authorization header, not both.")
    return value


def _labels_once(value: Any, path: str) -> Any:
    labels = [tool["server_label"] for tool in value if tool["type"] == "mcp"]
    for label in labels:
        if labels.count(label) > 1:
            raise bad_mcp_tool(path, f"duplicate server_label '{label}'.")
    return value


TOOLS = c.in_turn(
    c.list_of(c.variants("type", {"function": _FUNCTION_TOOL, "mcp": c.in_turn(_MCP_TOOL, _one_address)})), _labels_once
)
TOOL_CHOICE = c.word_or(
    ("none", "auto", "required"),
    c.variants(
        "type",
        {
            "function": c.shape({"type": c.text, "name": c.text}, required=("name",)),
            "mcp": c.shape(
                {"type": c.text, "server_label": c.text, "name": c.optional(c.text)}, required=("server_label",)
            ),
        },
    ),
)

# --- sessions ---------------------------------------------------------------------------------------------------------

_PROMPT = c.shape({"id": c.text, "variables": c.optional(c.mapping), "version": c.optional(c.text)}, required=("id",))
_TRACING = c.word_or(("auto",), c.shape({"group_id": c.text, "workflow_name": c.text, "metadata": c.mapping}))
_TRUNCATION = c.word_or(
    ("auto", "disabled"),
    c.variants(
        "type",
        {
            "retention_ratio": c.shape(
                {"type": c.text, "retention_ratio": c.number(0, 1), "token_limits": c.mapping},
                required=("retention_ratio",),
            )
        },
    ),
)
_INCLUDE = c.nullable(c.list_of(c.one_of("item.input_audio_transcription.logprobs")))
_MAX_TOKENS = c.number_or("inf", 1, 4096)
_REASONING = c.shape({"effort": _EFFORT})
SHARED_FIELDS: Mapping[str, Check] = {
    "instructions": c.text,
    "tools": TOOLS,
    "tool_choice": TOOL_CHOICE,
    "tracing": c.nullable(_TRACING),
    "prompt": c.nullable(_PROMPT),
    "include": _INCLUDE,
    "model": c.text,
}
SESSION = c.shape(
    {
        **SHARED_FIELDS,
        "type": c.one_of("realtime", "transcription"),
        "output_modalities": _GA_MODALITIES,
        "max_output_tokens": _MAX_TOKENS,
        "truncation": _TRUNCATION,
        "reasoning": _REASONING,
        "parallel_tool_calls": c.flag,
        "audio": c.shape(
            {
                "input": c.shape({**_AUDIO_INPUT, "turn_detection": _DETECTION}),
                "output": c.shape({"format": _FORMAT, "voice": _VOICE, "speed": _SPEED}),
            }
        ),
    },
    required=("type",),
)
TRANSCRIPTION_SESSION = c.variants(
    "type",
    {
        "realtime": c.mapping,  # refused as a whole, by its type
        "transcription": c.shape(
            {
                "type": c.text,
                "include": _INCLUDE,
                "audio": c.shape({"input": c.shape({**_AUDIO_INPUT, "turn_detection": _DETECTION})}),
            }
        ),
    },
)
BETA_SESSION = c.shape(
    {
        **SHARED_FIELDS,
        "modalities": _BETA_MODALITIES,
        "input_audio_format": _BETA_FORMAT,
        "output_audio_format": _BETA_FORMAT,
        "voice": _VOICE,
        "speed": _SPEED,
        "turn_detection": _DETECTION,
        "input_audio_transcription": _TRANSCRIPTION,
        "input_audio_noise_reduction": _NOISE,
        "max_response_output_tokens": _MAX_TOKENS,
        "temperature": c.number(0.6, 1.2),
    }
)

# --- items ------------------------------------------------------------------------------------------------------------


def _message(*parts: str) -> Check:
    content = c.list_of(c.variants("type", {kind: _PARTS[kind] for kind in parts}), filled=True)
    return c.shape({**_HEAD, "role": c.text, "content": content, "phase": c.anything}, required=("content",))


_HEAD: Mapping[str, Check] = {
    "id": c.optional(c.text),
    "object": c.optional(c.one_of("realtime.item")),
    "type": c.text,
    "status": c.optional(c.one_of("completed", "incomplete", "in_progress")),
}
_TEXT = c.shape({"type": c.text, "text": c.text}, required=("text",))
_PARTS: Mapping[str, Check] = {
    "input_text": _TEXT,
    "output_text": _TEXT,
    "text": _TEXT,  # an assistant's in beta
    "input_audio": c.shape({"type": c.text, "audio": c.text, "transcript": c.optional(c.text)}, required=("audio",)),
    "input_image": c.shape(
        {"type": c.text, "image_url": c.text, "detail": c.one_of("auto", "low", "high")}, required=("image_url",)
    ),
}


def _item_kinds(assistant: str) -> Mapping[str, Check]:
    """Every kind of item a client may send. MCP calls and lists are history that it replays."""
    roles = {
        "user": _message("input_text", "input_audio", "input_image"),
        "assistant": _message(assistant),
        "system": _message("input_text"),
    }
    mcp = {"type": c.text, "id": c.text, "server_label": c.text}
    call = {**mcp, "name": c.text, "arguments": c.text}
    return {
        "message": c.variants("role", roles),
        "function_call": c.shape(
            {**_HEAD, "name": c.text, "call_id": c.optional(c.text), "arguments": c.text},
            required=("name", "arguments"),
        ),
        "function_call_output": c.shape({**_HEAD, "call_id": c.text, "output": c.text}, required=("call_id", "output")),
        "mcp_approval_response": c.shape(
            {**_HEAD, "approval_request_id": c.text, "approve": c.flag, "reason": c.optional(c.text)},
            required=("approval_request_id", "approve"),
        ),
        "mcp_list_tools": c.shape({**mcp, "tools": c.list_of(c.mapping)}, required=("server_label", "tools")),
        "mcp_approval_request": c.shape(call, required=("id", "server_label", "name", "arguments")),
        "mcp_call": c.shape(
            {
                **call,
                "approval_request_id": c.optional(c.text),
                "output": c.optional(c.text),
                "error": c.optional(c.mapping),
            },
            required=("id", "server_label", "name", "arguments"),
        ),
    }


ITEM = c.variants("type", _item_kinds("output_text"))
BETA_ITEM = c.variants("type", _item_kinds("text"))
_REFERENCE = {"item_reference": c.shape({"type": c.text, "id": c.text}, required=("id",))}

# --- responses --------------------------------------------------------------------------------------------------------


def _response(item_kinds: Mapping[str, Check], fields: Mapping[str, Check]) -> Check:
    common: Mapping[str, Check] = {
        "conversation": c.one_of("auto", "none"),
        "metadata": c.string_map(most=16, key_chars=64, value_chars=512),
        "input": c.list_of(c.variants("type", {**item_kinds, **_REFERENCE})),
        "instructions": c.text,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "prompt": _PROMPT,
    }
    return c.shape({name: c.optional(check) for name, check in {**common, **fields}.items()})


RESPONSE = _response(
    _item_kinds("output_text"),
    {
        "output_modalities": _GA_MODALITIES,
        "audio": c.shape({"output": c.optional(c.shape({"format": c.optional(_FORMAT), "voice": c.optional(_VOICE)}))}),
        "max_output_tokens": _MAX_TOKENS,
        "reasoning": _REASONING,
        "parallel_tool_calls": c.flag,
    },
)
BETA_RESPONSE = _response(
    _item_kinds("text"),
    {
        "modalities": _BETA_MODALITIES,
        "voice": _VOICE,
        "output_audio_format": _BETA_FORMAT,
        "temperature": c.number(0.6, 1.2),
        "max_response_output_tokens": _MAX_TOKENS,
        "max_output_tokens": _MAX_TOKENS,
    },
)

# --- events -----------------------------------------------------------------------------------------------------------


def _audio_text(value: Any, path: str) -> Any:
    if len(c.text(value, path)) > MAX_APPEND_CHARS:
        raise string_too_long(path, MAX_APPEND_CHARS, len(value))
    return value


def _event(fields: Mapping[str, Check], *required: str) -> Check:
    """An event's own fields. One that no table names passes: nobody has seen what becomes of it."""
    return c.shape({"type": c.text, "event_id": c.optional(c.text), **fields}, required=required, closed=False)


def _events(session: Check, item: Check, response: Check) -> Mapping[str, Check]:
    one = {"item_id": c.text}
    append = _event({"audio": _audio_text}, "audio")
    count = c.number(0, 2**31 - 1, whole=True)
    return {
        "session.update": _event({"session": session}, "session"),
        "session.close": _event({}),
        "input_audio_buffer.append": append,
        "session.input_audio_buffer.append": append,  # [INF] what the name on the server's own list does here
        "input_audio_buffer.commit": _event({}),
        "input_audio_buffer.clear": _event({}),
        "conversation.item.create": _event({"item": item, "previous_item_id": c.optional(c.text)}, "item"),
        "conversation.item.truncate": _event(
            {**one, "content_index": count, "audio_end_ms": count}, "item_id", "content_index", "audio_end_ms"
        ),
        "conversation.item.delete": _event(one, "item_id"),
        "conversation.item.retrieve": _event(one, "item_id"),
        "response.create": _event({"response": c.optional(response)}),
        "response.cancel": _event({"response_id": c.optional(c.text)}),
    }


GA_EVENTS = _events(SESSION, ITEM, RESPONSE)
BETA_EVENTS = _events(BETA_SESSION, BETA_ITEM, BETA_RESPONSE)
TRANSCRIPTION_EVENTS = _events(TRANSCRIPTION_SESSION, ITEM, RESPONSE)
