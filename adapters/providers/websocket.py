"""A `websockets` client connection whose messages skip the queue: the one place that leans on the library's inside.

Stock `websockets` puts each message into a queue for a task that awaits `recv()`, and `send()` is awaited; here a
message goes from `data_received` straight to a sink, several per wake-up, and a write is one call. Text frames are made
here (no extension is ever negotiated): the library takes a frame object, a buffer, a generator and a system call for
each. What is leaned on is the table INTERNALS, compared at import with the library that is installed.
Never here: JSON, a counter, a policy.
"""

from __future__ import annotations

import asyncio
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from adapters.websocket.frames import (
    FIN_TEXT,
    Fragments,
    Payload,
    check_internals,
    masked_frame,
    read_moderately,
)
from adapters.websocket.message_socket import MessageSink

# Above every bound of ours: the library's own ping waits for the buffer to drain first, and would then never time out.
WRITE_LIMIT_BYTES: Final = 64 * 1024 * 1024

# --- what is leaned on ------------------------------------------------------------------------------------------------

INTERNALS: Final = (
    (ClientConnection, "process_event", "overridden: a frame goes to the sink"),
    (ClientConnection, "data_received", "extended: the end of the stream is noticed at once"),
    (ClientConnection, "connection_made", "extended: the size of one read"),
    (ClientConnection, "connection_lost", "extended: the end of the socket"),
    (ClientConnection, "send_data", "called: writes the close frame"),
    (ClientConnection, "protocol", "read: state, close frames, what broke the parser"),
    (ClientConnection, "transport", "written to, and aborted"),
    (ClientConnection, "response", "read: is the handshake over"),
    (ClientConnection, "loop", "used: its timer"),
    (ClientConnection, "keepalive_task", "cancelled and awaited"),
    (ClientConnection, "connection_lost_waiter", "awaited: the socket is gone"),
    (ClientProtocol, "send_close", "called"),
    (ClientProtocol, "state", "read"),
    (ClientProtocol, "close_rcvd", "read"),
    (ClientProtocol, "close_sent", "read"),
    (ClientProtocol, "parser_exc", "read"),
    (connect, "process_redirect", "overridden: no redirect is followed"),
)
"""(owner, attribute, what for). None of it is in the documented interface of the library."""

check_internals(INTERNALS)


class WebSocket(ClientConnection):
    """One WebSocket. It is silent until `attach`: what arrives before is kept, in order."""

    sink: MessageSink | None = None
    linger_s: float = 2.0
    lost_exc: BaseException | None = None  # what took the socket away, if it was an error

    # Class defaults, not __init__: the library builds its connections itself.
    _early: tuple[tuple[Payload, bool], ...] = ()
    _fragments: Fragments | None = None
    _has_ended = False
    _linger: asyncio.TimerHandle | None = None

    # --- towards the owner

    def attach(self, sink: MessageSink) -> None:
        """Starts delivery, with what came before."""
        self.sink = sink
        early, self._early = self._early, ()
        for payload, binary in early:
            sink.received(payload, binary=binary)
        if self._is_over():
            self._end()

    @property
    def is_writable(self) -> bool:
        return self.protocol.state is State.OPEN and not self.transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self.transport.get_write_buffer_size()

    def offer(self, payload: bytes, most_unsent_bytes: int, first: int = FIN_TEXT) -> bool:
        """One frame, unless more than so much waits for the kernel: then False. InvalidState: also on a dead socket.

        All in one place: a caller's frame comes by fifty times a second.
        """
        transport = self.transport
        if self.protocol.state is not State.OPEN or transport.is_closing():
            raise InvalidState("the connection is not open")
        if transport.get_write_buffer_size() > most_unsent_bytes:
            return False
        transport.write(masked_frame(first, payload))
        return True

    def write_text(self, text: bytes) -> None:
        """One text frame, one write. websockets.InvalidState: not open, or not any more."""
        if self.protocol.state is not State.OPEN:
            raise InvalidState("the connection is not open")
        self.transport.write(masked_frame(FIN_TEXT, text))

    async def shut(self, code: int, reason: str, deadline_s: float) -> None:
        """The closing handshake, at the deadline an abort. Afterwards no task, timer or socket is left."""
        keepalive = self.keepalive_task
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason)
            self.send_data()
        try:
            await asyncio.wait([self.connection_lost_waiter], timeout=deadline_s)
        finally:  # also when the waiting itself is cancelled
            self.transport.abort()
        waiting: list[asyncio.Future[None]] = [self.connection_lost_waiter]
        if keepalive is not None:
            keepalive.cancel()
            waiting.append(keepalive)
        await asyncio.wait(waiting)

    # --- from the library

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        read_moderately(transport)
        super().connection_made(transport)

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._take(event)
        else:
            super().process_event(event)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_over() and self.response is not None:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_exc = exc
        super().connection_lost(exc)
        if self._linger is not None:
            self._linger.cancel()
        self._end()

    # --- inside

    def _take(self, frame: Frame) -> None:
        if frame.fin and frame.opcode is not Opcode.CONT:  # nearly always
            self._deliver(frame.data, frame.opcode is Opcode.BINARY)
            return
        if self._fragments is None:
            self._fragments = Fragments()
        if (message := self._fragments.take(frame)) is not None:
            self._deliver(*message)

    def _deliver(self, payload: Payload, binary: bool) -> None:
        if self.sink is None:
            self._early += ((payload, binary),)
        else:
            self.sink.received(payload, binary=binary)

    def _is_over(self) -> bool:
        """Nothing more will come: their close frame, a broken protocol, or the end of the stream."""
        protocol = self.protocol
        return protocol.close_rcvd is not None or protocol.parser_exc is not None or protocol.state is State.CLOSED

    def _end(self) -> None:
        """Reported at the close frame, not at the end of TCP, which is theirs to bring about and may never come."""
        if self._has_ended or self.sink is None:
            return
        self._has_ended = True
        if self.protocol.state is not State.CLOSED:
            self._linger = self.loop.call_later(self.linger_s, self.transport.abort)
        self.sink.ended()


class Opening(connect):
    """`websockets.connect` that follows no redirect: it would take an `api-key` header along to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc
