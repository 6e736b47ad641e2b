"""The codec message by message, and against text nobody intended."""

from __future__ import annotations

import binascii

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from adapters.lines.twilio import protocol as wire

MULAW = bytes(range(160))
PAYLOAD = binascii.b2a_base64(MULAW, newline=False).decode()
START = {
    "accountSid": "AC1",
    "streamSid": "MZ1",
    "callSid": "CA1",
    "tracks": ["inbound"],
    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    "customParameters": {"From": "+49301", "agent": "sales"},
}


def message(event: str, **fields: object) -> bytes:
    return orjson.dumps({"event": event, "sequenceNumber": "3", "streamSid": "MZ1", **fields})


def start(**changed: object) -> bytes:
    return message("start", start={**START, **changed})


def media(payload: object, **fields: object) -> bytes:
    return message("media", media={"track": "inbound", "chunk": "1", "timestamp": "160", "payload": payload, **fields})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"event":"connected","protocol":"Call","version":"1.0.0"}', wire.Connected("Call", "1.0.0")),
        (start(), wire.Start("MZ1", "CA1", "AC1", {"From": "+49301", "agent": "sales"})),
        (start(customParameters={}), wire.Start("MZ1", "CA1", "AC1", {})),
        (start(mediaFormat={**START["mediaFormat"], "sampleRate": "8000", "channels": "1"}),  # type: ignore[dict-item]
         wire.Start("MZ1", "CA1", "AC1", {"From": "+49301", "agent": "sales"})),
        (media(PAYLOAD), wire.Media("MZ1", mulaw_to_pcm16(MULAW), 160)),
        (media(""), wire.Media("MZ1", b"", 160)),
        (media("/w=="), wire.Media("MZ1", b"\0\0", 160)),
        (media(PAYLOAD, timestamp="soon"), wire.Media("MZ1", mulaw_to_pcm16(MULAW), -1)),
        (media(PAYLOAD, timestamp="9" * 5000), wire.Media("MZ1", mulaw_to_pcm16(MULAW), -1)),
        (message("dtmf", dtmf={"track": "inbound_track", "digit": "1"}), wire.TwilioDtmf("MZ1", "1")),
        (message("dtmf", dtmf={"digit": "d"}), wire.TwilioDtmf("MZ1", "D")),
        (message("mark", mark={"name": "1-2"}), wire.TwilioMark("MZ1", "1-2")),
        (message("stop", stop={"accountSid": "AC1", "callSid": "CA1"}), wire.TwilioStop("MZ1")),
    ],
)  # fmt: skip
def test_every_message_from_its_text(text: bytes, expected: wire.Message) -> None:
    assert wire.decode(text) == expected


@pytest.mark.parametrize(
    ("text", "event", "why"),
    [
        (b"", "", "not JSON"),
        (b"\xff\xfe", "", "not JSON"),
        (b"[" * 60_000, "", "not JSON"),
        (b"[]", "", "not an object with an event"),
        (b"{}", "", "not an object with an event"),
        (b'{"event":7}', "", "not an object with an event"),
        (b'{"event":"%b"}' % (b"x" * 999), "x" * 64, "no such event"),
        (b" " * 65_537, "", "longer than 65536 bytes"),
        (b'{"event":"media"}', "media", "media is not an object"),
        (b'{"event":"media","media":{"payload":"//8="}}', "media", "streamSid is not an id"),
        (media(None), "media", "payload is not a text of up to 16000 bytes"),
        (media("A" * 21_400), "media", "payload is not a text of up to 16000 bytes"),
        (media("?!"), "media", "payload is not base64"),
        (media("AAA"), "media", "payload is not base64"),
        (media("ä" * 4), "media", "payload is not base64"),
        (media(PAYLOAD, track="outbound"), "media", "not the caller's track"),
        (message("dtmf", dtmf={"digit": "12"}), "dtmf", "digit is not a text of up to 1 characters"),
        (message("dtmf", dtmf={"digit": "x"}), "dtmf", "digit is not a key of a telephone"),
        (message("mark", mark={"name": "n" * 257}), "mark", "name is not a text of up to 256 characters"),
        (message("stop", streamSid="../x"), "stop", "streamSid is not an id"),
        (start(callSid="../../etc/passwd"), "start", "callSid is not an id"),
        (start(accountSid=1), "start", "accountSid is not an id"),
        (start(customParameters=[]), "start", None),
        (start(customParameters={"a": 1}), "start", "a parameter is not a text of up to 500 characters"),
        (start(customParameters={"a": "x" * 500}), "start", "a parameter is not a text of up to 500 characters"),
        (start(customParameters=dict.fromkeys(map(str, range(65)), "")), "start",
         "customParameters is not an object of up to 64 texts"),
        (start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}), "start",
         "its audio is not audio/x-mulaw, 8000 Hz, one channel"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_never_raised(text: bytes, event: str, why: str | None) -> None:
    found = wire.decode(text)
    if why is None:  # an empty list is as good as nothing
        assert found == wire.Start("MZ1", "CA1", "AC1", {})
    else:
        assert found == wire.TwilioUnknown(event, why)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.text(max_size=9) | st.sampled_from(["MZ1", "1", PAYLOAD]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(START)) | st.text(), inner),
    max_leaves=12,
)
names = st.sampled_from(
    ["event", "start", "media", "dtmf", "mark", "stop", "streamSid", "payload", "digit", "name", "timestamp"]
)
events = st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "clear", "else"])


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer that JSON parsers of this kind do not take
        return b"12345678901234567890123456789"


bodies = st.builds(
    lambda event, fields: _json({**fields, "event": event}),
    events | json_values,
    st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=4), max_size=6),
)


@given(st.binary(max_size=99) | bodies)
def test_no_text_makes_a_decoder_raise(text: bytes) -> None:
    kinds = (
        wire.Connected,
        wire.Start,
        wire.Media,
        wire.TwilioDtmf,
        wire.TwilioMark,
        wire.TwilioStop,
        wire.TwilioUnknown,
    )
    assert isinstance(wire.decode(text), kinds)
    assert isinstance(wire.decode(memoryview(text)), kinds)
    assert isinstance(wire.decode_outgoing(text), (wire.Media, wire.TwilioMark, wire.TwilioClear, wire.TwilioUnknown))


@given(st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2]))
def test_what_we_encode_is_what_twilio_reads(pcm: bytes) -> None:
    encoder = wire.StreamEncoder("MZ1")
    heard = mulaw_to_pcm16(pcm16_to_mulaw(pcm))
    assert wire.decode_outgoing(encoder.media(pcm)) == wire.Media("MZ1", heard, -1)
    theirs = wire.TwilioEncoder("MZ1", "CA1", "AC1")
    assert wire.decode(theirs.media(pcm, 40)) == wire.Media("MZ1", heard, 40)


@given(st.text(max_size=64))
def test_marks_of_any_name_survive_the_way(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert wire.decode_outgoing(wire.StreamEncoder("MZ1").mark(name)) == wire.TwilioMark("MZ1", name)
    assert wire.decode(wire.TwilioEncoder("MZ1", "CA1", "AC1").mark(name)) == wire.TwilioMark("MZ1", name)


def test_our_messages_are_those_of_the_documentation() -> None:
    encoder = wire.StreamEncoder("MZ1")
    assert orjson.loads(encoder.media(b"\0\0\0\0")) == {
        "event": "media", "streamSid": "MZ1", "media": {"payload": "//8="},
    }  # fmt: skip
    assert orjson.loads(encoder.mark('a"b')) == {"event": "mark", "streamSid": "MZ1", "mark": {"name": 'a"b'}}
    assert orjson.loads(encoder.clear) == {"event": "clear", "streamSid": "MZ1"}
    assert wire.decode_outgoing(encoder.clear) == wire.TwilioClear("MZ1")


def test_twilios_messages_are_those_of_the_documentation() -> None:
    theirs = wire.TwilioEncoder("MZ1", "CA1", "AC1")
    found = [orjson.loads(each) for each in (theirs.connected(), theirs.start({"a": "b"}), theirs.media(b"\0\0", 20))]
    found += [orjson.loads(each) for each in (theirs.dtmf("5"), theirs.mark("x"), theirs.stop())]
    about = {"accountSid": "AC1", "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"]}
    media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    assert found == [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
         "start": {**about, "mediaFormat": media_format, "customParameters": {"a": "b"}}},
        {"event": "media", "sequenceNumber": "2", "streamSid": "MZ1",
         "media": {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": "/w=="}},
        {"event": "dtmf", "sequenceNumber": "3", "streamSid": "MZ1",
         "dtmf": {"track": "inbound_track", "digit": "5"}},
        {"event": "mark", "sequenceNumber": "4", "streamSid": "MZ1", "mark": {"name": "x"}},
        {"event": "stop", "sequenceNumber": "5", "streamSid": "MZ1", "stop": {"accountSid": "AC1", "callSid": "CA1"}},
    ]  # fmt: skip
