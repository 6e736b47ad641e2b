"""The door as something that opens and closes: the application on uvicorn's protocol, on the loop of the calls.

Not uvicorn.Server: it would take the process's signals and log to its own handlers. Fault or flood, what happens here
is in tasks of its own; no call waits for one.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Final, cast

import structlog
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.server import ServerState

from adapters.server.door.app import door_app
from adapters.server.door.protocol import DoorCounts, DoorProtocol
from adapters.server.door.tls import Handshakes
from adapters.server.inside import Inside
from adapters.settings.http import HttpSettings

log = structlog.get_logger(__name__)

_CUT_S: Final = 0.5
"""For tasks that hold out against their end."""


class Door:
    """`open`, then requests come by themselves, then `close`."""

    def __init__(self, settings: HttpSettings, inside: Inside, signed: Iterable[Route] = ()) -> None:
        self.counts = DoorCounts()
        self._settings = settings
        self._state = ServerState()
        self._listener: asyncio.Server | None = None
        self._handshakes: Handshakes | None = None
        app = door_app(inside, settings, self.counts, signed)
        self._config = Config(
            app, http=DoorProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, date_header=False,
            h11_max_incomplete_event_size=settings.head_bytes, timeout_keep_alive=max(1, round(settings.idle_s)),
        )  # fmt: skip
        self._config.load()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        sockets = self._listener.sockets if self._listener is not None else ()
        return [cast(tuple[str, int], sock.getsockname()[:2]) for sock in sockets]

    async def open(self) -> None:
        """OSError: it cannot listen there."""
        settings, tls = self._settings, self._settings.tls
        make = functools.partial(DoorProtocol, self._config, self._state, settings, self.counts)
        if tls is not None:
            self._handshakes = Handshakes(tls, settings, self.counts, make, lambda: len(self._state.connections))
        begin: Callable[[], asyncio.Protocol] = make if self._handshakes is None else self._handshakes.begin
        self._listener = await asyncio.get_running_loop().create_server(
            begin, settings.host, settings.port, backlog=settings.connections
        )
        log.info("door_open", addresses=self.addresses, tls=tls is not None, token=settings.token is not None)

    async def close(self, deadline_s: float) -> None:
        """Nobody comes in; who is being answered has until the deadline."""
        if self._listener is None:
            return
        self._listener.close()
        if self._handshakes is not None:
            await self._handshakes.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=deadline_s)
        for task in list(self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=_CUT_S)
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # an abort is carried out by the loop's next pass
