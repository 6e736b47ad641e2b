"""The load: callers over one line on one side of the bridge, a canned provider on the other; one epoll loop.

A process of its own, on the other core. It is driven by lines on stdin ("mark", "report", "stop") and answers with JSON
lines on stdout. Everything it sends is made beforehand or put together from a few pieces, so that it costs less than
what it measures; how busy it was is part of the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from time import monotonic

import attrs
import click

from bench.cpu import used_s, waited_s
from bench.load_callers import CALLERS, BenchCaller
from bench.load_loop import LoadLoop
from bench.load_sessions import SESSIONS, CannedProvider
from bench.load_stats import HeardByCaller, lateness, percentiles, summary

_RUNG_IN_A_PASS = 8


@attrs.define
class Load:
    """All calls of a run, and what drives it."""

    loop: LoadLoop
    bridge: tuple[str, int]
    calls: int
    spread_s: float
    line: str = "audiosocket"
    protocol: str = "realtime"
    callers: list[BenchCaller] = attrs.field(factory=list)
    sessions: list[CannedProvider] = attrs.field(factory=list)
    _marked: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def listen(self) -> int:
        """Opens the provider's port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.setblocking(False)
        self.loop.read(listener.fileno(), lambda: self._accept(listener))
        return int(listener.getsockname()[1])

    def ring(self) -> None:
        """One more call. The next one rings when this one's session is there: so each is known by its caller."""
        self.callers.append(CALLERS[self.line](self.loop, self.bridge, len(self.callers)))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = listener.accept()
            number = len(self.sessions)
            caller = self.callers[min(number, len(self.callers) - 1)]  # more: a session is tried again
            self.sessions.append(SESSIONS[self.protocol](self.loop, sock, number, caller))
            if len(self.callers) < self.calls:
                self.loop.later(self.spread_s / self.calls, self.ring)

    def command(self, line: str) -> None:
        word, _, argument = line.partition(" ")
        if word == "bridge":
            self.bridge = ("127.0.0.1", int(argument))
        elif word == "ring":
            self.calls = int(argument)
            self.ring()
        elif word == "burst":
            self._burst(int(argument))
        elif word == "taken":
            _say(self._taken())
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

    def _burst(self, callers: int) -> None:
        """As fast as one process can, which hears who is refused in between: its own work is not their wait."""
        for _ in range(min(callers, _RUNG_IN_A_PASS)):
            self.callers.append(CALLERS[self.line](self.loop, self.bridge, len(self.callers)))
        if callers > _RUNG_IN_A_PASS:
            self.loop.later(0.0, lambda: self._burst(callers - _RUNG_IN_A_PASS))

    def _taken(self) -> dict[str, object]:
        """Who has a call, how late its frames are; and how long the others waited for their refusal."""
        there = [each for each in self.callers if not each.ended_s]
        refused = [each.ended_s - each.began_s for each in self.callers if each.ended_s]
        late = [each_s for caller in there for each_s in lateness(caller.heard.arrivals)]
        return {"taken": len(there), "late_ms": percentiles(late), "refused_ms": percentiles(refused)}

    def _stop(self) -> None:
        self.loop.running = False


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


@click.command(help=__doc__)
@click.option("--spread", default=5.0, show_default=True, help="Seconds over which the calls begin.")
@click.option("--core", type=int, help="The core to stay on.")
@click.option("--line", type=click.Choice(tuple(CALLERS)), default="audiosocket", show_default=True)
@click.option("--protocol", type=click.Choice(tuple(SESSIONS)), default="realtime", show_default=True)
def main(spread: float, core: int | None, line: str, protocol: str) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    loop = LoadLoop()
    load = Load(loop, ("127.0.0.1", 0), 0, spread, line, protocol)
    _say({"provider": load.listen()})

    def commands() -> None:
        for line in os.read(sys.stdin.fileno(), 4096).decode().split("\n"):
            load.command(line)

    loop.read(sys.stdin.fileno(), commands)
    loop.run()


if __name__ == "__main__":
    main()
