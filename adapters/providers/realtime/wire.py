"""A `websockets` client connection whose messages skip the queue: the one place that leans on the library's inside.

Stock `websockets` puts each message into a queue for a task that awaits `recv()`, and `send()` is awaited; here a
message goes from `data_received` straight to a sink, several per wake-up, and a write is one call. Text frames are made
here (no extension is ever negotiated): the library takes a frame object, a buffer, a generator and a system call for
each. What is leaned on, and is tested: `process_event`, `data_received`, `connection_lost`, `send_data`, `transport`,
`protocol`, `keepalive_task` and `connection_lost_waiter` of `ClientConnection`, `process_redirect` of `connect`.
Never: JSON, a counter, a policy.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from typing import Final, Protocol, cast

from websockets import frames
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

# The default of 256 KB makes asyncio allocate and shrink a quarter of a megabyte for each read: 3.6 instead of
# 2.2 ms of CPU a call-second (docs/facts/performance.md).
READ_BYTES: Final = 64 * 1024
# Above every bound of ours: the library's own ping waits for the buffer to drain first, and would then never time out.
WRITE_LIMIT_BYTES: Final = 64 * 1024 * 1024


_SHORT, _MEDIUM, _LONG = struct.Struct("!BB"), struct.Struct("!BBH"), struct.Struct("!BBQ")
_FIN_TEXT: Final = 0x81
_MASKED: Final = 0x80
_apply_mask = cast(Callable[[bytes, bytes], bytes], vars(frames)["apply_mask"])  # in C where the library has it in C


class _Keys:
    """Masking keys, each used once. The kernel is asked for a thousand at a time."""

    def __init__(self) -> None:
        self._fresh = b""
        self._used_bytes = 0

    def next(self) -> bytes:
        start = self._used_bytes
        if start == len(self._fresh):
            self._fresh, start = os.urandom(4096), 0
        self._used_bytes = start + 4
        return self._fresh[start : start + 4]


_keys = _Keys()


def masked_text_frame(text: bytes) -> bytes:
    """A whole text message of a client as one frame (RFC 6455 section 5.2)."""
    size, key = len(text), _keys.next()
    if size < 126:
        header = _SHORT.pack(_FIN_TEXT, _MASKED | size)
    elif size < 65_536:
        header = _MEDIUM.pack(_FIN_TEXT, _MASKED | 126, size)
    else:
        header = _LONG.pack(_FIN_TEXT, _MASKED | 127, size)
    return b"".join((header, key, _apply_mask(text, key)))


class Sink(Protocol):
    """What hears a wire, in order: messages, then once `ended`. It must not raise."""

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None: ...

    def ended(self) -> None: ...


class Wire(ClientConnection):
    """One WebSocket. It is silent until `attach`: what arrives before is kept, in order."""

    sink: Sink | None = None
    linger_s: float = 2.0
    lost_exc: BaseException | None = None  # what took the socket away, if it was an error

    # Class defaults, not __init__: the library builds its connections itself.
    _early: tuple[tuple[bytes | bytearray | memoryview, bool], ...] = ()
    _fragments: bytearray | None = None
    _fragments_binary = False
    _has_ended = False
    _linger: asyncio.TimerHandle | None = None

    # --- towards the owner

    def attach(self, sink: Sink) -> None:
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

    def offer_text(self, text: bytes, most_unsent_bytes: int) -> bool:
        """`write_text`, unless more than so much waits for the kernel: then False. InvalidState: also on a dead socket.

        All in one place: a caller's frame comes by fifty times a second.
        """
        transport = self.transport
        if self.protocol.state is not State.OPEN or transport.is_closing():
            raise InvalidState("the connection is not open")
        if transport.get_write_buffer_size() > most_unsent_bytes:
            return False
        transport.write(masked_text_frame(text))
        return True

    def write_text(self, text: bytes) -> None:
        """One text frame, one write. websockets.InvalidState: not open, or not any more."""
        if self.protocol.state is not State.OPEN:
            raise InvalidState("the connection is not open")
        self.transport.write(masked_text_frame(text))

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
        # TLS reads in its own layer, by its own `max_size`; an event loop that has neither keeps its own way.
        for reader in (transport, getattr(transport, "_ssl_protocol", None)):
            if isinstance(getattr(reader, "max_size", None), int):
                reader.max_size = READ_BYTES  # type: ignore[union-attr]
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
            self._fragments, self._fragments_binary = bytearray(), frame.opcode is Opcode.BINARY
        self._fragments += frame.data  # the protocol object bounds the sum
        if frame.fin:
            whole, self._fragments = self._fragments, None
            self._deliver(whole, self._fragments_binary)

    def _deliver(self, payload: bytes | bytearray | memoryview, binary: bool) -> None:
        if self.sink is None:
            self._early += ((payload, binary),)
        else:
            self.sink.received(payload, binary=binary)

    def _is_over(self) -> bool:
        """Nothing more will come: their close frame, a broken protocol, or the end of the stream."""
        protocol = self.protocol
        return protocol.close_rcvd is not None or protocol.parser_exc is not None or protocol.state is State.CLOSED

    def _end(self) -> None:
        """Told at the close frame, not at the end of TCP, which is theirs to bring about and may never come."""
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
