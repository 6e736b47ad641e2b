"""One AudioSocket connection: paced frames out, caller frames in, a polite end. No turns, no queue of agent audio.

Asterisk paces, queues and re-frames nothing (docs/facts/telephony.md section 2). So from accept to hang-up exactly one
20 ms message leaves per tick, whatever happens; what it says is asked of a source at that moment, and is silence
otherwise. Everything here is synchronous, in the loop's callbacks: no task, queue or await per frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol, cast
from uuid import UUID

import attrs
import structlog

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.listener import will_reset
from adapters.lines.audiosocket.mistakes import Mistake, RateProbe, of_first_bytes
from adapters.lines.audiosocket.output import ConnectionStats, PacedOutput
from adapters.lines.audiosocket.settings import AudioSocketSettings, frame_bytes
from adapters.lines.ear import CallerEar
from adapters.lines.gone import Gone
from adapters.lines.line import NO_DATA, AudioSource, CallData, LegListener
from adapters.lines.refusal import CallRefusal

log = structlog.get_logger(__name__)


class ConnectionOwner(Protocol):
    """The server, as a connection sees it."""

    def identified(self, connection: Connection) -> CallRefusal | None:
        """With its uuid known: None, or why it is refused."""

    def begin(self, connection: Connection) -> None:
        """Its rate is known, too: there is a call."""

    def refused(self, connection: Connection, why: CallRefusal) -> None:
        """It is about to be told. Once, before `departing`, and not for a refusal of whoever handles calls."""

    def may_linger(self) -> bool:
        """A polite refusal takes a while, and not everybody's can be waited for."""

    def noticed(self, connection: Connection, mistake: Mistake) -> None:
        """Something is wrong on the other side."""

    def departing(self, connection: Connection) -> None:
        """No longer a live call: its uuid is free. Once, before `lost`."""

    def lost(self, connection: Connection) -> None:
        """The socket is closed. Once."""


class Phase(Enum):
    UNIDENTIFIED = "unidentified"
    LIVE = "live"
    LEAVING = "leaving"
    """`00 00 00` is sent; what the peer still says is read and thrown away, so that closing causes no RST. Or it is
    refused, and RST is all it gets."""
    LOST = "lost"


_TELEPHONE_HZ: Final = 8_000
_OVER: Final = (Phase.LEAVING, Phase.LOST)


class Connection(asyncio.Protocol):
    """Made by the server; handed to `on_call` once its `uuid` and its rate are known. `peer` is (host, port).

    `refusal`: it is made to be told so.
    """

    def __init__(
        self, settings: AudioSocketSettings, ticker: Ticker, owner: ConnectionOwner, peer: tuple[str, int],
        refusal: CallRefusal | None = None,
    ) -> None:  # fmt: skip
        self.stats = ConnectionStats()
        self.peer = peer
        self.uuid = UUID(int=0)
        self._settings = settings
        self._ticker = ticker
        self._owner = owner
        self._refusal = refusal
        self._log = log.bind(peer=peer[0])
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._output = PacedOutput(settings, self.stats, self._note_failure)
        self._decoder = wire.Decoder()
        self._probe = RateProbe()
        self._usual_hz = 0
        """Of the audio that the decoder expects; 0: of none yet."""
        self._phase = Phase.UNIDENTIFIED
        self._has_begun = False
        self._reason: Gone | None = None
        self._ear = CallerEar(settings.early_max_messages, self._note_failure)
        self._deadline: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    # What a call does with it.

    @property
    def is_live(self) -> bool:
        return self._phase is Phase.LIVE

    @property
    def rate_hz(self) -> int:
        """Of the frames a source gives."""
        return self._output.rate_hz

    @property
    def call_id(self) -> str:
        return str(self.uuid)

    @property
    def data(self) -> CallData:
        """AudioSocket says nothing but the uuid."""
        return NO_DATA

    @property
    def keeps_lead(self) -> bool:
        """Asterisk queues nothing: what leaves is heard."""
        return False

    @property
    def lead_ms(self) -> int:
        return 0

    def flush(self) -> None:
        """Nothing of ours is queued anywhere but here."""

    @property
    def frames_unsent(self) -> int:
        return self._output.frames_unsent

    def play_from(self, source: AudioSource | None) -> None:
        """From the next tick on every frame is asked of `source` (None: silence)."""
        self._output.source = source

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener. It first hears what came before there was one (bounded), and `on_gone` if too late."""
        self._ear.listen(listener)

    def refuse(self, reason: str, why: str = "") -> None:
        """Not this call."""
        del why
        self._log.warning("audiosocket_refused", why=reason)
        self._turn_away()

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
        if not self._depart(Phase.LEAVING, reason) or self._transport is None:
            return
        self._transport.write(wire.encode_hangup())
        self._arm(self._settings.hang_up_deadline_s, self.cut)

    def cut(self) -> None:
        """Closes at once, which the peer may see as RST."""
        if self._transport is not None:
            self._transport.abort()

    def turn_away(self, why: CallRefusal, detail: str = "") -> None:
        """Refused; where it has only just been accepted, as soon as it can be told."""
        if self._transport is None:
            self._refusal = why
            return
        if self._phase in _OVER:
            return
        self._log.warning("audiosocket_refused", why=why, **({"detail": detail} if detail else {}))
        self._owner.refused(self, why)
        self._turn_away()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast(asyncio.Transport, transport)
        self._tune(stream)
        if self._refusal is not None:
            self.turn_away(self._refusal)
            return
        self._output.start(self._ticker, stream, self._on_frame_dropped)
        late = self._settings.handshake_deadline_s
        self._arm(late, lambda: self.turn_away(CallRefusal.NO_UUID, "not within the deadline"))

    def data_received(self, data: bytes) -> None:
        if (pcm := self._decoder.usual_payload(data)) is not None:  # of a live call: else nothing is usual
            self.stats.messages_received += 1
            self._ear.hear(pcm, self._usual_hz)
            return
        if self._phase in _OVER:
            return
        if self._phase is Phase.UNIDENTIFIED and self._is_not_asterisk(data):
            return
        for message in self._decoder.feed(data):
            self.stats.messages_received += 1
            _ON_MESSAGE[type(message)](self, message)
            if self._phase in _OVER:
                return

    def eof_received(self) -> bool:
        # What waits in our own buffer has nobody to go to; everything of the peer's is read, so this causes no RST.
        self.cut()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  FIN or RST: the same
        was = self._phase
        self._depart(Phase.LOST, Gone.CALLER_HUNG_UP)
        self._phase = Phase.LOST
        if was is Phase.UNIDENTIFIED:  # an unanswered channel connects, says nothing and closes: no error
            said_something = bool(self._decoder.held_bytes + self.stats.messages_received)
            self._log.info("audiosocket_closed_before_uuid", said_something=said_something)
            if not said_something:
                self._owner.noticed(self, Mistake.SAID_NOTHING)
        elif self._reason is not Gone.REFUSED:
            numbers = attrs.asdict(self.stats)
            numbers["early_dropped"] += self._ear.early_dropped
            self._log.info("audiosocket_closed", reason=self._reason, rate_hz=self.rate_hz, **numbers)
        self._owner.lost(self)
        if self._reason is not None:
            self._ear.end(self._reason.value)
        if not self._lost.done():
            self._lost.set_result(None)

    # Inside

    def _tune(self, transport: asyncio.Transport) -> None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the peer may be gone already
            if sock is not None:  # asyncio does it for sockets that it has made itself
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sock is not None and self._settings.send_buffer_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._settings.send_buffer_bytes)
        if hasattr(transport, "max_size"):  # asyncio's own selector transport
            transport.max_size = self._settings.read_max_bytes

    def _is_not_asterisk(self, data: bytes) -> bool:
        """It is told so at once: what it says next may look like the beginning of a long message."""
        if self.stats.messages_received:
            return False
        mistake = of_first_bytes(bytes(self._decoder.held) + data[:8])
        if mistake is not None:
            self._owner.noticed(self, mistake)
            self.turn_away(CallRefusal.NO_UUID, mistake.value)
        return mistake is not None

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
        self._decoder.expect(b"")
        self._disarm()
        self._output.stop()
        self._owner.departing(self)
        return True

    def _turn_away(self) -> None:
        """RST, and nothing before it: FIN and `00 00 00` are success to a dialplan. Or politely, if wanted."""
        if self._owner.may_linger():
            self.leave(Gone.REFUSED)
        elif self._depart(Phase.LEAVING, Gone.REFUSED) and self._transport is not None:
            if (sock := self._transport.get_extra_info("socket")) is not None:
                will_reset(sock)
            self._transport.abort()

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
            self.turn_away(refusal)
        elif len(self._settings.rates_hz) == 1:
            self._begin(self._settings.rates_hz[0])
        else:  # of a caller who sends nothing nobody knows
            self._arm(self._settings.rate_wait_s, lambda: self._begin(self._settings.rates_hz[0]))

    def _begin(self, rate_hz: int) -> None:
        """The call's rate is known, and stays."""
        self._disarm()
        self._has_begun = True
        self._output.speak_at(rate_hz)
        self._owner.begin(self)

    def _on_audio(self, message: wire.Audio) -> None:
        if self._phase is not Phase.LIVE:  # no call to hear it yet; tolerated, within the deadline of the handshake
            self.stats.early_dropped += 1
            return
        if not self._has_begun:
            self._begin(self._settings.rate_for(message.rate_hz))
        if not self._usual_hz:
            self._learn(message)
        self._ear.hear(message.pcm, message.rate_hz)

    def _learn(self, message: wire.Audio) -> None:
        """What the peer's audio is: as it says, or (at 8 kHz, which other audio is called by mistake) as it comes."""
        if message.rate_hz == _TELEPHONE_HZ:
            if not self._probe.hear(len(message.pcm), self._loop.time()):
                return
            if (mistake := self._probe.verdict()) is not None:
                self._owner.noticed(self, mistake)
        self._usual_hz = message.rate_hz
        self._decoder.expect(wire.audio_header(message.rate_hz, frame_bytes(message.rate_hz)))

    def _on_dtmf(self, message: wire.Dtmf) -> None:
        if self._phase is not Phase.LIVE:
            self.turn_away(CallRefusal.NO_UUID, "something else came first")
        else:
            self._ear.press(message.digit)

    def _on_hangup(self, _message: wire.Hangup) -> None:
        self.leave(Gone.CALLER_HUNG_UP)

    def _on_nonsense(self, message: wire.Message) -> None:
        self.stats.unknown_messages += 1
        if self._phase is Phase.UNIDENTIFIED:
            self.turn_away(CallRefusal.NO_UUID, "something else came first")
        elif self.stats.unknown_messages == 1:
            kind = message.kind if isinstance(message, wire.Unknown) else type(message).__name__
            self._log.warning("audiosocket_message_skipped", kind=kind)


_ON_MESSAGE: Mapping[type[Any], Callable[[Connection, Any], None]] = {
    wire.Uuid: Connection._on_uuid,
    wire.Audio: Connection._on_audio,
    wire.Dtmf: Connection._on_dtmf,
    wire.Hangup: Connection._on_hangup,
    wire.Error: Connection._on_nonsense,
    wire.Unknown: Connection._on_nonsense,
}
