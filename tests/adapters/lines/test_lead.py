"""How much is under way, compared with a peer whose queue is looked into."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.formats import FRAME_MS
from adapters.lines.lead import MARK_OVERDUE_S, LeadOutput, PeerLead
from tests.adapters.lines.sources import Frames

FRAME_S = FRAME_MS / 1000


@attrs.define
class Peer:
    """Takes what comes after `up_s`, plays one frame at each of its own ticks, and reports marks `down_s` later."""

    up_s: float
    down_s: float
    phase_s: float
    knows_marks: bool = True
    now_s: float = 0.0
    queue: deque[str] = attrs.field(factory=deque)
    played_frames: float = 0.0
    taken: int = 0
    began_s: float | None = None
    starved: int = 0
    """Ticks without a frame, between frames."""
    _idle: int = 0
    events: list[tuple[float, int, Callable[[], object]]] = attrs.field(factory=list)
    count: int = 0
    on_mark: Callable[[str], object] = print

    def __attrs_post_init__(self) -> None:
        self.at(self.phase_s, self.tick)

    def at(self, when_s: float, what: Callable[[], object]) -> None:
        self.count += 1
        heapq.heappush(self.events, (when_s, self.count, what))

    def send(self, *words: str) -> None:
        self.at(self.now_s + self.up_s, lambda: self.queue.extend(words))

    def flush(self) -> None:
        self.at(self.now_s + self.up_s, self.queue.clear)

    def tick(self) -> None:
        self.at(self.now_s + FRAME_S, self.tick)
        self.played_frames, self.began_s = float(self.taken), None
        while self.queue:
            word = self.queue.popleft()
            if word == "frame":
                self.starved += self._idle if self.taken else 0
                self.taken, self.began_s, self._idle = self.taken + 1, self.now_s, 0
                return
            if self.knows_marks:
                self.at(self.now_s + self.down_s, partial(self.on_mark, word))
        self._idle += 1

    def run_to(self, when_s: float) -> None:
        while self.events and self.events[0][0] <= when_s + 1e-9:
            self.now_s, _, what = heapq.heappop(self.events)
            what()
        self.now_s = when_s

    @property
    def heard_frames(self) -> float:
        playing = 0.0 if self.began_s is None else min((self.now_s - self.began_s) / FRAME_S, 1.0)
        return self.played_frames + playing


def play(peer: Peer, speech: str, lead_ms: int, way_max_ms: int = 0) -> tuple[LeadOutput, list[float]]:
    """A character of speech is a tick: `x` has a frame ready, `.` has none, `b` has ten; the lead's errors in ms."""
    ready = 0

    def give() -> bytes | None:
        nonlocal ready
        if not ready:
            return None
        ready -= 1
        return b"frame"

    output = LeadOutput(
        lead_ms,
        lambda: peer.now_s,
        lambda frames: peer.send(*["frame"] * len(frames)),
        peer.send,
        pytest.fail,
        way_max_ms,
    )
    peer.on_mark = lambda word: output.lead.came_back(word, peer.now_s)
    output.source = Frames(give)
    errors = []
    for number, word in enumerate(speech):
        ready += {"x": 1, ".": 0, "b": 10}[word]
        peer.run_to(number * FRAME_S)
        output.tick(1)
        for step in range(4):
            peer.run_to(number * FRAME_S + step * FRAME_S / 4)
            truth_ms = (output.lead.stats.frames_sent - peer.heard_frames) * FRAME_MS
            errors.append(output.lead_ms - truth_ms)
    return output, errors


@given(
    speech=st.text("x.b", min_size=1, max_size=150),
    lead_ms=st.sampled_from([40, 80, 200]),
    phase_s=st.floats(0.0, 0.0199),
    up_s=st.floats(0.0, 0.01),
    down_s=st.floats(0.0, 0.02),
)
def test_the_lead_is_never_below_the_truth_and_close_to_it(
    speech: str, lead_ms: int, phase_s: float, up_s: float, down_s: float
) -> None:
    peer = Peer(up_s, down_s, phase_s)
    output, errors = play(peer, speech, lead_ms)
    assert min(errors) >= -0.01
    assert max(errors) <= 100
    assert output.lead.stats.marks_missed == 0


def test_a_lead_is_kept_and_no_more_is_asked_for() -> None:
    output, _ = play(Peer(0.001, 0.001, 0.007), "b" + "x" * 40, 80)
    assert 40 <= output.lead_ms <= 80
    assert output.lead.stats.frames_sent <= 40 + 4
    assert output.lead.stats.marks_sent <= 5


@pytest.mark.parametrize("way_s", [0.01, 0.1, 0.3])
def test_a_long_way_starves_nobody_and_what_is_under_way_on_it_counts(way_s: float) -> None:
    peer = Peer(way_s, way_s, 0.007)
    output, errors = play(peer, "b" * 20 + "." * 300, 200, way_max_ms=1_000)
    assert output.lead.stats.frames_sent == 200
    assert peer.starved == 0
    assert min(errors) >= -0.01
    assert max(errors) <= 2 * way_s * 1000 + 3 * FRAME_MS
    assert output.lead_ms == 0


def test_a_peer_that_stalls_on_a_long_way_is_not_sent_without_end() -> None:
    peer = Peer(5.0, 0.1, 0.007)
    output, _ = play(peer, "b" * 20 + "." * 20, 200, way_max_ms=1_000)
    assert output.lead.stats.frames_sent <= 1_200 // FRAME_MS


def test_a_peer_that_knows_no_marks_is_asked_for_no_more_of_them_and_played_to_by_the_clock() -> None:
    peer = Peer(0.001, 0.001, 0.007, knows_marks=False)
    output, errors = play(peer, "b" * 20 + "." * 300, 80)
    assert output.lead.is_blind and output.lead.stats.marks_missed == 1
    assert output.lead.stats.frames_sent == 200 and output.lead_ms == 0
    assert min(errors) > -0.01 and abs(errors[-1]) < 0.01


def test_after_a_flush_nothing_is_under_way_and_marks_of_before_are_void() -> None:
    lead = PeerLead()
    mark = lead.new_mark(0.0)
    assert mark is not None
    lead.sent(0.0)
    lead.sent(0.0)
    assert lead.ms(0.01) == 40
    lead.flush()
    assert lead.ms(0.01) == 0
    assert not lead.came_back(mark, 0.02)
    after = lead.new_mark(0.02)
    assert after is not None and after != mark
    lead.sent(0.02)
    assert not lead.came_back(mark, 0.03) and lead.ms(0.03) == 20
    assert lead.came_back(after, 0.04) and lead.ms(0.2) == 0


def test_a_mark_that_is_lost_is_given_up_and_others_are_sent() -> None:
    lead = PeerLead()
    first = lead.new_mark(0.0)
    lead.sent(0.0)
    assert first is not None and lead.came_back(first, 0.01)
    assert lead.new_mark(0.21) is not None
    lead.sent(0.21)
    assert lead.ms(0.5) == 20
    assert lead.ms(0.5 + MARK_OVERDUE_S) == 0
    assert (lead.stats.marks_missed, lead.is_blind) == (1, False)
    assert lead.new_mark(2.0) is not None


def test_a_peer_that_takes_nothing_is_sent_nothing_and_time_passes() -> None:
    sent: list[list[bytes]] = []
    output = LeadOutput(80, lambda: 0.0, lambda frames: sent.append(frames.copy()), sent.append, print)  # type: ignore[arg-type]
    output.source = source = Frames(lambda: b"frame")
    output.is_held = True
    output.tick(3)
    assert (source.ticks, sent) == (3, [])
    output.is_held = False
    output.tick(1)
    assert sent == ["m1", [b"frame"] * 4]


def test_a_source_that_fails_is_noted_and_what_it_gave_before_leaves() -> None:
    frames = iter([b"one"])
    sent: list[list[bytes]] = []
    failures: list[str] = []
    output = LeadOutput(80, lambda: 0.0, lambda given: sent.append(given.copy()), print, failures.append)
    output.source = Frames(lambda: next(frames))
    output.tick(1)
    assert (sent, failures) == ([[b"one"]], ["source"])
