"""The agent's audio of a call whose provider plays it itself: no bytes come by, only what the provider says of them.

What is known of such audio is when it begins, ends and is cut, so that is all that is reported: `playout.started`,
`playout.heard` or `playout.silent`, `playout.drained`, `playout.flushed`. How much of an item was heard is not known
here; the provider cuts its own items (docs/facts/realtime_api.md section 6), and none is named for truncation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol, TypeAlias

from adapters.audio import OnFact
from adapters.audio.agent_audio import AgentPlayout, Moment
from adapters.audio.formats import AudioFormat
from adapters.audio.hearing import HEARD_MS
from adapters.audio.playout_counts import PlayoutStats

SILENT_AFTER_S: Final = 1.0
"""A response that has ended and has not been heard so long after has no sound: its playout may begin after its end."""
_REMEMBERED: Final = 64


class _Timer(Protocol):
    def cancel(self) -> None: ...


CallLater: TypeAlias = Callable[[float, Callable[[], None]], _Timer]


class PlayedElsewhere(AgentPlayout):
    """`moment` for each thing that the provider says; prompts of our own cannot be heard, and end at once."""

    def __init__(self, on_fact: OnFact, call_later: CallLater) -> None:
        self._on_fact = on_fact
        self._call_later = call_later
        self._playing = ""
        self._is_flushing = False
        self._judged: dict[str, None] = {}
        self._timers: dict[str, _Timer] = {}
        self._flushes = 0

    @property
    def is_playing(self) -> bool:
        return bool(self._playing)

    @property
    def stats(self) -> PlayoutStats:
        """Of the audio itself nothing is known here."""
        return PlayoutStats(0, 0, 0, 0, 0, self._flushes, 0, 0)

    def moment(self, moment: Moment, response_id: str) -> None:
        """The provider says so of a response."""
        if moment == "started":
            self._start(response_id)
        elif moment == "stopped":
            self._judge(response_id, "playout.heard")
            self._end(response_id, "playout.drained")
        else:
            self._judge(response_id, None)
            self._end(response_id, "playout.flushed" if self._is_flushing else "playout.drained")

    def end_response(self, response_id: str) -> None:
        if response_id not in self._judged and response_id != self._playing:
            self._arm(response_id, SILENT_AFTER_S, "playout.silent")

    def flush(self, response_ids: Sequence[str], spare: Collection[str], lead_ms: int = 0) -> None:
        """What the caller hears is the provider's to cut: it has been told, and says when it is done."""
        del spare, lead_ms
        self._flushes += 1
        for response_id in response_ids:
            self._judge(response_id, None)
        if self._playing:
            self._judge(self._playing, None)
            self._is_flushing = True
        else:
            self._on_fact("playout.flushed", {"items": []})

    def play_prompt(self, name: str) -> None:
        self._on_fact("prompt.finished", {"name": name})

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # Nothing to do, for there are no bytes.

    def unheard(self) -> list[dict[str, Any]]:
        return []

    def duration_ms(self, payload: bytes) -> float:
        del payload
        return 0.0

    def push(self, response_id: str, item_id: str, content_index: int, payload: bytes) -> None: ...

    def switch(self, provider_out: AudioFormat) -> None: ...

    def end_content(self, response_id: str, item_id: str, content_index: int) -> None: ...

    def reassure(self, name: str | None = None) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def pull(self) -> bytes | None:
        return None

    def advance(self, lead_ms: int) -> bytes | None:
        del lead_ms
        return None

    # Inside

    def _start(self, response_id: str) -> None:
        self._playing = response_id
        self._on_fact("playout.started", {"response_id": response_id, "item_id": ""})
        if response_id not in self._judged:
            self._arm(response_id, HEARD_MS / 1000, "playout.heard")

    def _end(self, response_id: str, fact: str) -> None:
        """Of what plays; an end of anything else is no news."""
        if response_id == self._playing:
            self._playing, self._is_flushing = "", False
            self._on_fact(fact, {"items": []} if fact == "playout.flushed" else {})

    def _arm(self, response_id: str, delay_s: float, verdict: str) -> None:
        self._disarm(response_id)
        self._timers[response_id] = self._call_later(delay_s, lambda: self._judge(response_id, verdict))

    def _disarm(self, response_id: str) -> None:
        if (timer := self._timers.pop(response_id, None)) is not None:
            timer.cancel()

    def _judge(self, response_id: str, verdict: str | None) -> None:
        """Once for each response; None: it was cut, and gets none."""
        self._disarm(response_id)
        if response_id in self._judged:
            return
        self._judged[response_id] = None
        while len(self._judged) > _REMEMBERED:
            del self._judged[next(iter(self._judged))]
        if verdict is not None:
            self._on_fact(verdict, {"response_id": response_id})
