"""chan_websocket's queue, by the numbers that were measured with Asterisk 23.4 (docs/facts/telephony.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from adapters.lines.chan_websocket.protocol import COMMANDS, Command
from adapters.simulator.lines.media_queue import MediaQueue

FRAME = bytes(320)


def queue() -> tuple[MediaQueue, list[tuple[str, Mapping[str, object]]]]:
    said: list[tuple[str, Mapping[str, object]]] = []
    return MediaQueue(320, lambda name, fields: said.append((name, fields))), said


def test_ten_seconds_at_once_are_five_hundred_frames_in_order() -> None:
    media, said = queue()
    for number in range(500):
        media.take(bytes([number % 251]) * 320)
    assert [media.play() for _ in range(500)] == [bytes([number % 251]) * 320 for number in range(500)]
    assert media.play() is None and said == []


def test_what_does_not_fill_a_frame_is_dropped() -> None:
    media, _ = queue()
    for _ in range(100):  # 100 kB
        media.take(bytes(1000))
    assert (media.length, media.dropped_bytes) == (300, 4000)


def test_buffered_media_of_any_size_is_whole_and_its_end_is_reported() -> None:
    media, said = queue()
    media.command(Command("START_MEDIA_BUFFERING"))
    for _ in range(10):
        media.take(bytes(1001))
    media.command(Command("STOP_MEDIA_BUFFERING", "b1"))
    frames = [media.play() for _ in range(32)]
    assert sum(len(frame or b"") for frame in frames) == 10_010 and len(frames[31] or b"") == 90
    assert said == [] and media.play() is None
    assert said == [("MEDIA_BUFFERING_COMPLETED", {"correlation_id": "b1"})]


def test_xoff_at_900_xon_below_800_and_the_rest_dropped_at_1000() -> None:
    media, said = queue()
    media.take(FRAME * 899)
    assert said == []
    media.take(FRAME * 150)
    assert (said, media.length) == ([("MEDIA_XOFF", {})], 1049)
    media.take(FRAME)
    assert (media.length, media.dropped_bytes) == (1049, 320)
    for _ in range(250):
        media.play()
    assert (len(said), media.length) == (1, 799)
    media.play()
    assert said[1:] == [("MEDIA_XON", {})]


def test_a_mark_comes_when_all_before_it_has_been_played() -> None:
    media, said = queue()
    media.command(Command("MARK_MEDIA", "m0"))
    media.take(FRAME * 2)
    media.command(Command("MARK_MEDIA", "m1"))
    media.command(Command("MARK_MEDIA", "m2"))
    assert media.length == 2
    media.play()
    assert [fields["correlation_id"] for _, fields in said] == ["m0"]
    media.play()
    assert len(said) == 1
    media.play()
    assert [fields["correlation_id"] for _, fields in said] == ["m0", "m1", "m2"]


def test_a_flush_drops_frames_and_marks_and_not_the_pause() -> None:
    media, said = queue()
    media.take(FRAME * 375)
    media.command(Command("MARK_MEDIA", "m1"))
    media.command(Command("PAUSE_MEDIA"))
    media.command(Command("FLUSH_MEDIA"))
    media.command(Command("MARK_MEDIA", "m2"))
    media.take(FRAME)
    assert media.play() is None and said == []
    media.command(Command("CONTINUE_MEDIA"))
    assert media.play() == FRAME
    assert said == [("MEDIA_MARK_PROCESSED", {"correlation_id": "m2"})]


def test_a_drained_queue_is_reported_once_after_it_was_asked_for() -> None:
    media, said = queue()
    media.play()
    media.command(Command("REPORT_QUEUE_DRAINED"))
    media.take(FRAME)
    media.play()
    assert said == []
    media.play()
    media.play()
    assert said == [("QUEUE_DRAINED", {})]


def test_the_status() -> None:
    media, said = queue()
    media.take(FRAME * 468)
    media.command(Command("GET_STATUS"))
    [(name, fields)] = said
    assert name == "STATUS"
    assert (fields["queue_length"], fields["xon_level"], fields["xoff_level"]) == (468, 800, 900)


@given(st.lists(st.one_of(st.binary(max_size=2000), st.sampled_from(COMMANDS), st.none()), max_size=60))
def test_the_length_is_what_is_played_and_nothing_comes_from_nowhere(happenings: list[bytes | str | None]) -> None:
    media, _ = queue()
    taken = played = 0
    for each in happenings:
        if isinstance(each, bytes):
            media.take(each)
            taken += len(each)
        elif each is not None:
            media.command(Command(each, "x"))
        else:
            played += len(media.play() or b"")
        assert media.length >= 0 and played <= taken
    media.command(Command("CONTINUE_MEDIA"))
    left = media.length
    assert sum(media.play() is not None for _ in range(left + 1)) == left
