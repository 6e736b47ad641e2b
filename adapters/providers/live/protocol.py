"""The wire of GPT-Live as bytes and dicts: effects to wire events, wire text to decoded events. Never a socket, a
clock, a state, or the meaning of an event for a turn (decoded events go to the core as they are).

Guilt: what we are asked to encode and cannot is an EncodingError (ours); what the provider sends and nobody can read is
a DecodeFailure, a value (theirs). Decoding raises nothing. Source: docs/facts/gpt_live.md sections 2 to 5.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from adapters.providers.encoding import EffectEncoder, EffectRequest, encoder_of
from adapters.providers.endings import printable
from adapters.providers.json_wire import Payload, audio_of, number_of, object_of, parsed, text_of, tokens_of
from adapters.providers.live.session import MOST_INPUT, MOST_INPUT_CHARS, LiveSettings, session_object
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    CallerSaid,
    DecodeFailure,
    HistoryItem,
    HistoryMessage,
    ProviderComplained,
    ProviderUsage,
    ResponseGenerated,
    ResponseStarted,
    SessionBegan,
    WireEvent,
    WireNote,
)

MOST_CONTENT_CHARS: Final = 1_500
"""Of what is appended: 500 tokens."""
RESTART_ID: Final = "ts_start_session_0"
"""Of the session.start that takes over: an error about it is one about start_session."""
DIGITS_TEXT: Final = "The caller pressed {digits} on the telephone keypad."
ANSWER_NOW: Final = "The caller is waiting for you to speak. Answer now, in a few words."
NO_ANSWER: Final[Mapping[str, str]] = {
    "failed": "What you have delegated has failed. Tell the caller so, and ask whether to try again.",
    "overdue": "What you have delegated was not answered in time. Tell the caller so, and ask whether to try again.",
    "too_many": "This is not being done: too much is being done already. Ask again when that is answered.",
}


# --- out: effects -----------------------------------------------------------------------------------------------------


@attrs.frozen
class _Request(EffectRequest):
    settings: LiveSettings


def _append(channel: str, content: str, delegation_id: str | None = None) -> WireEvent:
    short = content if len(content) <= MOST_CONTENT_CHARS else content[: MOST_CONTENT_CHARS - 1] + "…"
    return {"type": f"session.{channel}.append", "content": short, "delegation_id": delegation_id}


def _start_session(request: _Request) -> WireEvent:
    return {"type": "session.start", "session": session_object(request.settings)}


def _request_speech(request: _Request) -> WireEvent:
    """Words to be said are commentary, which is spoken nearly as it is; what else is to be done is an instruction."""
    cause = request.text("cause")
    words = request.optional_text("instructions")
    if words is not None:
        return _append("commentary", words)
    added = request.optional_text("added")
    if cause == "greeting" and added:
        return _append("commentary", added)
    return _append("instructions", added or ANSWER_NOW)


def _send_tool_output(request: _Request) -> WireEvent:
    output = {"type": "function_call_output", "call_id": request.text("call_id"), "output": request.text("output")}
    return {"type": "response.item.create", "item": output}


def _no_answer(request: _Request) -> WireEvent:
    text = request.text("text")
    return _append("instructions", NO_ANSWER.get(text, text), request.optional_text("delegation_id"))


ENCODERS: Final[Mapping[str, EffectEncoder[_Request]]] = {
    "start_session": EffectEncoder(_start_session, ("event_id",)),
    "request_speech": EffectEncoder(_request_speech, ("event_id", "cause", "instructions")),
    "send_digits": EffectEncoder(
        lambda request: _append("instructions", DIGITS_TEXT.format(digits=request.text("digits"))),
        ("event_id", "digits"),
    ),
    "tell_failure": EffectEncoder(lambda request: _append("thinking", request.text("text")), ("event_id", "text")),
    "tell_answer": EffectEncoder(
        lambda request: _append("commentary", request.text("text"), request.optional_text("delegation_id")),
        ("event_id", "delegation_id", "text"),
    ),
    "tell_no_answer": EffectEncoder(_no_answer, ("event_id", "delegation_id", "text")),
    "send_tool_output": EffectEncoder(_send_tool_output, ("event_id", "call_id", "output")),
    "continue_delegation": EffectEncoder(lambda _: {"type": "response.create"}, ("event_id",)),
}


def encode(effect_name: str, args: Mapping[str, object], settings: LiveSettings) -> WireEvent:
    """The one wire event of a provider effect (ENCODERS), with its `event_id`, which an error of the provider echoes.

    Raises EncodingError for an unknown effect or a missing or mistyped argument.
    """
    encoder = encoder_of(ENCODERS, effect_name)
    request = _Request(effect_name, args, settings)
    return {**encoder.event(request), "event_id": request.text("event_id")}


def encode_history(items: Iterable[HistoryItem], settings: LiveSettings) -> list[WireEvent]:
    """The session.start of a session that takes over: the newest that fits of what was said is its `input`."""
    kept: list[Mapping[str, object]] = []
    left = MOST_INPUT_CHARS
    for message in reversed([_message(item) for item in items]):
        left -= len(str(message["content"]))
        if left < 0 or len(kept) == MOST_INPUT:
            break
        kept.append(message)
    session = session_object(settings, kept[::-1])
    return [{"type": "session.start", "session": session, "event_id": RESTART_ID}]


_ROLES: Final[Mapping[str, str]] = {"user": "user", "assistant": "assistant", "system": "developer"}


def _message(item: HistoryItem) -> Mapping[str, object]:
    if isinstance(item, HistoryMessage):
        kind = "output_text" if item.role == "assistant" else "input_text"
        return {"type": "message", "role": _ROLES[item.role], "content": [{"type": kind, "text": item.text}]}
    text = f"The tool {item.name}({item.arguments}) returned: {item.output}"
    return {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}


# --- out: bytes -------------------------------------------------------------------------------------------------------

_APPEND_PREFIX: Final = b'{"type":"session.input_audio.append","audio":"'
_APPEND_SUFFIX: Final = b'"}'


def append_event(payload: bytes) -> bytes:
    """The wire text of one chunk of caller audio, in the session's format. No JSON library, no event_id."""
    return _APPEND_PREFIX + binascii.b2a_base64(payload, newline=False) + _APPEND_SUFFIX


# --- in ---------------------------------------------------------------------------------------------------------------

AUDIO_DELTA: Final = "session.output_audio.delta"


def decode(payload: Payload, *, binary: bool = False) -> WireEvent | bytes | DecodeFailure:
    """One message: audio, any other event as its object, or a DecodeFailure. Never raises."""
    value = parsed(payload, binary=binary)
    if isinstance(value, DecodeFailure):
        return value
    if value["type"] == AUDIO_DELTA:
        return audio_of(value.get("delta"), len(payload))
    return _with_event_id(value) if value["type"] == "error" else value


def _with_event_id(event: WireEvent) -> WireEvent:
    """What an error is about is called `client_event_id` here; the core knows it as the error's `event_id`."""
    body = object_of(event.get("error"))
    about = body.get("client_event_id") or event.get("client_event_id")
    return {**event, "error": {**body, "event_id": about}} if isinstance(about, str) else event


# --- in: what an event carries besides its meaning for a turn ---------------------------------------------------------


def _session_began(event: WireEvent) -> WireNote:
    return SessionBegan(number_of(object_of(event.get("session")).get("expires_at")), is_confirmed=True)


def _agent_saying(event: WireEvent) -> WireNote | None:
    """`speech_id` is the reader's."""
    text = text_of(event.get("delta"))
    return AgentSaid(AgentPiece(text_of(event.get("speech_id")), 0), text, is_all=False) if text else None


def _caller_said(event: WireEvent) -> WireNote | None:
    """`turn` is the reader's: fragments come by cadence, and say nothing of turns."""
    turn = object_of(event.get("turn"))
    text = text_of(turn.get("text")).strip()
    return CallerSaid(text_of(turn.get("id")), text) if text else None


def _complained(event: WireEvent) -> WireNote:
    body = object_of(event.get("error"))
    return ProviderComplained(printable(text_of(body.get("code"))), printable(text_of(body.get("message"))))


_NOTES: Final[Mapping[str, Callable[[WireEvent], WireNote | None]]] = {
    "session.started": _session_began,
    "session.output_transcript.delta": _agent_saying,
    "session.input_transcript.delta": _caller_said,
    "voice.began": lambda event: ResponseStarted(text_of(event.get("speech_id"))),
    "voice.ended": lambda event: ResponseGenerated(text_of(event.get("speech_id")), is_whole=True),
    "error": _complained,
}


def note_of(event: WireEvent) -> WireNote | None:
    """What an event carries besides its meaning for a turn. Never raises."""
    kind = event.get("type")
    note = _NOTES.get(kind) if isinstance(kind, str) else None
    return note(event) if note is not None else None


_MOST_S: Final = 1e6  # of a number that means anything

# --- in: what it has cost ---------------------------------------------------------------------------------------------


def usage_of(event: WireEvent) -> ProviderUsage | None:
    """Seconds of the session, now and then and at its end; tokens of a delegated response. Never raises."""
    kind = event.get("type")
    if kind in ("session.usage.updated", "session.closed"):
        seconds = object_of(event.get("usage")).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _MOST_S:
            return None
        return ProviderUsage(float(seconds), {})
    if kind == "response.event":
        tokens = tokens_of(object_of(object_of(event.get("event")).get("response")).get("usage"))
        return ProviderUsage(None, tokens) if tokens else None
    return None
