"""The events of the Realtime protocol: who sends which, with which fields. To infer a direction, to notice what is new.

Source: docs/facts/realtime_api.md section 1; a test compares with the types of `openai`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fsm.audit import live_side, turn_owner
from fsm.audit.record import Direction
from fsm.language.vocabulary import Vocabulary
from fsm.machine.wire import knows

CLIENT_FIELDS: Mapping[str, frozenset[str]] = {
    "session.update": frozenset({"session"}),
    "transcription_session.update": frozenset({"session"}),
    "input_audio_buffer.append": frozenset({"audio"}),
    "input_audio_buffer.commit": frozenset(),
    "input_audio_buffer.clear": frozenset(),
    "conversation.item.create": frozenset({"item", "previous_item_id"}),
    "conversation.item.retrieve": frozenset({"item_id"}),
    "conversation.item.delete": frozenset({"item_id"}),
    "conversation.item.truncate": frozenset({"item_id", "content_index", "audio_end_ms"}),
    "response.create": frozenset({"response"}),
    "response.cancel": frozenset({"response_id"}),
    "output_audio_buffer.clear": frozenset(),
    "session.close": frozenset(),
}
_PART = frozenset({"content_index", "item_id", "output_index", "response_id"})
_ITEM = frozenset({"item", "previous_item_id"})
_OUTPUT_ITEM = frozenset({"item", "output_index", "response_id"})
_HEARD = frozenset({"item_id", "content_index"})
_RESPONSE = frozenset({"response"})
_SESSION = frozenset({"session"})
_PLAYED = frozenset({"response_id"})
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def _both(ga: str, beta: str, *more: str) -> dict[str, frozenset[str]]:
    """An event of a response under both its names."""
    return dict.fromkeys((f"response.{ga}", f"response.{beta}"), _PART | set(more))


SERVER_FIELDS: Mapping[str, frozenset[str]] = {
    "error": frozenset({"error"}),
    "session.created": _SESSION,
    "session.updated": _SESSION,
    "transcription_session.created": _SESSION,
    "transcription_session.updated": _SESSION,
    "conversation.created": frozenset({"conversation"}),
    "conversation.item.added": _ITEM,
    "conversation.item.created": _ITEM,
    "conversation.item.done": _ITEM,
    "conversation.item.retrieved": frozenset({"item"}),
    "conversation.item.deleted": frozenset({"item_id"}),
    "conversation.item.truncated": frozenset({"item_id", "content_index", "audio_end_ms"}),
    f"{_TRANSCRIPTION}.delta": _HEARD | {"delta", "logprobs"},
    f"{_TRANSCRIPTION}.completed": _HEARD | {"transcript", "usage", "languages", "logprobs"},
    f"{_TRANSCRIPTION}.failed": _HEARD | {"error"},
    f"{_TRANSCRIPTION}.segment": _HEARD | {"id", "end", "speaker", "start", "text"},
    "input_audio_buffer.committed": frozenset({"item_id", "previous_item_id"}),
    "input_audio_buffer.cleared": frozenset(),
    "input_audio_buffer.speech_started": frozenset({"audio_start_ms", "item_id"}),
    "input_audio_buffer.speech_stopped": frozenset({"audio_end_ms", "item_id"}),
    "input_audio_buffer.timeout_triggered": frozenset({"audio_start_ms", "audio_end_ms", "item_id"}),
    "input_audio_buffer.dtmf_event_received": frozenset({"event", "received_at"}),
    "output_audio_buffer.started": _PLAYED,
    "output_audio_buffer.stopped": _PLAYED,
    "output_audio_buffer.cleared": _PLAYED,
    "response.created": _RESPONSE,
    "response.done": _RESPONSE,
    "response.output_item.added": _OUTPUT_ITEM,
    "response.output_item.done": _OUTPUT_ITEM,
    "response.content_part.added": _PART | {"part"},
    "response.content_part.done": _PART | {"part"},
    **_both("output_text.delta", "text.delta", "delta"),
    **_both("output_text.done", "text.done", "text"),
    **_both("output_audio.delta", "audio.delta", "delta"),
    **_both("output_audio.done", "audio.done"),
    **_both("output_audio_transcript.delta", "audio_transcript.delta", "delta"),
    **_both("output_audio_transcript.done", "audio_transcript.done", "transcript"),
    "response.function_call_arguments.delta": _PART - {"content_index"} | {"call_id", "delta"},
    "response.function_call_arguments.done": _PART - {"content_index"} | {"arguments", "call_id", "name"},
    "response.mcp_call_arguments.delta": _PART - {"content_index"} | {"delta"},
    "response.mcp_call_arguments.done": _PART - {"content_index"} | {"arguments"},
    "response.mcp_call.in_progress": frozenset({"item_id", "output_index"}),
    "response.mcp_call.completed": frozenset({"item_id", "output_index"}),
    "response.mcp_call.failed": frozenset({"item_id", "output_index"}),
    "mcp_list_tools.in_progress": frozenset({"item_id"}),
    "mcp_list_tools.completed": frozenset({"item_id"}),
    "mcp_list_tools.failed": frozenset({"item_id"}),
    "rate_limits.updated": frozenset({"rate_limits"}),
}
_EVERYWHERE = frozenset({"type", "event_id", "obfuscation"})  # padding on deltas, seen but not documented

CLIENT_TYPES = frozenset(CLIENT_FIELDS)
_OTHER_CLIENTS = live_side.CLIENT_TYPES | turn_owner.CLIENT_TYPES
_OTHER_SERVERS = live_side.SERVER_TYPES | turn_owner.SERVER_TYPES


def direction_of(vocabulary: Vocabulary, wire_type: str) -> Direction | None:
    """Who sends an event of this type; None if nobody is known to."""
    if wire_type in CLIENT_FIELDS or wire_type in _OTHER_CLIENTS:
        return "client"
    if wire_type in SERVER_FIELDS or wire_type in _OTHER_SERVERS or knows(vocabulary, wire_type):
        return "server"
    return None


def unknown_fields(wire_type: str, fields: Iterable[str]) -> tuple[str, ...]:
    """The top fields of an event that nobody has described; none for an event that is unknown itself."""
    known = SERVER_FIELDS.get(wire_type)
    if known is None:
        known = CLIENT_FIELDS.get(wire_type)
    return () if known is None else tuple(f for f in fields if f not in known and f not in _EVERYWHERE)
