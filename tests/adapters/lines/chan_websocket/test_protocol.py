"""The words of chan_websocket, as docs/facts/telephony.md section 4 has them, and anything else."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lines.chan_websocket import protocol as wire

PLAIN_START = (
    b"MEDIA_START connection_id:mediasrv channel:WebSocket/mediasrv/0x7f1 channel_id:peer-1795229290.832 format:slin "
    b"optimal_frame_size:320 ptime:20"
)
JSON_START = json.dumps(
    {
        "event": "MEDIA_START", "connection_id": "mediasrv", "channel": "WebSocket/mediasrv/0x7f1",
        "channel_id": "peer-1795229290.832", "format": "slin", "optimal_frame_size": 320, "ptime": 20,
        "channel_variables": {"CALLER": "+49", "N": 5},
    }
).encode()  # fmt: skip


def test_the_measured_beginning_is_read_in_both_forms() -> None:
    plain, said = wire.decode_event(PLAIN_START), wire.decode_event(JSON_START)
    assert isinstance(plain, wire.MediaStart) and isinstance(said, wire.MediaStart)
    assert (plain.connection_id, plain.channel_id) == ("mediasrv", "peer-1795229290.832")
    assert (plain.channel, plain.format, plain.frame_bytes, plain.ptime_ms) == (
        "WebSocket/mediasrv/0x7f1",
        "slin",
        320,
        20,
    )
    assert (plain.is_json, said.is_json) == (False, True)
    assert said.variables == {"CALLER": "+49", "N": "5"}
    assert plain == attrs.evolve(said, variables={}, is_json=False)


@pytest.mark.parametrize(
    ("plain", "said", "event"),
    [
        (b"MEDIA_XOFF", {"event": "MEDIA_XOFF", "channel_id": "x"}, wire.MediaXoff()),
        (b"MEDIA_XON", {"event": "MEDIA_XON"}, wire.MediaXon()),
        (
            b"MEDIA_MARK_PROCESSED m1",
            {"event": "MEDIA_MARK_PROCESSED", "correlation_id": "m1"},
            wire.MarkProcessed("m1"),
        ),
        (b"MEDIA_MARK_PROCESSED", {"event": "MEDIA_MARK_PROCESSED", "correlation_id": ""}, wire.MarkProcessed("")),
        (
            b"MEDIA_BUFFERING_COMPLETED b",
            {"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": "b"},
            wire.BufferingCompleted("b"),
        ),
        (b"QUEUE_DRAINED", {"event": "QUEUE_DRAINED"}, wire.QueueDrained()),
        (b"DTMF_END digit:5 channel_id:1.2", {"event": "DTMF_END", "digit": "5"}, wire.DtmfEnd("5")),
        (b"DTMF_END digit:a channel_id:1.2", {"event": "DTMF_END", "digit": "a"}, wire.DtmfEnd("A")),
        (
            b"STATUS channel_id:1.2 queue_length:468 xon_level:800 xoff_level:900 queue_full:false bulk_media:false "
            b"media_paused:true",
            {"event": "STATUS", "queue_length": 468, "queue_full": False, "bulk_media": False, "media_paused": True},
            wire.QueueStatus(468, is_paused=True),
        ),
        (
            b"ERROR channel_id:1.2 error_text:Unable to parse: JSON",
            {"event": "ERROR", "error_text": "Unable to parse: JSON"},
            wire.PeerError("Unable to parse: JSON"),
        ),
    ],
)
def test_each_event_is_read_in_both_forms(plain: bytes, said: dict[str, object], event: wire.MediaEvent) -> None:
    assert wire.decode_event(plain) == event
    assert wire.decode_event(json.dumps(said, indent=2).encode()) == event


@pytest.mark.parametrize(
    "text",
    [
        b"", b"  ", b"{", b"[1]", b"{}", b"\xff\xfe", b"HELLO", b'{"event": 5}', b'{"event": "MEDIA_DANCE"}',
        b"DTMF_END digit:55", b"DTMF_END", b"MEDIA_START optimal_frame_size:many", b"STATUS queue_length:-",
        b'{"event": "STATUS", "queue_length": true}', b'{"event": "MEDIA_START", "optimal_frame_size": [1]}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_so(text: bytes) -> None:
    assert isinstance(wire.decode_event(text), wire.Unreadable)


@given(st.binary(max_size=300))
def test_nothing_raises(junk: bytes) -> None:
    assert wire.decode_event(junk) is not None
    assert wire.decode_event(PLAIN_START + b" " + junk) is not None
    for is_json in (True, False):
        assert wire.decode_command(junk, is_json=is_json) is not None
    assert isinstance(wire.uri_parameters(junk.decode("latin-1")), dict | type(wire._NOTHING))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(wire._READERS)),
    st.sampled_from(["format", "optimal_frame_size", "digit", "channel_variables", "correlation_id", "queue_length"]),
)
def test_no_value_of_a_field_raises(value: object, name: str, field: str) -> None:
    assert wire.decode_event(json.dumps({"event": name, field: value}).encode()) is not None


def cuts(text: bytes) -> list[bytes]:
    return [text[:end] for end in range(len(text))]


@pytest.mark.parametrize("start", [PLAIN_START, JSON_START])
def test_a_message_cut_at_any_byte_is_read_or_refused_and_never_raises(start: bytes) -> None:
    events = [wire.decode_event(cut) for cut in cuts(start)]
    assert isinstance(events[10], wire.Unreadable)
    assert all(isinstance(event, wire.MediaStart | wire.Unreadable) for event in events)


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("name", wire.COMMANDS)
def test_commands_go_there_and_back(name: str, is_json: bool) -> None:
    sent = wire.encode_command(name, "id-1", is_json=is_json)
    assert len(sent) <= wire.COMMAND_MAX_BYTES
    assert wire.decode_command(sent, is_json=is_json) == wire.Command(name, "id-1")
    other = wire.decode_command(sent, is_json=not is_json)
    assert isinstance(other, wire.Unreadable)


def test_the_measured_commands() -> None:
    assert wire.encode_command("MARK_MEDIA", "x", is_json=True) == b'{"command":"MARK_MEDIA","correlation_id":"x"}'
    assert wire.encode_command("MARK_MEDIA", "x", is_json=False) == b"MARK_MEDIA x"
    assert wire.encode_command("FLUSH_MEDIA", is_json=False) == b"FLUSH_MEDIA"
    with pytest.raises(ValueError, match="128"):
        wire.encode_command("MARK_MEDIA", "x" * 120, is_json=False)


@pytest.mark.parametrize("is_json", [True, False])
def test_events_of_the_simulator_are_read(is_json: bool) -> None:
    for name, fields, event in (
        ("MEDIA_MARK_PROCESSED", {"correlation_id": "m1", "channel_id": "1.2"}, wire.MarkProcessed("m1")),
        ("MEDIA_XON", {"channel_id": "1.2"}, wire.MediaXon()),
        ("DTMF_END", {"digit": "#", "channel_id": "1.2"}, wire.DtmfEnd("#")),
        ("STATUS", {"queue_length": 3, "queue_full": True}, wire.QueueStatus(3, is_full=True)),
        ("ERROR", {"channel_id": "1", "error_text": "no such thing"}, wire.PeerError("no such thing")),
    ):
        assert wire.decode_event(wire.encode_event(name, fields, is_json=is_json)) == event


@pytest.mark.parametrize(
    ("name", "frame_bytes", "rate_hz"),
    [("ulaw", 160, 8000), ("alaw", 160, 8000), ("slin", 320, 8000), ("slin16", 640, 16000), ("slin24", 960, 24000)],
)
def test_the_measured_frame_sizes(name: str, frame_bytes: int, rate_hz: int) -> None:
    each = wire.FORMATS[name]
    assert (each.frame_bytes, each.rate_hz) == (frame_bytes, rate_hz)
    pcm = bytes(rate_hz // 50 * 2)
    assert each.to_pcm(each.from_pcm(pcm)) in (pcm, b"\x08\x00" * 160)  # A-law has no zero
    assert len(each.to_pcm(b"\xff" * 7)) % 2 == 0


def test_uri_parameters_are_unquoted_and_the_first_of_a_name_counts() -> None:
    assert wire.uri_parameters("uuid=1&name=Anna%20B&uuid=2&empty=") == {"uuid": "1", "name": "Anna B", "empty": ""}
    assert wire.uri_parameters("&".join(f"a{i}=1" for i in range(101))) == {}
