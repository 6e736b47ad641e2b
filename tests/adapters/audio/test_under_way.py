"""A peer that plays by its own clock: what is heard, and when it is reported, is what the peer has played."""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.agent_audio import AgentAudioPath
from adapters.audio.formats import AudioFormat, Transcoder
from adapters.audio.playout import Playout
from adapters.audio.playout_counts import Piece
from adapters.audio.prompt import PromptPlayer
from adapters.audio.under_way import UnderWay

FRAME = 320
PCM = AudioFormat("pcm16", 8000)


def sound(value: int, ms: int) -> bytes:
    return np.full(ms * 8, value * 1000, np.int16).tobytes()


@attrs.define
class Peer:
    """A line with a lead of `target_ms`, and the phone behind it."""

    target_ms: int = 100
    facts: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)
    queue: deque[bytes] = attrs.field(factory=deque)
    played: list[bytes | None] = attrs.field(factory=list)
    heard_now: list[bytes | None] = attrs.field(factory=list)
    audio: AgentAudioPath = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        def fact(name: str, data: dict[str, Any]) -> None:
            self.facts.append((name, data))

        under_way: UnderWay[Piece] = UnderWay(fact)
        playout = Playout(fact, under_way=under_way)
        prompts = PromptPlayer({"bye": sound(9, 60)}, FRAME, under_way.report)
        self.audio = AgentAudioPath(Transcoder(PCM), playout, prompts, under_way)

    @property
    def lead_ms(self) -> int:
        return 20 * len(self.queue)

    def tick(self, times: int = 1) -> None:
        """20 ms: what was played in the last ones is gone, what is due is sent, and the next frame is played."""
        for _ in range(times):
            self.heard_now.append(self.audio.advance(self.lead_ms))
            while self.lead_ms < self.target_ms and (frame := self.audio.pull()) is not None:
                self.queue.append(frame)
            self.played.append(self.queue.popleft() if self.queue else None)

    def say(self, value: int, ms: int, response: str = "r1", item: str = "i1", *, ends: bool = True) -> None:
        self.audio.push(response, item, 0, sound(value, ms))
        if ends:
            self.audio.end_response(response)

    def flush(self, response_ids: tuple[str, ...] = (), spare: tuple[str, ...] = ()) -> None:
        self.audio.flush(response_ids, spare, self.lead_ms)
        self.queue.clear()

    def names(self) -> list[str]:
        return [name for name, _ in self.facts]

    def cut(self) -> dict[str, tuple[int, int]]:
        """By item of the last flush: heard and received."""
        data = next(data for name, data in reversed(self.facts) if name == "playout.flushed")
        return {item["item_id"]: (item["heard_ms"], item["received_ms"]) for item in data["items"]}


def test_a_response_begins_when_it_is_heard_and_ends_when_it_has_been_heard() -> None:
    peer = Peer()
    peer.say(1, 400)
    peer.tick()
    assert peer.names() == [], "five frames are with the peer, none is known to be played"
    peer.tick()
    assert peer.names() == ["playout.started"]
    while len(peer.queue) or peer.played[-1] is not None:
        peer.tick()
        if peer.lead_ms:
            assert "playout.drained" not in peer.names()
    peer.tick(2)
    assert peer.names() == ["playout.started", "playout.heard", "playout.drained"]
    assert not peer.audio.is_playing


def test_what_is_heard_now_is_what_the_peer_plays() -> None:
    peer = Peer()
    peer.say(1, 100)
    peer.say(2, 100, "r2", "i2")
    peer.tick(14)
    told = [frame for frame in peer.heard_now if frame is not None]
    assert told == [frame for frame in peer.played if frame is not None]
    assert len(told) == 10


def test_a_flush_counts_what_is_under_way_as_not_heard() -> None:
    peer = Peer()
    peer.say(1, 1000)
    peer.tick(10)
    assert peer.lead_ms == 80
    peer.flush(("r1",))
    assert peer.cut() == {"i1": (200, 1000)}
    assert peer.audio.stats.played_ms == 200


def test_an_item_that_has_left_whole_is_cut_where_it_is_heard() -> None:
    peer = Peer()
    peer.say(1, 100)
    peer.tick(3)
    assert peer.audio.is_playing
    peer.flush()
    assert peer.cut() == {"i1": (60, 100)}
    assert "playout.drained" not in peer.names() and "playout.silent" not in peer.names()
    assert not peer.audio.is_playing


def test_two_items_under_way_are_cut_in_order_of_playing() -> None:
    peer = Peer(target_ms=200)
    peer.say(1, 60)
    peer.say(2, 60, "r2", "i2")
    peer.say(3, 500, "r3", "i3")
    peer.tick(4)
    peer.flush(("r1", "r2", "r3"))
    assert list(peer.cut().items()) == [("i2", (20, 60)), ("i3", (0, 500))]


def test_an_answer_that_only_left_is_not_heard() -> None:
    peer = Peer(target_ms=300)
    peer.say(1, 260)
    peer.tick(5)
    peer.flush(("r1",))
    assert "playout.heard" not in peer.names()
    peer.tick(30)
    assert "playout.heard" not in peer.names(), "what was cut gets no verdict"


def test_what_is_spared_is_sent_again_from_where_it_was_heard() -> None:
    peer = Peer(target_ms=200)
    peer.say(1, 60, ends=False)
    peer.say(2, 100, "r2", "i2")
    peer.tick(4)  # 60 ms of the first, 20 ms of the second
    peer.flush(("r1",), ("r2",))
    before = len(peer.played)
    peer.tick(12)
    heard = b"".join(frame for frame in peer.played[before:] if frame is not None)
    assert heard == sound(2, 80)
    assert peer.names()[-1] == "playout.drained"


def test_a_prompt_is_finished_when_it_has_been_heard_or_cut() -> None:
    peer = Peer()
    peer.audio.play_prompt("bye")
    peer.tick(2)
    assert peer.names() == []
    peer.tick(2)
    assert peer.names() == ["prompt.finished"]
    peer.audio.play_prompt("bye")
    peer.tick()
    peer.flush()
    assert peer.names().count("prompt.finished") == 2


def test_a_gap_that_the_lead_covers_is_not_an_underrun() -> None:
    peer = Peer()
    peer.say(1, 200, ends=False)
    peer.tick(7)  # 60 ms are still with the peer
    peer.tick(2)
    peer.say(1, 200, ends=False)
    peer.tick(2)
    assert peer.audio.stats.underruns == 0
    peer.tick(20)
    peer.say(1, 100, ends=False)
    peer.tick(2)
    stats = peer.audio.stats
    assert (stats.underruns, stats.gap_ms) == (1, 20 * peer.played[:-2].count(None))


@pytest.mark.parametrize("frames", [1, 3, 9])
def test_history_counts_what_is_under_way_as_not_heard(frames: int) -> None:
    peer = Peer()
    peer.say(1, 500)
    peer.tick(frames)
    assert [item["heard_ms"] for item in peer.audio.unheard()] == [20 * (frames - 1)]
    peer.flush()
    assert peer.cut()["i1"][0] == 20 * frames


@given(st.lists(st.tuples(st.sampled_from(["say", "end", "tick", "flush"]), st.integers(1, 12)), max_size=60))
def test_heard_is_what_the_phone_played(moves: list[tuple[str, int]]) -> None:
    """Never more than it played, and at most a frame less. No audio comes after the end of its response."""
    peer, current, has_ended = Peer(), 0, False
    for what, size in moves:
        if what == "say" and not has_ended:
            peer.say(current + 1, size * 15, f"r{current}", f"i{current}", ends=False)
        elif what == "end":
            peer.audio.end_response(f"r{current}")
            has_ended = True
        elif what == "tick":
            peer.tick(size)
        elif what == "flush":
            peer.flush((f"r{current}",))
            played = b"".join(frame for frame in peer.played if frame is not None)
            samples = np.frombuffer(played, np.int16)
            heard = {item: ms for item, (ms, _) in peer.cut().items()}
            if f"i{current}" in heard:
                truth_ms = int(np.count_nonzero(samples == (current + 1) * 1000)) / 8
                assert (
                    truth_ms - 20 <= heard[f"i{current}"] <= truth_ms + 0.125 + 4
                )  # a slope of 4 ms is no sample of it
            current, has_ended = (current + 1) % 30, False
            peer.played.clear()
