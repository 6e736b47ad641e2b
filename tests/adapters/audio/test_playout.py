"""The playout: frame by frame, what was heard of which item, and what a flush leaves."""

from __future__ import annotations

import random

import numpy as np
import pytest

from adapters.audio.g711 import mulaw_to_pcm16
from adapters.audio.playout import DRAINED_AFTER_MS, PAUSE_AT_MOST_MS, Playout
from adapters.audio.playout_counts import Piece
from adapters.audio.under_way import UnderWay
from tests.adapters.audio.sound import Facts, to_pcm, to_wave, tone

FRAME = 320


def pcm(duration_ms: int, level: int = 1000) -> bytes:
    return to_pcm(np.full(8 * duration_ms, level))


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def playout(facts: Facts) -> Playout:
    return Playout(facts)


def pull(playout: Playout, frames: int) -> list[bytes | None]:
    return [playout.pull() for _ in range(frames)]


def item(
    item_id: str, heard_ms: int, received_ms: int, response_id: str = "r1", content_index: int = 0
) -> dict[str, object]:
    return {
        "item_id": item_id,
        "response_id": response_id,
        "content_index": content_index,
        "heard_ms": heard_ms,
        "received_ms": received_ms,
    }


def test_nothing_to_say(playout: Playout, facts: Facts) -> None:
    assert pull(playout, 100) == [None] * 100
    assert facts == []


def test_with_an_echo_tail_it_is_drained_when_no_echo_can_begin_any_more(facts: Facts) -> None:
    playout = Playout(facts, echo_tail_ms=60)
    for response in ("r1", "r2"):  # the second comes in the tail of the first
        assert playout.push(response, "i1", 0, pcm(40))
        playout.mark_response_ended(response)
        assert pull(playout, 4) == [pcm(20)] * 2 + [None] * 2
        assert playout.is_playing and "playout.drained" not in facts.names()
    assert pull(playout, 2) == [None] * 2
    assert facts.names()[-1] == "playout.drained" and not playout.is_playing
    assert playout.stats.underruns == 0


def test_a_flush_in_the_tail_reports_nothing_unheard(facts: Facts) -> None:
    playout = Playout(facts, echo_tail_ms=60)
    assert playout.push("r1", "i1", 0, pcm(40))
    playout.mark_response_ended("r1")
    pull(playout, 3)
    assert playout.flush() == [] and not playout.is_playing
    assert pull(playout, 10)[1:] == [None] * 9
    assert "playout.drained" not in facts.names()


def test_a_response_from_first_frame_to_drained(playout: Playout, facts: Facts) -> None:
    assert playout.push("r1", "i1", 0, pcm(60))
    assert playout.queued_ms == 60 and not playout.is_playing
    assert facts == []
    assert pull(playout, 1) == [pcm(20)]
    assert facts == [("playout.started", {"response_id": "r1", "item_id": "i1"})]
    playout.mark_response_ended("r1")
    assert pull(playout, 2) == [pcm(20)] * 2
    assert facts.names() == ["playout.started", "playout.heard"]  # the last frame is only beginning to be heard
    assert pull(playout, 2) == [None, None]
    assert facts.names() == ["playout.started", "playout.heard", "playout.drained"]
    assert facts[-1][1] == {}
    assert not playout.is_playing


def test_frames_are_cut_from_pieces_of_any_length(playout: Playout) -> None:
    chance = random.Random(7)
    whole = tone(500, 8000, 1000)
    at = 0
    while at < len(whole):
        size = chance.choice([2, 4, 100, 318, 320, 322, 1000, 4000])
        playout.push("r1", "i1", 0, whole[at : at + size])
        at += size
    frames = pull(playout, 50)
    assert b"".join(frame or b"" for frame in frames) == whole


def test_the_end_is_padded_only_when_nothing_follows(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(25))
    assert pull(playout, 2) == [pcm(20), None]  # the response is still generated: 5 ms wait for the rest
    playout.push("r1", "i1", 0, pcm(5, 2000))
    playout.push("r1", "i2", 0, pcm(15, 3000))
    assert pull(playout, 1) == [pcm(5) + pcm(5, 2000) + pcm(10, 3000)]
    playout.mark_response_ended("r1")
    assert pull(playout, 2) == [pcm(5, 3000) + bytes(240), None]


def test_an_item_that_ends_is_followed_by_the_next_without_a_gap(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(30))
    playout.mark_response_ended("r1")
    playout.push("r2", "i2", 0, pcm(30, 2000))
    playout.mark_response_ended("r2")
    assert pull(playout, 3) == [pcm(20), pcm(10) + pcm(10, 2000), pcm(20, 2000)]
    assert facts.of("playout.started") == [
        {"response_id": "r1", "item_id": "i1"},
        {"response_id": "r2", "item_id": "i2"},
    ]


def test_flush_tells_what_was_heard_of_each_item(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(100))
    playout.push("r1", "i2", 1, pcm(200))
    playout.push("r2", "i3", 0, pcm(50))
    pull(playout, 6)
    items = playout.flush(["r1", "r2"])
    assert items == [item("i2", 20, 200, content_index=1), item("i3", 0, 50, "r2")]  # i1 was heard to its end
    assert facts[-1] == ("playout.flushed", {"items": items})
    assert playout.queued_ms == 0 and not playout.is_playing
    assert "playout.drained" not in facts.names()


def test_the_item_a_response_is_at_is_listed_while_more_may_come(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(40))
    pull(playout, 3)
    assert playout.flush(["r1"]) == [item("i1", 40, 40)]


def test_an_item_heard_to_its_end_is_not_listed(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(40))
    playout.mark_response_ended("r1")
    pull(playout, 2)
    assert playout.flush(["r1"]) == []
    playout.push("r2", "i2", 0, pcm(40))
    pull(playout, 2)
    playout.mark_response_ended("r2")
    assert playout.flush([]) == []


def test_late_audio_of_a_flushed_response_is_dropped(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, tone(0, 8000, 100))
    pull(playout, 1)
    playout.flush(["r1", "never_heard_of"])
    assert not playout.push("r1", "i1", 0, pcm(100))
    assert not playout.push("never_heard_of", "i9", 0, pcm(100))
    assert pull(playout, 30) == [None] * 30
    assert playout.stats.late_dropped_ms == 200
    assert playout.push("r2", "i2", 0, pcm(20))
    assert pull(playout, 1) == [pcm(20)]
    assert len(facts.of("playout.started")) == 2


def test_the_set_of_late_responses_is_bounded_and_forgets_the_oldest(playout: Playout) -> None:
    for number in range(65):
        playout.flush([f"r{number}"])
    assert playout.push("r0", "i", 0, pcm(20))
    assert not playout.push("r1", "i", 0, pcm(20))
    assert not playout.push("r64", "i", 0, pcm(20))


def test_flush_without_ids_drops_only_the_queue(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(100, 0))
    pull(playout, 1)
    assert playout.flush([]) == [item("i1", 20, 100)]
    assert playout.push("r1", "i1", 0, pcm(40, 0))
    assert pull(playout, 1) == [pcm(20, 0)]
    assert len(facts.of("playout.started")) == 2
    # The position lies behind what was dropped: 100 ms were passed over, 20 ms of the rest heard.
    assert playout.flush(["r1"]) == [item("i1", 120, 140)]


def test_flushing_nothing_is_a_fact_too(playout: Playout, facts: Facts) -> None:
    assert playout.flush() == []
    assert facts == [("playout.flushed", {"items": []})]


def test_a_cut_does_not_click(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(100, 20_000))
    heard = playout.pull() or b""
    playout.flush(["r1"])
    slope = playout.pull()
    assert slope is not None and len(slope) == FRAME
    assert playout.pull() is None
    wave = to_wave(heard + slope)
    assert np.abs(np.diff(wave)).max() < 20_000 / 16  # over 4 ms, not at once
    assert not wave[160 + 32 :].any()
    assert playout.stats.played_ms == 20  # the slope was not heard of any item


def test_the_slope_lies_over_audio_that_comes_at_once(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(100, 20_000))
    pull(playout, 1)
    playout.flush(["r1"])
    playout.push("r2", "i2", 0, pcm(40, 100))
    wave = to_wave(playout.pull() or b"")
    assert wave[0] > 19_000 and set(wave[32:]) == {100.0}
    assert playout.flush(["r2"]) == [item("i2", 20, 40, "r2")]


def test_no_slope_where_nothing_sounded(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(100, 20_000))
    playout.flush(["r1"])
    assert playout.pull() is None
    playout.push("r2", "i2", 0, pcm(20, 0))
    pull(playout, 1)
    playout.flush(["r2"])
    assert playout.pull() is None


def test_an_underrun_is_not_the_end(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(40))
    assert pull(playout, 5) == [pcm(20), pcm(20), None, None, None]
    assert playout.stats.underruns == 0  # it may still turn out to be the end
    playout.push("r1", "i1", 0, pcm(40))
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 3)
    assert (playout.stats.underruns, playout.stats.gap_ms, playout.stats.longest_gap_ms) == (1, 60, 60)
    pull(playout, 1)
    playout.push("r1", "i2", 0, pcm(20))
    pull(playout, 1)
    assert (playout.stats.underruns, playout.stats.gap_ms, playout.stats.longest_gap_ms) == (2, 80, 60)
    assert facts.names() == ["playout.started"]


def test_an_end_that_is_told_late_is_no_underrun(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 4)
    assert "playout.drained" not in facts.names()
    playout.mark_response_ended("r1")
    pull(playout, 1)
    assert facts.names() == ["playout.started", "playout.heard", "playout.drained"]
    playout.push("r2", "i2", 0, pcm(20))
    pull(playout, 1)
    assert playout.stats.underruns == 0


def test_each_gap_is_waited_for_anew(playout: Playout, facts: Facts) -> None:
    for _ in range(3):
        playout.push("r1", "i1", 0, pcm(20))
        pull(playout, 1 + 15)  # 300 ms
    assert facts.names() == ["playout.started"]
    assert (playout.stats.underruns, playout.stats.gap_ms) == (2, 600)


def test_audio_after_the_end_proves_no_underrun(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 4)
    playout.mark_response_ended("r1")
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 1)
    assert playout.stats.underruns == 0


def test_an_end_that_is_never_told_is_taken_for_one(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(25))
    pull(playout, 1)
    waiting = DRAINED_AFTER_MS // 20
    assert pull(playout, waiting) == [None] * waiting
    assert facts.names() == ["playout.started"]
    assert pull(playout, 1) == [pcm(5) + bytes(240)]
    assert pull(playout, 1) == [None]
    assert facts.names() == ["playout.started", "playout.drained"]
    assert pull(playout, 100) == [None] * 100
    assert playout.stats.underruns == 0


def test_a_response_that_goes_on_after_drained_starts_again_at_its_position(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(40))
    pull(playout, 2 + 25)
    assert facts.names() == ["playout.started", "playout.drained"]
    playout.push("r1", "i1", 0, pcm(60))
    pull(playout, 1)
    assert facts.names() == ["playout.started", "playout.drained", "playout.started"]
    assert (playout.stats.underruns, playout.stats.gap_ms) == (1, 500)


def test_a_first_piece_shorter_than_a_frame_waits_for_the_next(playout: Playout, facts: Facts) -> None:
    playout.push("r0", "i0", 0, pcm(20))
    pull(playout, 100)  # drained by time, the response never ended
    playout.push("r1", "i1", 0, pcm(5))
    assert pull(playout, 3) == [None] * 3
    playout.push("r1", "i1", 0, pcm(35))
    assert pull(playout, 2) == [pcm(20)] * 2
    assert playout.stats.underruns == 0
    assert facts.of("playout.started")[-1] == {"response_id": "r1", "item_id": "i1"}


def test_drained_waits_for_every_unended_response(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(20))
    playout.push("r2", "i2", 0, pcm(20))
    playout.mark_response_ended("r2")
    pull(playout, 5)
    assert "playout.drained" not in facts.names()
    playout.mark_response_ended("r1")
    pull(playout, 1)
    assert "playout.drained" in facts.names()


def test_progress_counts_what_is_really_played(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(1000))
    pull(playout, 60)  # 50 frames and a gap
    assert facts.of("playout.progressed") == []
    playout.push("r1", "i1", 0, pcm(3000))
    pull(playout, 49)
    assert facts.of("playout.progressed") == []
    pull(playout, 1)
    assert facts.of("playout.progressed") == [{}]
    pull(playout, 100)
    assert facts.of("playout.progressed") == [{}, {}]


def test_a_full_queue_drops_the_newest(facts: Facts) -> None:
    playout = Playout(facts, max_queued_ms=100)
    assert playout.push("r1", "i1", 0, pcm(80))
    assert not playout.push("r1", "i1", 0, pcm(40))
    assert playout.push("r1", "i1", 0, pcm(20))
    assert playout.stats.overflow_dropped_ms == 40
    assert playout.flush(["r1"]) == [item("i1", 0, 100)]


def test_statistics(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(50))
    playout.mark_response_ended("r1")
    pull(playout, 5)
    playout.push("r2", "i2", 0, pcm(50))
    playout.flush(["r2"])
    stats = playout.stats
    assert (stats.generated_ms, stats.played_ms, stats.flushes, stats.underruns) == (100, 50, 1, 0)


def test_half_a_sample_and_nothing(playout: Playout) -> None:
    assert playout.push("r1", "i1", 0, b"")
    assert playout.push("r1", "i1", 0, b"\x01")
    assert playout.push("r1", "i1", 0, pcm(20) + b"\x01")
    assert pull(playout, 1) == [pcm(20)]


@pytest.mark.parametrize("rate_hz", [8000, 12000, 16000, 24000, 44100])
def test_a_frame_is_twenty_milliseconds_at_any_rate(facts: Facts, rate_hz: int) -> None:
    playout = Playout(facts, rate_hz=rate_hz)
    playout.push("r1", "i1", 0, tone(300, rate_hz, 100))
    assert [len(frame or b"") for frame in pull(playout, 5)] == [rate_hz // 25] * 5
    assert playout.flush(["r1"]) == [item("i1", 100, 100)]


def test_a_provider_that_never_ends_anything_does_not_fill_the_memory(playout: Playout) -> None:
    for number in range(2000):
        playout.push(f"r{number}", f"i{number}", 0, pcm(20))
        pull(playout, 1)
    assert len(playout._items) <= 257 and len(playout._open) <= 257


def test_random_pushes_pulls_and_flushes_lose_and_double_nothing(facts: Facts) -> None:
    """Every sample pushed is pulled once and in order, or dropped by a flush; positions always add up."""
    chance = random.Random(3)
    playout = Playout(facts)
    level = response = 0
    wanted: list[int] = []
    heard: list[int] = []
    for _ in range(3000):
        action = chance.random()
        if action < 0.4:
            samples = chance.choice([1, 7, 80, 160, 161, 700])
            values = [(level + n) % 20_000 + 1 for n in range(samples)]
            level += samples
            playout.push(f"r{response}", f"i{response}", 0, to_pcm(values))
            wanted += values
        elif action < 0.95:
            frame = playout.pull()
            assert frame is None or len(frame) == FRAME
            heard += [int(value) for value in to_wave(frame or b"") if value]
        else:
            before = playout.stats.played_ms
            items = playout.flush([f"r{response}"])
            assert sum(i["heard_ms"] for i in items) <= before
            assert all(i["heard_ms"] <= i["received_ms"] for i in items)
            playout.pull()  # the slope
            assert heard == wanted[: len(heard)]
            wanted = heard.copy()
            response += 1
    assert len(heard) > 10_000


def test_a_flush_spares_responses_that_nobody_has_heard_of_yet(playout: Playout, facts: Facts) -> None:
    """They came in one burst with what the flush was decided on, behind it."""
    playout.push("r1", "i1", 0, pcm(100))
    pull(playout, 1)
    playout.push("r2", "i2", 0, pcm(60, level=2000))
    assert playout.flush(["r1"], spare={"r2"}) == [item("i1", 20, 100)]
    assert playout.queued_ms == 60 and not playout.is_playing
    playout.mark_response_ended("r2")
    rest = pull(playout, 4)
    assert rest[1:] == [pcm(20, level=2000)] * 2 + [None]  # the first fades from the cut
    assert facts.names() == [
        "playout.started",
        "playout.flushed",
        "playout.started",
        "playout.heard",
        "playout.drained",
    ]
    assert not playout.push("r1", "i1", 0, pcm(20))
    assert playout.stats.generated_ms == 160 and playout.stats.played_ms == 80


def test_a_spared_response_that_plays_already_goes_on_where_it_is(playout: Playout, facts: Facts) -> None:
    playout.push("r2", "i2", 0, pcm(60))
    pull(playout, 1)
    playout.push("r1", "i1", 0, pcm(60, level=2000))
    assert playout.flush(["r1"], spare={"r2"}) == [item("i1", 0, 60)]
    assert playout.queued_ms == 40
    playout.mark_response_ended("r2")
    assert pull(playout, 3) == [pcm(20)] * 2 + [None]
    assert facts.names() == [
        "playout.started",
        "playout.flushed",
        "playout.started",
        "playout.heard",
        "playout.drained",
    ]


# --- pause and resume -------------------------------------------------------------------------------------------------


def test_a_pause_is_silence_and_what_was_queued_goes_on_sample_by_sample(playout: Playout) -> None:
    """Byte by byte, but for 4 ms of slope after the cut and 4 ms of rise before what follows."""
    whole = tone(300, 8000, 400)
    playout.push("r1", "i1", 0, whole[:4000])
    before = pull(playout, 10)
    playout.pause()
    pause = pull(playout, 30)
    playout.push("r1", "i1", 0, whole[4000:])
    pause += pull(playout, 30)
    playout.resume()
    after = b"".join(frame or b"" for frame in pull(playout, 10))
    assert b"".join(frame or b"" for frame in before) == whole[: 10 * FRAME]
    assert pause[1:] == [None] * 59
    slope = to_wave(pause[0] or b"")
    assert 0 < np.abs(slope[:32]).max() <= 10_000 and not slope[32:].any()
    rise = 2 * 32
    assert after[rise:] == whole[10 * FRAME + rise :], "neither lost nor doubled"
    assert np.abs(np.diff(to_wave(bytes(2) + after[: 2 * FRAME]))).max() < 3000
    assert (playout.stats.played_ms, playout.stats.underruns, playout.stats.gap_ms) == (400, 0, 0)


def test_nothing_is_heard_judged_or_over_in_a_pause(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(1980))
    pull(playout, 9)
    playout.pause()
    playout.mark_response_ended("r1")
    pull(playout, 500)
    assert facts.names() == ["playout.started"] and playout.is_playing
    assert (playout.queued_ms, playout.stats.played_ms) == (1800, 180)
    playout.resume()
    pull(playout, 91)
    assert facts.names() == ["playout.started", "playout.heard", "playout.drained"]


def test_the_wait_for_more_of_a_response_stands_still_in_a_pause(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 1 + 10)
    playout.pause()
    pull(playout, 500)
    playout.resume()
    pull(playout, DRAINED_AFTER_MS // 20 - 10)
    assert "playout.drained" not in facts.names()
    playout.push("r1", "i1", 0, pcm(20))
    pull(playout, 1)
    assert (playout.stats.underruns, playout.stats.gap_ms) == (1, 400), "what was no pause"


def test_a_pause_that_nobody_ends_is_over_after_ten_seconds(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(100))
    pull(playout, 2)
    playout.pause()
    assert pull(playout, PAUSE_AT_MOST_MS // 20)[1:] == [None] * (PAUSE_AT_MOST_MS // 20 - 1)
    assert all(pull(playout, 3)) and playout.queued_ms == 0


def test_a_flush_in_a_pause_flushes_and_ends_it(playout: Playout, facts: Facts) -> None:
    playout.push("r1", "i1", 0, pcm(100))
    pull(playout, 2)
    playout.pause()
    pull(playout, 20)
    assert playout.flush(["r1"]) == [item("i1", 40, 100)]
    assert pull(playout, 3) == [None] * 3, "it fell silent long ago: no second slope"
    playout.push("r2", "i2", 0, pcm(20))
    assert pull(playout, 1) == [pcm(20)], "of another answer nothing rises"
    assert facts.names() == ["playout.started", "playout.flushed", "playout.started"]


def test_a_flush_in_a_pause_lets_rise_again_what_it_spares(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(60))
    pull(playout, 1)
    playout.pause()
    pull(playout, 5)
    playout.flush([], spare={"r1"})
    wave = to_wave(b"".join(frame or b"" for frame in pull(playout, 2)))
    assert wave[0] < 100 and set(wave[32:]) == {1000.0}


def test_a_pause_in_which_no_frame_was_due_leaves_no_trace(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(60))
    pull(playout, 1)
    playout.pause()
    playout.resume()
    assert pull(playout, 2) == [pcm(20)] * 2
    playout.flush(["r1"])
    playout.pause()
    playout.resume()
    assert to_wave(playout.pull() or b"")[0] > 900, "the slope of a flush is not the pause's to take"


def test_a_second_pause_before_anything_is_heard_again_still_rises(playout: Playout) -> None:
    playout.push("r1", "i1", 0, pcm(60))
    pull(playout, 1)
    for _ in range(2):
        playout.pause()
        playout.pause()
        pull(playout, 3)
        playout.resume()
    assert to_wave(playout.pull() or b"")[0] < 100
    assert pull(playout, 1) == [pcm(20)]


def test_what_comes_first_in_a_pause_waits_for_its_end_and_begins_as_it_is(playout: Playout, facts: Facts) -> None:
    playout.pause()
    pull(playout, 3)
    playout.push("r1", "i1", 0, pcm(40))
    assert pull(playout, 50) == [None] * 50
    assert facts == [] and playout.holds_back
    playout.resume()
    assert not playout.holds_back
    assert pull(playout, 2) == [pcm(20)] * 2


def test_the_bound_of_the_queue_holds_in_a_pause(facts: Facts) -> None:
    playout = Playout(facts, max_queued_ms=100)
    playout.pause()
    assert playout.push("r1", "i1", 0, pcm(100))
    assert not playout.push("r1", "i1", 0, pcm(20))


class Thorough(Playout):
    """No frame is plain to it."""

    @property
    def _plain_bytes(self) -> int:
        return 0

    @_plain_bytes.setter
    def _plain_bytes(self, _size: int) -> None: ...


@pytest.mark.parametrize("lead_ms", [0, 40])
@pytest.mark.parametrize("seed", range(20))
def test_audio_that_is_decoded_when_it_is_due_is_heard_and_counted_as_audio_that_was_decoded_at_once(
    seed: int, lead_ms: int
) -> None:
    chance = random.Random(seed)
    late_facts, facts = Facts(), Facts()
    ways: list[UnderWay[Piece] | None] = [UnderWay(each) if lead_ms else None for each in (late_facts, facts)]
    late = Playout(late_facts, max_queued_ms=2000, under_way=ways[0])
    at_once = Thorough(facts, max_queued_ms=2000, under_way=ways[1])
    for number in range(200):
        response = f"r{number // 40}{chance.randrange(3)}"  # what is flushed stays so
        match chance.randrange(8):
            case 0 | 1:
                codes = chance.randbytes(chance.choice((0, 1, 7, 159, 160, 161, 400, 2000)))
                pushed = late.push(response, "i", 0, codes, mulaw_to_pcm16)
                assert pushed == at_once.push(response, "i", 0, mulaw_to_pcm16(codes))
            case 2:
                for each in (late, at_once):
                    each.mark_response_ended(response)
            case 3 if chance.random() < 0.3:
                ids, spare = chance.choice((([], []), ([response], []), ([], [response])))
                assert late.flush(ids, spare) == at_once.flush(ids, spare)
            case 4 if chance.random() < 0.3:
                for each in (late, at_once):
                    each.pause()
            case 5:
                for each in (late, at_once):
                    each.resume()
            case _:
                frames = chance.randrange(1, 12)
                assert pull(late, frames) == pull(at_once, frames)
                for way in ways:
                    if way is not None:
                        way.advance(lead_ms)
        assert (late.queued_ms, late.unheard(), late.stats) == (at_once.queued_ms, at_once.unheard(), at_once.stats)
    assert late_facts == facts and late.stats.played_ms > 0


def test_audio_that_waits_is_kept_as_it_came(playout: Playout) -> None:
    playout.push("r1", "i1", 0, bytes(8 * 250), mulaw_to_pcm16)
    playout.push("r1", "i1", 0, bytes(8 * 250), mulaw_to_pcm16)
    playout.pull()
    assert playout.queued_ms == 480 and [len(chunk) for _, chunk, _ in playout._queue] == [4000, 2000]
