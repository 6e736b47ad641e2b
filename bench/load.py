"""The load: AudioSocket callers on one side of the bridge, a canned Realtime provider on the other, in one epoll loop.

A process of its own, on the other core. It is driven by lines on stdin ("mark", "report", "stop") and answers with JSON
lines on stdout. Everything it sends is made beforehand or put together from a few pieces, so that it costs less than
what it measures; how busy it was is part of the report.

The provider is a script, not a voice detector: turns begin and end by a timetable, answers are generated ten times
faster than they play, and every fourth one is cut by the caller.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import random
import select
import socket
import sys
from collections.abc import Callable
from itertools import count
from time import monotonic
from uuid import UUID

import attrs
import click

from bench import load_wire as wire
from bench.cpu import used_s, waited_s
from bench.load_stats import HeardByCaller, summary

_SLOTS = 20
_SLOT_S = 0.001
_PIECES = 24
ANSWER_FRAMES = _PIECES * wire.DELTA_MS // 20
_TURN_S = 1.2
_THINK_S = 0.3
_PAUSE_S = 0.4
_CUT_AFTER_S = 2.5
_CUT_EVERY = 4
_SAMPLE = 5  # every so-manieth append is looked into for its number


class LoadLoop:
    """epoll, a heap of timers, and twenty slots a millisecond apart in which callers speak."""

    def __init__(self) -> None:
        self.now = monotonic()
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self.slots: list[list[BenchCaller]] = [[] for _ in range(_SLOTS)]
        self.running = True

    def read(self, fd: int, callback: Callable[[], None]) -> None:
        self._readers[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (monotonic() + seconds, next(self._serial), callback))

    def run(self) -> None:
        slot, due = 0, monotonic()
        while self.running:
            wait = due - monotonic()
            if self._timers:
                wait = min(wait, self._timers[0][0] - monotonic())
            for fd, _ in self._epoll.poll(max(wait, 0.0)):
                reader = self._readers.get(fd)
                if reader is not None:
                    reader()
            now = monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            while due <= now:
                for caller in self.slots[slot]:
                    caller.speak()
                slot = (slot + 1) % _SLOTS
                due += _SLOT_S


class Peer:
    """A non-blocking socket; what the kernel does not take at once waits here."""

    def __init__(self, loop: LoadLoop, sock: socket.socket) -> None:
        self.loop = loop
        self.sock = sock
        self._unsent = b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.read(sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        data = self._unsent + data if self._unsent else data
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._unsent = data[sent:] if sent < len(data) else b""

    def close(self) -> None:
        self.loop.forget(self.sock.fileno())
        self.sock.close()

    def _readable(self) -> None:
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.received(data)
        else:
            self.close()

    def received(self, data: bytes) -> None:
        raise NotImplementedError


class BenchCaller(Peer):
    """Sends 50 numbered frames a second, hears 50."""

    def __init__(self, loop: LoadLoop, address: tuple[str, int], number: int) -> None:
        super().__init__(loop, socket.create_connection(address))
        self.heard = HeardByCaller()
        self.sent_at = [0.0] * wire.NUMBERS
        self.awaits_sound_since: float | None = None
        self.awaits_silence_since: float | None = None
        self.is_cut = False
        self._number = 0
        self._held = b""
        self._run = 0  # loud frames since the last silent one
        self._owed = 0  # answers that were sent and not heard yet
        self._slot = loop.slots[number % _SLOTS]
        self.send(wire.encode_uuid_message(UUID(int=(0xBE << 96) + number + 1)))
        self._slot.append(self)

    def close(self) -> None:
        if self in self._slot:
            self._slot.remove(self)
        super().close()

    def speak(self) -> None:
        number = self._number
        self._number = (number + 1) % wire.NUMBERS
        self.sent_at[number] = monotonic()
        self.heard.frames_sent += 1
        self.send(wire.caller_message(number))

    def answer_comes(self) -> None:
        """The first audio of an answer has been sent to the bridge."""
        self._owed += 1
        self.is_cut = False
        self.awaits_sound_since = monotonic()

    def interrupts(self) -> None:
        self.is_cut = True
        self.awaits_silence_since = monotonic()

    def received(self, data: bytes) -> None:
        now = monotonic()
        if len(data) == wire.MESSAGE_BYTES and not self._held:
            self._frame(data, now)
            return
        data = self._held + data
        position, end = 0, len(data)
        while end - position >= wire.MESSAGE_BYTES and data[position]:
            self._frame(data[position : position + wire.MESSAGE_BYTES], now)
            position += wire.MESSAGE_BYTES
        self._held = data[position:]

    def _frame(self, message: bytes, now: float) -> None:
        heard = self.heard
        heard.arrivals.append(now)
        if not message.endswith(wire.SILENT_FRAME):
            heard.loud += 1
            if not self._run:
                self._sound_begins(now)
            self._run += 1
        elif self._run:
            if self._run != ANSWER_FRAMES and not self.is_cut:
                heard.wrong_lengths += 1
            if self.awaits_silence_since is not None:
                heard.cut_s.append(now - self.awaits_silence_since)
                self.awaits_silence_since = None
            self._run = 0

    def _sound_begins(self, now: float) -> None:
        if self._owed:
            self._owed -= 1
            self.heard.answers += 1
        else:
            self.heard.breaks += 1
        if self.awaits_sound_since is not None:
            self.heard.first_sound_s.append(now - self.awaits_sound_since)
            self.awaits_sound_since = None


class CannedSession(Peer):
    """The provider's side of one call."""

    def __init__(self, loop: LoadLoop, sock: socket.socket, number: int, caller: BenchCaller) -> None:
        super().__init__(loop, sock)
        self._number = number
        self._caller = caller
        self._random = random.Random(number)
        self._held = b""
        self._open = False
        self._answers = count(1)
        self._turns = count(1)
        self._appends = 0

    def received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        if not self._open:
            self._held = data
            if b"\r\n\r\n" in data:
                self._held, self._open = b"", True
                self.send(wire.accept(data) + wire.session_event(b"session.created", self._number))
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
        if end - start == wire.APPEND_BYTES:
            self._caller.heard.appends += 1
            self._appends += 1
            if self._appends % _SAMPLE:
                return
            number = wire.append_number(data, mask, start)
            if number >= 0:
                self._caller.heard.uplink_s.append(monotonic() - self._caller.sent_at[number])
                return
        event = json.loads(wire.unmasked(data, mask, start, end))
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
        if sent < _PIECES:
            self.send(answer.piece())
            self.loop.later(wire.DELTA_EVERY_S, lambda: self._piece(answer, sent + 1))
            return
        self.send(answer.ended())
        played = _PIECES * (wire.DELTA_MS / 1000 - wire.DELTA_EVERY_S)
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


@attrs.define
class Load:
    """All calls of a run, and what drives it."""

    loop: LoadLoop
    bridge: tuple[str, int]
    calls: int
    spread_s: float
    callers: list[BenchCaller] = attrs.field(factory=list)
    sessions: list[CannedSession] = attrs.field(factory=list)
    _marked: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def listen(self) -> int:
        """Opens the provider's port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.setblocking(False)
        self.loop.read(listener.fileno(), lambda: self._accept(listener))
        return int(listener.getsockname()[1])

    def ring(self) -> None:
        """One more call. The next one rings when this one's session is there: so each is known by its caller."""
        self.callers.append(BenchCaller(self.loop, self.bridge, len(self.callers)))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = listener.accept()
            number = len(self.sessions)
            self.sessions.append(CannedSession(self.loop, sock, number, self.callers[number]))
            if len(self.callers) < self.calls:
                self.loop.later(self.spread_s / self.calls, self.ring)

    def command(self, line: str) -> None:
        word, _, argument = line.partition(" ")
        if word == "bridge":
            self.bridge = ("127.0.0.1", int(argument))
        elif word == "ring":
            self.calls = int(argument)
            self.ring()
        elif word == "mark":
            for caller in self.callers:
                caller.heard = HeardByCaller()
            self._marked = (monotonic(), sum(used_s()), waited_s() or 0.0)
            _say({"marked": len(self.callers)})
        elif word == "report":
            began, used, waited = self._marked
            seconds = monotonic() - began
            found = summary([caller.heard for caller in self.callers], seconds)
            busy = round((sum(used_s()) - used) / seconds, 3)
            _say({**found, "seconds": seconds, "busy": busy, "waited_s": (waited_s() or 0.0) - waited})
        elif word == "count":
            _say({"sessions": len(self.sessions)})
        elif word == "stop":
            for caller in self.callers:
                caller.close()
            self.loop.later(0.5, self._stop)

    def _stop(self) -> None:
        self.loop.running = False


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


@click.command(help=__doc__)
@click.option("--spread", default=5.0, show_default=True, help="Seconds over which the calls begin.")
@click.option("--core", type=int, help="The core to stay on.")
def main(spread: float, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    loop = LoadLoop()
    load = Load(loop, ("127.0.0.1", 0), 0, spread)
    _say({"provider": load.listen()})

    def commands() -> None:
        for line in os.read(sys.stdin.fileno(), 4096).decode().split("\n"):
            load.command(line)

    loop.read(sys.stdin.fileno(), commands)
    loop.run()


if __name__ == "__main__":
    main()
