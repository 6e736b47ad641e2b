"""The manager protocol as messages: whatever the pieces, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.control.ami_codec import (
    MAX_LINE_BYTES,
    MAX_MESSAGE_BYTES,
    AmiDecoder,
    AmiMessage,
    Banner,
    Malformed,
    Received,
    encode,
)
from adapters.control.control import ControlError

WIRE = (
    b"Asterisk Call Manager/11.0.0\r\n"
    b"Response: Success\r\nActionID: a-1\r\nMessage: Authentication accepted\r\n\r\n"
    b"Event: Status\r\nActionID: a-2\r\nChannel: PJSIP/x-1\r\nVariable: A=1\r\nVariable: B=x:y=z\r\nEmpty: \r\n\r\n"
)
HEADERS = (
    ("Event", "Status"), ("ActionID", "a-2"), ("Channel", "PJSIP/x-1"), ("Variable", "A=1"), ("Variable", "B=x:y=z"),
    ("Empty", ""),
)  # fmt: skip
READ: list[Received] = [
    Banner("Asterisk Call Manager/11.0.0"),
    AmiMessage((("Response", "Success"), ("ActionID", "a-1"), ("Message", "Authentication accepted"))),
    AmiMessage(HEADERS),
]


def decoded(*pieces: bytes) -> list[Received]:
    decoder = AmiDecoder()
    return [each for piece in pieces for each in decoder.feed(piece)]


def greeted(data: bytes) -> list[Received]:
    return decoded(b"Asterisk Call Manager/11.0.0\r\n" + data)[1:]


def test_byte_by_byte_and_at_once_are_the_same() -> None:
    assert decoded(WIRE) == READ
    assert decoded(*(WIRE[i : i + 1] for i in range(len(WIRE)))) == READ


def test_a_name_has_no_case_and_may_come_several_times() -> None:
    message = AmiMessage(HEADERS)
    assert (message.get("variable"), message.all("VARIABLE"), message.get("absent")) == ("A=1", ["A=1", "B=x:y=z"], "")


def test_a_greeting_that_is_not_a_managers_has_no_version() -> None:
    assert (Banner("Asterisk Call Manager/11.0.0").version, Banner("SSH-2.0-OpenSSH").version) == ("11.0.0", "")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"Response: Success\r\nno colon here\r\nMessage: x\r\n\r\n", "a line that is not 'Name: value'"),
        (b"Response: " + b"x" * MAX_LINE_BYTES + b"\r\n\r\n", f"a line of more than {MAX_LINE_BYTES} bytes"),
        (b"A: " + b"x" * (MAX_MESSAGE_BYTES // 8) + b"\r\n\r\n", None),
        ((b"A: " + b"x" * (MAX_MESSAGE_BYTES // 8) + b"\r\n") * 9 + b"\r\n",
         f"a message of more than {MAX_MESSAGE_BYTES} bytes"),
    ],
)  # fmt: skip
def test_what_is_broken_costs_its_own_message_alone(broken: bytes, reason: str | None) -> None:
    *first, last = greeted(broken + b"Response: Success\r\n\r\n")
    assert last == AmiMessage((("Response", "Success"),))
    assert [each.reason for each in first if isinstance(each, Malformed)] == ([reason] if reason else [])


def test_a_line_that_is_too_long_by_its_end_alone_does_not_end_the_message() -> None:
    long = b"X: " + b"x" * (MAX_LINE_BYTES - 3) + b"\r\n"
    wire = WIRE[: WIRE.index(b"Response")] + b"Response: Success\r\n" + long + b"Message: y\r\n\r\n"
    _, *found = decoded(*(wire[i : i + 1] for i in range(len(wire))))
    assert [type(each) for each in found] == [Malformed]


def test_a_line_without_an_end_is_not_kept() -> None:
    decoder = AmiDecoder()
    for _ in range(1_000):
        assert decoder.feed(b"x" * 4096) == []
    assert len(decoder._line) <= MAX_LINE_BYTES
    assert [type(each) for each in decoder.feed(b"\r\nResponse: Success\r\n\r\n")] == [Malformed, AmiMessage]


def test_an_endless_message_is_not_kept() -> None:
    decoder = AmiDecoder()
    decoder.feed(b"Asterisk Call Manager/11.0.0\r\n")
    for _ in range(10_000):
        decoder.feed(b"A: 0123456789\r\n")
    assert len(decoder._headers) * 10 <= MAX_MESSAGE_BYTES


@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"\r\n", b"\n\n", b"A: b\r\n", b":", WIRE]), max_size=30))
def test_nothing_that_comes_raises_and_pieces_do_not_matter(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert decoded(*pieces) == decoded(whole) == decoded(*(whole[i : i + 1] for i in range(len(whole))))


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=200))
def test_a_value_arrives_as_it_was_sent_or_is_refused(value: str) -> None:
    try:
        sent = encode("Setvar", "a-1", [("Value", value)])
    except ControlError:
        assert len(value.encode()) > 1_000
        return
    assert greeted(sent) == [AmiMessage((("Action", "Setvar"), ("ActionID", "a-1"), ("Value", value.strip())))]


@pytest.mark.parametrize("value", ["x\r\nAction: Command", "x\ny", "x\0y", "x" * 1_200])
def test_no_value_can_become_a_second_header(value: str) -> None:
    with pytest.raises(ControlError):
        encode("Setvar", "a-1", [("Value", value)])
