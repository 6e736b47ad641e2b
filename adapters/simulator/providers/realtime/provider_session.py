"""One simulated session over its sockets: the client whose audio it is, those beside it, and the core between them."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from adapters.simulator.providers.realtime.core import ProviderCore
from adapters.simulator.providers.realtime.media_peer import play, taken
from adapters.simulator.providers.realtime.outbox import Outgoing
from adapters.simulator.providers.realtime.session_context import SessionStats


class ProviderSession:
    """A reader for each client, one writer woken by the core's next deadline.

    `owner`: the connection that began the session, whose end is its own. None: it has begun over HTTP (calls.py), and
    ends when it is told to, or when the client with the audio leaves (`join`).
    """

    def __init__(self, core: ProviderCore, owner: ServerConnection | None = None, *, hears: bool = False) -> None:
        self.core = core
        self._owner, self._hears = owner, hears
        self._peer = owner
        self._clients: list[ServerConnection] = [] if owner is None else [owner]
        self._wake, self._over = asyncio.Event(), asyncio.Event()
        self._leaving: list[Outgoing] = []
        self._due_s = 0.0
        self._loop = asyncio.get_running_loop()

    @property
    def stats(self) -> SessionStats:
        return self.core.stats

    @property
    def has_peer(self) -> bool:
        """The client with the audio is there."""
        return self._peer is not None

    async def run(self) -> None:
        """Serve until the session ends."""
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self._over.wait()),
            asyncio.create_task(self._write()),
        ]
        if self._owner is not None:
            tasks.append(asyncio.create_task(self._serve_peer(self._owner, hears=self._hears)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._end_core()
            await asyncio.gather(*(each.close() for each in self._clients))
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome

    async def join(self, connection: ServerConnection, *, hears: bool = False) -> None:
        """The client with the audio comes to a session that has begun over HTTP. The call ends with it."""
        self._peer = connection
        try:
            await connection.send(self.core.hello())
            self._clients.append(connection)
            await self._serve_peer(connection, hears=hears)
        except ConnectionClosed:
            pass
        finally:
            self._leave(connection)
            self.hang_up()

    async def attach(self, connection: ServerConnection) -> None:
        """A second client, until it leaves or the session ends; it is not told of the beginning."""
        self._clients.append(connection)
        try:
            while True:
                frame = await connection.recv()
                self._leaving += self.core.receive_frame(frame, self._loop.time())
                self._wake.set()
        except ConnectionClosed:
            pass
        finally:
            self._leave(connection)

    async def drop_others(self) -> None:
        """The second clients lose their connection; the session goes on."""
        for other in self._clients:
            if other is not self._peer:
                other.transport.abort()

    def press(self, digit: str) -> None:
        """The caller presses a key."""
        self.core.press(digit, self._loop.time())
        self._wake.set()

    def hang_up(self) -> None:
        """The call is over: what leaves now leaves, and every client sees a clean close."""
        self._over.set()

    async def close(self, code: int = 1011, reason: str = "") -> None:
        """Close from outside the scenario (1006 drops the TCP connection)."""
        self.core.end(code, reason)
        await self._close(code, reason)
        self.hang_up()

    # --- inside

    async def _serve_peer(self, connection: ServerConnection, *, hears: bool) -> None:
        playing = asyncio.create_task(play(self.core, connection)) if hears else None
        take = taken if self.core.plays_audio else ProviderCore.receive_frame
        try:
            while True:
                pause_s = self.core.reading_from_s() - self._loop.time()
                if pause_s > 0:
                    await asyncio.sleep(pause_s)
                    continue
                frame = await connection.recv()
                self._leaving += take(self.core, frame, self._loop.time())
                self._wake.set()
        finally:
            if playing is not None:
                playing.cancel()

    async def _write(self) -> None:
        """The only sender of events: two would let them overtake each other where one has to wait."""
        while True:
            self._wake.clear()
            # A loop timer may fire a hair early; the core is asked for what it was set for.
            now_s = max(self._loop.time(), self._due_s)
            leaving, self._leaving = [*self._leaving, *self.core.advance(now_s)], []
            for out in leaving:
                if out.closing:
                    await self._close(out.closing.code, out.closing.reason)
                    return
                await self._send(out)
            if not leaving:
                await self._until_due()

    async def _send(self, out: Outgoing) -> None:
        if self._owner is not None:
            await self._owner.send(out.frame())
        if out.event is not None and out.event.get("type") == "session.created":
            return  # of the session's beginning only that client is told
        for other in tuple(self._clients):
            if other is not self._owner:
                with contextlib.suppress(ConnectionClosed):
                    await other.send(out.frame())

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
        """The client that began it is told why; without one, every client is."""
        for each in tuple(self._clients) if self._owner is None else (self._owner,):
            if code == 1006:
                each.transport.abort()
            else:
                await each.close(code, reason)

    def _end_core(self) -> None:
        if self._owner is None or self._over.is_set():
            self.core.end(1000, "")
        else:
            self.core.end(self._owner.close_code, self._owner.close_reason or "")

    def _leave(self, connection: ServerConnection) -> None:
        if connection in self._clients:
            self._clients.remove(connection)
