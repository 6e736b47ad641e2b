"""TLS before the door, with the door's bounds: a connection counts from its first moment, not from its handshake on.

asyncio's own `ssl=` hands a connection over when its handshake is done: until then nothing could count it, and whoever
shook no hands could hold descriptors that calls need.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from adapters.server.door.guard import RateLimit
from adapters.server.door.protocol import DoorCounts, DoorProtocol
from adapters.settings.http import HttpSettings


class Handshakes:
    """Those under way at a door; `begin` is the protocol factory of its listener."""

    def __init__(
        self,
        context: ssl.SSLContext,
        settings: HttpSettings,
        counts: DoorCounts,
        make: Callable[[], DoorProtocol],
        established: Callable[[], int],
    ) -> None:
        self.context = context
        self.settings = settings
        self.counts = counts
        self.make = make
        self._established = established
        self.rate = RateLimit(settings.requests_per_s, lambda: asyncio.get_running_loop().time())
        """A handshake costs more than a request."""
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> asyncio.Protocol:
        return _Handshake(self)

    def is_full(self) -> bool:
        return len(self._tasks) + self._established() >= self.settings.connections

    def shake(self, transport: asyncio.Transport) -> None:
        task = asyncio.get_running_loop().create_task(self._shake(transport), name="door_handshake")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shake(self, transport: asyncio.Transport) -> None:
        client, door = transport.get_extra_info("peername"), self.make()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, door, self.context, server_side=True, ssl_handshake_timeout=self.settings.receive_s
            )
        except (OSError, ssl.SSLError):  # TimeoutError and ConnectionError among them
            self.counts.note("no_handshake", client)
            transport.abort()
            return
        except asyncio.CancelledError:
            transport.abort()
            raise
        if secure is not None and not secure.is_closing():
            door.connection_made(secure)


class _Handshake(asyncio.Protocol):
    """Of one connection, until TLS takes it over."""

    def __init__(self, shared: Handshakes) -> None:
        self._shared = shared

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain, client = cast(asyncio.Transport, transport), transport.get_extra_info("peername")
        why = "too_many_connections" if self._shared.is_full() else ""
        if not why and self._shared.rate.take(client[0] if client else ""):
            why = "too_many_handshakes"
        if why:
            self._shared.counts.note(why, client)
            plain.abort()
            return
        plain.pause_reading()  # what comes is TLS's, from the first byte on
        self._shared.shake(plain)
