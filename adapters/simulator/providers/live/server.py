"""The thin I/O face of the simulated GPT-Live: a socket, an upgrade, its key. Every decision is the core's."""

from __future__ import annotations

import time
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import orjson
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from adapters.simulator.providers.live.core import LiveClosing, LiveCore, LiveStats
from adapters.simulator.providers.live.script import LiveScenario

log = structlog.get_logger(__name__)

PATH: Final = "/v1/live/sessions"
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024


class LiveServer:
    """A GPT-Live server on a port. `async with LiveServer(scenario) as provider: provider.url`."""

    def __init__(self, scenario: LiveScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.scenario = scenario or LiveScenario()
        self._host, self._port = host, port
        self._server: Server | None = None
        self.sessions: list[LiveCore] = []
        self.ended = 0
        """How many sessions are over."""

    @property
    def port(self) -> int:
        """The port it listens on (chosen by the system for 0)."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        return f"ws://{self._host}:{self.port}{PATH}"

    @property
    def stats(self) -> list[LiveStats]:
        """Of every session so far, in the order of acceptance."""
        return [core.stats for core in self.sessions]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, self._host, self._port, process_request=_upgrade, compression=None,
            max_size=_MAX_MESSAGE_BYTES, close_timeout=2.0,
        )  # fmt: skip
        log.info("simulated_live_listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every session; a second time does nothing."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        core = LiveCore(self.scenario, len(self.sessions) + 1, int(time.time()))
        self.sessions.append(core)
        try:
            async for message in connection:
                for out in core.receive(message):
                    if isinstance(out, LiveClosing):
                        await connection.close(out.code, out.reason)
                        return
                    await connection.send(orjson.dumps(out).decode())
        except ConnectionClosed:
            return
        finally:
            self.ended += 1


def _upgrade(connection: ServerConnection, request: Request) -> Response | None:
    """Any key will do, but one there must be; a query has nothing to say."""
    path, _, query = request.path.partition("?")
    if path != PATH or query:
        return connection.respond(HTTPStatus.NOT_FOUND, "this is /v1/live/sessions, without a query\n")
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return connection.respond(HTTPStatus.UNAUTHORIZED, '{"error": {"code": "invalid_api_key"}}')
    return None
