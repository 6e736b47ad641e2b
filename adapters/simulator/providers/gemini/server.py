"""The thin I/O face of the simulated Gemini Live: an upgrade, its key, a timer. The core decides."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from adapters.simulator.providers.gemini.checks import GeminiClosing
from adapters.simulator.providers.gemini.core import GeminiCore, GeminiMemory, GeminiStats, Out
from adapters.simulator.providers.gemini.script import GeminiScenario
from adapters.simulator.providers.model_server import ModelServer


class GeminiServer(ModelServer[GeminiCore]):
    """A Gemini Live server on a port."""

    PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

    def __init__(self, scenario: GeminiScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.scenario = scenario or GeminiScenario()
        self._memory = GeminiMemory(list(self.scenario.user_turns))

    @property
    def stats(self) -> list[GeminiStats]:
        """Of every connection so far."""
        return [core.stats for core in self.sessions]

    def _new_core(self) -> GeminiCore:
        now_s = asyncio.get_running_loop().time()
        return GeminiCore(self.scenario, len(self.sessions) + 1, self._memory, now_s)

    async def _play(self, connection: ServerConnection, core: GeminiCore) -> None:
        loop = asyncio.get_running_loop()
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

    async def _send(self, connection: ServerConnection, leaving: list[Out]) -> None:
        for out in leaving:
            if isinstance(out, GeminiClosing):
                await connection.close(out.code, out.reason)
                return
            await connection.send(orjson.dumps(out), text=not self.scenario.binary)

    def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        """Any key will do, but one there must be, in the query."""
        parts = urlsplit(request.path)
        if parts.path != self.PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"this is {self.PATH}\n")
        if not parse_qs(parts.query).get("key"):
            return connection.respond(HTTPStatus.FORBIDDEN, '{"error": {"status": "PERMISSION_DENIED"}}')
        return None
