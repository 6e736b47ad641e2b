"""One session's socket, of any protocol over a WebSocket: opens once, delivers facts to one listener, ends once.

Never here: a retry (a new session is a new object), a decision about turns, an await or a task per frame.

Policy: audio over its bound is dropped and counted (old speech is worth nothing); control is never dropped: over its
bound the connection is given up as retryable; what cannot be read is counted, reported and skipped; a listener that
raises is logged. All times by loop.time().
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias, TypeVarTuple, Unpack, cast

import attrs
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState

from adapters.providers import endings
from adapters.providers.control import ControlSide
from adapters.providers.endpoint import Endpoint
from adapters.providers.provider import AudioDelta, ConnectionEnding, ConnectionListener, DecodeFailure, WireEvent
from adapters.providers.websocket import WRITE_LIMIT_BYTES, Opening, WebSocket
from adapters.websocket.client_socket import tls_context
from adapters.websocket.frames import FIN_BINARY, FIN_TEXT, Payload

log = structlog.get_logger(__name__)

# At DEBUG the library prints every header, so also the key, and formats every frame.
_library_log: Final = logging.getLogger("adapters.providers.websockets")
_library_log.setLevel(logging.WARNING)

# How long a fatal error explains a close that says nothing itself.
_ERROR_EXPLAINS_CLOSE_S: Final = 5.0
# A broken server must not fill the log; the counter goes on.
_PROBLEMS_LOGGED: Final = 10

_Args = TypeVarTuple("_Args")


@attrs.frozen(kw_only=True)
class ConnectionLimits:
    """Deadlines in seconds and bounds in bytes. A dead peer is noticed after one ping interval and one timeout."""

    open_s: float = 10.0
    close_s: float = 2.0
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 10.0
    message_bytes: int = 8 * 1024 * 1024
    """One event; a whole answer in one delta is two or three."""
    events_per_s: int = 2_000
    """Beside audio. A burst of transcript and arguments is hundreds."""
    audio_unsent_bytes: int = 256 * 1024
    control_unsent_bytes: int = 1024 * 1024
    system_proxy: bool = True


@attrs.define
class Counters:
    """What went over this connection, and what did not."""

    events: int = 0
    audio_deltas: int = 0
    audio_bytes: int = 0
    problems: int = 0
    frames_sent: int = 0
    frames_dropped_stalled: int = 0
    frames_dropped_closed: int = 0
    controls_sent: int = 0
    controls_refused: int = 0
    listener_failures: int = 0


Decoded: TypeAlias = WireEvent | AudioDelta | DecodeFailure


class WireCodec(Protocol):
    """What a protocol says on the wire of one session, and how it is read: sans-I/O, with what must be remembered of
    the session. Nothing of it raises for what comes in."""

    @property
    def fatal_ends(self) -> endings.FatalEnds: ...

    @property
    def has_binary_audio(self) -> bool:
        """Caller audio goes out in binary frames."""

    def opened(self) -> Iterable[WireEvent]:
        """What the open socket is as good as, of a server that says nothing then."""

    def append(self, audio: bytes) -> bytes:
        """The payload of the frame with one chunk of caller audio."""

    def told(self, event: Mapping[str, object]) -> Iterable[bytes]:
        """The frames of one control event; none if the server does not take it."""

    def heard(self, payload: Payload, now_s: float, *, binary: bool) -> Iterable[Decoded]:
        """What a message is: mostly one thing."""

    def fatal_error(self, event: WireEvent) -> str | None:
        """The code of an error in an event that another session would meet again."""


class SessionConnection:
    """`open()` returns at once; then the listener hears `on_open` ... `on_closed`, or `on_unreachable`.

    Whoever opens must `await close()`, also after an end was reported: only then is nothing left of it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        listener: ConnectionListener,
        codec: WireCodec,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.counters = Counters()
        self._listener = listener
        self._limits = limits or ConnectionLimits()
        self._codec = codec
        # Looked up once, not at each frame.
        self._append, self._audio_first = codec.append, FIN_BINARY if codec.has_binary_audio else FIN_TEXT
        self._most_unsent_bytes = self._limits.audio_unsent_bytes
        self._loop = asyncio.get_running_loop()
        self._log = log.bind(endpoint=endpoint.shown)
        self._opening: asyncio.Task[None] | None = None
        self._attempt: WebSocket | None = None  # exists from TCP on
        self._wire: WebSocket | None = None  # exists from the end of the handshake on
        self._ending: ConnectionEnding | None = None  # reported to the listener
        self._cause: ConnectionEnding | None = None  # why we are ending it ourselves
        self._last_error: tuple[float, str] | None = None
        self._control_taken = False
        self._second_began_s = self._loop.time()
        self._events_before = 0  # that second

    # --- life

    def open(self) -> None:
        """Begins the one attempt to connect. Its deadline is `ConnectionLimits.open_s`."""
        if self._opening is not None:
            raise RuntimeError("a connection opens once")
        self._opening = self._loop.create_task(self._open(), name="provider-open")

    @property
    def is_open(self) -> bool:
        return self._wire is not None and self._ending is None and self._wire.is_writable

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Ends it and waits for that, `ConnectionLimits.close_s` at the most. Safe in any state and more than once.

        The listener hears no event after this call, only the end, if it has not yet.
        """
        if self._opening is None:
            return
        if self._cause is None:
            self._cause = ConnectionEnding(None, "closed by us", False)
        if not self._opening.done():
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._wire is not None:
            await self._wire.shut(code, reason, self._limits.close_s)
        self._report_closed(self._cause)

    async def _open(self) -> None:
        limits, secure = self._limits, self.endpoint.url.startswith("wss:")
        try:
            wire = await Opening(
                self.endpoint.url_of_session(),
                additional_headers=dict(self.endpoint.headers),
                compression=None,
                proxy=True if limits.system_proxy else None,
                open_timeout=limits.open_s,
                close_timeout=limits.close_s,
                ping_interval=limits.ping_interval_s,
                ping_timeout=limits.ping_timeout_s,
                max_size=limits.message_bytes,
                write_limit=WRITE_LIMIT_BYTES,
                logger=_library_log,
                create_connection=cast(type[ClientConnection], self._make_wire),
                ssl=tls_context() if secure else None,
            )
        except asyncio.CancelledError:
            await self._attempt_gone()
            raise
        except Exception as exc:
            await self._attempt_gone()
            self._report_unreachable(endings.of_failed_open(exc, self._codec.fatal_ends))
            return
        self._wire = cast(WebSocket, wire)
        self._log.debug("provider_opened")
        self._report(self._listener.on_open)
        for event in self._codec.opened():
            self._tell(event)
        self._wire.attach(self)

    def _make_wire(self, protocol: ClientProtocol, **options: object) -> WebSocket:
        self._attempt = WebSocket(protocol, **options)  # type: ignore[arg-type]
        self._attempt.linger_s = self._limits.close_s
        return self._attempt

    async def _attempt_gone(self) -> None:
        """The library aborts the socket of a failed attempt but does not wait for it to be gone."""
        attempt = self._attempt
        if attempt is not None and hasattr(attempt, "transport"):
            attempt.transport.abort()
            await asyncio.wait([attempt.connection_lost_waiter])

    # --- out

    def send_audio(self, payload: bytes) -> bool:
        """One chunk of caller audio in the session's input format: one write, or one more dropped (False)."""
        wire, counters = self._wire, self.counters
        if wire is None:
            counters.frames_dropped_closed += 1
            return False
        try:
            if wire.offer(self._append(payload), self._most_unsent_bytes, self._audio_first):
                counters.frames_sent += 1
                return True
            counters.frames_dropped_stalled += 1
        except InvalidState:
            counters.frames_dropped_closed += 1
        except Exception as exc:
            counters.frames_dropped_closed += 1
            self._write_failed(wire, exc)
        return False

    def take_control(self) -> ControlSide:
        """The only way to send control events. Once: a second taker is a second mind."""
        if self._control_taken:
            raise RuntimeError("the control side has been taken")
        self._control_taken = True
        return ControlSide(self._send_control)

    def _send_control(self, event: Mapping[str, object]) -> bool:
        wire = self._wire
        kind = event.get("type")
        if wire is None or not wire.is_writable or self._cause is not None:
            self.counters.controls_refused += 1
            self._log.info("control_refused", control=kind, why="not connected")
            return False
        if wire.unsent_bytes > self._limits.control_unsent_bytes:
            self.counters.controls_refused += 1
            self._log.warning("control_refused", control=kind, why="stalled", unsent_bytes=wire.unsent_bytes)
            self._give_up(wire, "the provider takes nothing any more")
            return False
        texts = list(self._codec.told(event))
        if not texts:
            self._log.debug("control_withheld", control=kind, why="the server does not take it")
        for text in texts:
            if not self._write(wire, text):
                self.counters.controls_refused += 1
                return False
            self.counters.controls_sent += 1
        return True

    def _write(self, wire: WebSocket, text: bytes) -> bool:
        try:
            wire.write_text(text)
        except InvalidState:  # between two close frames
            return False
        except Exception as exc:
            self._write_failed(wire, exc)
            return False
        return True

    def _write_failed(self, wire: WebSocket, exc: Exception) -> None:
        """asyncio keeps errors for connection_lost; another event loop may raise them where one writes."""
        self._log.warning("write_failed", error=type(exc).__name__)
        self._give_up(wire, f"write failed: {type(exc).__name__}")

    def _give_up(self, wire: WebSocket, reason: str) -> None:
        """Not the closing handshake: it would queue behind what is stuck."""
        self._cause = self._cause or ConnectionEnding(None, reason, False)
        wire.transport.abort()

    # --- in (the sink of the socket)

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        if self._cause is not None or self._ending is not None:
            return
        for decoded in self._codec.heard(payload, self._loop.time(), binary=binary):
            self._tell(decoded)

    def _tell(self, decoded: Decoded) -> None:
        if self._cause is not None or self._ending is not None:  # since the event before it
            return
        if isinstance(decoded, AudioDelta):
            self.counters.audio_deltas += 1
            self.counters.audio_bytes += len(decoded.payload)
            self._report(self._listener.on_audio, decoded)
        elif isinstance(decoded, DecodeFailure):
            self.counters.problems += 1
            self._log_failure(decoded)
            self._report(self._listener.on_undecodable, decoded)
        else:
            self.counters.events += 1
            if self._is_flooded():
                return
            self._note_error(decoded)
            self._report(self._listener.on_event, decoded)

    def _is_flooded(self) -> bool:
        """More events in a second than a session has: it is left, or the other calls of the process would wait."""
        now_s = self._loop.time()
        if now_s - self._second_began_s >= 1.0:
            self._second_began_s, self._events_before = now_s, self.counters.events - 1
        if self.counters.events - self._events_before <= self._limits.events_per_s:
            return False
        self._log.warning("provider_floods", events_per_s=self._limits.events_per_s)
        if self._wire is not None:
            self._give_up(self._wire, f"more than {self._limits.events_per_s} events in a second")
        return True

    def _log_failure(self, failure: DecodeFailure) -> None:
        if self.counters.problems <= _PROBLEMS_LOGGED:
            self._log.warning("message_unreadable", kind=failure.kind, detail=failure.detail, bytes=failure.size_bytes)

    def _note_error(self, event: WireEvent) -> None:
        code = self._codec.fatal_error(event)
        if code is not None:
            self._last_error = (self._loop.time(), code)

    def ended(self) -> None:
        wire = self._wire
        assert wire is not None
        self._report_closed(self._cause or self._explained(self._read_ending(wire)))

    def _read_ending(self, wire: WebSocket) -> ConnectionEnding:
        received = wire.protocol.close_rcvd
        if received is not None:
            return endings.of_close(int(received.code), received.reason, self._codec.fatal_ends)
        sent = wire.protocol.close_sent
        exc = wire.lost_exc or wire.protocol.parser_exc
        return endings.of_break(exc, sent.reason if sent is not None else "")

    def _explained(self, ending: ConnectionEnding) -> ConnectionEnding:
        """Some closes carry only 1000 or 1006, and the reason came as an error just before."""
        if ending.fatal or self._last_error is None:
            return ending
        at, code = self._last_error
        if self._loop.time() - at > _ERROR_EXPLAINS_CLOSE_S:
            return ending
        return ConnectionEnding(ending.code, f"{code}; {ending.reason}".rstrip("; "), True)

    # --- to the listener

    def _report_closed(self, ending: ConnectionEnding) -> None:
        if self._ending is None:
            self._ending = ending
            self._log.info(
                "provider_closed", code=ending.code, reason=ending.reason, fatal=ending.fatal,
                **attrs.asdict(self.counters),
            )  # fmt: skip
            self._report(self._listener.on_closed, ending)

    def _report_unreachable(self, ending: ConnectionEnding) -> None:
        if self._ending is None:
            self._ending = ending
            self._log.warning("provider_unreachable", reason=ending.reason, fatal=ending.fatal)
            self._report(self._listener.on_unreachable, ending)

    def _report(self, listener: Callable[[Unpack[_Args]], None], *args: *_Args) -> None:
        try:
            listener(*args)
        except Exception:
            self.counters.listener_failures += 1
            self._log.exception("listener_failed", callback=getattr(listener, "__name__", "?"))
