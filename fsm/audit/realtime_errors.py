"""What error codes of the Realtime protocol and close codes of a WebSocket mean to an operator. A table, no judgement.

Sources: docs/facts/realtime_api.md section 4, RFC 6455 section 7.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm.audit.conversation import ProviderError

ERRORS: Mapping[str, str] = {
    "conversation_already_has_active_response": "one response at a time: this create came while another was active",
    "response_cancel_not_active": "there was nothing to cancel; without a response id the next response could be hit",
    "input_audio_buffer_commit_empty": "a commit needs at least 100 ms of audio in the buffer; in VAD mode the "
    "provider commits by itself",
    "unknown_parameter": "the provider does not know this field; nothing of the event was done",
    "missing_required_parameter": "a required field is missing; nothing of the event was done",
    "cannot_update_voice": "the voice is locked once the agent has spoken; the whole update is dropped",
    "beta_api_shape_disabled": "the beta protocol was switched off in May 2026: leave the OpenAI-Beta header out and "
    "send the GA shapes",
    "session_expired": "a session has a maximum duration; reconnect before it and tell the new session what was said",
    "invalid_api_key": "the key is not accepted; another attempt will not help",
    "missing_model": "the URL names no model",
    "invalid_model": "the URL names a model that is not there",
    "model_not_found": "the URL names a model that is not there",
    "insufficient_quota": "the account has no quota left; another attempt will not help",
    "account_deactivated": "the account is deactivated; another attempt will not help",
    "billing_hard_limit_reached": "the account's hard limit is reached; another attempt will not help",
    "rate_limit_exceeded": "the account's rate limit is reached; ask again later",
    "inference_rate_limit_exceeded": "the account's rate limit is reached; ask again later",
    "server_error": "the provider failed; ask again",
    "invalid_value": "a value, or the type of an event, is not one the provider knows",
    "invalid_json": "what was sent is not JSON",
    "invalid_event": "what was sent is not an event",
    "item_not_found": "the item named is not in the conversation",
}
_OF_AN_ITEM = "the item is not in the conversation; a call whose output it was stays unanswered"
_UPDATE_UNKNOWN = "the provider does not know this field; it drops the whole update, not only the field"
_UPDATE_MISSING = (
    "a required field is missing, often a beta-shaped update at a GA endpoint; the whole update is dropped"
)
_ABOUT: Mapping[tuple[str, str], str] = {
    ("session.update", "unknown_parameter"): _UPDATE_UNKNOWN,
    ("session.update", "missing_required_parameter"): _UPDATE_MISSING,
    ("session.update", "invalid_value"): "a value of the update is not one the provider knows; the whole update is "
    "dropped, not only the field",
    ("session.update", "invalid_type"): "a field of the update has another type; the whole update is dropped",
    ("input_audio_buffer.append", "invalid_value"): "the audio is not base64 of the session's format: the provider has "
    "not heard it",
    ("conversation.item.truncate", "item_not_found"): "the item to be cut is not in the conversation: what the caller "
    "did not hear stays in it as said",
    (
        "conversation.item.delete",
        "item_not_found",
    ): "the item is not in the conversation; nothing had to be deleted",
    ("conversation.item.retrieve", "item_not_found"): "the item asked for is not in the conversation; nothing is lost",
    (
        "conversation.item.create",
        "missing_required_parameter",
    ): f"a field of the item is missing: {_OF_AN_ITEM}",
    ("conversation.item.create", "unknown_parameter"): f"the provider does not know this field: {_OF_AN_ITEM}",
    ("conversation.item.create", "invalid_value"): f"a value of the item is not one the provider knows: {_OF_AN_ITEM}",
    ("response.create", "missing_required_parameter"): "a required field is missing; the create is refused",
    ("response.create", "unknown_parameter"): "the provider does not know this field; the create is refused",
}
"""What a code means by what it is about, where that makes a difference."""
_OPENINGS: tuple[tuple[str, str], ...] = (
    ("Conversation already has an active response", ERRORS["conversation_already_has_active_response"]),
    ("Cancellation failed", ERRORS["response_cancel_not_active"]),
    ("Error committing input audio buffer", ERRORS["input_audio_buffer_commit_empty"]),
    ("Audio content of", "the item is shorter than where it was to be cut: the provider counts about 85 ms less of its "
     "own audio than a client does"),
    ("Only model output audio", "only audio the model has said can be truncated"),
    ("Your session hit the maximum duration", ERRORS["session_expired"]),
    ("Cannot update a conversation's voice", ERRORS["cannot_update_voice"]),
)  # fmt: skip
_WORDED = (("Unknown parameter", "unknown_parameter"), ("Missing required parameter", "missing_required_parameter"))
REFUSALS = frozenset(
    {"invalid_api_key", "missing_model", "invalid_model", "model_not_found", "insufficient_quota",
     "account_deactivated", "billing_hard_limit_reached"}
)  # fmt: skip
CLOSES: Mapping[int, str] = {
    1000: "a normal end",
    1001: "the provider went away: a restart, or the session's maximum duration",
    1002: "a protocol error on the socket",
    1003: "a kind of message the peer does not take",
    1005: "closed without a code",
    1006: "the connection broke without a close: network, proxy or a crash",
    1007: "a message whose text is not valid",
    1008: "a message against the peer's policy",
    1009: "a message larger than the peer takes",
    1011: "the provider failed",
    1012: "the provider restarts",
    1013: "the provider is overloaded; try again later",
    3000: "not authorized: another attempt will not help",
    4000: "the request cannot be served as it is: another attempt will not help",
    4004: "the model is not there: another attempt will not help",
}
ORDERLY = frozenset({0, 1000, 1001, 1005})


def of_error(error: ProviderError) -> str:
    """What an error means, "" if nobody has described it."""
    if (error.about, error.code) in _ABOUT:
        return _ABOUT[error.about, error.code]
    by_words = next((code for opening, code in _WORDED if error.message.startswith(opening)), "")
    if by_words:
        return _ABOUT.get((error.about, by_words), ERRORS[by_words])
    said = next((meaning for opening, meaning in _OPENINGS if error.message.startswith(opening)), "")
    return said or ERRORS.get(error.code, "")  # a code may be of any request, a message is of one


def of_close(code: int, reason: str) -> str:
    """What a close means; a reason of the form <type>.<error code> says more than the code."""
    for error, meaning in ERRORS.items():
        if reason.endswith(error):
            return meaning
    if "maximum duration" in reason:
        return ERRORS["session_expired"]
    return CLOSES.get(code, "a code of the peer's own" if code else "closed, the log does not say how")
