"""The agent's audio of one call: what is queued, what the caller has heard of which item. Never decides what to cut.

The provider delivers about ten times faster than it plays, and Asterisk queues nothing (docs/facts/telephony.md section
2): the queue is here, one frame leaves per 20 ms tick, and a barge-in drops it here. Positions count per item what
left; where the peer keeps a lead, what is under way is not heard yet. Time is counted in pulls: one pull is one frame
due.

Facts: `playout.started` {response_id, item_id}, `playout.progressed` {} every 2 s of audio really played,
`playout.drained` {}, `playout.flushed` {items: [{item_id, response_id, content_index, heard_ms, received_ms}]},
`playout.dropped` {items: [one, heard_ms and received_ms 0]}: an item that came after the flush of its response;
`playout.heard` and `playout.silent` {response_id}: the verdict of adapters.audio.hearing on a response.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs

from adapters.audio import OnFact
from adapters.audio.declick import faded_in, faded_in_front_of
from adapters.audio.formats import FRAME_MS, AudioFormat
from adapters.audio.hearing import Hearing
from adapters.audio.playout_counts import Counts, Decode, Gap, Piece, PlayoutStats, Queued, pcm_bytes
from adapters.audio.under_way import UnderWay

DRAINED_AFTER_MS: Final = 400  # an empty queue this long is the end, also if the provider never said so
PROGRESS_MS: Final = 2000
PAUSE_AT_MOST_MS: Final = 10_000  # whoever paused and forgot: the caller hears the rest
_LATE_RESPONSES = 64  # flushed ids remembered, oldest forgotten: late audio comes within seconds
_TRACKED_ITEMS = 256  # beyond it, items heard to the end are forgotten: a provider that never ends a response


class Playout:
    """The queue of one call. `pull` is called by the tick, everything else by the receive loop of the same thread.

    At most `max_queued_ms` wait; audio beyond that is dropped, the newest first, and counted. `under_way`: the peer
    plays by its own clock; who asks for a flush has advanced it to the present. `echo_tail_ms`: so long after the last
    frame its echo may still begin; it is drained only then.
    """

    def __init__(
        self,
        on_fact: OnFact,
        *,
        rate_hz: int = 8000,
        max_queued_ms: int = 600_000,
        sound_dbfs: float = -45.0,
        echo_tail_ms: int = 0,
        under_way: UnderWay[Piece] | None = None,
    ) -> None:
        self.format = AudioFormat("pcm16", rate_hz)
        self._under_way = under_way
        self._on_heard = on_fact if under_way is None else under_way.report
        """For facts about what the caller has heard; the others are known at once."""
        self._leaving: list[tuple[Piece, bytes]] = []  # what the next frame is made of
        self._hearing = Hearing(self._on_heard, threshold_dbfs=sound_dbfs)
        self._judged_id: str | None = None
        self._ended: dict[str, None] = {}  # responses that have ended and whose audio is not played out
        self._on_fact = on_fact
        self._counted = Counts()
        self._frame_bytes = self.format.frame_bytes
        self._max_queued_bytes = max_queued_ms * self.format.bytes_per_second // 1000
        self._queue: deque[Queued] = deque()
        self._offset = 0  # bytes already pulled of the chunk at the head
        self._is_idle = False  # nothing is queued, nothing is awaited: only push() can change that
        self._plain_bytes = 0
        """Of the chunk at the head, where a frame of it is nothing but its bytes: it plays already, it has been judged,
        nothing fades, nothing is under way."""
        self._queued_bytes = 0
        self._items: dict[tuple[str, str, int], Piece] = {}  # in order of playing
        self._open: dict[str, Piece] = {}  # responses still generated, each with the item it is at
        self._late: dict[str, None] = {}
        self._reported: dict[tuple[str, str, int], None] = {}  # items known to whoever asked for the flush
        self._started: set[str] = set()
        self._last_frame: bytes | None = None
        self._cut_sample = b""  # the sample a flush or a pause cut after; the next frame fades from it
        self._is_paused = False
        self._paused_ms = 0
        self._fades_in = False  # a pause cut into sound: it rises again where it goes on
        self._wait_ms = 0  # how long an unended response has left us with less than a frame
        self._echo_tail_ms = echo_tail_ms
        self._tail_ms = 0  # how much of it has passed
        self._gap = Gap()  # goes on after `playout.drained`
        self._progress_ms = 0

    @property
    def queued_ms(self) -> int:
        return self.format.ms(self._queued_bytes)

    @property
    def is_playing(self) -> bool:
        """From `playout.started` to `playout.drained` or `playout.flushed`, pauses included."""
        return bool(self._started) or (self._under_way is not None and self._under_way.is_pending)

    def unheard(self) -> list[dict[str, Any]]:
        """What was not heard to its end, as a flush would report it now."""
        under_way: dict[Piece, int] = {}
        for item, chunk in self._under_way.unheard() if self._under_way is not None else ():
            under_way[item] = under_way.get(item, 0) + len(chunk)
        found = [item for item in self._items.values() if item not in under_way]
        reports = [item.report(self.format) for item in found if self._is_unheard(item)]
        late = [attrs.evolve(item, heard_bytes=item.heard_bytes - size) for item, size in under_way.items()]
        return [item.report(self.format) for item in late] + reports

    @property
    def holds_back(self) -> bool:
        """Is something queued that a pause keeps from the caller?"""
        return self._is_paused and self._queued_bytes > 0

    @property
    def stats(self) -> PlayoutStats:
        return self._counted.stats(self.format)

    def push(
        self, response_id: str, item_id: str, content_index: int, audio: bytes, decode: Decode | None = None
    ) -> bool:
        """Queue 16-bit PCM at the leg's rate, any length. False: dropped, as late or as too much.

        With `decode` it is G.711, and stays so until it is its turn: an answer that waits takes half the memory.
        """
        size = len(audio) & ~1 if decode is None else 2 * len(audio)
        if response_id in self._late:
            self._counted.late_dropped_bytes += size
            self._report_dropped(response_id, item_id, content_index)
            return False
        if self._queued_bytes + size > self._max_queued_bytes:
            self._counted.overflow_dropped_bytes += size
            return False
        if not size:
            return True
        self._is_idle = False
        item = self._item(response_id, item_id, content_index)
        item.received_bytes += size
        self._open[response_id] = item
        self._queue.append((item, audio if decode is not None or size == len(audio) else audio[:size], decode))
        self._queued_bytes += size
        self._counted.generated_bytes += size
        return True

    def mark_response_ended(self, response_id: str) -> None:
        """The provider has generated all of it; what is queued still plays."""
        self._open.pop(response_id, None)
        self._gap.end_response(response_id)
        if response_id not in self._late and self._hearing.awaits(response_id):
            self._ended[response_id] = None
            self._judge_ended()
        self._forget_heard()

    def pull(self) -> bytes | None:
        """Exactly one frame for the 20 ms that begin now, or None: nothing to say, the caller of this sends silence.

        The end of the audio is padded with silence; a response still generated keeps its last part of a frame back
        until more comes, it ends, or 400 ms have passed. After a flush one more frame leaves: the slope of the cut.
        """
        offset, end = self._offset, self._offset + self._frame_bytes
        if end < self._plain_bytes:  # nearly always: further into a chunk
            item, chunk, _ = self._queue[0]
            self._offset = end
            self._last_frame = frame = chunk[offset:end]
            self._queued_bytes -= self._frame_bytes
            item.heard_bytes += self._frame_bytes
            self._counted.played_bytes += self._frame_bytes
            self._progress_ms += FRAME_MS
            if self._progress_ms >= PROGRESS_MS:
                self._report_progress()
            return frame
        if self._is_idle:
            return None
        if self._is_paused:
            self._paused_ms += FRAME_MS
            if self._paused_ms > PAUSE_AT_MOST_MS:
                self.resume()
        playing = None if self._is_paused else self._next_frame()
        if self._fades_in and playing is not None:
            self._fades_in, playing = False, faded_in(playing, self.format.rate_hz)
        if self._cut_sample:
            playing = faded_in_front_of(self._cut_sample, playing or bytes(self._frame_bytes), self.format.rate_hz)
            self._cut_sample = b""
        elif playing is None and not self._is_paused:
            self._is_idle = not (self._queue or self._open or self._started or self._gap.heard_before)
        self._last_frame = playing
        if self._under_way is not None and playing is not None:
            self._under_way.sent(playing, tuple(self._leaving))
            self._leaving.clear()
        return playing

    def pause(self) -> None:
        """Silence from the next frame on; the queue fills as before, and no time passes for what is in it or awaited.

        It ends with `resume` or `flush`, or after ten seconds.
        """
        if self._is_paused:
            return
        self._is_paused, self._paused_ms = True, 0
        self._plain_bytes = 0
        if not self._cut_sample:  # else it has just been flushed, and what is queued begins anew
            self._fade_out()
            self._fades_in |= bool(self._cut_sample)

    def resume(self) -> None:
        """Goes on where it was: of what was cut into, the first 4 ms rise; no sample is lost or comes twice."""
        if self._is_paused and self._fades_in and self._cut_sample:  # no frame was due in it: as if there had been none
            self._fades_in, self._cut_sample = False, b""
        self._is_paused = False

    def _fade_out(self) -> None:
        """The next frame fades from the last sample that left, if there was sound in it."""
        if self._last_frame is not None and any(self._last_frame[-2:]):
            self._cut_sample = self._last_frame[-2:]

    def flush(self, response_ids: Sequence[str] = (), spare: Collection[str] = ()) -> list[dict[str, Any]]:
        """Drop everything queued, and what still comes of the responses named. Reports and returns the items cut.

        Listed in order of playing: what was received but not heard to the end, and the item an unended response is at.
        Without ids only the queue is dropped: more audio of the same response will play, unless it has ended: what is
        cut of that one is cut for good. Responses to `spare` play on: audio comes here at once, events by way of a
        queue, and whoever flushes has not heard of these yet.
        """
        self.resume()
        self._plain_bytes = 0
        plays_on = self._under_way is not None and self._take_back(self._under_way, spare)
        cut = {key: item for key, item in self._items.items() if item.response_id not in spare}
        items = [item.report(self.format) for item in cut.values() if self._is_unheard(item)]
        self._reported.update(dict.fromkeys(cut))
        if not self._keep_queued(spare) and not plays_on:
            self._fade_out()
            self._fades_in = False
        ended = {item.response_id: None for item in cut.values() if item.response_id not in self._open}
        for response_id in (*response_ids, *ended):
            self._hearing.cut(response_id)
            self._ended.pop(response_id, None)
            self._late.pop(response_id, None)
            self._late[response_id] = None
            self._open.pop(response_id, None)
        _forget_oldest(self._late, _LATE_RESPONSES)
        for item in cut.values():  # the position of an item that goes on lies behind what was dropped of it
            item.heard_bytes = item.received_bytes
        self._forget_heard()
        self._fall_silent()
        self._gap.forget()
        self._wait_ms = 0
        self._counted.flushes += 1
        self._on_fact("playout.flushed", {"items": items})
        return items

    def _take_back(self, under_way: UnderWay[Piece], spare: Collection[str]) -> bool:
        """What is under way will not be heard: it counts as never sent, and what is spared of it is sent again.

        True: what is playing is sent on.
        """
        parts, void = under_way.take_back()
        self._last_frame = under_way.last_heard
        again: list[Queued] = []
        for item, chunk in parts:
            item.heard_bytes -= len(chunk)
            self._counted.played_bytes -= len(chunk)
            if item.response_id in spare:
                again.append((item, chunk, None))
        for item in dict.fromkeys(item for item, _ in reversed(parts)):  # in order of playing: in front of all others
            self._items = {item.key: item} | self._items
        if again:
            self._queue = deque([*again, *self._rest_of_queue()])
            self._offset = 0
            self._queued_bytes += sum(map(pcm_bytes, again))
        for name, data in void:
            is_verdict = data.get("response_id") in spare and name != "playout.started"
            if is_verdict or not name.startswith("playout."):  # what has been judged is not judged twice
                self._on_fact(name, data)
        return bool(parts) and parts[0][0].response_id in spare

    def _rest_of_queue(self) -> list[Queued]:
        queue = list(self._queue)
        if queue and self._offset:  # so it has been decoded
            queue[0] = (queue[0][0], queue[0][1][self._offset :], None)
        return [entry for entry in queue if entry[1]]

    def _keep_queued(self, spare: Collection[str]) -> bool:
        """Leaves only what is spared in the queue. True: what is playing goes on."""
        goes_on = bool(self._queue) and self._offset > 0 and self._queue[0][0].response_id in spare
        self._queue = deque(entry for entry in self._queue if entry[0].response_id in spare)
        if not goes_on:
            self._offset = 0
        self._queued_bytes = sum(map(pcm_bytes, self._queue)) - self._offset
        return goes_on

    def _report_dropped(self, response_id: str, item_id: str, content_index: int) -> None:
        """Once for each item of a flushed response of which nothing had come before the flush."""
        key = (response_id, item_id, content_index)
        if key not in self._reported:
            self._reported[key] = None
            item = Piece(response_id, item_id, content_index)
            self._on_fact("playout.dropped", {"items": [item.report(self.format)]})
        _forget_oldest(self._reported, _TRACKED_ITEMS)

    def _item(self, response_id: str, item_id: str, content_index: int) -> Piece:
        key = (response_id, item_id, content_index)
        item = self._items.get(key)
        if item is None:
            if len(self._items) >= _TRACKED_ITEMS:
                self._open = {response_id: self._open[response_id]} if response_id in self._open else {}
                self._forget_heard()
            item = self._items[key] = Piece(response_id, item_id, content_index)
        return item

    def _next_frame(self) -> bytes | None:
        wanted = self._frame_bytes
        if self._queued_bytes < wanted and self._stays_silent():
            return None
        item, chunk, decode = self._queue[0]
        if decode is not None:
            chunk = self._decode_head()
        self._wait_ms = self._tail_ms = 0
        if self._gap.heard_before:
            self._end_gap(item.response_id)
        end = self._offset + wanted
        if end < len(chunk):  # the frame lies within one chunk
            frame = chunk[self._offset : end]
            self._offset = end
            self._count_heard(item, frame)
        else:
            frame = self._assembled(wanted)
        is_judged = item.response_id == self._judged_id
        if not is_judged:
            self._judge(item.response_id, frame)
        self._progress_ms += FRAME_MS
        if self._progress_ms >= PROGRESS_MS:
            self._report_progress()
        is_plain = is_judged and self._under_way is None and end < len(chunk) and not self._is_paused
        self._plain_bytes = len(chunk) if is_plain else 0
        return frame

    def _report_progress(self) -> None:
        self._progress_ms = 0
        self._on_heard("playout.progressed", {})

    def _judge(self, response_id: str, frame: bytes) -> None:
        """Of the first frames of a response: then it has been judged."""
        if not self._hearing.awaits(response_id):
            self._judged_id = response_id
            return
        self._hearing.hear(response_id, frame)
        if self._ended:
            self._judge_ended()

    def _judge_ended(self) -> None:
        """What has ended and is played out has been heard, or there was nothing to hear."""
        queued = {item.response_id for item, _, _ in self._queue}
        for response_id in list(self._ended):
            if response_id not in queued:
                self._hearing.end(response_id)
            if not self._hearing.awaits(response_id):
                del self._ended[response_id]

    def _decode_head(self) -> bytes:
        """It is its turn."""
        item, chunk, decode = self._queue[0]
        if decode is not None:
            chunk = decode(chunk)
            self._queue[0] = (item, chunk, None)
        return chunk

    def _assembled(self, wanted: int) -> bytes:
        """A frame from several chunks, padded when the queue ends."""
        parts = []
        missing = wanted
        while missing and self._queue:
            item, chunk = self._queue[0][0], self._decode_head()
            part = chunk[self._offset : self._offset + missing]
            self._offset += len(part)
            if self._offset == len(chunk):
                self._queue.popleft()
                self._offset = 0
            parts.append(part)
            missing -= len(part)
            self._count_heard(item, part)
            if item.heard_bytes >= item.received_bytes and item.response_id not in self._open:
                self._items.pop(item.key, None)
        return b"".join(parts) + bytes(missing)

    def _stays_silent(self) -> bool:
        """With less than a frame queued nothing leaves now, unless what is left is the end of the audio."""
        waiting = bool(self._open) and bool(self._started or self._queue)
        self._gap.wait(self._started & self._open.keys() if waiting else set())
        if waiting:
            self._wait_ms += FRAME_MS
            if self._wait_ms <= DRAINED_AFTER_MS:
                return True
            self._open.clear()  # presumed over; more audio of it opens it again
        self._wait_ms = 0
        if self._queue:
            self._gap.forget()  # what was kept back did not come after it
            return False
        if self._started:
            if self._tail_ms < self._echo_tail_ms:
                self._tail_ms += FRAME_MS
                return True
            self._fall_silent()
            self._fades_in = False
            self._on_heard("playout.drained", {})
        return True

    def _end_gap(self, response_id: str) -> None:
        """Audio again: the gap was an underrun if it goes on with a response that was heard before it."""
        gap_ms = self._gap.ms if self._under_way is None else self._under_way.silent_ms
        if response_id in self._gap.heard_before and gap_ms:
            self._counted.underrun(gap_ms)
        self._gap.forget()

    def _fall_silent(self) -> None:
        self._started.clear()
        self._progress_ms = self._tail_ms = 0

    def _count_heard(self, item: Piece, part: bytes) -> None:
        size_bytes = len(part)
        self._queued_bytes -= size_bytes
        if self._under_way is not None:
            self._leaving.append((item, part))
        item.heard_bytes += size_bytes
        self._counted.played_bytes += size_bytes
        if item.response_id not in self._started:
            self._started.add(item.response_id)
            self._on_heard("playout.started", {"response_id": item.response_id, "item_id": item.item_id})

    def _forget_heard(self) -> None:
        """Items heard to the end are done with, except the one each unended response is at."""
        self._items = {
            key: item
            for key, item in self._items.items()
            if item.heard_bytes < item.received_bytes or self._open.get(item.response_id) is item
        }

    def _is_unheard(self, item: Piece) -> bool:
        return item.heard_bytes < item.received_bytes or self._open.get(item.response_id) is item


def _forget_oldest(remembered: dict[Any, None], most: int) -> None:
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
