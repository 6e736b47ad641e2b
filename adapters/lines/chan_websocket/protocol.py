"""The messages of chan_websocket, sans I/O: text to events and commands, and back, as JSON and as plain words.

Audio is binary and has no header (docs/facts/telephony.md section 4). Nothing here raises on what a peer sends: what
cannot be read is an `Unreadable`. Both sides of the wire are here; the server is Asterisk's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import attrs
import orjson

from adapters.audio.formats import PCMA, PCMU, AudioFormat
from adapters.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16, pcm16_to_alaw, pcm16_to_mulaw

SUBPROTOCOL: Final = "media"
COMMAND_MAX_BYTES: Final = 128
"""A longer command is ignored."""
MESSAGE_MAX_BYTES: Final = 65_500
"""A bigger message ends the call."""
DIGITS: Final = frozenset("0123456789*#ABCD")
_SHOWN_CHARS: Final = 200
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


# --- formats ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class MediaFormat:
    """One of Asterisk's codecs that can be cut anywhere, and the way to PCM and back."""

    name: str
    audio: AudioFormat
    to_pcm: Callable[[bytes], bytes]
    from_pcm: Callable[[bytes], bytes]

    @property
    def rate_hz(self) -> int:
        return self.audio.rate_hz

    @property
    def frame_bytes(self) -> int:
        """Of 20 ms; what MEDIA_START calls optimal_frame_size."""
        return self.audio.frame_bytes


def _whole_samples(pcm: bytes) -> bytes:
    return pcm[:-1] if len(pcm) & 1 else pcm


def _slin(name: str, rate_hz: int) -> MediaFormat:
    return MediaFormat(name, AudioFormat("pcm16", rate_hz), _whole_samples, _whole_samples)


FORMATS: Final[Mapping[str, MediaFormat]] = MappingProxyType(
    {
        each.name: each
        for each in (
            MediaFormat("ulaw", PCMU, mulaw_to_pcm16, pcm16_to_mulaw),
            MediaFormat("alaw", PCMA, alaw_to_pcm16, pcm16_to_alaw),
            _slin("slin", 8_000),
            _slin("slin16", 16_000),
            _slin("slin24", 24_000),
        )
    }
)


# --- Asterisk's events ------------------------------------------------------------------------------------------------


@attrs.frozen
class MediaStart:
    """The first thing Asterisk says, and by its form the form of all that follows."""

    connection_id: str
    channel: str
    channel_id: str
    format: str
    frame_bytes: int
    ptime_ms: int = 20
    variables: Mapping[str, str] = _NOTHING
    """Of the channel; in JSON only."""
    is_json: bool = False


@attrs.frozen
class MediaXoff:
    """The queue is nearly full: nothing is to be sent."""


@attrs.frozen
class MediaXon:
    """There is room again."""


@attrs.frozen
class MarkProcessed:
    """All that was sent before the mark has been played."""

    id: str


@attrs.frozen
class BufferingCompleted:
    """All that was sent between the start and the stop of buffering has been played."""

    id: str


@attrs.frozen
class QueueDrained:
    """The queue is empty; once, after it was asked for."""


@attrs.frozen
class QueueStatus:
    """The answer to GET_STATUS."""

    queue_length: int
    is_full: bool = False
    is_bulk: bool = False
    is_paused: bool = False


@attrs.frozen
class DtmfEnd:
    """One of DIGITS."""

    digit: str


@attrs.frozen
class PeerError:
    """Asterisk says that a command of ours was wrong."""

    text: str


@attrs.frozen
class Unreadable:
    """No event we know: what it is called, and why."""

    kind: str
    why: str


MediaEvent: TypeAlias = (
    MediaStart
    | MediaXoff
    | MediaXon
    | MarkProcessed
    | BufferingCompleted
    | QueueDrained
    | QueueStatus
    | DtmfEnd
    | PeerError
    | Unreadable
)
_Fields: TypeAlias = Mapping[str, Any]


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else str(value)


def _number(fields: _Fields, name: str, default: int) -> int:
    """ValueError: it is none."""
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{name} is not a number")
    return int(value)


def _truth(fields: _Fields, name: str) -> bool:
    return fields.get(name) in (True, "true")


def _read_start(fields: _Fields) -> MediaEvent:
    variables = fields.get("channel_variables")
    return MediaStart(
        connection_id=_text(fields, "connection_id"),
        channel=_text(fields, "channel"),
        channel_id=_text(fields, "channel_id"),
        format=_text(fields, "format"),
        frame_bytes=_number(fields, "optimal_frame_size", 0),
        ptime_ms=_number(fields, "ptime", 20),
        variables=_as_texts(variables) if isinstance(variables, dict) else _NOTHING,
    )


def _as_texts(found: Mapping[object, object]) -> Mapping[str, str]:
    return {str(name): value if isinstance(value, str) else str(value) for name, value in found.items()}


def _read_status(fields: _Fields) -> MediaEvent:
    return QueueStatus(
        _number(fields, "queue_length", 0),
        _truth(fields, "queue_full"),
        _truth(fields, "bulk_media"),
        _truth(fields, "media_paused"),
    )


def _read_digit(fields: _Fields) -> MediaEvent:
    digit = _text(fields, "digit").upper()
    return DtmfEnd(digit) if digit in DIGITS else Unreadable("DTMF_END", "not a key of a telephone")


_READERS: Final[Mapping[str, Callable[[_Fields], MediaEvent]]] = {
    "MEDIA_START": _read_start,
    "MEDIA_XOFF": lambda _fields: MediaXoff(),
    "MEDIA_XON": lambda _fields: MediaXon(),
    "MEDIA_MARK_PROCESSED": lambda fields: MarkProcessed(_text(fields, "correlation_id")),
    "MEDIA_BUFFERING_COMPLETED": lambda fields: BufferingCompleted(_text(fields, "correlation_id")),
    "QUEUE_DRAINED": lambda _fields: QueueDrained(),
    "STATUS": _read_status,
    "DTMF_END": _read_digit,
    "ERROR": lambda fields: PeerError(_text(fields, "error_text")[:_SHOWN_CHARS]),
}


def decode_event(text: bytes | bytearray | memoryview) -> MediaEvent:
    """A text message of Asterisk's, in either form."""
    said = bytes(text)
    is_json = said.lstrip()[:1] == b"{"
    try:
        name, fields = _json_fields(said, "event") if is_json else _plain_fields(said.decode())
    except ValueError:
        return Unreadable("", "neither JSON nor words")
    reader = _READERS.get(name)
    if reader is None:
        return Unreadable(name[:_SHOWN_CHARS], "not an event we know")
    try:
        event = reader(fields)
    except ValueError as error:
        return Unreadable(name, str(error)[:_SHOWN_CHARS])
    return attrs.evolve(event, is_json=is_json) if isinstance(event, MediaStart) else event


def _json_fields(said: bytes, key: str) -> tuple[str, _Fields]:
    """ValueError: it is not an object."""
    fields = orjson.loads(said)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return _text(fields, key), fields


def _plain_fields(said: str) -> tuple[str, _Fields]:
    """`NAME key:value key:value`, `NAME id`, and `ERROR channel_id:... error_text:all the rest`."""
    name, _, rest = said.strip().partition(" ")
    before, found, error_text = rest.partition("error_text:")
    fields: dict[str, str] = {"error_text": error_text} if found else {}
    for word in before.split():
        key, colon, value = word.partition(":")
        if colon:
            fields.setdefault(key, value)
        else:
            fields.setdefault("correlation_id", word)
    return name, fields


def encode_event(name: str, fields: Mapping[str, object], *, is_json: bool) -> bytes:
    """As Asterisk says it."""
    if is_json:
        return orjson.dumps({"event": name, **fields})
    if name in ("MEDIA_MARK_PROCESSED", "MEDIA_BUFFERING_COMPLETED"):
        return f"{name} {fields.get('correlation_id', '')}".strip().encode()
    if name in ("MEDIA_XON", "MEDIA_XOFF", "QUEUE_DRAINED"):
        return name.encode()
    words = [f"{key}:{_plain_word(value)}" for key, value in fields.items() if not isinstance(value, dict)]
    return " ".join((name, *words)).encode()


def _plain_word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- our commands -----------------------------------------------------------------------------------------------------

COMMANDS: Final = (
    "ANSWER", "HANGUP", "START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING", "MARK_MEDIA", "FLUSH_MEDIA", "PAUSE_MEDIA",
    "CONTINUE_MEDIA", "GET_STATUS", "REPORT_QUEUE_DRAINED",
)  # fmt: skip


@attrs.frozen
class Command:
    name: str
    id: str = ""


def encode_command(name: str, correlation_id: str = "", *, is_json: bool) -> bytes:
    """ValueError: Asterisk would ignore it."""
    if is_json:
        command = orjson.dumps({"command": name, **({"correlation_id": correlation_id} if correlation_id else {})})
    else:
        command = f"{name} {correlation_id}".strip().encode()
    if len(command) > COMMAND_MAX_BYTES:
        raise ValueError(f"a command of {len(command)} bytes: Asterisk ignores more than {COMMAND_MAX_BYTES}")
    return command


def decode_command(text: bytes, *, is_json: bool) -> Command | Unreadable:
    """As Asterisk reads it: in the form of the call, and of that form only."""
    if is_json:
        try:
            name, fields = _json_fields(text, "command")
        except ValueError:
            return Unreadable("", "Unable to parse JSON command")
        command = Command(name, _text(fields, "correlation_id"))
    else:
        name, _, rest = text.decode(errors="replace").strip().partition(" ")
        command = Command(name, rest)
    return command if command.name in COMMANDS else Unreadable(command.name, "command unknown")


# --- what the address says --------------------------------------------------------------------------------------------


def uri_parameters(query: str) -> Mapping[str, str]:
    """Of `v(a=b,c=d)`, as they come in the query of the request: the first of each name, at most 100."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return _NOTHING
    for name, value in pairs:
        found.setdefault(name, value)
    return found
