"""What the provider says, as facts for the mailbox and audio for the playout. Never a decision, never a control event.

One object for each socket, so that what a socket we have left still says reaches nobody.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from adapters.audio.formats import Transcoder
from adapters.audio.playout import Playout
from adapters.call.mailbox import Mailbox
from adapters.providers.realtime.protocol import AudioDelta, Problem, WireEvent
from fsm.language.vocabulary import Vocabulary
from fsm.machine.machine import Event
from fsm.machine.wire import knows, read_wire

_AUDIO_ENDS = frozenset({"response.output_audio.done", "response.audio.done"})


class WireTap(Protocol):
    """Who else wants to see the wire: the journal, the history, a display."""

    def wire_in(self, event: WireEvent) -> None: ...


class ProviderListener:
    """The listener of one RealtimeConnection."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        mailbox: Mailbox,
        playout: Playout,
        transcoder: Transcoder,
        tap: WireTap,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._vocabulary = vocabulary
        self._mailbox = mailbox
        self._playout = playout
        self._transcoder = transcoder
        self._tap = tap
        self._log = log
        self._unknown: set[str] = set()
        self.is_left = False

    def on_open(self) -> None:
        self._put("provider.opened", {}, "socket")

    def on_closed(self, code: int | None, reason: str, fatal: bool) -> None:
        self._put("provider.closed", {"code": code, "reason": reason, "fatal": fatal}, "socket")

    def on_unreachable(self, reason: str, fatal: bool) -> None:
        self._put("provider.unreachable", {"reason": reason, "fatal": fatal}, "socket")

    def on_problem(self, problem: Problem) -> None:
        self._log.debug("wire_problem", kind=problem.kind, detail=problem.detail)

    def on_audio(self, delta: AudioDelta) -> None:
        if not self.is_left:
            pcm = self._transcoder.from_provider(delta.payload)
            self._playout.push(delta.response_id, delta.item_id, delta.content_index, pcm)

    def on_event(self, event: WireEvent) -> None:
        if self.is_left:
            return
        kind = event.get("type")
        self._tap.wire_in(event)
        self._tell_playout(kind, event)
        if isinstance(kind, str) and not knows(self._vocabulary, kind) and kind not in self._unknown:
            self._unknown.add(kind)
            self._log.info("unknown_wire_event", type=kind[:100])
        cause = event.get("event_id")
        for fact in read_wire(self._vocabulary, event):
            self._mailbox.put(fact, f"wire:{cause}" if isinstance(cause, str) else "wire")

    def _tell_playout(self, kind: object, event: WireEvent) -> None:
        """The end of generated audio is the playout's to know: it tells an underrun from an end by it."""
        if kind in _AUDIO_ENDS:
            tail = self._transcoder.end_of_provider_audio()
            ids = (event.get("response_id"), event.get("item_id"), event.get("content_index"))
            response, item, index = ids
            if tail and isinstance(response, str) and isinstance(item, str):
                self._playout.push(response, item, index if isinstance(index, int) else 0, tail)
        elif kind == "response.done":
            response = event.get("response")
            identity = response.get("id") if isinstance(response, dict) else None
            if isinstance(identity, str):
                self._playout.mark_response_ended(identity)

    def _put(self, name: str, data: dict[str, object], cause: str) -> None:
        if not self.is_left:
            self._mailbox.put(Event(name, data), cause)
