"""The session's other side where the audio runs over WebRTC or SIP: the server plays the answers, and says so.

Sans-I/O: every event passes by on its way out, the time comes in. Source: docs/facts/realtime_api.md section 6:
`output_audio_buffer.started` before `output_audio.done`, `.stopped` once all of it is played, behind `response.done`;
a barge-in of the server's own clears its playout (the real one truncates the item, too, and does not say so here).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.wire_audio import duration_ms


class MediaPlayout:
    """Of one session. `emit` sends an event to every client; `at` calls back at a time."""

    def __init__(
        self,
        emit: Callable[[float, str, str], None],
        at: Callable[[float, Callable[[float], None]], None],
        wire_format: Callable[[], str],
        interrupts: Callable[[], bool],
    ) -> None:
        self._emit, self._at, self._wire_format, self._interrupts = emit, at, wire_format, interrupts
        self._response_id = ""
        self._until_s = 0.0
        self._cut: set[str] = set()
        self._turn = 0

    def said(self, event: Json, now_s: float) -> Iterable[Json]:
        """What clients are told in the place of an event of the session: no audio."""
        kind = event["type"]
        if kind == "response.output_audio.delta":
            self._play(str(event["response_id"]), len(base64.b64decode(event["delta"])), now_s)
            return ()
        if kind == "input_audio_buffer.speech_started" and self._interrupts():
            self._at(now_s, self.clear)
        if kind == "response.done" and event["response"]["id"] == self._response_id:
            self._at(max(self._until_s, now_s), self._end(self._turn))
        return (event,)

    def clear(self, now_s: float) -> None:
        """Nothing more of it is heard."""
        if self._response_id:
            self._cut.add(self._response_id)
            self._tell("output_audio_buffer.cleared", now_s)

    def _play(self, response_id: str, size_bytes: int, now_s: float) -> None:
        if response_id in self._cut:
            return
        if response_id != self._response_id:
            self._response_id, self._until_s = response_id, now_s
            self._turn += 1
            self._emit(now_s, "output_audio_buffer.started", response_id)
        self._until_s += duration_ms(size_bytes, self._wire_format()) / 1000

    def _end(self, turn: int) -> Callable[[float], None]:
        def end(now_s: float) -> None:
            if turn == self._turn and self._response_id:
                self._tell("output_audio_buffer.stopped", now_s)

        return end

    def _tell(self, kind: str, now_s: float) -> None:
        response_id, self._response_id = self._response_id, ""
        self._turn += 1
        self._emit(now_s, kind, response_id)
