"""The thin I/O face of the simulated Voice Agent: an upgrade, its key, a clock. Every decision is the core's."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from adapters.simulator.providers.deepgram.core import AgentClosing, AgentCore, AgentStats, Out
from adapters.simulator.providers.deepgram.script import AgentScenario
from adapters.simulator.providers.model_server import ModelServer

_NO_CODE: Final = 1005  # a close frame without a code
_TICK_S: Final = 0.001  # a timer may fire a hair before its time


class AgentServer(ModelServer[AgentCore]):
    """A Voice Agent on a port."""

    PATH = "/v1/agent/converse"

    def __init__(self, scenario: AgentScenario | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.scenario = scenario or AgentScenario()

    @property
    def stats(self) -> list[AgentStats]:
        """Of every session so far."""
        return [core.stats for core in self.sessions]

    def _new_core(self) -> AgentCore:
        return AgentCore(self.scenario, len(self.sessions) + 1)

    async def _play(self, connection: ServerConnection, core: AgentCore) -> None:
        clock = asyncio.get_running_loop().time
        is_open = await _sent(connection, core.open(clock()))
        while is_open:
            deadline = core.next_deadline()
            wait_s = None if deadline is None else max(_TICK_S, deadline - clock())
            try:
                message = await asyncio.wait_for(connection.recv(), wait_s)
                out = core.receive(message, clock())
            except TimeoutError:
                out = core.due(clock())
            is_open = await _sent(connection, out)

    def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        """Any key will do, but one there must be; it is a Token."""
        if request.path.partition("?")[0] != self.PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"this is {self.PATH}\n")
        if not request.headers.get("Authorization", "").startswith("Token "):
            return connection.respond(HTTPStatus.UNAUTHORIZED, '{"err_code": "INVALID_AUTH"}')
        return None


async def _sent(connection: ServerConnection, out: list[Out]) -> bool:
    """False: the session is over."""
    for each in out:
        if isinstance(each, AgentClosing):
            await connection.close(1000 if each.code == _NO_CODE else each.code, each.reason)
            return False
        await connection.send(each if isinstance(each, bytes) else orjson.dumps(each).decode())
    return True
