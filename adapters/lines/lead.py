"""Toward a peer that plays by its own clock: a small lead, kept by its marks and by the clock between them.

Per 20 ms the source is told that they begin, and asked until the lead is reached. A mark stands in front of a frame and
comes back when the peer has played all before it; how much is under way is never estimated below the truth.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from adapters.audio.formats import FRAME_MS
from adapters.audio.tick import Registration, Ticker
from adapters.lines.line import AudioSource

MARK_EVERY_S: Final = 0.2
"""Of audio: no more often."""
MARK_OVERDUE_S: Final = 1.0
"""After it should have come back: it never will."""

_FRAME_S: Final = FRAME_MS / 1000
_SLACK_MAX_S: Final = 0.2
_ROUNDING_S: Final = 1e-6


@attrs.frozen
class _Mark:
    id: str
    position: int
    """The number of frames sent before it."""
    sent_s: float
    expected_s: float
    begins: bool
    """Nothing was under way when it was sent: it comes back as soon as the peer plays on."""


@attrs.define
class LeadStats:
    """Counted over a call."""

    frames_sent: int = 0
    marks_sent: int = 0
    marks_missed: int = 0
    flushes: int = 0


class PeerLead:
    """What of the frames sent to one peer is under way. Times are the loop's, in seconds, and never go back."""

    def __init__(self, way_max_ms: int = 0) -> None:
        """`way_max_ms`: how long the way to the peer and back may be, where it is longer than a loopback's."""
        self.stats = LeadStats()
        self._way_max_ms = way_max_ms
        self._slack_max_s = _SLACK_MAX_S + way_max_ms / 1000
        self._paced_until_s = -math.inf  # when all that was sent would be played out, were there no way at all
        self._under_way: deque[tuple[float, float]] = deque()  # of each frame: when it was sent, when it is played out
        self._marks: deque[_Mark] = deque()
        self._has_come_back = False  # a mark, ever
        self._is_blind = False  # the peer knows no marks
        self._last_mark_s = -math.inf
        self._slack_s = _FRAME_S  # from sending into an empty queue to the beginning of playing, at the most

    @property
    def is_blind(self) -> bool:
        """The peer reports no marks: what is under way is known by the clock alone."""
        return self._is_blind

    def ms(self, now_s: float) -> int:
        """How much is under way, never less than the truth."""
        self._advance(now_s)
        if not self._under_way:
            return 0
        frames, first_s = len(self._under_way), self._under_way[0][1] - now_s
        if self._marks and self._marks[0].position <= self.stats.frames_sent - frames:
            first_s = _FRAME_S  # behind a mark that has not come back, nothing has begun to be played
        first_ms = math.ceil((first_s - _ROUNDING_S) * 1000)
        return (frames - 1) * FRAME_MS + min(max(first_ms, 0), FRAME_MS)

    def has_room(self, lead_ms: int, now_s: float) -> bool:
        """Another frame does not make it more than `lead_ms`.

        Of a long way the marks come late, and who waited for them would starve the peer: the pace is the clock's, and
        the marks only bound it. Without a way they are one and the same.
        """
        paced_ms = (self._paced_until_s - now_s) * 1000
        bound_ms = lead_ms - FRAME_MS + _ROUNDING_S
        return paced_ms <= bound_ms and self.ms(now_s) <= bound_ms + self._way_max_ms

    def new_mark(self, now_s: float) -> str | None:
        """Before a frame is sent: the id of the mark to send in front of it; None: not now."""
        self._advance(now_s)
        if self._is_blind or now_s - self._last_mark_s < MARK_EVERY_S - _ROUNDING_S:
            return None
        expected_s = self._under_way[-1][1] if self._under_way else now_s + self._slack_s
        self.stats.marks_sent += 1
        self._last_mark_s = now_s
        mark = _Mark(f"m{self.stats.marks_sent}", self.stats.frames_sent, now_s, expected_s, begins=not self._under_way)
        self._marks.append(mark)
        return mark.id

    def sent(self, now_s: float) -> None:
        """One frame has left."""
        begins_s = max(self._under_way[-1][1] if self._under_way else now_s, now_s + self._slack_s)
        self._under_way.append((now_s, begins_s + _FRAME_S))
        self._paced_until_s = max(self._paced_until_s, now_s) + _FRAME_S
        self.stats.frames_sent += 1

    def came_back(self, mark_id: str, now_s: float) -> bool:
        """The peer reports a mark. False: void by now, or none of ours."""
        if all(mark.id != mark_id for mark in self._marks):
            return False
        self._has_come_back = True
        while (mark := self._marks.popleft()).id != mark_id:
            pass  # the earlier ones are passed as well
        if mark.begins:
            self._slack_s = min(now_s - mark.sent_s + _FRAME_S, self._slack_max_s)
        while self.stats.frames_sent - len(self._under_way) < mark.position:
            self._under_way.popleft()
        end_s = now_s
        for index, (sent_s, _) in enumerate(self._under_way):
            end_s = max(end_s, sent_s + self._slack_s) + _FRAME_S
            self._under_way[index] = (sent_s, end_s)
        return True

    def flush(self) -> None:
        """The peer drops what is under way; marks that come back after it are void."""
        self.stats.flushes += 1
        self._under_way.clear()
        self._marks.clear()
        self._last_mark_s = self._paced_until_s = -math.inf

    def _advance(self, now_s: float) -> None:
        """Forgets what has been played, and marks that are overdue."""
        while self._marks and now_s > self._marks[0].expected_s + MARK_OVERDUE_S:
            self._marks.popleft()
            self.stats.marks_missed += 1
            if not self._has_come_back:
                self._is_blind = True
                self._marks.clear()
        until = self._marks[0].position if self._marks else self.stats.frames_sent
        position = self.stats.frames_sent - len(self._under_way)
        while position < until and self._under_way and self._under_way[0][1] <= now_s + _ROUNDING_S:
            self._under_way.popleft()
            position += 1


class LeadOutput:
    """What a call says, one tick after the other, to where the lead is `lead_ms`. No frame is asked for in vain.

    `send` takes whole frames that leave as one message, `send_mark` the id of a mark to stand in front of what follows.
    """

    def __init__(
        self,
        lead_ms: int,
        clock: Callable[[], float],
        send: Callable[[list[bytes]], object],
        send_mark: Callable[[str], object],
        note_failure: Callable[[str], None],
        way_max_ms: int = 0,
    ) -> None:
        self.source: AudioSource | None = None
        self.lead = PeerLead(way_max_ms)
        self.is_held = False
        """The peer takes nothing at the moment: time passes, and nothing is asked for."""
        self._lead_ms = lead_ms
        self._clock = clock
        self._send = send
        self._send_mark = send_mark
        self._note_failure = note_failure
        self._place: Registration | None = None

    @property
    def lead_ms(self) -> int:
        return self.lead.ms(self._clock())

    def start(self, ticker: Ticker) -> None:
        self._place = ticker.register(self.tick)

    def stop(self) -> None:
        """No frame leaves after this."""
        if self._place is not None:
            self._place.unregister()
        self._place = self.source = None

    def tick(self, frames_due: int) -> None:
        frames: list[bytes] = []
        for _ in range(frames_due):
            if self.source is None:
                break
            try:
                self.source.tick()
                self._pull(frames)
            except Exception:
                self._note_failure("source")
        if frames:
            self._send(frames)

    def _pull(self, frames: list[bytes]) -> None:
        now_s = self._clock()
        while self.source is not None and not self.is_held and self.lead.has_room(self._lead_ms, now_s):
            frame = self.source.pull()
            if frame is None:
                return
            if (mark := self.lead.new_mark(now_s)) is not None:
                if frames:
                    self._send(frames.copy())
                    frames.clear()
                self._send_mark(mark)
            self.lead.sent(now_s)
            frames.append(frame)
