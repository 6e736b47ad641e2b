"""The wire of Twilio's Media Streams as a table: text in, messages out, and back. No socket, no clock, no call.

Every message is a JSON object with an `event`; numbers are strings; audio is base64 of mu-law at 8 kHz
(docs/facts/telephony.md section 5). Audio is PCM16 on our side of this module. What is malformed, too long or not the
caller's is an `Unknown` message with the reason, never an exception: what to do about it is for whoever holds the call.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs
import orjson

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from fsm.errors import RemoteError

RATE_HZ: Final = 8_000
ENCODING: Final = "audio/x-mulaw"
DIGITS: Final = frozenset("0123456789*#ABCD")

MESSAGE_MAX_BYTES: Final = 65_536
"""Of one text message, either way; ours are below 1 kB and Twilio's about 350 bytes."""
PAYLOAD_MAX_BYTES: Final = 16_000
"""Two seconds of audio in one message: more is nobody's caller."""
PARAMETERS_MAX: Final = 64
PARAMETER_MAX_CHARS: Final = 500
"""Name and value of a `<Parameter>` together are shorter than this at Twilio."""
MARK_MAX_CHARS: Final = 256

_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Of a call, a stream or an account: `CA`, `MZ` or `AC` and 32 hex digits; a call's becomes the name of a file."""


# --- from Twilio ------------------------------------------------------------------------------------------------------


@attrs.frozen
class Connected:
    """The WebSocket is open; always the first message."""

    protocol: str
    version: str


@attrs.frozen
class Start:
    """Whose call this is; once, before any audio."""

    stream_sid: str
    call_sid: str
    account_sid: str
    parameters: Mapping[str, str]
    """What the TwiML gave along."""


@attrs.define(unsafe_hash=True)  # frozen costs twice as much to make, fifty times a second
class Media:
    """What the caller says, any length of it (20 ms in practice, which nobody promises)."""

    stream_sid: str
    pcm: bytes
    timestamp_ms: int
    """Of the stream's beginning; -1: not said."""


@attrs.frozen
class TwilioDtmf:
    """A key, once: one of `0-9 * # A-D`."""

    stream_sid: str
    digit: str


@attrs.frozen
class TwilioMark:
    """A mark of ours: what was sent before it is played, or was thrown away by a `clear`."""

    stream_sid: str
    name: str


@attrs.frozen
class TwilioStop:
    """The stream is over: the caller hung up, or the call has other instructions."""

    stream_sid: str


@attrs.frozen
class TwilioUnknown:
    """A message without a meaning, or one that does not fit it. `event` is "" where there is none."""

    event: str
    why: str


# --- to Twilio --------------------------------------------------------------------------------------------------------


@attrs.frozen
class TwilioClear:
    """Throw away what is buffered; pending marks come back at once."""

    stream_sid: str


Message: TypeAlias = Connected | Start | Media | TwilioDtmf | TwilioMark | TwilioStop | TwilioUnknown
Outgoing: TypeAlias = Media | TwilioMark | TwilioClear | TwilioUnknown
_Fields: TypeAlias = dict[str, Any]


class _MalformedError(RemoteError, ValueError):
    """Its text is the reason of an `Unknown`."""


def _text(fields: _Fields, name: str, most_chars: int = 256) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > most_chars:
        raise _MalformedError(f"{name} is not a text of up to {most_chars} characters")
    return value


def _sid(fields: _Fields, name: str = "streamSid") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _SID.fullmatch(value):
        raise _MalformedError(f"{name} is not an id")
    return value


def _object(fields: _Fields, name: str) -> _Fields:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise _MalformedError(f"{name} is not an object")
    return value


def _whole(value: object) -> int:
    """A number, which Twilio writes as a text. -1: it is none."""
    try:
        return int(value) if isinstance(value, str | int) and len(str(value)) < 20 else -1
    except ValueError:
        return -1


def _read_connected(fields: _Fields) -> Message:
    return Connected(str(fields.get("protocol", ""))[:64], str(fields.get("version", ""))[:64])


def _read_start(fields: _Fields) -> Message:
    start = _object(fields, "start")
    media = _object(start, "mediaFormat")
    found = (media.get("encoding"), _whole(media.get("sampleRate")), _whole(media.get("channels")))
    if found != (ENCODING, RATE_HZ, 1):
        raise _MalformedError(f"its audio is not {ENCODING}, {RATE_HZ} Hz, one channel")
    given = start.get("customParameters") or {}
    if not isinstance(given, dict) or len(given) > PARAMETERS_MAX:
        raise _MalformedError(f"customParameters is not an object of up to {PARAMETERS_MAX} texts")
    for name, value in given.items():
        if not isinstance(value, str) or len(name) + len(value) > PARAMETER_MAX_CHARS:
            raise _MalformedError(f"a parameter is not a text of up to {PARAMETER_MAX_CHARS} characters")
    return Start(_sid(start), _sid(start, "callSid"), _sid(start, "accountSid"), MappingProxyType(given))


def _pcm(fields: _Fields) -> bytes:
    payload = fields.get("payload")
    if not isinstance(payload, str) or len(payload) > PAYLOAD_MAX_BYTES * 4 // 3 + 4:
        raise _MalformedError(f"payload is not a text of up to {PAYLOAD_MAX_BYTES} bytes")
    try:
        return mulaw_to_pcm16(binascii.a2b_base64(payload, strict_mode=True))
    except ValueError:  # also a character beyond ASCII
        raise _MalformedError("payload is not base64") from None


def _read_media(fields: _Fields) -> Message:
    media = _object(fields, "media")
    if media.get("track", "inbound") != "inbound":
        raise _MalformedError("not the caller's track")
    return Media(_sid(fields), _pcm(media), _whole(media.get("timestamp")))


def _read_dtmf(fields: _Fields) -> Message:
    digit = _text(_object(fields, "dtmf"), "digit", 1).upper()
    if digit not in DIGITS:
        raise _MalformedError("digit is not a key of a telephone")
    return TwilioDtmf(_sid(fields), digit)


def _read_mark(fields: _Fields) -> TwilioMark:
    return TwilioMark(_sid(fields), _text(_object(fields, "mark"), "name", MARK_MAX_CHARS))


def _read_stop(fields: _Fields) -> Message:
    return TwilioStop(_sid(fields))


def _read_our_media(fields: _Fields) -> Outgoing:
    return Media(_sid(fields), _pcm(_object(fields, "media")), -1)


def _read_clear(fields: _Fields) -> Outgoing:
    return TwilioClear(_sid(fields))


_FROM_TWILIO: Final[Mapping[str, Callable[[_Fields], Message]]] = MappingProxyType(
    {
        "media": _read_media,
        "mark": _read_mark,
        "dtmf": _read_dtmf,
        "connected": _read_connected,
        "start": _read_start,
        "stop": _read_stop,
    }
)
_TO_TWILIO: Final[Mapping[str, Callable[[_Fields], Outgoing]]] = MappingProxyType(
    {"media": _read_our_media, "mark": _read_mark, "clear": _read_clear}
)


def _fields(text: bytes | bytearray | memoryview) -> tuple[str, _Fields] | TwilioUnknown:
    if len(text) > MESSAGE_MAX_BYTES:
        return TwilioUnknown("", f"longer than {MESSAGE_MAX_BYTES} bytes")
    try:
        fields = orjson.loads(text)
    except ValueError:
        return TwilioUnknown("", "not JSON")
    event = fields.get("event") if isinstance(fields, dict) else None
    return (event, fields) if isinstance(event, str) else TwilioUnknown("", "not an object with an event")


def decode(text: bytes | bytearray | memoryview) -> Message:
    """One message of Twilio's. It never raises."""
    found = _fields(text)
    if isinstance(found, TwilioUnknown):
        return found
    event, fields = found
    reader = _FROM_TWILIO.get(event)
    if reader is None:
        return TwilioUnknown(event[:64], "no such event")
    try:
        return reader(fields)
    except _MalformedError as error:
        return TwilioUnknown(event, str(error))


def decode_outgoing(text: bytes | bytearray | memoryview) -> Outgoing:
    """One message of ours, as Twilio reads it."""
    found = _fields(text)
    if isinstance(found, TwilioUnknown):
        return found
    event, fields = found
    reader = _TO_TWILIO.get(event)
    if reader is None:
        return TwilioUnknown(event[:64], "no such event")
    try:
        return reader(fields)
    except _MalformedError as error:
        return TwilioUnknown(event, str(error))


class StreamEncoder:
    """Our messages of one stream."""

    def __init__(self, stream_sid: str) -> None:
        sid = orjson.dumps(stream_sid)
        self._media = b'{"event":"media","streamSid":%b,"media":{"payload":"' % sid
        self._mark = b'{"event":"mark","streamSid":%b,"mark":{"name":' % sid
        self.clear: Final = b'{"event":"clear","streamSid":%b}' % sid

    def media(self, pcm: bytes) -> bytes:
        """PCM16 at 8 kHz. ValueError: half a sample at the end."""
        return b'%b%b"}}' % (self._media, binascii.b2a_base64(pcm16_to_mulaw(pcm), newline=False))

    def mark(self, name: str) -> bytes:
        return b"%b%b}}" % (self._mark, orjson.dumps(name))


# --- Twilio's side ----------------------------------------------------------------------------------------------------


class TwilioEncoder:
    """Twilio's messages of one stream, numbered as it numbers them."""

    def __init__(self, stream_sid: str, call_sid: str, account_sid: str) -> None:
        self._stream_sid = stream_sid
        self._call = {"accountSid": account_sid, "callSid": call_sid}
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        return orjson.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str]) -> bytes:
        media = {"encoding": ENCODING, "sampleRate": RATE_HZ, "channels": 1}
        about = {**self._call, "streamSid": self._stream_sid, "tracks": ["inbound"], "mediaFormat": media}
        return self._numbered("start", {"start": {**about, "customParameters": dict(parameters)}})

    def media(self, pcm: bytes, timestamp_ms: int) -> bytes:
        self._chunk += 1
        payload = binascii.b2a_base64(pcm16_to_mulaw(pcm), newline=False).decode("ascii")
        about = {"track": "inbound", "chunk": str(self._chunk), "timestamp": str(timestamp_ms), "payload": payload}
        return self._numbered("media", {"media": about})

    def dtmf(self, digit: str) -> bytes:
        return self._numbered("dtmf", {"dtmf": {"track": "inbound_track", "digit": digit}})

    def mark(self, name: str) -> bytes:
        return self._numbered("mark", {"mark": {"name": name}})

    def stop(self) -> bytes:
        return self._numbered("stop", {"stop": dict(self._call)})

    def _numbered(self, event: str, body: Mapping[str, object]) -> bytes:
        self._sequence += 1
        number = str(self._sequence)
        return orjson.dumps({"event": event, "sequenceNumber": number, "streamSid": self._stream_sid, **body})
