"""A `websockets` client connection whose messages skip the queue: the one place that leans on the library's inside.

Stock `websockets` puts each message into a queue for a task that awaits `recv()`, and `send()` is awaited; here a
message goes from `data_received` straight to a sink, several per wake-up, and a write is one call. Text frames are made
here (no extension is ever negotiated): the library takes a frame object, a buffer, a generator and a system call for
each. What is leaned on is the table INTERNALS, compared at import with the library that is installed.
Never here: JSON, a counter, a policy.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Final, Protocol, TypeAlias, cast

from websockets import frames
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.uri import parse_uri
from websockets.version import version as installed

# The default of 256 KB makes asyncio allocate and shrink a quarter of a megabyte for each read: 3.6 instead of
# 2.2 ms of CPU a call-second (docs/facts/performance.md).
READ_BYTES: Final = 64 * 1024
# Above every bound of ours: the library's own ping waits for the buffer to drain first, and would then never time out.
WRITE_LIMIT_BYTES: Final = 64 * 1024 * 1024

# --- what is leaned on ------------------------------------------------------------------------------------------------

TESTED: Final = "websockets>=15.0,<18"
"""The versions whose inside is known; the same as in pyproject.toml."""

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
    (frames, "apply_mask", "called: masks a frame of our own, in C where the library has it in C"),
)
"""(owner, attribute, what for). None of it is in the documented interface of the library."""

Internals: TypeAlias = Iterable[tuple[object, str, str]]


def check_internals(internals: Internals = INTERNALS) -> None:
    """ImportError that names what the installed library does not have."""
    for owner, name, use in internals:
        if not _has(owner, name):
            place = f"{getattr(owner, '__module__', 'websockets')}.{getattr(owner, '__name__', owner)}"
            raise ImportError(
                f"websockets {installed} has no {place}.{name} ({use}), which adapters.providers.websocket needs; "
                f"it was tested with {TESTED}: pip install '{TESTED}'"
            )


def _has(owner: object, name: str) -> bool:
    if hasattr(owner, name):
        return True
    if owner is ClientProtocol:  # attributes of an instance; one is made without a socket
        return hasattr(ClientProtocol(parse_uri("ws://localhost/")), name)
    if not isinstance(owner, type):
        return False
    # A connection is not made without a running loop; which attributes it sets stands in its code.
    makers = (vars(each).get(maker) for each in owner.__mro__ for maker in ("__init__", "connection_made"))
    return any(name in maker.__code__.co_names for maker in makers if isinstance(maker, FunctionType))


check_internals()

_SHORT, _MEDIUM, _LONG = struct.Struct("!BB"), struct.Struct("!BBH"), struct.Struct("!BBQ")
_FIN_TEXT: Final = 0x81
_MASKED: Final = 0x80
_apply_mask = cast(Callable[[bytes, bytes], bytes], vars(frames)["apply_mask"])


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


class MessageSink(Protocol):
    """What hears a socket, in order: messages, then once `ended`. It must not raise."""

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None: ...

    def ended(self) -> None: ...


class WebSocket(ClientConnection):
    """One WebSocket. It is silent until `attach`: what arrives before is kept, in order."""

    sink: MessageSink | None = None
    linger_s: float = 2.0
    lost_exc: BaseException | None = None  # what took the socket away, if it was an error

    # Class defaults, not __init__: the library builds its connections itself.
    _early: tuple[tuple[bytes | bytearray | memoryview, bool], ...] = ()
    _fragments: bytearray | None = None
    _fragments_binary = False
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
