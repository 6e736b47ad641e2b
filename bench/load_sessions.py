"""The load's canned providers, one class for each protocol: scripts, not voice detectors.

Over Realtime turns begin and end by a timetable, answers are generated ten times faster than they play, and every
fourth one is cut by the caller. Over GPT-Live the audio never ends, and is as long as it takes.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from itertools import count
from time import monotonic
from typing import Any, Final

from bench import load_wire as wire
from bench.load_callers import BenchCaller
from bench.load_loop import LoadLoop, Peer

_TURN_S = 1.2
_THINK_S = 0.3
_PAUSE_S = 0.4
_CUT_AFTER_S = 2.5
_CUT_EVERY = 4
_SAMPLE = 5  # every so-manieth append is looked into for its number
_SPEECH_PIECES = 60
_SILENCE_PIECES = 20


class CannedProvider(Peer):
    """The provider's side of one call, whatever it speaks."""

    append_bytes = 0
    """The text of an append of one 20 ms u-law frame."""
    number_at = 0
    """Where in it the number of the frame is."""

    def __init__(self, loop: LoadLoop, sock: socket.socket, number: int, caller: BenchCaller) -> None:
        super().__init__(loop, sock)
        self._number = number
        self._caller = caller
        self._held = b""
        self._open = False
        self._appends = 0

    def received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        if not self._open:
            self._held = data
            if b"\r\n\r\n" in data:
                self._held, self._open = b"", True
                self.send(wire.accept(data) + self.greeting())
            return
        position = 0
        for opcode, mask, start, end in wire.frames(data):
            position = end
            if opcode == 1:
                self._text(data, mask, start, end)
            elif opcode == 8:
                self.close()
                return
            elif opcode == 9:
                ping = wire.unmasked(data, mask, start, end)
                self.send(bytes((0x8A, len(ping))) + ping)
        self._held = data[position:]

    def _text(self, data: bytes, mask: int, start: int, end: int) -> None:
        if end - start == self.append_bytes:
            self._caller.heard.appends += 1
            self._appends += 1
            if self._appends % _SAMPLE:
                return
            number = wire.append_number(data, mask, start, self.number_at)
            if number >= 0:
                self._caller.heard.uplink_s.append(monotonic() - self._caller.sent_at[number])
                return
        self.told(json.loads(wire.unmasked(data, mask, start, end)))

    def greeting(self) -> bytes:
        """What is sent to whoever has connected."""
        return b""

    def told(self, event: dict[str, Any]) -> None:
        """Anything but audio."""
        raise NotImplementedError


class CannedSession(CannedProvider):
    """Realtime."""

    append_bytes, number_at = wire.APPEND_BYTES, wire.NUMBER_AT

    def __init__(self, loop: LoadLoop, sock: socket.socket, number: int, caller: BenchCaller) -> None:
        super().__init__(loop, sock, number, caller)
        self._random = random.Random(number)
        self._answers = count(1)
        self._turns = count(1)

    def greeting(self) -> bytes:
        return wire.session_event(b"session.created", self._number)

    def told(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "session.update":
            self.send(wire.session_event(b"session.updated", self._number))
        elif kind == "response.create":
            tag = (event.get("response", {}).get("metadata") or {}).get("turnspec")
            self._answer(tag.encode() if tag else None)

    # --- the script ---------------------------------------------------------------------------------------------------

    def _answer(self, tag: bytes | None = None) -> None:
        answer = wire.CannedAnswer(self._number, next(self._answers), tag)
        self.send(answer.begun())
        self.loop.later(_THINK_S, lambda: self._piece(answer, 0))

    def _piece(self, answer: wire.CannedAnswer, sent: int) -> None:
        if sent == 0:
            self._caller.answer_comes()
        if sent < wire.PIECES:
            self.send(answer.piece())
            self.loop.later(wire.DELTA_EVERY_S, lambda: self._piece(answer, sent + 1))
            return
        self.send(answer.ended())
        played = wire.PIECES * (wire.DELTA_MS / 1000 - wire.DELTA_EVERY_S)
        is_cut = self._random.randrange(_CUT_EVERY) == 0
        self.loop.later(_CUT_AFTER_S if is_cut else played + _PAUSE_S, lambda: self._turn(is_cut))

    def _turn(self, is_cut: bool) -> None:
        begun, ended = wire.turn_events(self._number, next(self._turns))
        if is_cut:
            self._caller.interrupts()
        self.send(begun)
        self.loop.later(_TURN_S, lambda: self._turn_ends(ended))

    def _turn_ends(self, ended: bytes) -> None:
        self.send(ended)
        self._answer()


class CannedLive(CannedProvider):
    """GPT-Live: audio without end at the pace of speech, a while of speech and a while of silence, and its words."""

    append_bytes, number_at = wire.LIVE_APPEND_BYTES, wire.LIVE_NUMBER_AT

    def told(self, event: dict[str, Any]) -> None:
        if event["type"] == "session.start":
            self.send(wire.live_started(self._number))
            self._piece(0, monotonic())

    def _piece(self, sent: int, due_s: float) -> None:
        at = sent % (_SPEECH_PIECES + _SILENCE_PIECES)
        if at == 0:
            self._caller.answer_comes()
        is_speech = at < _SPEECH_PIECES
        self.send(wire.live_audio(is_speech))
        if is_speech and sent % 2 == 0:
            self.send(wire.live_words(sent * wire.LIVE_DELTA_MS))
        due_s += wire.LIVE_DELTA_MS / 1000
        self.loop.later(max(0.0, due_s - monotonic()), lambda: self._piece(sent + 1, due_s))


SESSIONS: Final[Mapping[str, type[CannedProvider]]] = {"realtime": CannedSession, "live": CannedLive}
"""By the name of the protocol."""
