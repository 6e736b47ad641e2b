"""A line whose calls are WebSockets that come to it: its listener, its live calls, and who handles them.

What a WebSocket must show to be let in, and what is said over it, is the line's own.
"""

from __future__ import annotations

import functools
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from adapters.lines.gone import Gone
from adapters.lines.handlers import CallHandlers
from adapters.lines.websocket import MediaServer, MediaServerSettings
from adapters.websocket.message_socket import MessageSink
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket


class MediaLeg(Protocol):
    """A call of such a line."""

    @property
    def call_id(self) -> str: ...

    def leave(self, reason: Gone) -> None:
        """The polite end, begun and not waited for."""


_Leg = TypeVar("_Leg", bound=MediaLeg)


class MediaLine(ABC, Generic[_Leg]):
    """`start`, then `on_call(leg)` per call, then `close`, which is the line's.

    A handler that fails is logged, and its call ends politely; one that returns leaves its call as it is.
    """

    def __init__(
        self, listening: MediaServerSettings, name: str, on_call: Callable[[_Leg], Awaitable[object] | None]
    ) -> None:
        """`on_call`: in the receive loop as soon as the call is known; what it returns to be awaited runs as a task."""
        self._on_call = on_call
        self._listener = MediaServer(listening, self, name)
        self._legs: set[_Leg] = set()
        """Those that have not begun, or are leaving, too."""
        self._live: dict[str, _Leg] = {}
        self._handlers = CallHandlers()
        self._is_closing = False

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listens on the settings' host and port, or on a bound `sock` handed over. OSError: it cannot."""
        await self._listener.start(sock)

    def adopt(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        """A connection that somebody else has accepted; it is ours from here on."""
        del peer  # the socket knows it
        self._listener.adopt(sock)

    def has_newcomers(self) -> bool:
        return False

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        return self._listener.addresses

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def calls(self) -> list[_Leg]:
        """The live ones."""
        return list(self._live.values())

    # What the listener asks: `MediaOwner`.

    @abstractmethod
    def admit(self, handshake: Handshake) -> HttpRefusal | None: ...

    @abstractmethod
    def opened(self, websocket: ServerSocket) -> MessageSink: ...

    # What a call asks.

    def departing(self, leg: _Leg) -> None:
        """No longer a live call: its id is free."""
        if self._live.get(leg.call_id) is leg:
            del self._live[leg.call_id]

    def _begin(self, leg: _Leg) -> None:
        """It is live from here on, and handled."""
        self._live[leg.call_id] = leg
        self._handlers.begin(
            leg.call_id, functools.partial(self._on_call, leg), functools.partial(leg.leave, Gone.HANDLER_FAILED)
        )
