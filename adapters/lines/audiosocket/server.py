"""The AudioSocket listener: who may call, how many at once, and the end of all of them. Never what a call says.

Asterisk is the TCP client, one connection per call leg, without authentication (docs/facts/telephony.md section 1).
Whoever is turned away is told by RST (docs/asterisk.md), if possible after the UUID, so that its result can be asked
for.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import resource
import socket
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.listener import Acceptor, bound_sockets, reset
from adapters.lines.audiosocket.mistakes import Mistake, Mistakes
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.gone import Gone
from adapters.lines.handlers import CallHandlers
from adapters.lines.networks import is_allowed
from adapters.lines.refusal import CallRefusal, OnRefused

log = structlog.get_logger(__name__)

OnCall: TypeAlias = Callable[[Connection], Awaitable[object] | None]
"""Called in the receive loop as soon as uuid and rate are known; what it returns to be awaited runs as a task."""


class AudioSocketServer:
    """`start`, then `on_call(connection)` per call, then `close`.

    A handler that fails is logged, and its connection ends politely; one that returns leaves its connection as it is.
    `on_refused` hears of each call that is turned away here with its uuid known.
    """

    def __init__(
        self,
        settings: AudioSocketSettings,
        ticker: Ticker,
        on_call: OnCall,
        on_refused: OnRefused | None = None,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_busy`: no further call just now."""
        self._settings = settings
        self._ticker = ticker
        self._on_call = on_call
        self._on_refused = on_refused
        self._is_busy = is_busy
        self._acceptor = Acceptor(self._on_accepted, self._on_starved, self._has_newcomers)
        self._unidentified: dict[Connection, float] = {}
        """When each was accepted; the oldest first."""
        self._live: dict[uuid.UUID, Connection] = {}
        self._leaving: set[Connection] = set()
        self._calls_of_peer: Counter[str] = Counter()
        self._attaching: set[asyncio.Task[None]] = set()
        self._handlers = CallHandlers()
        self._mistakes = Mistakes()
        self._is_draining = False
        self.refusals: Counter[CallRefusal] = Counter()
        """By reason, those before the uuid included."""

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listens on the settings' host and port, or on a bound `sock` handed over. OSError: it cannot."""
        settings = self._settings
        socks = [sock] if sock is not None else []
        if sock is None:
            socks = await bound_sockets(settings.host, settings.port, reuse_port=settings.reuse_port)
        self._acceptor.start(socks, settings.backlog)
        log.info("audiosocket_listening", addresses=self.addresses)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        return self._acceptor.addresses

    @property
    def port(self) -> int:
        return self.addresses[0][1]

    @property
    def calls(self) -> list[Connection]:
        """The live ones."""
        return list(self._live.values())

    def drain(self) -> None:
        """No new calls. The port stays open and refuses: to Asterisk a port that is closed is worse than a reset.

        Where processes share the port it is closed, and the others take the calls.
        """
        self._is_draining = True
        if self._settings.reuse_port:
            self._acceptor.close()

    async def close(self, deadline_s: float = 5.0) -> None:
        """No new calls, all others ended politely within the deadline, then cut; their handlers likewise."""
        self.drain()
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        for connection in self.calls:
            connection.leave(Gone.SERVER_CLOSING)
        self._turn_away_unidentified()
        await self._wait_all_gone(deadline_s)
        for connection in {*self._live.values(), *self._leaving}:
            connection.cut()
        await self._wait_all_gone(1.0)  # a cut is carried out by the loop's next pass
        await self._handlers.close(max(until - loop.time(), 0.0))
        self._acceptor.close()
        while self._attaching:
            await asyncio.wait(self._attaching)
        self._turn_away_unidentified()
        await self._wait_all_gone(1.0)

    def _turn_away_unidentified(self) -> None:
        for connection in list(self._unidentified):
            connection.turn_away(CallRefusal.DRAIN)

    async def _wait_all_gone(self, timeout_s: float) -> None:
        going = {*self._live.values(), *self._leaving}
        waiting = [asyncio.ensure_future(each.wait_gone()) for each in going]
        if not waiting:
            return
        _, pending = await asyncio.wait(waiting, timeout=timeout_s)
        for waiter in pending:
            waiter.cancel()

    # --- before there is a uuid ---------------------------------------------------------------------------------------

    def adopt(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        """A connection that somebody else has accepted; it is ours from here on."""
        self._on_accepted(sock, peer)

    def has_newcomers(self) -> bool:
        """As many as come at once: whoever hands over further ones waits a moment."""
        return self._has_newcomers()

    def _on_accepted(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        why = self._refusal_at_accept(sock, peer)
        if why is not None and not self.may_linger():
            reset(sock)
            self._count(why, peer[0])
            return
        if why is None and self._is_refused_unread(sock, peer[0]):
            return
        connection = Connection(self._settings, self._ticker, self, peer, why)
        if why is None:
            self._unidentified[connection] = asyncio.get_running_loop().time()
        task = asyncio.get_running_loop().create_task(self._attach(connection, sock))
        self._attaching.add(task)
        task.add_done_callback(self._attaching.discard)

    def _is_refused_unread(self, sock: socket.socket, host: str) -> bool:
        """Who has said already whose call it is, and is not taken, costs no transport: they come by the hundred."""
        if self._settings.refuse == "polite":
            return False
        try:
            call = wire.opening_uuid(sock.recv(wire.UUID_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:  # nothing has come, or nothing will
            return False
        if call is None or (why := self._refusal_of(call, host)) is None:
            return False
        self._tell_refused(str(call), why)  # first, so that the result is there when its dialplan asks for it
        reset(sock)
        self._count(why, host)
        return True

    async def _attach(self, connection: Connection, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except OSError:
            log.exception("audiosocket_not_attached", peer=connection.peer[0])
            self._unidentified.pop(connection, None)
            reset(sock)

    def _refusal_at_accept(self, sock: socket.socket, peer: tuple[str, int]) -> CallRefusal | None:
        settings = self._settings
        if not is_allowed(peer[0], settings.allowed_peers):
            return CallRefusal.NOT_ALLOWED
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most != resource.RLIM_INFINITY and sock.fileno() >= most - settings.descriptors_kept:
            return CallRefusal.NO_DESCRIPTORS
        if len(self._unidentified) >= settings.max_unidentified and not self._has_made_room():
            return CallRefusal.UNIDENTIFIED
        return None

    def _has_newcomers(self) -> bool:
        most = self._settings.newcomers
        since_s = next(itertools.islice(reversed(self._unidentified.values()), most - 1, None), None)
        return since_s is not None and self._is_new(since_s)

    def _is_new(self, since_s: float) -> bool:
        return asyncio.get_running_loop().time() - since_s < self._settings.unidentified_grace_s

    def _has_made_room(self) -> bool:
        """A call says whose it is at once: who has not is not one, and holds no call's place."""
        oldest, since_s = next(iter(self._unidentified.items()))
        if self._is_new(since_s):
            return False
        del self._unidentified[oldest]
        oldest.turn_away(CallRefusal.UNIDENTIFIED)
        return True

    def _on_starved(self) -> None:
        self._count(CallRefusal.NO_DESCRIPTORS, "")

    def _count(self, why: CallRefusal, host: str) -> None:
        self.refusals[why] += 1
        count = self.refusals[why]
        if count & (count - 1) == 0:  # 1st, 2nd, 4th, ...: they come by the thousand
            log.warning("audiosocket_reset", why=why, peer=host, count=count)

    # --- what a connection asks: `ConnectionOwner` --------------------------------------------------------------------

    def identified(self, connection: Connection) -> CallRefusal | None:
        self._unidentified.pop(connection, None)
        if why := self._refusal_of(connection.uuid, connection.peer[0]):
            return why
        self._live[connection.uuid] = connection
        self._calls_of_peer[connection.peer[0]] += 1
        return None

    def _refusal_of(self, call: uuid.UUID, host: str) -> CallRefusal | None:
        most_of_peer = self._settings.max_calls_per_peer
        if call in self._live:
            return CallRefusal.LIVE_CALL
        if self._is_draining:
            return CallRefusal.DRAIN
        if len(self._live) >= self._settings.max_connections:
            return CallRefusal.LIMIT
        if most_of_peer is not None and self._calls_of_peer[host] >= most_of_peer:
            return CallRefusal.CALLS_PER_PEER
        return CallRefusal.BUSY if self._is_busy() else None

    def begin(self, connection: Connection) -> None:
        self._handlers.begin(
            str(connection.uuid),
            functools.partial(self._on_call, connection),
            functools.partial(connection.leave, Gone.HANDLER_FAILED),
        )

    def refused(self, connection: Connection, why: CallRefusal) -> None:
        self.refusals[why] += 1
        if connection.is_live:
            self._tell_refused(connection.call_id, why)

    def _tell_refused(self, call_id: str, why: CallRefusal) -> None:
        if self._on_refused is None or why is CallRefusal.LIVE_CALL:
            return
        try:
            self._on_refused(call_id, why.value)
        except Exception:
            log.exception("on_refused_failed", call_id=call_id)

    def may_linger(self) -> bool:
        return self._settings.refuse == "polite" and len(self._leaving) < self._settings.max_refusals

    def noticed(self, connection: Connection, mistake: Mistake) -> None:
        self._mistakes.note(connection.peer[0], mistake, connection.call_id if connection.is_live else "")

    def departing(self, connection: Connection) -> None:
        self._unidentified.pop(connection, None)
        self._leaving.add(connection)
        if self._live.get(connection.uuid) is connection:
            del self._live[connection.uuid]
            host = connection.peer[0]
            self._calls_of_peer[host] -= 1
            if not self._calls_of_peer[host]:
                del self._calls_of_peer[host]

    def lost(self, connection: Connection) -> None:
        self._leaving.discard(connection)
