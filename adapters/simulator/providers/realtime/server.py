"""The thin I/O face of the simulated provider: sockets, upgrades, the loop's clock. Every decision is the core's."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import attrs
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from adapters.simulator.providers.realtime import faults
from adapters.simulator.providers.realtime.core import ProviderCore
from adapters.simulator.providers.realtime.faults import FaultPlan
from adapters.simulator.providers.realtime.outbox import Outgoing
from adapters.simulator.providers.realtime.provider_scenario import ProviderScenario
from adapters.simulator.providers.realtime.provider_settings import (
    ProviderSettings,
    call_id_of,
    check_upgrade,
    model_of,
    transcribes,
)
from adapters.simulator.providers.realtime.session_context import SessionStats
from adapters.simulator.providers.realtime.subprotocols import chosen_subprotocol, said_as_headers

log = structlog.get_logger(__name__)

_MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # above the 15 MiB that the core rejects politely
_CLOSE_TIMEOUT_S = 2.0
_PINGS = (Opcode.PING, Opcode.PONG)


class ProviderSession:
    """One accepted connection: a reader, a writer woken by the core's next deadline, and the core between them."""

    def __init__(self, core: ProviderCore, connection: ServerConnection) -> None:
        self.core, self._connection = core, connection
        self._wake = asyncio.Event()
        self._leaving: list[Outgoing] = []
        self._due_s = 0.0
        self._others: list[ServerConnection] = []
        self._loop = asyncio.get_running_loop()

    @property
    def stats(self) -> SessionStats:
        return self.core.stats

    async def run(self) -> None:
        """Serve until the connection ends."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self.core.end(self._connection.close_code, self._connection.close_reason or "")
            await asyncio.gather(*(each.close() for each in self._others))
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome

    async def attach(self, connection: ServerConnection) -> None:
        """A second client of the session, until it leaves or the session ends; it is not told of the beginning."""
        self._others.append(connection)
        try:
            while True:
                frame = await connection.recv()
                self._leaving += self.core.receive_frame(frame, self._loop.time())
                self._wake.set()
        except ConnectionClosed:
            pass
        finally:
            self._others.remove(connection)

    async def drop_others(self) -> None:
        """The second clients lose their connection; the session goes on."""
        for other in tuple(self._others):
            other.transport.abort()

    def press(self, digit: str) -> None:
        """The caller presses a key."""
        self.core.press(digit, self._loop.time())
        self._wake.set()

    async def close(self, code: int = 1011, reason: str = "") -> None:
        """Close from outside the scenario (1006 drops the TCP connection)."""
        self.core.end(code, reason)
        await self._close(code, reason)

    async def _read(self) -> None:
        while True:
            pause_s = self.core.reading_from_s() - self._loop.time()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                continue
            frame = await self._connection.recv()
            self._leaving += self.core.receive_frame(frame, self._loop.time())
            self._wake.set()

    async def _write(self) -> None:
        """The only sender: two would let events overtake each other where one has to wait."""
        while True:
            self._wake.clear()
            # A loop timer may fire a hair early; the core is asked for what it was set for.
            now_s = max(self._loop.time(), self._due_s)
            leaving, self._leaving = [*self._leaving, *self.core.advance(now_s)], []
            for out in leaving:
                if out.closing:
                    await self._close(out.closing.code, out.closing.reason)
                    return
                await self._connection.send(out.frame())
                for other in tuple(self._others):
                    with contextlib.suppress(ConnectionClosed):
                        await other.send(out.frame())
            if not leaving:
                await self._until_due()

    async def _until_due(self) -> None:
        deadline_s = self.core.next_deadline()
        timer = None if deadline_s is None else self._loop.call_at(deadline_s, self._fall_due, deadline_s)
        try:
            await self._wake.wait()
        finally:
            if timer:
                timer.cancel()

    def _fall_due(self, deadline_s: float) -> None:
        self._due_s = deadline_s
        self._wake.set()

    async def _close(self, code: int, reason: str) -> None:
        if code == 1006:
            self._connection.transport.abort()
        else:
            await self._connection.close(code, reason)


class ProviderServer:
    """A Realtime server on a port. `async with ProviderServer(settings, scenario) as provider: provider.url`."""

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        scenario: ProviderScenario | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings, self.scenario = settings or ProviderSettings(), scenario or ProviderScenario()
        self._host, self._port, self._tls = host, port, tls
        self._server: Server | None = None
        self._upgrades = 0
        self._numbers: WeakKeyDictionary[ServerConnection, int] = WeakKeyDictionary()
        self.sessions: list[ProviderSession] = []
        self.calls: dict[str, ProviderSession] = {}
        """Sessions to which a second client can attach, by the id of their call, as long as they go on."""

    @property
    def port(self) -> int:
        """The port it listens on (chosen by the system for 0)."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """The address of the Realtime endpoint, without `?model=`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/v1/realtime"

    @property
    def stats(self) -> list[SessionStats]:
        """The statistics of every session so far, in the order of acceptance."""
        return [session.stats for session in self.sessions]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            ssl=self._tls,
            process_request=self._upgrade,
            select_subprotocol=chosen_subprotocol,
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            ping_interval=self.settings.ping_interval_s,
            close_timeout=_CLOSE_TIMEOUT_S,
        )
        log.info("simulated_provider_listening", host=self._host, port=self.port, dialect=self.settings.dialect)
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

    async def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        call_id = call_id_of(request.path)
        if call_id and model_of(request.path) is None:
            return None if call_id in self.calls else connection.respond(HTTPStatus.NOT_FOUND, "no such call\n")
        self._upgrades += 1
        self._numbers[connection] = self._upgrades
        plan = FaultPlan(self.scenario.faults, self._upgrades)
        for slow in plan.of(faults.SlowUpgrade):
            await asyncio.sleep(slow.by_s)
        for refused in plan.of(faults.HttpStatus):
            return connection.respond(HTTPStatus(refused.status), "refused by the scenario\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        call_id = call_id_of(path)
        if call_id and model_of(path) is None:
            if (call := self.calls.get(call_id)) is not None:
                await call.attach(connection)
            return
        number = self._numbers[connection]
        if any(FaultPlan(self.scenario.faults, number).of(faults.SilentPing)):
            _fall_silent(connection)
        request = connection.request
        assert request is not None
        headers = said_as_headers({name.lower(): value for name, value in request.headers.raw_items()})
        epoch_s = int(time.time()) if self.settings.epoch_s is None else self.settings.epoch_s
        core = ProviderCore(
            attrs.evolve(self.settings, epoch_s=epoch_s),
            self.scenario,
            model=model_of(request.path) or "",
            transcribes=transcribes(request.path, self.settings),
            connection=number,
            now_s=asyncio.get_running_loop().time(),
            refusal=check_upgrade(request.path, headers, self.settings),
        )
        session = ProviderSession(core, connection)
        self.sessions.append(session)
        if call_id:
            self.calls[call_id] = session
        try:
            await session.run()
        finally:
            self.calls.pop(call_id, None)
        log.info("simulated_session_ended", connection=number, code=core.stats.close_code)


def _fall_silent(connection: ServerConnection) -> None:
    """Neither pings nor pongs leave this connection from now on (there is no public switch for pongs)."""
    protocol: Any = connection.protocol
    send = protocol.send_frame

    def send_but_pings(frame: Frame) -> None:
        if frame.opcode not in _PINGS:
            send(frame)

    protocol.send_frame = send_but_pings
