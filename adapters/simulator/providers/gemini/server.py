"""The thin I/O face of the simulated Gemini Live: a socket, an upgrade, its key, a timer. The core decides."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

import orjson
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from adapters.simulator.providers.gemini.checks import GeminiClosing
from adapters.simulator.providers.gemini.core import GeminiCore, GeminiMemory, GeminiStats, Out
from adapters.simulator.providers.gemini.script import GeminiScenario

log = structlog.get_logger(__name__)

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024


class GeminiServer:
    """A Gemini Live server on a port. `async with GeminiServer(scenario) as provider: provider.url`."""

    def __init__(self, scenario: GeminiScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.scenario = scenario or GeminiScenario()
        self._host, self._port = host, port
        self._server: Server | None = None
        self._memory = GeminiMemory(list(self.scenario.user_turns))
        self.sessions: list[GeminiCore] = []

    @property
    def port(self) -> int:
        """The port it listens on (chosen by the system for 0)."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """Without the key."""
        return f"ws://{self._host}:{self.port}{PATH}"

    @property
    def stats(self) -> list[GeminiStats]:
        """Of every connection so far, in the order of acceptance."""
        return [core.stats for core in self.sessions]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, self._host, self._port, process_request=_upgrade, compression=None,
            max_size=_MAX_MESSAGE_BYTES, close_timeout=2.0,
        )  # fmt: skip
        log.info("simulated_gemini_listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every connection; a second time does nothing."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        core = GeminiCore(self.scenario, len(self.sessions) + 1, self._memory, loop.time())
        self.sessions.append(core)
        try:
            while core.stats.closing is None:
                due_s = core.next_deadline()
                try:
                    async with asyncio.timeout_at(due_s):
                        message = await connection.recv()
                except TimeoutError:
                    assert due_s is not None
                    # A loop timer may fire a hair early; the core is asked for what it was set for.
                    await self._send(connection, core.advance(max(loop.time(), due_s)))
                    continue
                await self._send(connection, core.receive(message, loop.time()))
        except ConnectionClosed:
            return

    async def _send(self, connection: ServerConnection, leaving: list[Out]) -> None:
        for out in leaving:
            if isinstance(out, GeminiClosing):
                await connection.close(out.code, out.reason)
                return
            await connection.send(orjson.dumps(out), text=not self.scenario.binary)


def _upgrade(connection: ServerConnection, request: Request) -> Response | None:
    """Any key will do, but one there must be, in the query."""
    parts = urlsplit(request.path)
    if parts.path != PATH:
        return connection.respond(HTTPStatus.NOT_FOUND, f"this is {PATH}\n")
    if not parse_qs(parts.query).get("key"):
        return connection.respond(HTTPStatus.FORBIDDEN, '{"error": {"status": "PERMISSION_DENIED"}}')
    return None
