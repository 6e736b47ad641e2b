"""What both sides of a WebSocket share: messages in and out, pings, the end. Each wait has its deadline here."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable
from typing import Final, Protocol, cast

import attrs
import structlog
from attrs.validators import ge, gt
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from adapters.websocket.frames import FIN_BINARY, FIN_TEXT, Fragments, Payload, read_moderately

log = structlog.get_logger(__name__)

# At DEBUG the library prints every header, so also what authenticates, and formats every frame.
library_log: Final = logging.getLogger("adapters.websocket.library")
library_log.setLevel(logging.WARNING)


class MessageSink(Protocol):
    """What hears a socket, in order: messages, then once `ended`."""

    def received(self, payload: Payload, *, binary: bool) -> None: ...

    def ended(self) -> None: ...


@attrs.frozen(kw_only=True)
class SocketLimits:
    """Deadlines in seconds and bounds in bytes. A dead peer is noticed after one ping interval and one timeout."""

    open_s: float = attrs.field(default=5.0, validator=gt(0))
    """From the connection to the end of the handshake; a dial's includes the connecting."""
    close_s: float = attrs.field(default=2.0, validator=gt(0))
    ping_interval_s: float = attrs.field(default=5.0, validator=gt(0))
    ping_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    """Whatever is received after a ping answers it."""
    message_bytes: int = attrs.field(default=65_536, validator=gt(0))
    """Of what is received; more is closed with 1009."""
    unsent_bytes: int = attrs.field(default=256 * 1024, validator=gt(0))
    """What may wait for the kernel; a peer that has us wait with more does not read, and is left."""
    send_buffer_bytes: int = attrs.field(default=32_768, validator=ge(0))
    """SO_SNDBUF, 0 to leave it: the kernel's default would hide minutes of audio that a stuck peer does not read."""


@attrs.frozen
class SocketEnd:
    """How a WebSocket ended: the code of the close frame that began it (None: without one), and who began it."""

    code: int | None
    reason: str
    is_ours: bool


class MessageSocket(asyncio.Protocol):
    """What both sides share. `ServerSocket` and `ClientSocket` are made by a listener and by `dial`."""

    def __init__(
        self, protocol: ServerProtocol | ClientProtocol, limits: SocketLimits, frame: Callable[[int, bytes], bytes]
    ) -> None:
        self.peer: tuple[str, int] = ("", 0)
        self.end: SocketEnd | None = None
        self._protocol = protocol
        self._limits = limits
        self._frame = frame
        self._loop = asyncio.get_running_loop()
        self._fragments = Fragments()
        self._sink: MessageSink | None = None
        self._cause: SocketEnd | None = None  # why we are ending it ourselves
        self._deadline: asyncio.TimerHandle | None = None  # of the handshake, then of pings, then of the end
        self._is_heard = False  # since the last ping
        self._asked_s: float | None = None  # when the oldest ping that nothing has answered was sent
        self._has_written_eof = False
        self._failures = 0
        self._lost: asyncio.Future[None] = self._loop.create_future()

    # --- towards the owner

    @property
    def is_connected(self) -> bool:
        """There was a TCP connection (and TLS over it)."""
        return hasattr(self, "_transport")

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN and self._cause is None and not self._transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def send_text(self, text: bytes) -> bool:
        """One message in one write. False: not open, or not any more."""
        return self._send(FIN_TEXT, text)

    def send_binary(self, payload: bytes) -> bool:
        """One message in one write. False: not open, or not any more."""
        return self._send(FIN_BINARY, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake, at its deadline an abort. Nothing is received after it. Twice is harmless."""
        if self._protocol.state is not State.OPEN or self._cause is not None:
            if self._protocol.state is State.CONNECTING:
                self.leave(reason or "closed by us")
            return
        self._cause = SocketEnd(code, reason, True)
        self._protocol.send_close(code, reason[:60])  # at most 123 bytes of UTF-8 fit into the frame
        self._flush()
        self._arm(self._limits.close_s, self.abort)

    def leave(self, reason: str) -> None:
        """Not the closing handshake: it would queue behind what is stuck."""
        self._cause = self._cause or SocketEnd(None, reason, True)
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def when_closed(self, callback: Callable[[], object]) -> None:
        """Once, soon after nothing is left of it."""
        self._lost.add_done_callback(lambda _: callback())

    async def wait_closed(self) -> None:
        """Returns when nothing is left of it: no socket, no timer, and the sink has heard its end."""
        await asyncio.shield(self._lost)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or self.peer)[:2]
        read_moderately(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # the peer may be gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._limits.send_buffer_bytes:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer_bytes)
        self._arm(self._limits.open_s, functools.partial(self.leave, "no WebSocket handshake within the deadline"))
        self._begin()

    def data_received(self, data: bytes) -> None:
        self._is_heard = True
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                self._shake_hands(event)
            elif event.opcode in _DATA and (message := self._fragments.take(event)) is not None:
                self._deliver(*message)
        self._flush()
        if self._is_over():
            self._finish()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        with contextlib.suppress(EOFError):
            self._protocol.receive_eof()
        self._finish(exc)
        self._disarm()
        if not self._lost.done():
            self._lost.set_result(None)

    # --- inside

    def _begin(self) -> None:
        """A client speaks first."""

    def _shake_hands(self, event: Request | Response) -> None:
        raise NotImplementedError

    def _opened(self, make_sink: Callable[[], MessageSink]) -> None:
        """The handshake is over. The sink is there before anything that came with it is delivered."""
        self._arm(self._limits.ping_interval_s, self._ping)
        try:
            self._sink = make_sink()
        except Exception:
            log.exception("websocket_owner_failed", peer=self.peer[0])
            self.close(1011, "internal error")

    def _send(self, first: int, payload: bytes) -> bool:
        transport = self._transport
        if self._protocol.state is not State.OPEN or self._cause is not None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._limits.unsent_bytes:
            self.leave("the peer does not read")
            return False
        transport.write(self._frame(first, payload))
        return True

    def _flush(self) -> None:
        """What the library has to say: handshake, pongs, close frames, the end of the stream."""
        for data in self._protocol.data_to_send():
            if self._has_written_eof or self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
                continue
            self._has_written_eof = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:  # TLS cannot be closed by halves
                self._transport.close()
        if self._transport.get_write_buffer_size() > 2 * self._limits.unsent_bytes:  # a peer that only pings
            self.leave("the peer does not read")

    def _deliver(self, payload: Payload, binary: bool) -> None:
        if self._sink is None or self._cause is not None or self.end is not None:
            return
        try:
            self._sink.received(payload, binary=binary)
        except Exception:
            self._failures += 1
            if self._failures == 1:  # fifty a second would bury the first, which says it all
                log.exception("websocket_sink_failed", peer=self.peer[0])

    def _ping(self) -> None:
        """Again and again while it is open: is the peer there?"""
        if self._protocol.state is not State.OPEN:
            return
        now_s, limits = self._loop.time(), self._limits
        if self._is_heard or self._asked_s is None:
            self._asked_s = now_s
        left_s = self._asked_s + limits.ping_timeout_s - now_s
        if left_s <= _ROUNDING_S:
            self.leave(f"no answer to a ping within {limits.ping_timeout_s:g} s")
            return
        self._is_heard = False
        self._protocol.send_ping(b"")
        self._arm(min(limits.ping_interval_s, left_s), self._ping)
        self._flush()

    def _is_over(self) -> bool:
        """Nothing more will come: their close frame, a broken protocol, or the end of the stream."""
        protocol = self._protocol
        return protocol.close_rcvd is not None or protocol.parser_exc is not None or protocol.state is State.CLOSED

    def _finish(self, exc: Exception | None = None) -> None:
        """Reported at the close frame, not at the end of TCP, which is theirs to bring about and may never come."""
        if self.end is not None:
            return
        self.end = self._cause or self._read_end(exc)
        self._arm(self._limits.close_s, self.abort)
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            sink.ended()
        except Exception:
            log.exception("websocket_sink_failed", peer=self.peer[0])

    def _read_end(self, exc: Exception | None) -> SocketEnd:
        protocol = self._protocol
        if protocol.close_rcvd is not None:
            return SocketEnd(int(protocol.close_rcvd.code), protocol.close_rcvd.reason, False)
        if protocol.close_sent is not None:  # the library's answer to what broke its parser
            return SocketEnd(int(protocol.close_sent.code), protocol.close_sent.reason, True)
        cause = exc or protocol.handshake_exc or protocol.parser_exc
        return SocketEnd(None, str(cause) if cause is not None else "connection lost", False)

    def _arm(self, seconds: float, callback: Callable[[], object]) -> None:
        self._disarm()
        self._deadline = self._loop.call_later(seconds, callback)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


_ROUNDING_S: Final = 1e-6
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
