"""What the server answers to a client in the wrong: codes and messages, verbatim where they are known. No state.

Source: docs/facts/realtime_api.md sections 2 and 4, tests/sequences/errors_seen.yaml. What is not recorded says so.
"""

from __future__ import annotations

import attrs

from adapters.simulator.providers.realtime.dialect import ACCEPTED_CLIENT_EVENTS
from fsm.errors import RemoteError


@attrs.frozen
class WireError(RemoteError):
    """One `error` event's inside. `code` and `param` may be null on the wire."""

    code: str | None
    message: str
    param: str | None = None
    type: str = "invalid_request_error"


def unknown_parameter(path: str) -> WireError:
    return WireError("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def missing_parameter(path: str) -> WireError:
    return WireError("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def invalid_value(path: str, value: object, supported: tuple[str, ...]) -> WireError:
    named = [f"'{name}'" for name in supported]
    if len(named) > 1:
        named[-1] = f"and {named[-1]}"
    separator = ", " if len(named) > 2 else " "
    return WireError("invalid_value", f"Invalid value: '{value}'. Supported values are: {separator.join(named)}.", path)


_JSON_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
}


def invalid_type(path: str, expected: str, value: object) -> WireError:
    """As reported of session.audio.input.format (docs/facts/realtime_api.md section 11)."""
    given = _JSON_KINDS.get(type(value), "null")
    message = f"Invalid type for '{path}': expected {expected}, but got {given} instead."
    return WireError("invalid_type", message, path)


def out_of_range(path: str, low: float, high: float, value: float) -> WireError:
    """[INF] The wording of OpenAI's other endpoints; no Realtime recording."""
    side, bound = ("below minimum", low) if value < low else ("above maximum", high)
    relation = ">=" if value < low else "<="
    kind = "integer" if isinstance(value, int) else "decimal"
    message = f"Invalid '{path}': {kind} {side} value. Expected a value {relation} {bound}, but got {value} instead."
    return WireError("invalid_value", message, path)


def empty_array(path: str) -> WireError:
    """[INF] The code and wording of OpenAI's other endpoints; no Realtime recording."""
    message = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return WireError("empty_array", message, path)


def string_too_long(path: str, limit: int, length: int) -> WireError:
    """[INF] The code and wording of OpenAI's other endpoints; no Realtime recording."""
    message = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {length} instead."
    )
    return WireError("string_above_max_length", message, path)


def too_many_properties(path: str, limit: int, count: int) -> WireError:
    """[INF] The code and wording of OpenAI's other endpoints; no Realtime recording."""
    message = (
        f"Invalid '{path}': too many properties. Expected an object with at most {limit} properties, "
        f"but got an object with {count} properties instead."
    )
    return WireError("object_above_max_properties", message, path)


def invalid_modalities(path: str, given: list[str], supported: tuple[tuple[str, ...], ...]) -> WireError:
    """docs/facts/realtime_api.md section 11: GA refuses both at once, beta refused audio alone."""
    named = " and ".join(str(list(each)) for each in supported)
    return WireError("invalid_value", f"Invalid modalities: {given}. Supported combinations are: {named}.", path)


def unknown_event(kind: object) -> WireError:
    return invalid_value("type", kind, ACCEPTED_CLIENT_EVENTS)


def invalid_json() -> WireError:
    return WireError("invalid_json", "Invalid event: failed to parse JSON value. ")


def binary_frame() -> WireError:
    return WireError("invalid_event", "Expected a text WebSocket message; binary frames are not supported.")


def invalid_audio(path: str = "audio") -> WireError:
    """[INF] The wording."""
    return WireError("invalid_value", f"Invalid '{path}'. Expected base64-encoded audio bytes.", path)


def empty_audio() -> WireError:
    """docs/facts/realtime_api.md section 11; of the wording only the end is reported."""
    return WireError("invalid_value", "Invalid 'audio'. Expected audio bytes, but got empty bytes.", "audio")


def active_response(response_id: str) -> WireError:
    return WireError(
        "conversation_already_has_active_response",
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one.",
    )


def nothing_to_cancel() -> WireError:
    return WireError("response_cancel_not_active", "Cancellation failed: no active response found")


def buffer_too_small(buffered_ms: float) -> WireError:
    return WireError(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        f"but buffer only has {buffered_ms:.2f}ms of audio.",
    )


def audio_already_shorter(has_ms: int, asked_ms: int) -> WireError:
    return WireError("invalid_value", f"Audio content of {has_ms}ms is already shorter than {asked_ms}ms")


def not_truncatable() -> WireError:
    return WireError(None, "Only model output audio messages can be truncated")


def no_such_item(doing: str, verb: str, item_id: object) -> WireError:
    """`doing` "deleting", `verb` "delete": the code and wording that public clients of the live API match on."""
    message = f"Error {doing} item: the item with id '{item_id}' does not exist."
    return WireError(f"item_{verb}_invalid_item_id", message)


def duplicate_item(item_id: str) -> WireError:
    """Code and param: docs/facts/realtime_api.md section 4 (unverified). [INF] The wording."""
    return WireError("invalid_value", f"Invalid value: '{item_id}'. The item already exists.", "item.id")


def no_such_reference(item_id: object, path: str) -> WireError:
    """Code: docs/facts/realtime_api.md section 4 (unverified). [INF] The wording."""
    message = f"The item with id '{item_id}' does not exist."
    return WireError("item_not_found", message, path)


def no_such_call(call_id: object) -> WireError:
    """Seen in public threads; no recorded frame."""
    return WireError("invalid_tool_call_id", f"Tool call ID '{call_id}' not found in conversation.")


def no_such_tool(name: object, path: str) -> WireError:
    """[INF] The wording of OpenAI's Responses API; no Realtime recording."""
    return WireError("invalid_value", f"Tool choice '{name}' not found in 'tools' parameter.", path)


def bad_mcp_tool(path: str, what: str) -> WireError:
    """That these are refused: docs/facts/realtime_api.md section 11. [INF] Code and wording."""
    return WireError("invalid_value", f"Invalid MCP tool: {what}", path)


def voice_is_fixed() -> WireError:
    return WireError(
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
        "session.audio.output.voice",
    )


def model_is_fixed() -> WireError:
    """That it is refused is documented. [INF] Code and wording."""
    return WireError("invalid_value", "The model of a session cannot be changed.", "session.model")


def wrong_session_type(given: str, actual: str) -> WireError:
    """docs/facts/realtime_api.md section 11. [INF] The code."""
    message = f"Passing a {given} session update event to a {actual} session is not allowed."
    return WireError("invalid_parameter", message, "session.type")


def no_turn_detection_here() -> WireError:
    """Of streaming transcription models: docs/facts/realtime_api.md section 11."""
    message = "Turn detection is not supported for this transcription model."
    return WireError("invalid_value", message, "session.audio.input.turn_detection")


def no_responses_here() -> WireError:
    """[INF] A transcription session answers nothing; how it refuses is not recorded."""
    return WireError("invalid_value", "A transcription session does not create responses.", "type")


def session_expired(max_s: float) -> WireError:
    minutes = max_s / 60
    return WireError("session_expired", f"Your session hit the maximum duration of {minutes:g} minutes.")


def invalid_api_key() -> WireError:
    return WireError("invalid_api_key", "Incorrect API key provided.")


def missing_model() -> WireError:
    return WireError("missing_model", "You must provide a model parameter.")


def invalid_model(model: str) -> WireError:
    return WireError("invalid_model", f"Model '{model}' is not supported in realtime mode.")


def model_for_transcription() -> WireError:
    """docs/facts/realtime_api.md section 11."""
    return WireError("invalid_model", "You must not provide a model parameter for transcription sessions.")


def beta_disabled() -> WireError:
    return WireError(
        "beta_api_shape_disabled",
        "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
    )
