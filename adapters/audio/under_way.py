"""Audio under way: sent to a peer that plays by its own clock, and not heard yet. The line alone says how much that is.

What has been sent is remembered until the line's lead says that it has been played, and so are the facts about it: a
response begins to be heard, is judged and is played out when the caller hears it, not when it was sent. A flush takes
back what nobody has heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import attrs

from adapters.audio import OnFact
from adapters.audio.formats import FRAME_MS

T = TypeVar("T")


@attrs.frozen
class _Sent(Generic[T]):
    frame: bytes
    parts: tuple[tuple[T, bytes], ...]


class UnderWay(Generic[T]):
    """What of one call is under way. `sent` with each frame that leaves, `advance` once per 20 ms.

    A frame is made of `parts`: pieces of audio, each with what it belongs to; none where that is nothing to remember.
    """

    def __init__(self, on_fact: OnFact) -> None:
        self._on_fact = on_fact
        self._frames: deque[_Sent[T]] = deque()
        self._facts: deque[tuple[int, str, dict[str, Any]]] = deque()  # each with the number of frames heard before it
        self._heard: deque[bytes] = deque()  # played since the last tick but for one frame: the lead is an estimate
        self._sent_frames = 0
        self.last_heard: bytes | None = None
        self.silent_ms = 0
        """How long the caller has been hearing nothing."""

    @property
    def is_pending(self) -> bool:
        """Will the caller hear, or will somebody be told, of what has left already?"""
        return bool(self._frames or self._facts)

    def sent(self, frame: bytes, parts: tuple[tuple[T, bytes], ...] = ()) -> None:
        """A frame has left for the peer."""
        self._frames.append(_Sent(frame, parts))
        self._sent_frames += 1

    def report(self, name: str, data: dict[str, Any]) -> None:
        """A fact about all that has been sent so far: reported when that has been heard."""
        self._facts.append((self._sent_frames, name, data))

    def advance(self, lead_ms: int) -> bytes | None:
        """20 ms have passed, and `lead_ms` of what was sent are not played yet. What the caller hears now, or None."""
        self.witness(lead_ms)
        if self._heard:
            self.silent_ms = 0
            return self._heard.popleft()
        if not self._frames:
            self.silent_ms += FRAME_MS
        return None

    def witness(self, lead_ms: int) -> None:
        """`lead_ms` of what was sent are not played yet; all that went before has been heard."""
        while len(self._frames) > -(-lead_ms // FRAME_MS):
            self.last_heard = self._frames.popleft().frame
            self._heard.append(self.last_heard)
        heard_frames = self._sent_frames - len(self._frames)
        while self._facts and self._facts[0][0] <= heard_frames:
            _, name, data = self._facts.popleft()
            self._on_fact(name, data)

    def unheard(self) -> Iterator[tuple[T, bytes]]:
        """The parts under way, in order of playing."""
        for each in self._frames:
            yield from each.parts

    def take_back(self) -> tuple[list[tuple[T, bytes]], list[tuple[str, dict[str, Any]]]]:
        """What is under way will not be played: its parts, and the facts that are none now, in their order."""
        parts = list(self.unheard())
        void = [(name, data) for _, name, data in self._facts]
        self._sent_frames -= len(self._frames)
        for each in (self._frames, self._facts, self._heard):
            each.clear()
        return parts, void
