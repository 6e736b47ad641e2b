"""The chan_websocket line: who may call, how many at once, both directions of connection, and the end of all of them.

Asterisk connects to us (`Dial(WebSocket/CLIENT/...)`), or we to Asterisk (`dial`, for `Dial(WebSocket/INCOMING/...)`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote

import structlog

from adapters.audio.tick import Ticker
from adapters.lines.chan_websocket.connection import ChannelLeg
from adapters.lines.chan_websocket.protocol import SUBPROTOCOL, uri_parameters
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.gone import Gone
from adapters.lines.media_line import MediaLine
from adapters.websocket.client_socket import ClientSocket, dial
from adapters.websocket.message_socket import MessageSocket
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket

log = structlog.get_logger(__name__)

OnChannel: TypeAlias = Callable[[ChannelLeg], Awaitable[object] | None]
"""Called in the receive loop at MEDIA_START; what it returns to be awaited runs as a task."""

_UNAUTHORIZED = HttpRefusal(401, "the token of this line is needed", {"WWW-Authenticate": 'Basic realm="media"'})


class ChanWebSocketServer(MediaLine[ChannelLeg]):
    """Calls of Asterisk's, whoever of the two has connected."""

    def __init__(
        self,
        settings: ChanWebSocketSettings,
        ticker: Ticker,
        on_call: OnChannel,
        keeps_out: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`keeps_out`: why nobody is let in at the moment, or None; said before the upgrade, so that Dial fails."""
        super().__init__(settings.listening, "chan_websocket", on_call)
        self._settings = settings
        self._keeps_out = keeps_out
        self._ticker = ticker

    async def dial(self, connection_id: str, parameters: Mapping[str, str] | None = None) -> ChannelLeg:
        """To Asterisk, for the channel whose MEDIA_WEBSOCKET_CONNECTION_ID that is; then as if it had come to us.

        `parameters`: what `v(...)` would have said. DialError: it cannot; 404 an unknown id, 409 somebody is connected.
        RuntimeError: no address of Asterisk is set, or the server is closing.
        """
        settings = self._settings
        if settings.asterisk_url is None:
            raise RuntimeError("no address of Asterisk is set (chan_websocket.asterisk_url)")
        if self._is_closing:
            raise RuntimeError("the server is closing")
        legs: list[ChannelLeg] = []

        def make(websocket: ClientSocket) -> ChannelLeg:
            legs.append(self._new_leg(websocket, parameters or {}))
            return legs[0]

        url = f"{settings.asterisk_url.rstrip('/')}/{quote(connection_id, safe='')}"
        await dial(url, make, settings.limits, subprotocol=SUBPROTOCOL, tls=settings.asterisk_tls)
        return legs[0]

    async def close(self, deadline_s: float = 5.0) -> None:
        """No new calls, all others ended politely within the deadline, then cut; their handlers likewise."""
        self._is_closing = True
        self._listener.stop_listening()
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        for leg in list(self._legs):
            leg.leave(Gone.SERVER_CLOSING)
        await self._wait_all_gone(deadline_s)
        for leg in list(self._legs):
            leg.cut()
        await self._listener.close(max(until - loop.time(), 0.0))
        await self._wait_all_gone(1.0)
        await self._handlers.close(max(until - loop.time(), 0.0))

    async def _wait_all_gone(self, timeout_s: float) -> None:
        waiting = [asyncio.ensure_future(leg.wait_gone()) for leg in self._legs]
        if not waiting:
            return
        _, pending = await asyncio.wait(waiting, timeout=timeout_s)
        for waiter in pending:
            waiter.cancel()

    # What its listener asks: `MediaOwner`.

    def admit(self, handshake: Handshake) -> HttpRefusal | None:
        parameters = uri_parameters(handshake.query)
        token = self._settings.token
        if token is not None and not _knows(token, handshake.headers.get("authorization", ""), parameters):
            return _UNAUTHORIZED
        if why := self._keeps_out():
            return HttpRefusal(503, why)
        if parameters.get("uuid", "").lower() in self._live:
            return HttpRefusal(409, "a call with this uuid is live")
        return None

    def opened(self, websocket: ServerSocket) -> ChannelLeg:
        return self._new_leg(websocket, uri_parameters(websocket.handshake.query))

    def _new_leg(self, websocket: MessageSocket, parameters: Mapping[str, str]) -> ChannelLeg:
        leg = ChannelLeg(websocket, parameters, self._settings, self._ticker, self)
        self._legs.add(leg)
        websocket.when_closed(functools.partial(self._legs.discard, leg))
        return leg

    # What a call asks: `ChannelOwner`.

    def started(self, leg: ChannelLeg) -> str | None:
        if self._is_closing:
            return "the server is closing"
        if leg.call_id in self._live:
            return "a call with this uuid is live"
        self._begin(leg)
        return None


def _knows(token: str, authorization: str, parameters: Mapping[str, str]) -> bool:
    """In constant time for each place in which it may stand."""
    scheme, _, credentials = authorization.partition(" ")
    said = parameters.get("token", "")
    if scheme.lower() == "bearer":
        said = credentials.strip()
    elif scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        said = decoded.partition(":")[2]
    return hmac.compare_digest(said.encode(), token.encode())
