"""The gate of caller audio: what is kept, what goes out, and in which order."""

from __future__ import annotations

import pytest

from adapters.audio.formats import PCM_24K, PCMU
from adapters.audio.uplink import Uplink
from tests.adapters.audio.sound import Facts


def frame(number: int) -> bytes:
    return bytes([number % 256]) * 160


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def facts() -> Facts:
    return Facts()


def test_an_open_gate_sends_in_the_same_call(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    uplink.open()
    for number in range(3):
        uplink.hear(frame(number))
        assert sent[-1] == frame(number)
    assert len(sent) == 3
    uplink.hear(b"")
    assert len(sent) == 3


def test_what_came_before_is_kept_and_sent_first(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    for number in range(25):
        uplink.hear(frame(number))
    assert sent == []
    uplink.open()
    uplink.hear(frame(25))
    assert b"".join(sent) == b"".join(frame(number) for number in range(26))
    assert [len(payload) for payload in sent] == [1600, 1600, 800, 160]


def test_only_the_newest_seconds_are_kept(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    for number in range(450):
        uplink.hear(frame(number))
    uplink.open()
    assert b"".join(sent) == b"".join(frame(number) for number in range(50, 450))


def test_push_to_talk_discards_what_comes_while_closed(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts, keep_ms=0)
    uplink.hear(frame(1))
    uplink.open()
    uplink.hear(frame(2))
    uplink.close()
    uplink.hear(frame(3))
    uplink.open()
    uplink.hear(frame(4))
    assert sent == [frame(2), frame(4)]


def test_committable_is_told_once_per_opening(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCM_24K, sent.append, facts, keep_ms=0)
    for _ in range(2):
        facts.clear()
        uplink.open()
        for _ in range(4):
            uplink.hear(bytes(960))
        assert facts == []
        uplink.hear(bytes(960))
        assert facts == [("uplink.committable", {})]
        for _ in range(20):
            uplink.hear(bytes(960))
        assert len(facts) == 1
        uplink.close()


def test_kept_audio_counts_as_sent(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    for number in range(5):
        uplink.hear(frame(number))
    assert facts == []
    uplink.open()
    assert facts.names() == ["uplink.committable"]


def test_opening_twice_is_opening_once(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    uplink.open()
    uplink.hear(frame(1))
    uplink.open()
    assert sent == [frame(1)] and uplink.is_open


def test_a_gate_closed_in_mid_call_keeps_again(sent: list[bytes], facts: Facts) -> None:
    uplink = Uplink(PCMU, sent.append, facts)
    uplink.open()
    uplink.close()
    uplink.hear(frame(1))
    uplink.hear(frame(2))
    assert sent == []
    uplink.open()
    assert sent == [frame(1) + frame(2)]
