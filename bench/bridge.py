"""The process that is measured: turnspec's own server, or the bare bridge, on one core.

Driven by lines on stdin ("mark", "report", "stop"), answers with JSON lines on stdout. turnspec runs as
`turnspec serve` runs it: its server, `server_vad`, JSON logs at level info (to a file nobody reads), with a journal if
told so ("journal"), and with metrics and the door, too ("metrics").
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import attrs
import click

from adapters import logs
from adapters.audio.tick import Lateness
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.server.loops import new_loop
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.settings.kinds import LoopName
from bench.bare_bridge import BareBridge
from bench.bare_lines import PHONES
from bench.bare_live import PROVIDERS
from bench.cpu import used_s, waited_s
from bench.load_callers import TWILIO

WHO = ("bare", "turnspec", "journal", "metrics")
UVLOOP = "uvloop"
"""turnspec on another loop (bench/loops.py)."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Bridge(Protocol):
    """What is asked of whoever is measured."""

    async def start(self) -> int:
        """Listens; the port."""

    def mark(self) -> None:
        """From here on."""

    def report(self) -> dict[str, object]:
        """Playout lateness at the ticker, underruns."""

    async def stop(self) -> None: ...


class Bare:
    def __init__(self, url: str, line: str, protocol: str) -> None:
        self._bridge = BareBridge(url, PHONES[line], PROVIDERS[protocol])

    async def start(self) -> int:
        port = await self._bridge.start()
        gc.collect()
        gc.freeze()
        return port

    def mark(self) -> None:
        self._bridge.lateness = Lateness()
        self._bridge.underruns = 0

    def report(self) -> dict[str, object]:
        return {"tick_ms": self._bridge.lateness.summary(), "underruns": self._bridge.underruns}

    async def stop(self) -> None: ...


_CONFIG = """
spec: {spec}
listen: {{audiosocket: "127.0.0.1:0"}}
provider: {{url: "{url}", model: {model}, api_key: "", instructions: "You are brief.", format: pcmu}}
greeting: Greet the caller.
# lateness is measured, not avoided by refusing the last calls
limits: {{calls: 2000, loop_lag_ms: 60000, new_calls_s: 10000}}
{more}
"""
SPOKEN = {"realtime": ("server_vad", "gpt-realtime"), "live": ("full_duplex", "gpt-live-1")}
"""Spec and model of a protocol, which is known by the URL."""
_JOURNAL = "journal: {{dir: {folder}}}"
_DOOR = "http: {listen: '127.0.0.1:0'}"


@attrs.define
class Turnspec:
    """`adapters.server.server.TurnspecServer`, and the counters of its live calls."""

    server: TurnspecServer
    line: str = "audiosocket"
    _underruns: int = 0

    async def start(self) -> int:
        await self.server.start()
        if self.line == "chan_websocket":
            assert self.server.channels is not None
            return self.server.channels.port
        if self.line == "twilio":
            assert self.server.streams is not None
            return self.server.streams.addresses[0][1]
        return self.server.port

    def mark(self) -> None:
        self.server._ticker.lateness = Lateness()
        self._underruns = self._count()

    def report(self) -> dict[str, object]:
        return {
            "tick_ms": self.server._ticker.lateness.summary(),
            "underruns": self._count() - self._underruns,
            "violations": sum(call.summary.violations for call in self.server.calls.values()),
            "rejections": sum(sum(call.summary.rejections.values()) for call in self.server.calls.values()),
            "turns": sum(call.summary.turns for call in self.server.calls.values()),
        }

    async def stop(self) -> None:
        await self.server.close(1.0)

    def _count(self) -> int:
        return sum(call._agent_audio.stats.underruns for call in self.server.calls.values())


def _turnspec(url: str, folder: Path, who: str, line: str, protocol: str) -> Turnspec:
    config = folder / "bench.yaml"
    journal = _JOURNAL.format(folder=json.dumps(str(folder / "journals")))
    more = {"journal": journal, "metrics": f"{journal}\n{_DOOR}"}.get(who, "")
    spec, model = SPOKEN[protocol]
    config.write_text(_CONFIG.format(url=url, spec=spec, model=model, more=more), encoding="utf-8")
    settings = load_settings(config, {})
    if line == "chan_websocket":
        settings = attrs.evolve(settings, chan_websocket=ChanWebSocketSettings(port=0, max_connections=2000))
    elif line == "twilio":
        settings = attrs.evolve(settings, twilio=TWILIO)
    logs.configure(settings.log, settings.secrets, (folder / "log").open("w", encoding="utf-8"))
    return Turnspec(TurnspecServer(settings), line)


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


async def _serve(bridge: Bridge, wrap: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    port = await bridge.start()
    marked, waited = used_s(), waited_s()

    def command() -> None:
        nonlocal marked, waited
        for word in os.read(sys.stdin.fileno(), 4096).decode().split():
            if word == "mark":
                bridge.mark()
                marked, waited = used_s(), waited_s()
                _say({"rss": rss_bytes(), "at": loop.time()})
            elif word == "rss":
                _say({"rss": rss_bytes()})
            elif word == "report":
                user_s, system_s = used_s()
                spent = {"user_s": user_s - marked[0], "system_s": system_s - marked[1]}
                spent["waited_s"] = (waited_s() or 0.0) - (waited or 0.0)
                _say({**spent, "rss": rss_bytes(), "at": loop.time(), **bridge.report()})
            elif word == "stop":
                stop.set()

    loop.add_reader(sys.stdin.fileno(), command)
    _say({"port": port})
    await stop.wait()
    loop.remove_reader(sys.stdin.fileno())
    wrap()
    await bridge.stop()


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


@click.command(help=__doc__)
@click.argument("who", type=click.Choice((*WHO, UVLOOP)))
@click.option("--provider", required=True, help="The provider's URL.")
@click.option("--core", type=int, help="The core to stay on.")
@click.option("--line", type=click.Choice(tuple(PHONES)), default="audiosocket", show_default=True)
@click.option("--protocol", type=click.Choice(tuple(SPOKEN)), default="realtime", show_default=True)
@click.option("--profile", type=click.Path(path_type=Path), help="Write a cProfile of the run to this file.")
def main(who: str, provider: str, core: int | None, line: str, protocol: str, profile: Path | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory(prefix="turnspec-bench-") as name:
        bridge: Bridge = (
            Bare(provider, line, protocol) if who == "bare" else _turnspec(provider, Path(name), who, line, protocol)
        )
        if profile is None:
            name_of_loop: LoopName = "uvloop" if who == UVLOOP else "asyncio"
            with asyncio.Runner(loop_factory=lambda: new_loop(name_of_loop)) as runner:
                runner.run(_serve(bridge, lambda: None))
            return
        import cProfile

        profiler = cProfile.Profile()
        profiler.enable()
        asyncio.run(_serve(bridge, profiler.disable))
        profiler.dump_stats(profile)


if __name__ == "__main__":
    main()
