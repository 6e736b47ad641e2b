"""The thin I/O face of the simulated Voice Agent: a socket, an upgrade, a clock. Every decision is the core's."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import orjson
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from adapters.simulator.providers.deepgram.core import AgentClosing, AgentCore, AgentStats, Out
from adapters.simulator.providers.deepgram.script import AgentScenario

log = structlog.get_logger(__name__)

PATH: Final = "/v1/agent/converse"
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_NO_CODE: Final = 1005  # a close frame without a code
_TICK_S: Final = 0.001  # a timer may fire a hair before its time


class AgentServer:
    """A Voice Agent on a port. `async with AgentServer(scenario) as provider: provider.url`."""

    def __init__(self, scenario: AgentScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.scenario = scenario or AgentScenario()
        self._host, self._port = host, port
        self._server: Server | None = None
        self.sessions: list[AgentCore] = []

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
    def stats(self) -> list[AgentStats]:
        """Of every session so far, in the order of acceptance."""
        return [core.stats for core in self.sessions]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, self._host, self._port, process_request=_upgrade, compression=None,
            max_size=_MAX_MESSAGE_BYTES, close_timeout=2.0,
        )  # fmt: skip
        log.info("simulated_agent_listening", host=self._host, port=self.port)
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
        core = AgentCore(self.scenario, len(self.sessions) + 1)
        self.sessions.append(core)
        clock = asyncio.get_running_loop().time
        try:
            if not await _sent(connection, core.open(clock())):
                return
            while True:
                deadline = core.next_deadline()
                wait_s = None if deadline is None else max(_TICK_S, deadline - clock())
                try:
                    message = await asyncio.wait_for(connection.recv(), wait_s)
                    out = core.receive(message, clock())
                except TimeoutError:
                    out = core.due(clock())
                if not await _sent(connection, out):
                    return
        except ConnectionClosed:
            return


async def _sent(connection: ServerConnection, out: list[Out]) -> bool:
    """False: the session is over."""
    for each in out:
        if isinstance(each, AgentClosing):
            await connection.close(1000 if each.code == _NO_CODE else each.code, each.reason)
            return False
        await connection.send(each if isinstance(each, bytes) else orjson.dumps(each).decode())
    return True


def _upgrade(connection: ServerConnection, request: Request) -> Response | None:
    """Any key will do, but one there must be; it is a Token."""
    if request.path.partition("?")[0] != PATH:
        return connection.respond(HTTPStatus.NOT_FOUND, "this is /v1/agent/converse\n")
    if not request.headers.get("Authorization", "").startswith("Token "):
        return connection.respond(HTTPStatus.UNAUTHORIZED, '{"err_code": "INVALID_AUTH"}')
    return None
