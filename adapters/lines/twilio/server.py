"""The listener of Twilio's streams: who may call, how many at once, and the end of all of them. Never what a call says.

Each stream is a WebSocket that Twilio makes to us, through whatever ends TLS before us. Its upgrade must be signed, and
its `start` must bring a token that the webhook gave to this very call (adapters.lines.twilio.gate).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from adapters.audio.tick import Ticker
from adapters.lines.gone import Gone
from adapters.lines.media_line import MediaLine
from adapters.lines.twilio.connection import TwilioConnection
from adapters.lines.twilio.gate import Gate, TwilioRefusal
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import HEADER
from adapters.lines.websocket import MediaServerSettings
from adapters.websocket.message_socket import MessageSink, SocketLimits
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket

OnCall: TypeAlias = Callable[[TwilioConnection], Awaitable[object] | None]
"""Called in the receive loop as soon as the call is known; what it returns to be awaited runs as a task."""


class TwilioServer(MediaLine[TwilioConnection]):
    """Streams of Twilio's."""

    def __init__(self, settings: TwilioSettings, ticker: Ticker, gate: Gate, on_call: OnCall) -> None:
        super().__init__(_listener_settings(settings), "twilio", on_call)
        self._settings = settings
        self._ticker = ticker
        self._gate = gate

    def is_full(self) -> str | None:
        """Why the webhook should turn a call away before it is answered, if it should."""
        if self._is_closing:
            return "the server is closing"
        most = self._settings.max_connections
        return f"{most} calls are live" if len(self._live) >= most else None

    async def close(self, deadline_s: float = 5.0) -> None:
        """No new calls, all others ended politely within the deadline, then cut; their handlers likewise."""
        self._is_closing = True
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        for connection in list(self._legs):
            connection.leave(Gone.SERVER_CLOSING)
        await self._listener.close(deadline_s)
        await self._handlers.close(max(until - loop.time(), 0.0))

    # What the listener asks: `MediaOwner`.

    def admit(self, handshake: Handshake) -> HttpRefusal | None:
        if self._gate.check_upgrade(handshake.headers.get(HEADER, "")) is not None:
            return HttpRefusal(403, "the signature is not that of this URL: is twilio.public_url what Twilio sees?")
        return None

    def opened(self, websocket: ServerSocket) -> MessageSink:
        connection = TwilioConnection(self._settings, self._ticker, self._gate, self, websocket)
        self._legs.add(connection)
        return connection

    # What a connection asks: `ConnectionOwner`.

    def started(self, connection: TwilioConnection) -> TwilioRefusal | None:
        if self._is_closing:
            return self._gate.refuse(TwilioRefusal.CLOSING)
        if connection.call_id in self._live:
            return self._gate.refuse(TwilioRefusal.SECOND_STREAM)
        self._begin(connection)
        return None

    def departing(self, leg: TwilioConnection) -> None:
        self._legs.discard(leg)
        super().departing(leg)


def _listener_settings(settings: TwilioSettings) -> MediaServerSettings:
    return MediaServerSettings(
        host=settings.host,
        port=settings.port,
        backlog=settings.backlog,
        reuse_port=settings.reuse_port,
        path=settings.path,
        max_connections=settings.max_connections,
        limits=SocketLimits(
            open_s=settings.start_deadline_s,
            close_s=settings.hang_up_deadline_s,
            unsent_bytes=settings.unsent_max_bytes,
            send_buffer_bytes=settings.send_buffer_bytes,
        ),
    )
