"""One AudioSocket connection: paced frames out, caller frames in, a polite end. No turns, no queue of agent audio.

Asterisk paces, queues and re-frames nothing (docs/facts/telephony.md section 2). So from accept to hang-up exactly one
20 ms message leaves per tick, whatever happens; what it says is asked of a source at that moment, and is silence
otherwise. Everything here is synchronous, in the loop's callbacks: no task, queue or await per frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from typing import Any, Final, Protocol, cast
from uuid import UUID

import attrs
import structlog

from adapters.audio.tick import Registration, Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.line import FrameSource, LegListener

log = structlog.get_logger(__name__)


class Gone(StrEnum):
    """Why a connection ended. FIN and RST are the same: Asterisk's kernel decides which one a caller's hang-up is."""

    CALLER_HUNG_UP = "caller_hung_up"
    HUNG_UP = "hung_up"
    PEER_NOT_READING = "peer_not_reading"
    HANDLER_FAILED = "handler_failed"
    SERVER_CLOSING = "server_closing"
    REFUSED = "refused"


class ConnectionOwner(Protocol):
    """The server, as a connection sees it."""

    def admit(self, connection: Connection) -> str | None:
        """At accept: None, or why not."""

    def identified(self, connection: Connection) -> str | None:
        """With its uuid known: None, and the call has begun; or why it is refused."""

    def departing(self, connection: Connection) -> None:
        """No longer a live call: its uuid is free. Once, before `lost`."""

    def lost(self, connection: Connection) -> None:
        """The socket is closed. Once."""


class Phase(Enum):
    UNIDENTIFIED = "unidentified"
    LIVE = "live"
    LEAVING = "leaving"
    """`00 00 00` is sent; what the peer still says is read and thrown away, so that closing causes no RST."""
    LOST = "lost"


_OVER: Final = (Phase.LEAVING, Phase.LOST)


@attrs.define
class ConnectionStats:
    """Counters of one connection, for the log line at its end and for tests."""

    frames_sent: int = 0
    frames_silent: int = 0
    frames_dropped: int = 0
    """Not sent, because the peer does not read."""
    frames_skipped: int = 0
    """Not sent, because the loop of the process was stalled."""
    frames_misshaped: int = 0
    """From a source, and not 20 ms long: filled up with silence or cut."""
    messages_received: int = 0
    early_dropped: int = 0
    unknown_messages: int = 0
    failures: int = 0
    """Exceptions of a listener or a source."""


class PacedOutput:
    """Toward the caller: exactly one message per 20 ms, what the source gives or silence, or one more frame dropped."""

    def __init__(
        self, settings: AudioSocketSettings, stats: ConnectionStats, note_failure: Callable[[str], None]
    ) -> None:
        self.source: FrameSource | None = None
        self.frame_header = wire.audio_header(settings.rate_hz, settings.frame_bytes)
        self._frame_bytes = settings.frame_bytes
        self._silence = self.frame_header + bytes(settings.frame_bytes)
        self._backlog_bytes = settings.backlog_max_frames * len(self._silence)
        self._dropped_surplus = 0
        self._stats = stats
        self._note_failure = note_failure
        self._place: Registration | None = None

    def start(self, ticker: Ticker, transport: asyncio.Transport, on_dropped: Callable[[int], None]) -> None:
        """`on_dropped`: the peer does not read; so many more frames were dropped than sent since it began."""
        self._transport = transport
        self._on_dropped = on_dropped
        self._place = ticker.register(self.tick)

    def stop(self) -> None:
        """No frame leaves after this."""
        if self._place is not None:
            self._stats.frames_skipped = self._place.skipped_frames
            self._place.unregister()
        self._place = self.source = None

    @property
    def frames_unsent(self) -> int:
        """Frames that were due and did not leave: the process was stalled, or the peer did not read."""
        skipped = self._stats.frames_skipped if self._place is None else self._place.skipped_frames
        return skipped + self._stats.frames_dropped

    def tick(self, frames_due: int) -> None:
        for _ in range(frames_due):
            if self._place is None or self._transport.is_closing():
                return
            pcm = None
            if self.source is not None:
                try:
                    pcm = self.source()
                except Exception:
                    self._note_failure("source")
            if pcm is None:
                self._stats.frames_silent += 1
                message = self._silence
            else:
                message = self.frame_header + (pcm if len(pcm) == self._frame_bytes else self._shaped(pcm))
            if self._transport.get_write_buffer_size() >= self._backlog_bytes:
                self._drop_frame()
                continue
            if self._dropped_surplus:
                self._dropped_surplus -= 1
            self._stats.frames_sent += 1
            self._transport.write(message)

    def _shaped(self, pcm: bytes) -> bytes:
        self._stats.frames_misshaped += 1
        return pcm[: self._frame_bytes].ljust(self._frame_bytes, b"\0")

    def _drop_frame(self) -> None:
        self._dropped_surplus += 1
        self._stats.frames_dropped += 1
        self._on_dropped(self._dropped_surplus)


class Connection(asyncio.Protocol):
    """Made by the server; handed to `on_call` once its `uuid` is known. `peer` is (host, port)."""

    def __init__(self, settings: AudioSocketSettings, ticker: Ticker, owner: ConnectionOwner) -> None:
        self.stats = ConnectionStats()
        self.peer: tuple[str, int] = ("", 0)
        self.uuid = UUID(int=0)
        self._settings = settings
        self._ticker = ticker
        self._owner = owner
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._output = PacedOutput(settings, self.stats, self._note_failure)
        self._decoder = wire.Decoder(self._output.frame_header)
        self._phase = Phase.UNIDENTIFIED
        self._reason: Gone | None = None
        self._listener: LegListener | None = None
        self._early: deque[wire.Audio | wire.Dtmf] = deque(maxlen=settings.early_max_messages)
        self._deadline: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    # What a call does with it.

    @property
    def is_live(self) -> bool:
        return self._phase is Phase.LIVE

    @property
    def rate_hz(self) -> int:
        """Of the frames a source gives."""
        return self._settings.rate_hz

    @property
    def frames_unsent(self) -> int:
        return self._output.frames_unsent

    def play_from(self, source: FrameSource | None) -> None:
        """From the next tick on every frame is asked of `source` (None: silence)."""
        self._output.source = source

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener. It first hears what came before there was one (bounded), and `on_gone` if too late."""
        self._listener = listener
        while self._early:
            self._tell(listener, self._early.popleft())
        if self._phase is Phase.LOST:
            self._tell_gone()

    async def hang_up(self, reason: Gone = Gone.HUNG_UP) -> None:
        """The polite end, after which Asterisk's dialplan goes on; returns when the socket is closed.

        Stops sending, says `00 00 00`, reads to the peer's FIN (at most `hang_up_deadline_s`), closes. Whoever calls
        first gives the reason; calling it again, or being cancelled in it, changes nothing.
        """
        self.leave(reason)
        await self.wait_gone()

    async def wait_gone(self) -> None:
        """Returns when the socket is closed, whoever closed it; `on_gone` has been called by then."""
        await asyncio.shield(self._lost)

    # What the server does with it.

    def leave(self, reason: Gone) -> None:
        """`hang_up`, begun and not waited for."""
        if not self._depart(Phase.LEAVING, reason):
            return
        self._transport.write(wire.encode_hangup())
        self._arm(self._settings.hang_up_deadline_s, self.cut)

    def cut(self) -> None:
        """Closes at once, which the peer may see as RST."""
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or self.peer)[:2]
        self._log = log.bind(peer=self.peer[0])
        self._tune()
        if refusal := self._owner.admit(self):
            self._refuse(refusal)
            return
        self._output.start(self._ticker, self._transport, self._on_frame_dropped)
        self._arm(self._settings.handshake_deadline_s, lambda: self._refuse("no uuid within the deadline"))

    def data_received(self, data: bytes) -> None:
        if self._phase in _OVER:
            return
        if self._listener is not None and (pcm := self._decoder.usual_payload(data)) is not None:
            self.stats.messages_received += 1
            self._hear(self._listener, pcm, self._settings.rate_hz)
            return
        for message in self._decoder.feed(data):
            self.stats.messages_received += 1
            _ON_MESSAGE[type(message)](self, message)
            if self._phase in _OVER:
                return

    def eof_received(self) -> bool:
        # What waits in our own buffer has nobody to go to; everything of the peer's is read, so this causes no RST.
        self._transport.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  FIN or RST: the same
        was = self._phase
        self._depart(Phase.LOST, Gone.CALLER_HUNG_UP)
        self._phase = Phase.LOST
        if was is Phase.UNIDENTIFIED:  # an unanswered channel connects, says nothing and closes: no error
            held = self._decoder.held_bytes + self.stats.messages_received
            self._log.info("audiosocket_closed_before_uuid", said_something=bool(held))
        elif self._reason is not Gone.REFUSED:
            self._log.info("audiosocket_closed", reason=self._reason, **attrs.asdict(self.stats))
        self._owner.lost(self)
        if self._listener is not None:
            self._tell_gone()
        if not self._lost.done():
            self._lost.set_result(None)

    # Inside

    def _tune(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and self._settings.send_buffer_bytes:
            with contextlib.suppress(OSError):  # the peer may be gone already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._settings.send_buffer_bytes)
        if hasattr(self._transport, "max_size"):  # asyncio's own selector transport
            self._transport.max_size = self._settings.read_max_bytes

    def _arm(self, seconds: float, callback: Callable[[], object]) -> None:
        self._disarm()
        self._deadline = self._loop.call_later(seconds, callback)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _depart(self, phase: Phase, reason: Gone) -> bool:
        """Into `phase` from a living one, once: no more ticks, no deadline, the uuid is free."""
        if self._phase in _OVER:
            if phase is Phase.LOST:  # else the deadline of a polite end still runs
                self._disarm()
            return False
        self._phase, self._reason = phase, reason
        self._disarm()
        self._output.stop()
        self._owner.departing(self)
        return True

    def _refuse(self, why: str) -> None:
        self._log.warning("audiosocket_refused", why=why)
        self.leave(Gone.REFUSED)

    def _on_frame_dropped(self, surplus: int) -> None:
        if self.stats.frames_dropped == 1:
            self._log.warning("audiosocket_peer_not_reading")
        if surplus >= self._settings.backlog_gone_frames:
            self._depart(Phase.LEAVING, Gone.PEER_NOT_READING)
            self.cut()  # nobody would read a polite word

    def _note_failure(self, who: str) -> None:
        self.stats.failures += 1
        if self.stats.failures == 1:  # fifty a second would bury the first, which says it all
            self._log.exception("audiosocket_callback_failed", who=who)

    def _on_uuid(self, message: wire.Uuid) -> None:
        if self._phase is not Phase.UNIDENTIFIED:
            self._on_nonsense(message)
            return
        self.uuid = message.value
        self._log = self._log.bind(call_id=str(self.uuid))
        self._disarm()
        self._phase = Phase.LIVE
        if refusal := self._owner.identified(self):
            self._refuse(refusal)

    def _on_audio(self, message: wire.Audio) -> None:
        if self._phase is not Phase.LIVE:  # no call to hear it yet; tolerated, within the deadline of the handshake
            self.stats.early_dropped += 1
        elif self._listener is None:
            self._keep(message)
        else:
            self._hear(self._listener, message.pcm, message.rate_hz)

    def _hear(self, listener: LegListener, pcm: bytes, rate_hz: int) -> None:
        try:
            listener.on_audio(pcm, rate_hz)
        except Exception:
            self._note_failure("listener")

    def _on_dtmf(self, message: wire.Dtmf) -> None:
        if self._phase is not Phase.LIVE:
            self._refuse("the first message is not a uuid")
        elif self._listener is None:
            self._keep(message)
        else:
            self._tell(self._listener, message)

    def _on_hangup(self, _message: wire.Hangup) -> None:
        self.leave(Gone.CALLER_HUNG_UP)

    def _on_nonsense(self, message: wire.Message) -> None:
        self.stats.unknown_messages += 1
        if self._phase is Phase.UNIDENTIFIED:
            self._refuse("the first message is not a uuid")
        elif self.stats.unknown_messages == 1:
            kind = message.kind if isinstance(message, wire.Unknown) else type(message).__name__
            self._log.warning("audiosocket_message_skipped", kind=kind)

    def _keep(self, message: wire.Audio | wire.Dtmf) -> None:
        """Until there is a listener."""
        self.stats.early_dropped += len(self._early) == self._early.maxlen
        self._early.append(message)

    def _tell(self, listener: LegListener, message: wire.Audio | wire.Dtmf) -> None:
        if isinstance(message, wire.Audio):
            self._hear(listener, message.pcm, message.rate_hz)
            return
        try:
            listener.on_key(message.digit)
        except Exception:
            self._note_failure("listener")

    def _tell_gone(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None or self._reason is None:
            return
        try:
            listener.on_gone(self._reason.value)
        except Exception:
            self._note_failure("listener")


_ON_MESSAGE: Mapping[type[Any], Callable[[Connection, Any], None]] = {
    wire.Uuid: Connection._on_uuid,
    wire.Audio: Connection._on_audio,
    wire.Dtmf: Connection._on_dtmf,
    wire.Hangup: Connection._on_hangup,
    wire.Error: Connection._on_nonsense,
    wire.Unknown: Connection._on_nonsense,
}
