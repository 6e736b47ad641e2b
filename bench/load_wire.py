"""What the load says, as bytes made once: AudioSocket messages with a number in the sound, and the provider's answers.

A caller's frame carries its number in its first samples, as values u-law keeps exactly, so that it can be recognised in
the provider's append without decoding the rest. Never a socket, never a clock.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from adapters.audio.g711 import mulaw_to_pcm16
from adapters.lines.audiosocket.protocol import audio_header, encode_uuid

FRAME_BYTES: Final = 320
MESSAGE_BYTES: Final = 323
SILENT_FRAME: Final = bytes(FRAME_BYTES)
NUMBERS: Final = 64 * 64
"""Frames are numbered modulo this: 82 seconds."""

DELTA_MS: Final = 250
"""Of audio in one delta, as gpt-realtime sends it (docs/facts/realtime_api.md section 7)."""
DELTA_EVERY_S: Final = 0.025
"""Ten times faster than it plays."""
PIECES: Final = 24
ANSWER_FRAMES: Final = PIECES * DELTA_MS // 20
"""Of 20 ms in an answer that nobody cuts."""

_HEADER = audio_header(8000, FRAME_BYTES)
_MARK = b"\x55"
_random = np.random.default_rng(2026)
_SPEECH = _random.integers(0x80, 0xC0, 157, dtype=np.uint8).tobytes()
_SPEECH_PAYLOAD = binascii.b2a_base64(_SPEECH, newline=False)

encode_uuid_message = encode_uuid


def _marks() -> list[bytes]:
    return [mulaw_to_pcm16(bytes([code])) for code in range(64)]


_MARKS = _marks()
_TAIL = mulaw_to_pcm16(_MARK + _SPEECH)


def caller_message(number: int) -> bytes:
    """One AudioSocket message of 20 ms with a number in it."""
    return _HEADER + caller_frame(number)


def caller_frame(number: int) -> bytes:
    """20 ms of PCM with a number in it."""
    return _MARKS[(number >> 6) & 63] + _MARKS[number & 63] + _TAIL


def caller_payload(number: int) -> bytes:
    """The same in u-law, as base64."""
    return binascii.b2a_base64(bytes(((number >> 6) & 63, number & 63)) + _MARK, newline=False) + _SPEECH_PAYLOAD


def twilio_media(stream_sid: str) -> tuple[bytes, bytes]:
    """What stands before and behind the payload in a message of Twilio's."""
    before = (
        '{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"2","timestamp":"120","payload":"'
    )
    return before.encode(), f'"}},"streamSid":"{stream_sid}"}}'.encode()


def pcm_of_payload(payload: str) -> bytes:
    return mulaw_to_pcm16(binascii.a2b_base64(payload))


# --- the caller's side of a WebSocket ---------------------------------------------------------------------------------

TEXT, BINARY, PING, PONG = 1, 2, 9, 10
_NO_MASK = bytes(4)  # a mask it is, and costs nothing


def upgrade_request(path: str, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1", "Host: bench", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YmVuY2ggYmVuY2ggYmVuYw==",
    ]  # fmt: skip
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Of less than 64 KB."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + _NO_MASK + payload


def server_frames(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(opcode, start of the payload, end) of every whole frame of a server in `data`."""
    position, end = 0, len(data)
    while end - position >= 2:
        size, payload = data[position + 1], position + 2
        if size == 126:
            if end - position < 4:
                return
            size, payload = (data[position + 2] << 8) | data[position + 3], position + 4
        elif size == 127:
            if end - position < 10:
                return
            size, payload = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
        if payload + size > end:
            return
        yield data[position] & 0x0F, payload, payload + size
        position = payload + size


# --- the provider's side of a WebSocket -------------------------------------------------------------------------------

_APPEND_PREFIX = b'{"type":"input_audio_buffer.append","audio":"'
NUMBER_AT: Final = len(_APPEND_PREFIX)
APPEND_BYTES: Final = NUMBER_AT + 216 + 2
"""The text of an append of one 20 ms u-law frame."""
LIVE_NUMBER_AT: Final = len(b'{"type":"session.input_audio.append","audio":"')
LIVE_APPEND_BYTES: Final = LIVE_NUMBER_AT + 216 + 2
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept(request: bytes) -> bytes:
    """The answer to an upgrade request."""
    lines = request.split(b"\r\n")
    key = next(line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:"))
    token = binascii.b2a_base64(hashlib.sha1(key + _GUID).digest(), newline=False)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + token
        + b"\r\n\r\n"
    )


def text_frame(text: bytes) -> bytes:
    """An unmasked text frame."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    return struct.pack(">BBH" if size < 65536 else ">BBQ", 0x81, 126 if size < 65536 else 127, size) + text


def frames(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(opcode, start of the mask, start of the payload, end) of every whole client frame in `data`."""
    position, end = 0, len(data)
    while end - position >= 6:
        size, mask = data[position + 1] & 0x7F, position + 2
        if size == 126:
            if end - position < 8:
                return
            size, mask = (data[position + 2] << 8) | data[position + 3], position + 4
        elif size == 127:
            if end - position < 14:
                return
            size, mask = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
        payload = mask + 4
        if payload + size > end:
            return
        yield data[position] & 0x0F, mask, payload, payload + size
        position = payload + size


def unmasked(data: bytes, mask: int, start: int, end: int) -> bytes:
    size = end - start
    key = (data[mask : mask + 4] * (size // 4 + 1))[:size]
    return (int.from_bytes(data[start:end], "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def append_number(data: bytes, mask: int, start: int, number_at: int = NUMBER_AT) -> int:
    """The number in an append of APPEND_BYTES; -1: it is something else."""
    at, turn = start + number_at, number_at % 4
    key = data[mask + turn : mask + 4] + data[mask : mask + turn]
    four = (int.from_bytes(data[at : at + 4], "little") ^ int.from_bytes(key, "little")).to_bytes(4, "little")
    try:
        first, second, mark = binascii.a2b_base64(four)
    except (binascii.Error, ValueError):
        return -1
    return (first << 6) | second if mark == _MARK[0] and first < 64 and second < 64 else -1


# --- what the provider says -------------------------------------------------------------------------------------------

_VOICE = binascii.b2a_base64(_random.integers(0x00, 0x60, DELTA_MS * 8, dtype=np.uint8).tobytes(), newline=False)


def _event(kind: bytes, number: int, rest: bytes) -> bytes:
    return text_frame(b'{"type":"%s","event_id":"event_%021d",%s}' % (kind, number, rest))


class CannedAnswer:
    """One response: its ids, and its events in the order of the wire, ready to be sent."""

    def __init__(self, session: int, number: int, tag: bytes | None) -> None:
        self.response = b"resp_%010d%011d" % (session, number)
        self.item = b"item_%010d%011d" % (session, number)
        self._serial = session * 1_000_000 + number * 1000
        self._tag = b"null" if tag is None else b'{"turnspec":"%s"}' % tag

    def _say(self, kind: bytes, rest: bytes) -> bytes:
        self._serial += 1
        return _event(kind, self._serial, rest)

    def begun(self) -> bytes:
        """response.created and what announces the item."""
        shown = (
            b'{"id":"%s","object":"realtime.item","type":"message","status":"in_progress","role":"assistant",'
            b'"content":[]}' % self.item
        )
        part = b'"response_id":"%s","item_id":"%s","output_index":0,"content_index":0' % (self.response, self.item)
        return b"".join(
            (
                self._say(
                    b"response.created",
                    b'"response":{"object":"realtime.response","id":"%s","status":"in_progress","status_details":null,'
                    b'"output":[],"conversation_id":"conv_x","metadata":%s}' % (self.response, self._tag),
                ),
                self._say(
                    b"response.output_item.added",
                    b'"response_id":"%s","output_index":0,"item":%s' % (self.response, shown),
                ),
                self._say(b"conversation.item.added", b'"previous_item_id":null,"item":%s' % shown),
                self._say(b"response.content_part.added", part + b',"part":{"type":"audio","transcript":""}'),
            )
        )

    def piece(self) -> bytes:
        """A token of the transcript and 250 ms of audio."""
        part = b'"response_id":"%s","item_id":"%s","output_index":0,"content_index":0' % (self.response, self.item)
        return self._say(
            b"response.output_audio_transcript.delta", part + b',"delta":" shop","obfuscation":"xxxxxxxxxxx"'
        ) + self._say(b"response.output_audio.delta", part + b',"delta":"' + _VOICE + b'"')

    def ended(self) -> bytes:
        """Everything from the end of the audio to rate_limits.updated."""
        part = b'"response_id":"%s","item_id":"%s","output_index":0,"content_index":0' % (self.response, self.item)
        item = (
            b'{"id":"%s","object":"realtime.item","type":"message","status":"completed","role":"assistant",'
            b'"content":[{"type":"output_audio","transcript":"we are open from nine to six"}]}' % self.item
        )
        return b"".join(
            (
                self._say(b"response.output_audio.done", part),
                self._say(
                    b"response.output_audio_transcript.done", part + b',"transcript":"we are open from nine to six"'
                ),
                self._say(b"response.content_part.done", part + b',"part":{"type":"audio","transcript":"we are open"}'),
                self._say(b"conversation.item.done", b'"previous_item_id":null,"item":%s' % item),
                self._say(
                    b"response.output_item.done",
                    b'"response_id":"%s","output_index":0,"item":%s' % (self.response, item),
                ),
                self._say(
                    b"response.done",
                    b'"response":{"object":"realtime.response","id":"%s","status":"completed","status_details":null,'
                    b'"output":[%s],"metadata":%s,"usage":{"total_tokens":300,"input_tokens":120,"output_tokens":180}}'
                    % (self.response, item, self._tag),
                ),
                self._say(
                    b"rate_limits.updated", b'"rate_limits":[{"name":"tokens","limit":15000000,"remaining":14999000}]'
                ),
            )
        )


def session_event(kind: bytes, session: int) -> bytes:
    """session.created, session.updated."""
    rest = (
        b'"session":{"type":"realtime","object":"realtime.session","id":"sess_%021d","model":"gpt-realtime"}' % session
    )
    return _event(kind, session, rest)


def turn_events(session: int, number: int) -> tuple[bytes, bytes]:
    """The caller's turn: what is said when it starts, and when it ends."""
    item = b"item_c%09d%011d" % (session, number)
    serial = session * 1_000_000 + number * 1000 + 500
    shown = (
        b'{"id":"%s","object":"realtime.item","type":"message","status":"completed","role":"user",'
        b'"content":[{"type":"input_audio","transcript":null}]}' % item
    )
    begun = _event(b"input_audio_buffer.speech_started", serial, b'"audio_start_ms":1000,"item_id":"%s"' % item)
    ended = b"".join(
        (
            _event(b"input_audio_buffer.speech_stopped", serial + 1, b'"audio_end_ms":2000,"item_id":"%s"' % item),
            _event(b"input_audio_buffer.committed", serial + 2, b'"previous_item_id":null,"item_id":"%s"' % item),
            _event(b"conversation.item.added", serial + 3, b'"previous_item_id":null,"item":%s' % shown),
            _event(b"conversation.item.done", serial + 4, b'"previous_item_id":null,"item":%s' % shown),
        )
    )
    return begun, ended


# --- the same over GPT-Live -------------------------------------------------------------------------------------------

LIVE_DELTA_MS: Final = 100
"""Of audio in one delta, at the pace of speech (docs/facts/gpt_live.md section 1)."""


def live_started(session: int) -> bytes:
    return text_frame(b'{"type":"session.started","session":{"id":"live_%d","model":"gpt-live-1"}}' % session)


def _live_audio(samples: bytes) -> bytes:
    return text_frame(
        b'{"type":"session.output_audio.delta","delta":"%s"}' % binascii.b2a_base64(samples, newline=False)
    )


_LIVE_SPEECH = _live_audio(_random.integers(0x00, 0x60, LIVE_DELTA_MS * 8, dtype=np.uint8).tobytes())
_LIVE_SILENCE = _live_audio(b"\xff" * (LIVE_DELTA_MS * 8))


def live_audio(is_speech: bool) -> bytes:
    """A delta of it."""
    return _LIVE_SPEECH if is_speech else _LIVE_SILENCE


def live_words(at_ms: int) -> bytes:
    """A fragment of the transcript."""
    times = b'"start_ms":%d,"end_ms":%d' % (at_ms, at_ms + 200)
    return text_frame(b'{"type":"session.output_transcript.delta","delta":" shop",%s}' % times)
