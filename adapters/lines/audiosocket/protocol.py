"""The AudioSocket wire as a table: bytes in, messages out, and back. No socket, no clock, no opinion about calls.

A message is `kind (1 byte) | payload length (2 bytes, big endian) | payload`; samples are signed 16-bit little endian
mono (docs/facts/telephony.md section 1). A malformed payload is an `Unknown` message, never an exception: what to do
about it is for the one who holds the call. Whoever encodes something that would make Asterisk drop the call has a bug,
and hears of it as `ValueError`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs


class MessageKind(IntEnum):
    """The first byte of a message. Asterisk sends UUID, DTMF and AUDIO; we may send HANGUP and AUDIO, nothing else."""

    HANGUP = 0x00
    UUID = 0x01
    DTMF = 0x03
    AUDIO_8K = 0x10
    AUDIO_12K = 0x11
    AUDIO_16K = 0x12
    AUDIO_24K = 0x13
    AUDIO_32K = 0x14
    AUDIO_44K = 0x15
    AUDIO_48K = 0x16
    AUDIO_96K = 0x17
    AUDIO_192K = 0x18
    ERROR = 0xFF


RATE_HZ_OF_KIND: Mapping[int, int] = MappingProxyType(
    {
        MessageKind.AUDIO_8K: 8_000,
        MessageKind.AUDIO_12K: 12_000,
        MessageKind.AUDIO_16K: 16_000,
        MessageKind.AUDIO_24K: 24_000,
        MessageKind.AUDIO_32K: 32_000,
        MessageKind.AUDIO_44K: 44_100,
        MessageKind.AUDIO_48K: 48_000,
        MessageKind.AUDIO_96K: 96_000,
        MessageKind.AUDIO_192K: 192_000,
    }
)
KIND_OF_RATE_HZ: Mapping[int, int] = MappingProxyType({rate: kind for kind, rate in RATE_HZ_OF_KIND.items()})

HEADER = struct.Struct(">BH")
PAYLOAD_MAX_BYTES = 0xFFFF
MESSAGE_MAX_BYTES = HEADER.size + PAYLOAD_MAX_BYTES
DIGITS = frozenset("0123456789*#ABCD")
HANGUP = b"\x00\x00\x00"


@attrs.frozen
class Uuid:
    """The id of the call; always the first message of Asterisk, once."""

    value: uuid.UUID


@attrs.define(unsafe_hash=True)  # frozen costs twice as much to make, fifty times a second
class Audio:
    """Samples of any length, none included; a trailing half sample is cut off, as Asterisk does."""

    rate_hz: int
    pcm: bytes


@attrs.frozen
class Dtmf:
    """A key, reported once, at its end: one of `0-9 * # A-D`."""

    digit: str


@attrs.frozen
class Hangup:
    """End of the call; no Asterisk sends it, we do."""


@attrs.frozen
class Error:
    """Documented, never sent (docs/facts/telephony.md section 1). `code` is the first payload byte, or 0."""

    code: int


@attrs.frozen
class Unknown:
    """A kind without a meaning, or a payload that does not fit its kind."""

    kind: int
    payload: bytes


UUID_BYTES: Final = HEADER.size + 16
_UUID_HEAD: Final = HEADER.pack(MessageKind.UUID, 16)


def opening_uuid(data: bytes) -> uuid.UUID | None:
    """Of a connection's first `UUID_BYTES`; None: they say none, or have not come yet."""
    if len(data) < UUID_BYTES or not data.startswith(_UUID_HEAD):
        return None
    return uuid.UUID(bytes=data[HEADER.size : UUID_BYTES])


Message: TypeAlias = Uuid | Audio | Dtmf | Hangup | Error | Unknown
_Reader: TypeAlias = Callable[[bytes], Message]


def _read_uuid(payload: bytes) -> Message:
    return Uuid(uuid.UUID(bytes=payload)) if len(payload) == 16 else Unknown(MessageKind.UUID, payload)


def _read_dtmf(payload: bytes) -> Message:
    digit = payload.decode("latin-1").upper()
    return Dtmf(digit) if len(digit) == 1 and digit in DIGITS else Unknown(MessageKind.DTMF, payload)


def _read_hangup(_payload: bytes) -> Message:
    return Hangup()  # however long it is


def _read_error(payload: bytes) -> Message:
    return Error(payload[0] if payload else 0)


def _audio_reader(rate_hz: int) -> _Reader:
    def read_audio(payload: bytes) -> Message:
        return Audio(rate_hz, payload[:-1] if len(payload) & 1 else payload)

    return read_audio


_READERS: Mapping[int, _Reader] = {
    MessageKind.HANGUP: _read_hangup,
    MessageKind.UUID: _read_uuid,
    MessageKind.DTMF: _read_dtmf,
    MessageKind.ERROR: _read_error,
    **{kind: _audio_reader(rate_hz) for kind, rate_hz in RATE_HZ_OF_KIND.items()},
}


def _read(kind: int, payload: bytes) -> Message:
    reader = _READERS.get(kind)
    return reader(payload) if reader else Unknown(kind, payload)


class Decoder:
    """Bytes to messages. Any split of a stream gives the same messages; less than one message is ever held.

    `usual_header` is that of the audio message which nearly always comes alone in a read (`usual_payload`).
    """

    def __init__(self, usual_header: bytes = b"") -> None:
        self.held = bytearray()  # of an incomplete message; to be looked at only
        self.expect(usual_header)
        self._needed_bytes = HEADER.size  # of what is held plus what comes, before another message can be complete

    def expect(self, usual_header: bytes) -> None:
        """From now on that is the usual message's."""
        self._usual_header = usual_header
        self._usual_bytes = HEADER.size + HEADER.unpack(usual_header)[1] if usual_header else -1

    @property
    def held_bytes(self) -> int:
        """Bytes of an incomplete message, less than `MESSAGE_MAX_BYTES`."""
        return len(self.held)

    @property
    def awaits_payload(self) -> bool:
        """A header is here and its payload is not: for this Asterisk waits 5 ms, then drops the call."""
        return len(self.held) >= HEADER.size

    def usual_payload(self, data: bytes) -> bytes | None:
        """The payload, where `data` is the usual message alone and nothing is held; else None: it is for `feed`.

        For fifty frames a second it saves the list, the message and their dispatch.
        """
        if len(data) == self._usual_bytes and not self.held and data.startswith(self._usual_header):
            return data[HEADER.size :]
        return None

    def feed(self, data: bytes) -> list[Message]:
        """The messages that became complete with `data`, in order."""
        if self.held:
            self.held += data
            if len(self.held) < self._needed_bytes:
                return []
            data = bytes(self.held)
        end = len(data)
        messages: list[Message] = []
        position = 0
        self._needed_bytes = HEADER.size
        while end - position >= HEADER.size:
            kind, length = HEADER.unpack_from(data, position)
            message_end = position + HEADER.size + length
            if message_end > end:
                self._needed_bytes = HEADER.size + length
                break
            payload = data[position + HEADER.size : message_end]
            messages.append(_read(kind, payload))
            position = message_end
        self.held = bytearray(data[position:])
        return messages


def audio_header(rate_hz: int, payload_bytes: int) -> bytes:
    """The three bytes before `payload_bytes` of audio, for a sender that always sends the same size.

    ValueError: a rate without a kind, or a size with which Asterisk drops the call (0, or above 65535).
    """
    kind = KIND_OF_RATE_HZ.get(rate_hz)
    if kind is None:
        raise ValueError(f"AudioSocket has no kind for {rate_hz} Hz; it has {sorted(KIND_OF_RATE_HZ)}")
    if not 0 < payload_bytes <= PAYLOAD_MAX_BYTES:
        raise ValueError(f"an audio message of {payload_bytes} bytes: 1 to {PAYLOAD_MAX_BYTES} can be sent")
    return HEADER.pack(kind, payload_bytes)


def encode_audio(pcm: bytes, rate_hz: int = 8_000) -> bytes:
    """Header and payload in one buffer: written apart, a gap of 5 ms between them drops the call."""
    return audio_header(rate_hz, len(pcm)) + pcm


def encode_hangup() -> bytes:
    return HANGUP


def encode_uuid(value: uuid.UUID) -> bytes:
    """Asterisk's side of the wire."""
    return HEADER.pack(MessageKind.UUID, 16) + value.bytes


def encode_dtmf(digit: str) -> bytes:
    """Asterisk's side of the wire. ValueError: not one of `0-9 * # A-D`."""
    if digit not in DIGITS:
        raise ValueError(f"{digit!r} is not a key of a telephone")
    return HEADER.pack(MessageKind.DTMF, 1) + digit.encode("ascii")
