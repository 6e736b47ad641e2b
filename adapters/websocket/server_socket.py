"""The server's side of a WebSocket: one connection that somebody made to us, let in or refused by HTTP status."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

import attrs
import structlog
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from adapters.websocket.frames import plain_frame
from adapters.websocket.message_socket import MessageSink, MessageSocket, SocketEnd, SocketLimits, library_log

log = structlog.get_logger(__name__)


@attrs.frozen
class Handshake:
    """What a client asks for."""

    target: str
    """As it was sent: path and query."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By lower-case name; of a repeated one the first."""
    peer: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@attrs.frozen
class HttpRefusal:
    """An HTTP status instead of the upgrade, and why; the peer reads it, too."""

    status: int
    why: str
    headers: Mapping[str, str] = attrs.field(factory=dict)


class ServerSocketOwner(Protocol):
    """Who listens, as a socket sees it. All of it is called in the receive loop."""

    def connected(self, websocket: ServerSocket) -> bool:
        """There is a connection, and nothing was said. False: it is cut."""

    def asked(self, websocket: ServerSocket, handshake: Handshake) -> HttpRefusal | None:
        """May it come in?"""

    def opened(self, websocket: ServerSocket) -> MessageSink:
        """It is in; who hears it."""

    def refused(self, websocket: ServerSocket, refusal: HttpRefusal) -> None:
        """It was answered with this status."""

    def lost(self, websocket: ServerSocket) -> None:
        """The TCP connection is gone. Once, whatever became of it."""


class ServerSocket(MessageSocket):
    """One connection that somebody made to us."""

    def __init__(self, owner: ServerSocketOwner, limits: SocketLimits, subprotocol: str | None = None) -> None:
        protocol = ServerProtocol(
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=limits.message_bytes,
            logger=library_log,
        )
        super().__init__(protocol, limits, plain_frame)
        self.handshake = Handshake("", {}, "")
        self._server = protocol
        self._owner = owner

    def _begin(self) -> None:
        if not self._owner.connected(self):
            self.leave("not wanted")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owner.lost(self)

    def _shake_hands(self, event: Request | Response) -> None:
        assert isinstance(event, Request)
        protocol = self._server
        if protocol.eof_sent or protocol.parser_exc is not None:  # broken before it was let in
            self.leave("broken before the end of the handshake")
            return
        self.handshake = Handshake(event.path, _by_name(event), self.peer[0])
        refusal = self._asked()
        if refusal is None:
            response = protocol.accept(event)
            if response.status_code != 101:  # no upgrade, no subprotocol: the library says what is missing
                refusal = HttpRefusal(response.status_code, (response.body or b"").decode(errors="replace").strip())
        else:
            response = protocol.reject(refusal.status, f"{refusal.why}\n")
            for name, value in refusal.headers.items():
                response.headers[name] = value
        protocol.send_response(response)
        self._flush()
        if refusal is None:
            self._opened(functools.partial(self._owner.opened, self))
            return
        self._cause = SocketEnd(None, refusal.why, True)
        self._arm(self._limits.close_s, self.abort)
        self._owner.refused(self, refusal)

    def _asked(self) -> HttpRefusal | None:
        try:
            return self._owner.asked(self, self.handshake)
        except Exception:
            log.exception("websocket_owner_failed", peer=self.peer[0])
            return HttpRefusal(500, "internal error")


def _by_name(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.raw_items():
        found.setdefault(name.lower(), value)
    return found
