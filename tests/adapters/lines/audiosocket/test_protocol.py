"""The codec byte by byte, and against bytes nobody intended."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lines.audiosocket import protocol as wire
from tests.adapters.lines.audiosocket.peers import raw_message

CALL = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")

kinds = st.sampled_from([*(int(kind) for kind in wire.MessageKind), 0x02, 0x04, 0x19, 0x7F, 0xFE])
payloads = st.one_of(st.binary(max_size=40), st.just(CALL.bytes), st.just(b"5"), st.binary(min_size=320, max_size=321))
raw_messages = st.builds(raw_message, kinds, payloads)


def decode(data: bytes) -> list[wire.Message]:
    return wire.Decoder().feed(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("000000", wire.Hangup()),
        ("010010112233445566778899aabbccddeeff00", wire.Uuid(CALL)),
        ("03000135", wire.Dtmf("5")),
        ("0300012a", wire.Dtmf("*")),
        ("03000123", wire.Dtmf("#")),
        ("03000144", wire.Dtmf("D")),
        ("03000164", wire.Dtmf("D")),
        ("ff000101", wire.Error(1)),
        ("ff0000", wire.Error(0)),
        ("10000401000200", wire.Audio(8_000, b"\1\0\2\0")),
        ("100000", wire.Audio(8_000, b"")),
        ("100005aabbccddee", wire.Audio(8_000, b"\xaa\xbb\xcc\xdd")),
        ("0100020102", wire.Unknown(1, b"\1\2")),
        ("03000135"[:4] + "00", wire.Unknown(3, b"")),
        ("0300023536", wire.Unknown(3, b"56")),
        ("03000178", wire.Unknown(3, b"x")),
        ("030001ff", wire.Unknown(3, b"\xff")),
        ("020000", wire.Unknown(2, b"")),
        ("19000109", wire.Unknown(0x19, b"\t")),
    ],
)
def test_every_message_from_its_bytes(data: str, message: wire.Message) -> None:
    assert decode(bytes.fromhex(data)) == [message]


@pytest.mark.parametrize(
    ("kind", "rate_hz", "frame_bytes"),
    [
        (0x10, 8_000, 320),
        (0x11, 12_000, 480),
        (0x12, 16_000, 640),
        (0x13, 24_000, 960),
        (0x14, 32_000, 1280),
        (0x15, 44_100, 1764),
        (0x16, 48_000, 1920),
        (0x17, 96_000, 3840),
        (0x18, 192_000, 7680),
    ],
)
def test_every_audio_kind_has_its_rate(kind: int, rate_hz: int, frame_bytes: int) -> None:
    pcm = bytes(range(256)) * 30
    message = wire.encode_audio(pcm[:frame_bytes], rate_hz)
    assert message[:3] == bytes([kind]) + frame_bytes.to_bytes(2, "big")
    assert message == wire.audio_header(rate_hz, frame_bytes) + pcm[:frame_bytes]
    assert decode(message) == [wire.Audio(rate_hz, pcm[:frame_bytes])]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (wire.encode_uuid(CALL), CALL),
        (wire.encode_uuid(CALL) + b"\x10", CALL),
        (wire.encode_uuid(CALL)[:18], None),
        (b"\x02" + wire.encode_uuid(CALL)[1:], None),
        (b"\x01\x00\x11" + bytes(17), None),
        (b"", None),
    ],
)
def test_whose_call_a_connection_is_from_its_first_bytes(data: bytes, found: uuid.UUID | None) -> None:
    assert wire.opening_uuid(data) == found


def test_the_bytes_we_and_asterisk_send() -> None:
    assert wire.encode_hangup() == b"\0\0\0"
    assert wire.encode_uuid(CALL) == b"\x01\x00\x10" + CALL.bytes
    assert wire.encode_dtmf("#") == b"\x03\x00\x01#"
    assert wire.encode_audio(b"\1\2")[:3] == b"\x10\x00\x02"


@pytest.mark.parametrize("pcm", [b"", bytes(65_536)])
def test_audio_that_would_drop_the_call_is_not_encoded(pcm: bytes) -> None:
    with pytest.raises(ValueError, match="can be sent"):
        wire.encode_audio(pcm)


def test_a_rate_without_a_kind_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="11025 Hz"):
        wire.encode_audio(b"\0\0", 11_025)


@pytest.mark.parametrize("digit", ["", "E", "12", "é"])
def test_what_is_no_key_is_not_encoded(digit: str) -> None:
    with pytest.raises(ValueError, match="is not a key of a telephone"):
        wire.encode_dtmf(digit)


@given(st.lists(raw_messages, max_size=6), st.data())
def test_any_split_of_the_stream_gives_the_same_messages(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = wire.Decoder()
    got: list[wire.Message] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += decoder.feed(stream[begin:end])
    assert got == decode(stream)
    assert len(got) == len(messages)
    assert decoder.held_bytes == 0


@given(st.lists(raw_messages, max_size=4))
def test_byte_by_byte(messages: list[bytes]) -> None:
    decoder = wire.Decoder()
    got: list[wire.Message] = []
    for message in messages:
        for position in range(len(message)):
            assert decoder.awaits_payload == (position >= 3)
            got += decoder.feed(message[position : position + 1])
        assert not decoder.awaits_payload
    assert got == decode(b"".join(messages))


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_bytes_of_nobody_raise_nothing_and_hold_less_than_a_message(chunks: list[bytes]) -> None:
    decoder = wire.Decoder()
    for chunk in chunks:
        decoder.feed(chunk)
        assert decoder.held_bytes < wire.MESSAGE_MAX_BYTES


def test_the_longest_message_is_held_whole_and_not_longer() -> None:
    message = raw_message(0x10, bytes(65_535))
    decoder = wire.Decoder()
    assert decoder.feed(message[:-1]) == []
    assert decoder.held_bytes == wire.MESSAGE_MAX_BYTES - 1
    assert decoder.feed(message[-1:] + message) == [wire.Audio(8_000, bytes(65_534))] * 2
    assert decoder.held_bytes == 0


def test_the_usual_message_is_read_at_once_where_it_comes_alone_and_nothing_is_held() -> None:
    usual = wire.Decoder(wire.audio_header(8_000, 320))
    frame = wire.encode_audio(b"\5" * 320)
    assert usual.usual_payload(frame) == b"\5" * 320
    for other in (frame[:-1], frame * 2, wire.encode_audio(bytes(160)), wire.encode_audio(bytes(320), 16_000), b""):
        assert usual.usual_payload(other) is None
    assert usual.feed(frame[:100]) == [] and usual.usual_payload(frame) is None
    assert usual.feed(frame[100:]) == [wire.Audio(8_000, b"\5" * 320)]
    assert usual.usual_payload(frame) is not None
    assert wire.Decoder().usual_payload(frame) is None
