"""What our playout would report to the machine of a log's audio: begun, heard, drained, flushed, dropped. Pure.

A log of ours reports what the playout did. Of others it is reckoned: the length of the audio is known from its bytes,
or from the tracker's estimate. Whether there was a sound in it a log does not tell: what was played counts as heard.
"""

from __future__ import annotations

from fsm.audit.shadow_slots import SlotView
from fsm.machine.machine import Event

_STARTED, _DRAINED, _FLUSHED = "playout.started", "playout.drained", "playout.flushed"
_PROGRESS_MS = 2000.0  # between two playout.progressed (docs/architecture.md section 6)
_HEARD_MS = 200.0  # of sound are an answer (adapters/audio/hearing.py)
_NEVER = float("inf")
_KEPT = 64
_ANSWER_MS = 500.0  # within which a log's playout has answered a flush, if it was flushed there, too


class ShadowPlayout:
    """One call's playout, by the log's clock."""

    def __init__(self) -> None:
        self._response = ""
        self._item = ""
        self._begun_ms = 0.0
        self._until_ms = 0.0
        self._received_ms = 0.0
        self._progress_ms = _NEVER
        self._is_playing = False
        self._has_ended = False
        self._unheard = ""  # the response that plays and has not been reported as heard
        self._flushed: dict[str, bool] = {}
        self._flush: Event | None = None  # asked for, and not yet reported by the log
        self._flush_until_ms = _NEVER
        self.is_reported = False  # the log reports what its playout did: nothing is reckoned any more

    def push(self, response: str, item: str, ms: float, now_ms: float) -> list[Event]:
        """Audio came: it is played, or dropped because its response was flushed."""
        if self.is_reported:
            return []
        if response in self._flushed:
            return self._drop(response, item)
        if item != self._item:
            self._received_ms, self._begun_ms = 0.0, max(now_ms, self._until_ms if self._is_playing else now_ms)
        self._response, self._item, self._has_ended = response, item, False
        self._received_ms += ms
        self._until_ms = max(self._until_ms if self._is_playing else now_ms, now_ms) + ms
        if self._is_playing:
            return []
        self._is_playing = True
        self._progress_ms = now_ms + _PROGRESS_MS
        self._unheard = response
        return [Event(_STARTED, {"response_id": response, "item_id": item})]

    def _drop(self, response: str, item: str) -> list[Event]:
        """Audio of a response that was flushed: reported once."""
        if self._flushed[response]:
            return []
        self._flushed[response] = True
        return [Event("playout.dropped", {"items": [_item(item, response, 0, 0)]})]

    def hear(self, fact: Event, slots: SlotView, now_ms: float) -> list[Event]:
        """A fact of the log's playout, as it is one of ours; `slots`: what our machine takes its playout to be at.

        Our machine may have flushed what was played on there, and may play on what was flushed there.
        """
        if not self.is_reported:
            self.is_reported, self._is_playing = True, slots.moves(_DRAINED)
        if fact.name == _STARTED:
            return self._starts(fact, slots, now_ms)
        if fact.name == _FLUSHED:
            return self._was_flushed(fact, slots)
        if fact.name == "playout.dropped":
            return [fact]
        if fact.name in ("playout.heard", "playout.silent"):
            self._unheard = ""
            return [] if fact.data.get("response_id") in self._flushed else [fact]
        if not slots.moves(_DRAINED):
            return []
        if fact.name != _DRAINED:
            return [fact]
        self._is_playing = False
        return [*self._heard(), fact]

    def _heard(self) -> list[Event]:
        """What plays has been heard; a journal of before 0.2 does not say so itself."""
        response, self._unheard = self._unheard, ""
        return [Event("playout.heard", {"response_id": response})] if response else []

    def _starts(self, fact: Event, slots: SlotView, now_ms: float) -> list[Event]:
        response, item = str(fact.data.get("response_id", "")), str(fact.data.get("item_id", ""))
        if response in self._flushed:
            return self._drop(response, item)
        self._response, self._item, self._begun_ms, self._is_playing = response, item, now_ms, True
        self._unheard = response
        return [fact] if slots.moves(_STARTED) else []

    def _was_flushed(self, fact: Event, slots: SlotView) -> list[Event]:
        self._flush, self._flush_until_ms = None, _NEVER
        if slots.moves(_DRAINED):
            self._is_playing, self._unheard = False, ""
            return [Event(_DRAINED)]  # nothing of it is left to be heard
        return [fact] if slots.moves(_FLUSHED) else []

    def ended(self, response: str, estimate_ms: float, is_silent: bool = False) -> list[Event]:
        """A response is complete; what the log does not show of its length, or of its audio, is taken as played, unless
        the log shows that there was nothing to play."""
        if response == self._response and self._is_playing:
            self._has_ended = True
            self._until_ms = max(self._until_ms, estimate_ms)
            return []
        if self.is_reported or response in self._flushed or response == self._response:
            return []
        return [Event("playout.silent" if is_silent else "playout.heard", {"response_id": response})]

    def next_ms(self) -> float:
        """When something is to be reported next."""
        if self.is_reported:
            return self._flush_until_ms
        if not self._is_playing:
            return _NEVER
        heard_ms = self._begun_ms + _HEARD_MS if self._unheard else _NEVER
        return min(self._until_ms if self._has_ended else _NEVER, heard_ms, self._progress_ms)

    def due(self, now_ms: float) -> list[Event]:
        """What has come due."""
        if self._flush is not None:
            flushed, self._flush, self._flush_until_ms = self._flush, None, _NEVER
            return [flushed]
        if self._has_ended and self._until_ms <= now_ms:
            self._is_playing = False
            return [*self._heard(), Event(_DRAINED)]
        if self._unheard and self._begun_ms + _HEARD_MS <= now_ms:
            return self._heard()
        self._progress_ms = now_ms + _PROGRESS_MS
        going_on = self._until_ms > now_ms
        return [Event("playout.progressed")] if going_on else []

    def drain_untimed(self) -> list[Event]:
        """Without times, what is complete has been heard by the time something else happens."""
        if not self._is_playing or not self._has_ended:
            return []
        self._is_playing = False
        return [*self._heard(), Event(_DRAINED)]

    def flush(self, named: object, now_ms: float) -> list[Event]:
        """playout.flushed, with what was heard of the item that played; where the log reports it, it will come."""
        for name in named if isinstance(named, list | tuple) else ():
            self._flushed.setdefault(str(name), False)
        while len(self._flushed) > _KEPT:
            self._flushed.pop(next(iter(self._flushed)))
        items = []
        if self._is_playing:
            heard = max(now_ms - self._begun_ms, 0.0)
            received = heard if self.is_reported else self._received_ms
            items = [_item(self._item, self._response, min(heard, received), received)]
        self._is_playing, self._item, self._unheard = False, "", ""
        flushed = Event(_FLUSHED, {"items": items})
        if not self.is_reported:
            return [flushed]
        self._flush, self._flush_until_ms = flushed, now_ms + _ANSWER_MS
        return []


def _item(item: str, response: str, heard_ms: float, received_ms: float) -> dict[str, object]:
    return {
        "item_id": item, "response_id": response, "content_index": 0, "heard_ms": int(heard_ms),
        "received_ms": int(received_ms),
    }  # fmt: skip
