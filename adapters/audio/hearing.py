"""Whether the caller has heard a response: sound above a threshold that has left for the line, counted in frames.

A transcript, a completed response or a delta of silence is no witness. What is judged here is what the playout sent out
(docs/language.md: an answer is what the caller has heard); it costs a few frames at the beginning of each response.
"""

from __future__ import annotations

from typing import Final

from adapters.audio import OnFact
from adapters.audio.formats import FRAME_MS
from adapters.audio.level import mean_square, mean_square_at

HEARD_MS: Final = 200  # so much sound is an answer; all of it, where it is shorter
_REMEMBERED = 64  # responses judged or cut, the oldest forgotten


class Hearing:
    """One verdict for each response that ends or is heard: `playout.heard` or `playout.silent` {response_id}.

    What was cut gets none: the caller has the floor then. Frames are 16-bit PCM, thresholds dBFS (RMS of a frame).
    """

    __slots__ = ("_judged", "_loud_power", "_on_fact", "_sound_ms")

    def __init__(self, on_fact: OnFact, *, threshold_dbfs: float = -45.0) -> None:
        self._on_fact = on_fact
        self._loud_power = mean_square_at(threshold_dbfs)
        self._sound_ms: dict[str, int] = {}
        self._judged: dict[str, None] = {}

    def awaits(self, response_id: str) -> bool:
        """Is this response not judged yet? Then its frames are to be shown to `hear`."""
        return response_id not in self._judged

    def hear(self, response_id: str, frame: bytes) -> None:
        """A frame of a response leaves for the line."""
        if response_id in self._judged:
            return
        if mean_square(frame) < self._loud_power:
            return
        sound_ms = self._sound_ms[response_id] = self._sound_ms.get(response_id, 0) + FRAME_MS
        if sound_ms >= HEARD_MS:
            self._judge(response_id, "playout.heard")

    def end(self, response_id: str) -> None:
        """The response has ended, and all that came of it has left."""
        if response_id not in self._judged:
            self._judge(response_id, "playout.heard" if self._sound_ms.get(response_id) else "playout.silent")

    def cut(self, response_id: str) -> None:
        """What is left of the response will not be heard."""
        self._remember(response_id)

    def _judge(self, response_id: str, fact: str) -> None:
        self._remember(response_id)
        self._on_fact(fact, {"response_id": response_id})

    def _remember(self, response_id: str) -> None:
        self._sound_ms.pop(response_id, None)
        self._judged.pop(response_id, None)
        self._judged[response_id] = None
        while len(self._judged) > _REMEMBERED:
            del self._judged[next(iter(self._judged))]
        while len(self._sound_ms) > _REMEMBERED:
            del self._sound_ms[next(iter(self._sound_ms))]
