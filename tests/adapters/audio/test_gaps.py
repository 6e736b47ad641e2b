"""Silence in the place of frames that do not come: from the first missing one on, and no other."""

from __future__ import annotations

from adapters.audio.formats import PCM_24K, PCMU
from adapters.audio.gaps import SilenceFiller


def test_nothing_is_added_to_frames_that_come_in_time_or_late() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCMU, sent.append)
    for _ in range(100):
        for _ in range(9):
            filler.tick()
        filler.heard()
    assert sent == []


def test_a_gap_becomes_as_much_silence_as_time_has_passed() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCMU, sent.append)
    for _ in range(25):
        filler.tick()
    assert b"".join(sent) == b"\xff" * (25 * 160)
    filler.heard()
    sent.clear()
    for _ in range(10):
        filler.tick()
    assert [len(each) for each in sent] == [1600]


def test_in_the_format_of_the_provider() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCM_24K, sent.append)
    for _ in range(10):
        filler.tick()
    assert sent == [bytes(9600)]
