"""The client's side of a WebSocket: one connection that we make, within a deadline. No proxy, no redirect."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from adapters.websocket.frames import masked_frame
from adapters.websocket.message_socket import MessageSink, MessageSocket, SocketLimits, library_log
from fsm.errors import RemoteError


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Made once a process, best before the first call: reading the CA bundle holds the loop for some 30 ms."""
    return ssl.create_default_context()


class DialError(RemoteError, ConnectionError):
    """No WebSocket came about. `status`: of the HTTP answer, if there was one."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class ClientSocket(MessageSocket):
    """One connection that we make."""

    def __init__(
        self,
        url: str,
        make_sink: Callable[[ClientSocket], MessageSink],
        limits: SocketLimits,
        headers: Mapping[str, str],
        subprotocol: str | None,
    ) -> None:
        protocol = ClientProtocol(
            parse_uri(url),
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=limits.message_bytes,
            logger=library_log,
        )
        super().__init__(protocol, limits, masked_frame)
        self.shaken: asyncio.Future[None] = self._loop.create_future()
        self._client = protocol
        self._headers = headers
        self._make_sink = make_sink

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.shaken.done():
            reason = self.end.reason if self.end is not None else "connection lost"
            self.shaken.set_exception(DialError(reason))

    def _begin(self) -> None:
        request = self._client.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._client.send_request(request)
        self._flush()

    def _shake_hands(self, event: Request | Response) -> None:
        assert isinstance(event, Response)
        failure = self._client.handshake_exc
        if self.shaken.done():
            return
        if failure is None:
            self._opened(functools.partial(self._make_sink, self))
            self.shaken.set_result(None)
            return
        why = str(failure) if isinstance(failure, InvalidHandshake) else type(failure).__name__
        self.shaken.set_exception(DialError(why, event.status_code if event.status_code != 101 else None))
        self.leave(why)


async def dial(
    url: str,
    make_sink: Callable[[ClientSocket], MessageSink],
    limits: SocketLimits | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocol: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> ClientSocket:
    """A WebSocket to `url`, within `limits.open_s`; no proxy, no redirect. `make_sink` is called at its opening.

    DialError: there is none, and nothing is left of the attempt. ValueError: the url or a header makes no sense.
    """
    limits = limits or SocketLimits()
    uri = parse_uri(url)
    made: list[ClientSocket] = []

    def make() -> ClientSocket:
        made.append(ClientSocket(url, make_sink, limits, headers or {}, subprotocol))
        return made[-1]

    try:
        async with asyncio.timeout(limits.open_s):
            context = (tls or tls_context()) if uri.secure else None
            await asyncio.get_running_loop().create_connection(make, uri.host, uri.port, ssl=context)
            await asyncio.shield(made[-1].shaken)
    except BaseException as error:
        await _undone(made)
        if isinstance(error, TimeoutError):
            raise DialError("no answer within the deadline") from None
        if isinstance(error, OSError) and not isinstance(error, DialError):
            raise DialError(str(error) or type(error).__name__) from None
        raise
    return made[-1]


async def _undone(made: list[ClientSocket]) -> None:
    for each in made:
        if each.is_connected:
            each.abort()
            await each.wait_closed()
        if each.shaken.done() and not each.shaken.cancelled():
            each.shaken.exception()  # retrieved: it was raised, or its dial was cancelled
