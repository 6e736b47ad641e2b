"""The thin I/O face of the simulated GPT-Live: an upgrade, its key, a clock. Every decision is the core's."""

from __future__ import annotations

import time
from http import HTTPStatus

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from adapters.simulator.providers.live.core import LiveClosing, LiveCore, LiveStats
from adapters.simulator.providers.live.script import LiveScenario
from adapters.simulator.providers.model_server import ModelServer


class LiveServer(ModelServer[LiveCore]):
    """A GPT-Live server on a port."""

    PATH = "/v1/live/sessions"

    def __init__(self, scenario: LiveScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.scenario = scenario or LiveScenario()

    @property
    def stats(self) -> list[LiveStats]:
        """Of every session so far."""
        return [core.stats for core in self.sessions]

    def _new_core(self) -> LiveCore:
        return LiveCore(self.scenario, len(self.sessions) + 1, int(time.time()))

    async def _play(self, connection: ServerConnection, core: LiveCore) -> None:
        async for message in connection:
            for out in core.receive(message):
                if isinstance(out, LiveClosing):
                    await connection.close(out.code, out.reason)
                    return
                await connection.send(orjson.dumps(out).decode())

    def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        """Any key will do, but one there must be; a query has nothing to say."""
        path, _, query = request.path.partition("?")
        if path != self.PATH or query:
            return connection.respond(HTTPStatus.NOT_FOUND, f"this is {self.PATH}, without a query\n")
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return connection.respond(HTTPStatus.UNAUTHORIZED, '{"error": {"code": "invalid_api_key"}}')
        return None
