"""The AudioSocket listener: who may call, how many at once, and the end of all of them. Never what a call says.

Asterisk is the TCP client, one connection per call leg, without authentication (docs/facts/telephony.md section 1).
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import socket
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias, cast

import structlog

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket.connection import Connection, Gone
from adapters.lines.audiosocket.settings import AudioSocketSettings

log = structlog.get_logger(__name__)

OnCall: TypeAlias = Callable[[Connection], Awaitable[object] | None]
"""Called in the receive loop as soon as the uuid is known; what it returns to be awaited runs as a task."""


class AudioSocketServer:
    """`start`, then `on_call(connection)` per call, then `close`.

    A handler that fails is logged, and its connection ends politely; one that returns leaves its connection as it is.
    """

    def __init__(self, settings: AudioSocketSettings, ticker: Ticker, on_call: OnCall) -> None:
        self._settings = settings
        self._ticker = ticker
        self._on_call = on_call
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._leaving: set[Connection] = set()
        self._live: dict[uuid.UUID, Connection] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_closing = False

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listens on the settings' host and port, or on a bound `sock` handed over. OSError: it cannot."""
        settings = self._settings
        listen = functools.partial(asyncio.get_running_loop().create_server, self._make, backlog=settings.backlog)
        if sock is not None:
            self._listener = await listen(sock=sock)
        else:
            reuse_port = settings.reuse_port or None
            self._listener = await listen(host=settings.host, port=settings.port, reuse_port=reuse_port)
        log.info("audiosocket_listening", addresses=self.addresses)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        sockets = self._listener.sockets if self._listener is not None else ()
        return [cast(tuple[str, int], sock.getsockname()[:2]) for sock in sockets]

    @property
    def port(self) -> int:
        return self.addresses[0][1]

    @property
    def calls(self) -> list[Connection]:
        """The live ones."""
        return list(self._live.values())

    async def close(self, deadline_s: float = 5.0) -> None:
        """No new calls, all others ended politely within the deadline, then cut; their handlers likewise."""
        self._is_closing = True
        if self._listener is not None:
            self._listener.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        for connection in list(self._connections):
            connection.leave(Gone.SERVER_CLOSING)
        await self._wait_all_gone(deadline_s)
        for connection in self._connections | self._leaving:
            connection.cut()
        await self._wait_all_gone(1.0)  # a cut is carried out by the loop's next pass
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(until - loop.time(), 0.0))
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._tasks:
            log.error("call_handlers_ignore_cancellation", count=len(self._tasks))

    async def _wait_all_gone(self, timeout_s: float) -> None:
        waiting = [asyncio.ensure_future(each.wait_gone()) for each in self._connections | self._leaving]
        if not waiting:
            return
        _, pending = await asyncio.wait(waiting, timeout=timeout_s)
        for waiter in pending:
            waiter.cancel()

    def _make(self) -> Connection:
        return Connection(self._settings, self._ticker, self)

    # What a connection asks: `ConnectionOwner`.

    def admit(self, connection: Connection) -> str | None:
        refusal = self._refusal(connection)
        if refusal is None:
            self._connections.add(connection)
        elif len(self._leaving) >= self._settings.max_refusals:
            connection.cut()
        return refusal

    def _refusal(self, connection: Connection) -> str | None:
        if self._is_closing:
            return "the server is closing"
        if not self._is_allowed(connection.peer[0]):
            return "not in the allowed networks"
        if len(self._connections) >= self._settings.max_connections:
            return "too many connections"
        return None

    def _is_allowed(self, host: str) -> bool:
        if not self._settings.allowed_peers:
            return True
        try:
            address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:  # a dual-stack socket
            address = address.ipv4_mapped
        return any(address in network for network in self._settings.allowed_peers)

    def identified(self, connection: Connection) -> str | None:
        if connection.uuid in self._live:
            return "a call with this uuid is live"
        self._live[connection.uuid] = connection
        try:
            handling = self._on_call(connection)
        except Exception:
            log.exception("call_handler_failed", call_id=str(connection.uuid))
            connection.leave(Gone.HANDLER_FAILED)
            return None
        if inspect.isawaitable(handling):
            task = asyncio.get_running_loop().create_task(_awaited(handling), name=f"call {connection.uuid}")
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._handled, connection))
        return None

    def _handled(self, connection: Connection, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            connection.leave(Gone.HANDLER_FAILED)
        elif (failure := task.exception()) is not None:
            log.error("call_handler_failed", call_id=str(connection.uuid), exc_info=failure)
            connection.leave(Gone.HANDLER_FAILED)

    def departing(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._leaving.add(connection)
        if self._live.get(connection.uuid) is connection:
            del self._live[connection.uuid]

    def lost(self, connection: Connection) -> None:
        self._leaving.discard(connection)


def _awaited(handling: Awaitable[object]) -> Coroutine[Any, Any, object]:
    async def run() -> object:
        return await handling

    return run()
