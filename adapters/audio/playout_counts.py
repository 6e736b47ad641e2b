"""What the playout queues and counts: what came and was heard of each piece of content, gaps, totals of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from adapters.audio.formats import FRAME_MS, AudioFormat


@attrs.define(eq=False)
class Piece:
    """What came and what was heard of one piece of content of an item."""

    response_id: str
    item_id: str
    content_index: int
    received_bytes: int = 0
    heard_bytes: int = 0

    @property
    def key(self) -> tuple[str, str, int]:
        return self.response_id, self.item_id, self.content_index

    def report(self, pcm: AudioFormat) -> dict[str, Any]:
        """As a fact says it."""
        return {
            "item_id": self.item_id,
            "response_id": self.response_id,
            "content_index": self.content_index,
            "heard_ms": pcm.ms(self.heard_bytes),
            "received_ms": pcm.ms(self.received_bytes),
        }


Decode: TypeAlias = Callable[[bytes], bytes]
"""G.711 to 16-bit PCM: a table, with no memory of what came before."""

Queued: TypeAlias = tuple[Piece, bytes, Decode | None]
"""Audio of a piece: PCM, or what becomes PCM by that table."""


def pcm_bytes(queued: Queued) -> int:
    """Of the PCM it is, or becomes."""
    return len(queued[1]) if queued[2] is None else 2 * len(queued[1])


@attrs.frozen
class PlayoutStats:
    """Counted over the call. A gap is silence in the middle of a response, proved by its audio that came after."""

    generated_ms: int
    played_ms: int
    underruns: int
    gap_ms: int
    longest_gap_ms: int
    flushes: int
    late_dropped_ms: int
    overflow_dropped_ms: int


@attrs.define(eq=False)
class Counts:
    """The totals so far."""

    generated_bytes: int = 0
    played_bytes: int = 0
    late_dropped_bytes: int = 0
    overflow_dropped_bytes: int = 0
    underruns: int = 0
    gap_ms: int = 0
    longest_gap_ms: int = 0
    flushes: int = 0

    def underrun(self, gap_ms: int) -> None:
        self.underruns += 1
        self.gap_ms += gap_ms
        self.longest_gap_ms = max(self.longest_gap_ms, gap_ms)

    def stats(self, pcm: AudioFormat) -> PlayoutStats:
        return PlayoutStats(
            generated_ms=pcm.ms(self.generated_bytes),
            played_ms=pcm.ms(self.played_bytes),
            underruns=self.underruns,
            gap_ms=self.gap_ms,
            longest_gap_ms=self.longest_gap_ms,
            flushes=self.flushes,
            late_dropped_ms=pcm.ms(self.late_dropped_bytes),
            overflow_dropped_ms=pcm.ms(self.overflow_dropped_bytes),
        )


@attrs.define(eq=False)
class Gap:
    """Silence in the middle of responses: an underrun if audio of one of them comes after it, nothing if they ended."""

    heard_before: set[str] = attrs.field(factory=set)
    ms: int = 0

    def wait(self, response_ids: set[str]) -> None:
        """Another frame is due, and these unended responses have nothing for it."""
        self.heard_before |= response_ids
        if self.heard_before:
            self.ms += FRAME_MS

    def end_response(self, response_id: str) -> None:
        self.heard_before.discard(response_id)
        if not self.heard_before:
            self.ms = 0

    def forget(self) -> None:
        self.ms = 0
        self.heard_before.clear()
