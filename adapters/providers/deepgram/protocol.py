"""The wire of Deepgram's Voice Agent as bytes and dicts: effects to wire events, wire text to decoded events. Never a
socket, a clock, a state, or the meaning of an event for a turn (decoded events go to the core as they are).

Guilt: what we are asked to encode and cannot is an EncodingError (ours); what the provider sends and nobody can read is
a DecodeFailure, a value (theirs). Decoding raises nothing. Source: docs/facts/deepgram_agent.md sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from adapters.providers.deepgram.session import DeepgramSettings, settings_message
from adapters.providers.encoding import EffectEncoder, EffectRequest, encoder_of
from adapters.providers.endings import FatalEnds, printable
from adapters.providers.json_wire import Payload, object_of, parsed, text_of
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    CallerSaid,
    CallerStarted,
    DecodeFailure,
    HistoryItem,
    HistoryMessage,
    ProviderComplained,
    ResponseGenerated,
    ResponseStarted,
    SessionBegan,
    TurnAccepted,
    WireEvent,
    WireNote,
)

ENDS: Final = FatalEnds(
    closes=frozenset(),  # not documented for this endpoint: the last Error says it
    errors=frozenset(
        {
            "AGENT_ID_NOT_SUPPORTED",
            "BINARY_MESSAGE_BEFORE_SETTINGS",
            "INVALID_AGENT_ID",
            "INVALID_SETTINGS",
            "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS",
            "SETTINGS_ALREADY_APPLIED",
            "USER_AUDIO_FORMAT",
        }
    ),
)
MOST_HISTORY: Final = 128
DIGITS_TEXT: Final = "I have pressed {digits} on the telephone keypad."
ANSWER_NOW: Final = "I am waiting for you to speak. Please go on, in a few words."
FAILURE_TEXT: Final = "{text} Tell me so, and ask whether you should try again."


# --- out: effects -----------------------------------------------------------------------------------------------------


@attrs.frozen
class _Request(EffectRequest):
    settings: DeepgramSettings


def _words(text: str) -> WireEvent:
    """Said as they are, after what is being said."""
    return {"type": "InjectAgentMessage", "message": text, "behavior": "queue"}


def _question(text: str) -> WireEvent:
    """Answered as if the caller had said it: the only way to have the model speak."""
    return {"type": "InjectUserMessage", "content": text}


def _request_speech(request: _Request) -> WireEvent:
    words, added = request.optional_text("instructions"), request.optional_text("added")
    if words is not None:
        return _words(words)
    if request.text("cause") == "greeting" and added:
        return _words(added)
    return _question(added or ANSWER_NOW)


def _send_tool_output(request: _Request) -> WireEvent:
    return {
        "type": "FunctionCallResponse",
        "id": request.text("call_id"),
        "name": request.text("name"),
        "content": request.text("output"),
    }


ENCODERS: Final[Mapping[str, EffectEncoder[_Request]]] = {
    "start_session": EffectEncoder(lambda request: settings_message(request.settings), ()),
    "request_speech": EffectEncoder(_request_speech, ("cause", "instructions")),
    "send_digits": EffectEncoder(
        lambda request: _question(DIGITS_TEXT.format(digits=request.text("digits"))), ("digits",)
    ),
    "tell_failure": EffectEncoder(lambda request: _question(FAILURE_TEXT.format(text=request.text("text"))), ("text",)),
    "send_tool_output": EffectEncoder(_send_tool_output, ("call_id", "name", "output")),
}


def encode(effect_name: str, args: Mapping[str, object], settings: DeepgramSettings) -> WireEvent:
    """The one wire event of a provider effect (ENCODERS).

    Raises EncodingError for an unknown effect or a missing or mistyped argument.
    """
    encoder = encoder_of(ENCODERS, effect_name)
    return encoder.event(_Request(effect_name, args, settings))


def encode_history(items: Iterable[HistoryItem], settings: DeepgramSettings) -> list[WireEvent]:
    """The Settings of a session that takes over: the newest of what was said and called is its context."""
    kept = [_message(item) for item in items][-MOST_HISTORY:]
    return [settings_message(settings, kept)]


def _message(item: HistoryItem) -> Mapping[str, object]:
    if isinstance(item, HistoryMessage):
        role = "assistant" if item.role == "assistant" else "user"
        return {"type": "History", "role": role, "content": item.text}
    call = {
        "id": item.call_id,
        "name": item.name,
        "client_side": True,
        "arguments": item.arguments,
        "response": item.output,
    }
    return {"type": "History", "function_calls": [call]}


# --- in ---------------------------------------------------------------------------------------------------------------


def decode(payload: Payload) -> WireEvent | DecodeFailure:
    """One text frame as its object, an error in the core's form. Never raises."""
    value = parsed(payload)
    if isinstance(value, DecodeFailure):
        return value
    if value["type"] == "Error":
        said = text_of(value.get("description")) or text_of(value.get("message"))  # `message`: older servers
        return {"type": "error", "error": {"code": text_of(value.get("code")), "message": said}}
    if value["type"] in ("FunctionCallRequest", "FunctionCallCancelled"):
        return {**value, "functions": _ours(value.get("functions"))}
    return value


def _ours(functions: object) -> list[object]:
    """Those that we are to run: what the provider calls by itself is information only."""
    listed = functions if isinstance(functions, list) else []
    return [each for each in listed if object_of(each).get("client_side") is not False]


# --- in: what an event carries besides its meaning for a turn ---------------------------------------------------------


def _said(event: WireEvent) -> WireNote | None:
    """`speech_id`, `turn_id` and `is_ours` are the reader's."""
    text = text_of(event.get("content")).strip()
    if event.get("role") == "assistant":
        piece = AgentPiece(text_of(event.get("speech_id")), 0)
        return AgentSaid(piece, f"{text} ", is_all=False) if text else None
    if event.get("role") != "user" or event.get("is_ours") is True:
        return None
    return CallerSaid(text_of(event.get("turn_id")), text)


def _complained(event: WireEvent) -> WireNote:
    body = object_of(event.get("error"))
    code = text_of(body.get("code"))
    return ProviderComplained(printable(code), printable(text_of(body.get("message"))), is_fatal=code in ENDS.errors)


_NOTES: Final[Mapping[str, Callable[[WireEvent], WireNote | None]]] = {
    "SettingsApplied": lambda _: SessionBegan(None, is_confirmed=True),
    "ConversationText": _said,
    "UserStartedSpeaking": lambda _: CallerStarted(),
    "turn.accepted": lambda event: TurnAccepted(text_of(event.get("turn_id"))),
    "voice.began": lambda event: ResponseStarted(text_of(event.get("speech_id"))),
    "voice.ended": lambda event: ResponseGenerated(
        text_of(event.get("speech_id")), is_whole=event.get("is_whole") is True
    ),
    "error": _complained,
}


def note_of(event: WireEvent) -> WireNote | None:
    """What an event carries besides its meaning for a turn. Never raises."""
    kind = event.get("type")
    note = _NOTES.get(kind) if isinstance(kind, str) else None
    return note(event) if note is not None else None
