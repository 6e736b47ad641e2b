"""What is said to Gemini Live: effects to messages, and what an event carries besides its meaning for a turn.

A message out is `{"type": KEY, KEY: {...}}`; the codec leaves out the type, which the wire does not have. Never a
socket, a clock, what must be remembered of a session (codec.py). Source: docs/facts/gemini_live.md sections 2 to 6.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs
import orjson

from adapters.audio.formats import PCM_24K, AudioFormat
from adapters.providers.encoding import EffectEncoder, EffectRequest, encoder_of
from adapters.providers.gemini.session import GeminiSettings, setup_object
from adapters.providers.json_wire import object_of, text_of
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    CallerSaid,
    HistoryItem,
    HistoryMessage,
    ResponseGenerated,
    ResponseStarted,
    SessionConfirmed,
    WireEvent,
    WireNote,
)

PCM_16K: Final = AudioFormat("pcm16", 16000)
"""What it is sent; what it sends is PCM_24K."""
MOST_TEXT_CHARS: Final = 8_000
MOST_HISTORY_CHARS: Final = 16_000
DIGITS_TEXT: Final = "The caller pressed {digits} on the telephone keypad."
SAY_TEXT: Final = "Say this to the caller now, in these words: {words}"
GREETING_TEXT: Final = "The caller has just been connected. Greet the caller: {words}"
FAILED_TEXT: Final = "Something has failed; tell the caller so: {text}"
ANSWER_NOW: Final = "The caller is waiting for you to speak. Answer now, in a few words."
GOES_ON: Final = "(The connection has been renewed; the conversation goes on.)"


# --- out: effects -----------------------------------------------------------------------------------------------------


@attrs.frozen
class _Request(EffectRequest):
    settings: GeminiSettings


def _message(key: str, body: Mapping[str, object]) -> WireEvent:
    return {"type": key, key: dict(body)}


def _start_session(request: _Request) -> WireEvent:
    return _message("setup", setup_object(request.settings))


def _resume_session(request: _Request) -> WireEvent:
    return _message("setup", setup_object(request.settings, handle=request.text("handle")))


def _told(text: str, settings: GeminiSettings) -> WireEvent:
    """A text that the model answers. It cuts what the model is saying."""
    short = text if len(text) <= MOST_TEXT_CHARS else text[: MOST_TEXT_CHARS - 1] + "…"
    if settings.family.generates_from_content:
        return _message("clientContent", {"turns": [_turn("user", short)], "turnComplete": True})
    return _message("realtimeInput", {"text": short})


def _request_speech(request: _Request) -> WireEvent:
    """There is no directive apart from a turn of the user's; so what is to be said is asked for as one."""
    cause, words, added = request.text("cause"), request.optional_text("instructions"), request.optional_text("added")
    if words is not None:
        return _told(SAY_TEXT.format(words=words), request.settings)
    if cause == "greeting" and added:
        return _told(GREETING_TEXT.format(words=added), request.settings)
    return _told(added or ANSWER_NOW, request.settings)


def _send_digits(request: _Request) -> WireEvent:
    return _told(DIGITS_TEXT.format(digits=request.text("digits")), request.settings)


def _send_tool_output(request: _Request) -> WireEvent:
    call_id, name, output = request.text("call_id"), request.text("name"), request.text("output")
    response = {"id": call_id, "name": name, "response": _response(output)}
    return _message("toolResponse", {"functionResponses": [response]})


def _response(output: str) -> dict[str, object]:
    """What a tool has returned, as the object that is demanded here."""
    try:
        value = orjson.loads(output)
    except orjson.JSONDecodeError:
        value = output
    return value if isinstance(value, dict) else {"output": value}


def _activity(key: str) -> EffectEncoder[_Request]:
    """A turn of the caller's that we find ourselves; only where the provider's own detection is off."""
    return EffectEncoder(lambda _: _message("realtimeInput", {key: {}}), ())


ENCODERS: Final[Mapping[str, EffectEncoder[_Request]]] = {
    "start_session": EffectEncoder(_start_session, ()),
    "resume_session": EffectEncoder(_resume_session, ("handle",)),
    "request_speech": EffectEncoder(_request_speech, ("cause", "instructions")),
    "send_digits": EffectEncoder(_send_digits, ("digits",)),
    "tell_failure": EffectEncoder(
        lambda request: _told(FAILED_TEXT.format(text=request.text("text")), request.settings), ("text",)
    ),
    "send_tool_output": EffectEncoder(_send_tool_output, ("call_id", "name", "output")),
    "begin_activity": _activity("activityStart"),
    "end_activity": _activity("activityEnd"),
}


def encode(effect_name: str, args: Mapping[str, object], settings: GeminiSettings) -> WireEvent:
    """The one message of a provider effect (ENCODERS). No `event_id` goes with it: nothing would echo it.

    Raises EncodingError for an unknown effect or a missing or mistyped argument.
    """
    encoder = encoder_of(ENCODERS, effect_name)
    return encoder.event(_Request(effect_name, args, settings))


# --- out: history -----------------------------------------------------------------------------------------------------


def encode_history(items: Iterable[HistoryItem], settings: GeminiSettings) -> list[WireEvent]:
    """The setup of a session that takes over without a handle, and the newest that fits of what was said before."""
    turns: list[dict[str, object]] = []
    left = MOST_HISTORY_CHARS
    for role, text in reversed([_said(item) for item in items]):
        left -= len(text)
        if left < 0:
            break
        turns.append(_turn(role, text))
    turns.reverse()
    setup = _message("setup", setup_object(settings, history=bool(turns)))
    if not turns:
        return [setup]
    if settings.family.generates_from_content:
        turns.append(_turn("user", GOES_ON))  # there it has to end with the user
    is_complete = not settings.family.generates_from_content
    return [setup, _message("clientContent", {"turns": turns, "turnComplete": is_complete})]


def _turn(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"text": text}]}


def _said(item: HistoryItem) -> tuple[str, str]:
    """There are two roles in a history; any other ends the session."""
    if not isinstance(item, HistoryMessage):
        return "user", f"(The tool {item.name}({item.arguments}) returned: {item.output})"
    if item.role == "system":
        return "user", f"({item.text})"
    return ("model" if item.role == "assistant" else "user"), item.text


# --- out: bytes -------------------------------------------------------------------------------------------------------

_AUDIO_PREFIX: Final = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_AUDIO_SUFFIX: Final = b'"}}}'


def audio_message(payload: bytes) -> bytes:
    """The wire text of one chunk of caller audio. No JSON library."""
    return _AUDIO_PREFIX + binascii.b2a_base64(payload, newline=False) + _AUDIO_SUFFIX


# --- in: what an event carries besides its meaning for a turn ---------------------------------------------------------


def _agent_saying(event: WireEvent) -> WireNote | None:
    text = text_of(event.get("text"))
    return AgentSaid(AgentPiece(text_of(event.get("speech_id")), 0), text, is_all=False) if text else None


def _caller_said(event: WireEvent) -> WireNote | None:
    """`turn` is the codec's: fragments come in any place, and say nothing of turns."""
    turn = object_of(event.get("turn"))
    text = text_of(turn.get("text")).strip()
    return CallerSaid(text_of(turn.get("id")), text) if text else None


_NOTES: Final[Mapping[str, Callable[[WireEvent], WireNote | None]]] = {
    "setupComplete": lambda _: SessionConfirmed(PCM_16K, PCM_24K, ()),
    "inputTranscription": _caller_said,
    "outputTranscription": _agent_saying,
    "voice.began": lambda event: ResponseStarted(text_of(event.get("speech_id"))),
    "voice.ended": lambda event: ResponseGenerated(
        text_of(event.get("speech_id")), is_whole=event.get("how") == "completed"
    ),
}


def note_of(event: WireEvent) -> WireNote | None:
    """What an event carries besides its meaning for a turn. Never raises."""
    kind = event.get("type")
    note = _NOTES.get(kind) if isinstance(kind, str) else None
    return note(event) if note is not None else None
