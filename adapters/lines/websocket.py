"""A listener for lines that speak WebSocket: where, how many, from whom, at which path, and the end of all of them.

Not ASGI: the sockets are adapters.websocket, without an await per frame. What is said over them is the line's.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from typing import Protocol, cast

import attrs
import structlog
from attrs.validators import ge, gt

from adapters.lines.networks import Network, as_networks, is_allowed
from adapters.websocket.message_socket import MessageSink, SocketLimits
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket

log = structlog.get_logger(__name__)


@attrs.frozen(kw_only=True)
class MediaServerSettings:
    """ValueError where a value makes no sense."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=0, validator=ge(0))
    backlog: int = attrs.field(default=512, validator=gt(0))
    """Of the listening socket: a burst of calls while the loop is busy. asyncio's 100 is little."""
    reuse_port: bool = False
    """More cores are more processes on one port (docs/facts/performance.md)."""
    tls: ssl.SSLContext | None = None
    path: str | None = None
    """The only one there is, without its query; None: the owner judges."""
    subprotocol: str | None = None
    """A client that does not offer it is refused."""
    max_connections: int = attrs.field(default=200, validator=gt(0))
    max_waiting: int = attrs.field(default=256, validator=ge(0))
    """Connections that are not let in: before the end of their handshake, or refused and not gone. More are cut."""
    allowed_peers: tuple[Network, ...] = attrs.field(default=(), converter=as_networks)
    """Networks calls may come from. Empty: from anywhere that reaches the port."""
    limits: SocketLimits = attrs.field(factory=SocketLimits)


class MediaOwner(Protocol):
    """The line, as its listener sees it. Both are called in the receive loop."""

    def admit(self, handshake: Handshake) -> HttpRefusal | None:
        """What the listener cannot judge: who it is."""

    def opened(self, websocket: ServerSocket) -> MessageSink:
        """It is in; who hears it. One that raises has it closed."""


class MediaServer:
    """`start`, then `owner.opened(websocket)` for each connection, then `close`."""

    def __init__(self, settings: MediaServerSettings, owner: MediaOwner, name: str) -> None:
        """`name`: of the line, in the log."""
        self._settings = settings
        self._line = owner
        self._log = log.bind(line=name)
        self._listener: asyncio.Server | None = None
        self._waiting: set[ServerSocket] = set()
        self._open: set[ServerSocket] = set()
        self._attaching: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listens on the settings' host and port, or on a bound `sock` handed over. OSError: it cannot."""
        settings, limits = self._settings, self._settings.limits
        listen = functools.partial(
            asyncio.get_running_loop().create_server,
            self._make,
            backlog=settings.backlog,
            ssl=settings.tls,
            ssl_handshake_timeout=limits.open_s if settings.tls else None,
            ssl_shutdown_timeout=limits.close_s if settings.tls else None,
        )
        if sock is not None:
            self._listener = await listen(sock=sock)
        else:
            self._listener = await listen(
                host=settings.host, port=settings.port, reuse_port=settings.reuse_port or None
            )
        self._log.info(
            "websocket_listening", addresses=self.addresses, path=settings.path, tls=settings.tls is not None
        )

    def adopt(self, sock: socket.socket) -> None:
        """A connection that somebody else has accepted; it is ours from here on, its handshakes as well."""
        task = asyncio.get_running_loop().create_task(self._attach(sock))
        self._attaching.add(task)
        task.add_done_callback(self._attaching.discard)

    async def _attach(self, sock: socket.socket) -> None:
        limits, tls = self._settings.limits, self._settings.tls
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make,
                sock,
                ssl=tls,
                ssl_handshake_timeout=limits.open_s if tls else None,
                ssl_shutdown_timeout=limits.close_s if tls else None,
            )
        except (OSError, TimeoutError) as error:  # the peer's fault, or that of the network
            self._log.info("websocket_not_attached", why=type(error).__name__)
            sock.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        sockets = self._listener.sockets if self._listener is not None else ()
        return [cast(tuple[str, int], sock.getsockname()[:2]) for sock in sockets]

    @property
    def port(self) -> int:
        return self.addresses[0][1]

    @property
    def connections(self) -> int:
        """How many are let in."""
        return len(self._open)

    def stop_listening(self) -> None:
        """From here on a connection that comes all the same is refused."""
        self._is_closing = True
        if self._listener is not None:
            self._listener.close()

    async def close(self, deadline_s: float = 5.0, code: int = 1001, reason: str = "going away") -> None:
        """No new connections, all others closed politely within the deadline, then cut."""
        self.stop_listening()
        for each in list(self._open):
            each.close(code, reason)
        for each in list(self._waiting):
            each.abort()
        for task in list(self._attaching):
            task.cancel()
        await asyncio.gather(*self._attaching, return_exceptions=True)
        await self._wait_all_gone(deadline_s)
        for each in self._open | self._waiting:
            each.abort()
        await self._wait_all_gone(1.0)  # an abort is carried out by the loop's next pass

    async def _wait_all_gone(self, timeout_s: float) -> None:
        waiting = [asyncio.ensure_future(each.wait_closed()) for each in self._open | self._waiting]
        if not waiting:
            return
        _, pending = await asyncio.wait(waiting, timeout=timeout_s)
        for waiter in pending:
            waiter.cancel()

    def _make(self) -> ServerSocket:
        return ServerSocket(self, self._settings.limits, self._settings.subprotocol)

    # What a socket asks: `ServerSocketOwner`.

    def connected(self, websocket: ServerSocket) -> bool:
        if self._is_closing or len(self._waiting) >= self._settings.max_waiting:
            return False
        if not is_allowed(websocket.peer[0], self._settings.allowed_peers):
            self._log.warning("websocket_refused", peer=websocket.peer[0], why="not in the allowed networks")
            return False
        self._waiting.add(websocket)
        return True

    def asked(self, websocket: ServerSocket, handshake: Handshake) -> HttpRefusal | None:
        del websocket
        settings = self._settings
        if self._is_closing:
            return HttpRefusal(503, "the server is closing")
        if settings.path is not None and handshake.path != settings.path:
            return HttpRefusal(404, "there is nothing at this path")
        refusal = self._line.admit(handshake)
        if refusal is None and len(self._open) >= settings.max_connections:
            return HttpRefusal(503, "too many connections")
        return refusal

    def opened(self, websocket: ServerSocket) -> MessageSink:
        self._waiting.discard(websocket)
        self._open.add(websocket)
        return self._line.opened(websocket)

    def refused(self, websocket: ServerSocket, refusal: HttpRefusal) -> None:
        # The path alone: a query may hold a token.
        where = websocket.handshake.path[:200]
        self._log.warning(
            "websocket_refused", peer=websocket.peer[0], path=where, status=refusal.status, why=refusal.why
        )

    def lost(self, websocket: ServerSocket) -> None:
        self._waiting.discard(websocket)
        self._open.discard(websocket)
