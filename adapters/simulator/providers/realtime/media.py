"""The session's other side where the audio runs over WebRTC or SIP: the server plays the answers, and says so.

Sans-I/O: every event passes by on its way out, the time comes in. Source: docs/facts/realtime_api.md section 6:
`output_audio_buffer.started` before `output_audio.done`, `.stopped` once all of it is played, behind `response.done`;
a barge-in of the server's own clears its playout (the real one truncates the item, too, and does not say so here).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Final

from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.wire_audio import delta_bytes, duration_ms

LONGEST_MS: Final = 600_000
"""Of what waits to be played; the rest of a longer answer is not heard."""


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
        self._sound: bytearray | None = None

    def said(self, event: Json, now_s: float) -> Iterable[Json]:
        """What clients are told in the place of an event of the session: no audio."""
        kind = event["type"]
        if kind == "response.output_audio.delta":
            self._play(str(event["response_id"]), base64.b64decode(event["delta"]), now_s)
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
            if self._sound is not None:
                self._sound.clear()
            self._tell("output_audio_buffer.cleared", now_s)

    def sound(self, duration_ms: int) -> bytes:
        """The next part of what is played, in the session's output format; b"": nothing is. What was played before it
        was first asked for is not kept."""
        if self._sound is None:
            self._sound = bytearray()
        size = delta_bytes(duration_ms, self._wire_format())
        part, self._sound = bytes(self._sound[:size]), self._sound[size:]
        return part

    def _play(self, response_id: str, sound: bytes, now_s: float) -> None:
        if response_id in self._cut:
            return
        if response_id != self._response_id:
            self._response_id, self._until_s = response_id, now_s
            self._turn += 1
            self._emit(now_s, "output_audio_buffer.started", response_id)
        self._until_s += duration_ms(len(sound), self._wire_format()) / 1000
        if self._sound is not None and len(self._sound) < delta_bytes(LONGEST_MS, self._wire_format()):
            self._sound += sound

    def _end(self, turn: int) -> Callable[[float], None]:
        def end(now_s: float) -> None:
            if turn == self._turn and self._response_id:
                self._tell("output_audio_buffer.stopped", now_s)

        return end

    def _tell(self, kind: str, now_s: float) -> None:
        response_id, self._response_id = self._response_id, ""
        self._turn += 1
        self._emit(now_s, kind, response_id)
