"""turnspec as a dialplan sees it: the lines it answers at, and the results it gives. What it does is scripted."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.chan_websocket.server import ChanWebSocketServer
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.gone import Gone

AUDIOSOCKET_PORT: Final = 9019
WEBSOCKET_PORT: Final = 9020
DOOR_PORT: Final = 9080
CLOSED_PORT: Final = 9018
"""Where nobody is allowed."""
HOSTS: Final = ("127.0.0.1", "127.0.0.2")
_TALK_S: Final = 0.7
_LONG_S: Final = 2.0
MISTAKES: Final[list[str]] = []
"""That were named since it was cleared."""


def keep_mistakes(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: nothing is printed."""
    if line["event"] == "audiosocket_mistake":
        MISTAKES.append(line["what"])
    raise structlog.DropEvent


class ScriptedAgent:
    """At one host. `script`: what becomes of the next calls: a result to end with, `refuse`, `die` or `talk`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.script: deque[str] = deque()
        self.calls: list[str] = []
        """The ids of those that came, in order."""
        self.rates_hz: list[int] = []
        self.announced: list[dict[str, str]] = []
        """What was said at the door about calls to come."""
        self._results: dict[str, str] = {}
        self._ticker = Ticker()
        settings = AudioSocketSettings(host=host, port=AUDIOSOCKET_PORT)
        self._lines: list[Any] = [AudioSocketServer(settings, self._ticker, self._on_call)]
        if host == HOSTS[0]:
            channels = ChanWebSocketSettings(host=host, port=WEBSOCKET_PORT)
            nobody = AudioSocketSettings(host=host, port=CLOSED_PORT, allowed_peers=("10.0.0.0/8",))
            self._lines.append(AudioSocketServer(nobody, self._ticker, self._on_call))
            self._lines.append(ChanWebSocketServer(channels, self._ticker, self._on_call, lambda: None))

    async def start(self) -> None:
        """OSError: a port is taken."""
        for line in self._lines:
            await line.start()
        self._door = await asyncio.start_server(self._answer, self.host, DOOR_PORT)

    async def close(self) -> None:
        for line in self._lines:
            await line.close(1.0)
        self._door.close()
        self._ticker.close()

    def next(self, *script: str) -> None:
        self.script = deque(script)
        self.calls.clear()
        self.rates_hz.clear()
        self.announced.clear()

    async def _on_call(self, leg: Any) -> None:
        self.calls.append(leg.call_id)
        self.rates_hz.append(leg.rate_hz)
        what = self.script.popleft() if self.script else "completed"
        if what == "refuse":
            self._results[leg.call_id] = "refused:drain"
            leg.refuse("drain")
            return
        await asyncio.sleep(_LONG_S if what == "talk" else _TALK_S)
        if what == "die":
            leg.cut()
            return
        self._results[leg.call_id] = "completed" if what == "talk" else what
        await leg.hang_up(Gone.HUNG_UP)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = request.split(" ", 2)
        if method == "POST":
            (length,) = re.findall(r"(?i)content-length: (\d+)", request)
            self.announced.append(json.loads(await reader.readexactly(int(length))))
        result = self._results.get(path.removeprefix("/calls/").removesuffix("/result"))
        status, body = ("200 OK", result) if result else ("404 Not Found", '{"error":{"code":"no_result"}}')
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()
