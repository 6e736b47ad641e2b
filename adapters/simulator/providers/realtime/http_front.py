"""One port for WebSockets and HTTP: whoever does not begin with GET speaks HTTP. It knows no session.

websockets answers an upgrade and takes no other method and no body; what else comes is uvicorn's (the extra `http`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import structlog
from websockets.asyncio.server import ServerConnection

log = structlog.get_logger(__name__)

FIRST_BYTES_S: Final = 10.0
_NO_EXTRA: Final = b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 44\r\nconnection: close\r\n\r\n"
_WHY: Final = b"HTTP here needs: pip install turnspec[http]\n"


class FrontedConnection(ServerConnection):
    """One connection. Until its first bytes are there, it is nobody's; then it is a WebSocket's, or HTTP's for good."""

    def __init__(self, front: HttpFront, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._front = front
        self._unread: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._unread = cast(asyncio.Transport, transport)
        self._front.unread.add(self._unread)
        self._deadline = self.loop.call_later(FIRST_BYTES_S, self._unread.abort)

    def data_received(self, data: bytes) -> None:
        if (transport := self._read()) is None:
            super().data_received(data)
        elif b"GET ".startswith(data[:4]):
            super().connection_made(transport)
            super().data_received(data)
        else:
            self._front.speak_http(transport, data)

    def eof_received(self) -> None:
        if self._unread is None:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._read() is None:
            super().connection_lost(exc)

    def _read(self) -> asyncio.Transport | None:
        """The transport, if nothing has been read of it."""
        transport, self._unread = self._unread, None
        if self._deadline is not None:
            self._deadline.cancel()
        if transport is not None:
            self._front.unread.discard(transport)
        return transport


class HttpFront:
    """Of one server: `connection` makes the protocol of each of its connections; `close` ends those without a session.

    `make_app`: the ASGI application, asked for when first somebody speaks HTTP. ImportError: it is not installed.
    """

    def __init__(self, make_app: Callable[[], Any]) -> None:
        self.unread: set[asyncio.Transport] = set()
        self._make_app = make_app
        self._make_http: Callable[[], asyncio.Protocol] | None = None
        self._made: set[Any] = set()

    def connection(self, *args: Any, **options: Any) -> ServerConnection:
        """What `websockets.serve(create_connection=...)` asks for."""
        return FrontedConnection(self, *args, **options)

    def speak_http(self, transport: asyncio.Transport, data: bytes) -> None:
        """From here on; `data` has come already."""
        try:
            self._make_http = self._make_http or self._loaded()
        except ImportError as error:
            log.warning("simulated_calls_not_served", why=str(error))
            transport.write(_NO_EXTRA + _WHY)
            transport.close()
            return
        spoken = self._make_http()
        transport.set_protocol(spoken)
        spoken.connection_made(transport)
        spoken.data_received(data)

    def _loaded(self) -> Callable[[], asyncio.Protocol]:
        from uvicorn.config import Config
        from uvicorn.protocols.http.h11_impl import H11Protocol
        from uvicorn.server import ServerState

        state = ServerState()
        self._made = state.connections
        config = Config(
            self._make_app(), http=H11Protocol, ws="none", lifespan="off", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=5,
        )  # fmt: skip
        config.load()
        return lambda: H11Protocol(config, state, {})

    async def close(self) -> None:
        for transport in (*self.unread, *(each.transport for each in self._made)):
            transport.abort()
        await asyncio.sleep(0)  # an abort is carried out by the loop's next pass
