"""One stream of Twilio's: a little audio ahead of the caller, the caller's audio in, a polite end. No turns, no queue.

Twilio buffers what we send and plays it by its own clock (docs/facts/telephony.md section 5). So per 20 ms tick the
source is asked for as much as keeps the lead, `clear` throws away what is under way, and marks say what was played.
Everything here is synchronous, in the loop's callbacks: no task, queue or await per frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs
import structlog

from adapters.audio.tick import Ticker
from adapters.lines.ear import CallerEar
from adapters.lines.gone import Gone
from adapters.lines.lead import LeadOutput
from adapters.lines.line import NO_DATA, AudioSource, CallData, LegListener
from adapters.lines.twilio import protocol as wire
from adapters.lines.twilio.gate import TOKEN, Gate, TwilioRefusal
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.webhook import CALLER, DIALLED
from adapters.websocket.message_socket import SocketEnd
from adapters.websocket.server_socket import ServerSocket

log = structlog.get_logger(__name__)

POLICY_VIOLATION: Final = 1008
NORMAL: Final = 1000


class _Phase(Enum):
    UNSTARTED = auto()
    LIVE = auto()
    LEAVING = auto()
    """Our close frame is sent; what the peer still says is thrown away."""
    LOST = auto()


_OVER: Final = (_Phase.LEAVING, _Phase.LOST)


class TwilioConnectionOwner(Protocol):
    """The server, as a connection sees it."""

    def started(self, connection: TwilioConnection) -> TwilioRefusal | None:
        """With its call known: None, and the call has begun; or why it is refused."""

    def departing(self, leg: TwilioConnection) -> None:
        """No longer a live call: its id is free. Once."""


@attrs.define
class TwilioConnectionStats:
    """Counters of one connection, for the log line at its end and for tests."""

    messages_received: int = 0
    early_dropped: int = 0
    unknown_messages: int = 0
    foreign_messages: int = 0
    """Of another stream than this connection's."""
    failures: int = 0
    """Exceptions of a listener or a source."""
    frames_unsent: int = 0
    """The socket was no longer there for them."""
    marks_void: int = 0
    """That came back after a `clear`, or are none of ours."""


class TwilioConnection:
    """Made by the server for each WebSocket that it accepts; handed to `on_call` once its call is known.

    `received` and `ended` are what the socket says.
    """

    def __init__(
        self,
        settings: TwilioSettings,
        ticker: Ticker,
        gate: Gate,
        owner: TwilioConnectionOwner,
        socket: ServerSocket,
    ) -> None:
        self.stats = TwilioConnectionStats()
        self.peer = socket.peer
        self._settings = settings
        self._ticker = ticker
        self._gate = gate
        self._owner = owner
        self._socket = socket
        self._log = log.bind(peer=self.peer[0])
        self._loop = asyncio.get_running_loop()
        self._output = LeadOutput(
            settings.lead_ms, self._loop.time, self._send, self._send_mark, self._note_failure, settings.way_max_ms
        )
        self._encoder = wire.StreamEncoder("")
        self._phase = _Phase.UNSTARTED
        self._reason: Gone | None = None
        self._call_id = self._stream_sid = ""
        self._data = NO_DATA
        self._ear = CallerEar(settings.early_max_messages, self._note_failure)
        late = settings.start_deadline_s
        self._deadline = self._loop.call_later(late, lambda: self._turn_away(self._gate.refuse(TwilioRefusal.NO_START)))

    # What a call does with it.

    @property
    def is_live(self) -> bool:
        return self._phase is _Phase.LIVE

    @property
    def call_id(self) -> str:
        """Twilio's CallSid."""
        return self._call_id

    @property
    def data(self) -> CallData:
        return self._data

    @property
    def rate_hz(self) -> int:
        return wire.RATE_HZ

    @property
    def keeps_lead(self) -> bool:
        return True

    @property
    def lead_ms(self) -> int:
        return self._output.lead_ms

    @property
    def frames_unsent(self) -> int:
        return self.stats.frames_unsent

    def play_from(self, source: AudioSource | None) -> None:
        """From the next tick on every frame is asked of `source` (None: silence)."""
        self._output.source = source

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener. It first hears what came before there was one (bounded), and `on_gone` if too late."""
        self._ear.listen(listener)

    def flush(self) -> None:
        """`clear`: what Twilio holds is not played. The marks that it sends back for it are void."""
        if self._phase is _Phase.LIVE and self._output.lead_ms:
            self._output.lead.flush()
            self._socket.send_text(self._encoder.clear)

    def refuse(self, reason: str, why: str = "") -> None:
        """Closes the stream, after which the call's next instruction runs, or it ends."""
        del why
        self._log.warning("twilio_call_refused", why=reason)
        self.leave(Gone.REFUSED)

    async def hang_up(self, reason: Gone = Gone.HUNG_UP) -> None:
        """Closes the stream, after which the call's next instruction runs, or it ends; returns when the socket is gone.

        Whoever calls first gives the reason; calling it again, or being cancelled in it, changes nothing.
        """
        self.leave(reason)
        await self.wait_gone()

    async def wait_gone(self) -> None:
        """Returns when the socket is closed, whoever closed it; `on_gone` has been called by then."""
        await self._socket.wait_closed()

    # What the server does with it.

    def leave(self, reason: Gone) -> None:
        """`hang_up`, begun and not waited for."""
        if self._depart(_Phase.LEAVING, reason):
            code = POLICY_VIOLATION if reason is Gone.REFUSED else NORMAL
            self._socket.close(code, reason.value)

    # What the socket says.

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        if self._phase in _OVER:
            return
        self.stats.messages_received += 1
        message = wire.TwilioUnknown("", "binary, and Twilio's messages are text") if binary else wire.decode(payload)
        _ON_MESSAGE[type(message)](self, message)

    def ended(self) -> None:
        """The peer has closed, or the socket is gone."""
        end = self._socket.end
        self._depart(_Phase.LOST, _reason(end))
        self._phase = _Phase.LOST
        if self._reason is not Gone.REFUSED:
            self.stats.early_dropped = self._ear.early_dropped
            counts = {**attrs.asdict(self.stats), **attrs.asdict(self._output.lead.stats)}
            self._log.info("twilio_closed", reason=self._reason, why=end.reason if end is not None else "", **counts)
        if self._reason is not None:
            self._ear.end(self._reason.value)

    # Inside

    def _turn_away(self, why: TwilioRefusal) -> None:
        """By the gate or by the server; it has been counted."""
        count = self._gate.refused[why]
        if count & (count - 1) == 0:  # 1st, 2nd, 4th, ...: whoever knocks does it often
            self._log.warning("twilio_stream_refused", why=why, count=count, call_id=self._call_id or None)
        self.leave(Gone.REFUSED)

    def _depart(self, phase: _Phase, reason: Gone) -> bool:
        """Into `phase` from a living one, once: no more ticks, no deadline, the call's id is free."""
        if self._phase in _OVER:
            return False
        self._phase, self._reason = phase, reason
        self._deadline.cancel()
        self._output.stop()
        self._owner.departing(self)
        return True

    def _send(self, frames: list[bytes]) -> None:
        """As one message: Twilio takes any length."""
        if not self._socket.send_text(self._encoder.media(b"".join(frames))):
            self.stats.frames_unsent += len(frames)

    def _send_mark(self, name: str) -> None:
        self._socket.send_text(self._encoder.mark(name))

    def _note_failure(self, who: str) -> None:
        self.stats.failures += 1
        if self.stats.failures == 1:  # fifty a second would bury the first, which says it all
            self._log.exception("twilio_callback_failed", who=who)

    def _on_connected(self, message: wire.Connected) -> None:
        if self._phase is not _Phase.UNSTARTED:
            self._on_unknown(wire.TwilioUnknown("connected", "a second one"))
        del message

    def _on_start(self, message: wire.Start) -> None:
        if self._phase is not _Phase.UNSTARTED:
            self._on_unknown(wire.TwilioUnknown("start", "a second one"))
            return
        self._call_id, self._stream_sid = message.call_sid, message.stream_sid
        given = dict(message.parameters)
        token, caller_id, dialled = given.pop(TOKEN, ""), given.pop(CALLER, ""), given.pop(DIALLED, "")
        self._data = CallData(caller_id, dialled, MappingProxyType(given))
        why = self._gate.check_account(message.account_sid) or self._gate.redeem(token, message.call_sid)
        if why is not None:
            self._turn_away(why)
            return
        self._log = self._log.bind(call_id=self._call_id)
        self._phase = _Phase.LIVE
        self._deadline.cancel()
        self._encoder = wire.StreamEncoder(self._stream_sid)
        self._output.start(self._ticker)
        if (why := self._owner.started(self)) is not None:
            self._turn_away(why)

    def _is_ours(self, stream_sid: str) -> bool:
        if self._phase is not _Phase.LIVE:
            self._turn_away(self._gate.refuse(TwilioRefusal.BAD_START))
            return False
        if stream_sid == self._stream_sid:
            return True
        self.stats.foreign_messages += 1
        if self.stats.foreign_messages == 1:
            self._log.warning("twilio_message_of_another_stream")
        return False

    def _on_media(self, message: wire.Media) -> None:
        if self._is_ours(message.stream_sid):
            self._ear.hear(message.pcm, wire.RATE_HZ)

    def _on_dtmf(self, message: wire.TwilioDtmf) -> None:
        if self._is_ours(message.stream_sid):
            self._ear.press(message.digit)

    def _on_mark(self, message: wire.TwilioMark) -> None:
        if self._is_ours(message.stream_sid) and not self._output.lead.came_back(message.name, self._loop.time()):
            self.stats.marks_void += 1

    def _on_stop(self, message: wire.TwilioStop) -> None:
        if self._is_ours(message.stream_sid):
            self.leave(Gone.CALLER_HUNG_UP)

    def _on_unknown(self, message: wire.TwilioUnknown) -> None:
        if self._phase is _Phase.UNSTARTED:
            self._turn_away(self._gate.refuse(TwilioRefusal.BAD_START))
            return
        self.stats.unknown_messages += 1
        if self.stats.unknown_messages == 1:
            self._log.warning("twilio_message_skipped", message_event=message.event, why=message.why)


def _reason(end: SocketEnd | None) -> Gone:
    """Of an end that nobody here has asked for."""
    if end is None or (end.code is None and not end.is_ours):
        return Gone.CONNECTION_LOST
    if end.is_ours:  # nothing is read or answered there, or the protocol was broken
        return Gone.PEER_NOT_READING if end.code is None else Gone.CONNECTION_LOST
    return Gone.CALLER_HUNG_UP


_ON_MESSAGE: Mapping[type[Any], Callable[[TwilioConnection, Any], None]] = {
    wire.Media: TwilioConnection._on_media,
    wire.TwilioMark: TwilioConnection._on_mark,
    wire.TwilioDtmf: TwilioConnection._on_dtmf,
    wire.Connected: TwilioConnection._on_connected,
    wire.Start: TwilioConnection._on_start,
    wire.TwilioStop: TwilioConnection._on_stop,
    wire.TwilioUnknown: TwilioConnection._on_unknown,
}
