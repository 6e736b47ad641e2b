"""One call over chan_websocket: a small lead out, caller frames in, a polite end. No turns, no queue of agent audio.

Asterisk re-frames what it is sent and plays it by its own timer (docs/facts/telephony.md section 4); how much of it is
under way is known by its marks. All of it is synchronous, in the loop's callbacks: no task or await per frame.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol

import attrs
import structlog

from adapters.audio.tick import Ticker
from adapters.lines.chan_websocket import protocol as wire
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.ear import CallerEar
from adapters.lines.gone import Gone
from adapters.lines.lead import LeadOutput
from adapters.lines.line import NO_DATA, AudioSource, CallData, LegListener
from adapters.websocket.frames import Payload
from adapters.websocket.message_socket import MessageSocket

log = structlog.get_logger(__name__)


class ChannelOwner(Protocol):
    """The line, as one of its calls sees it."""

    def started(self, leg: ChannelLeg) -> str | None:
        """MEDIA_START is here: None, and the call has begun; or why it is refused."""

    def departing(self, leg: ChannelLeg) -> None:
        """No longer a live call: its id is free. Once."""


class Stage(Enum):
    UNSTARTED = "unstarted"
    LIVE = "live"
    LEAVING = "leaving"
    """HANGUP is said; what still comes is thrown away."""
    ENDED = "ended"


@attrs.define
class ChannelStats:
    """Counters of one call, for the log line at its end and for tests."""

    messages_received: int = 0
    early_dropped: int = 0
    unreadable: int = 0
    errors: int = 0
    """Asterisk's complaints about us."""
    xoffs: int = 0
    failures: int = 0
    """Exceptions of a listener or a source."""
    frames_unsent: int = 0
    """The WebSocket was no longer there for them."""


WAY_MAX_MS: Final = 60
"""To Asterisk and back: so much later than it might marks may come, before less is sent."""
XOFF_MOST_S: Final = 30.0
"""A full queue is played in 20 s; an XON that has not come by then never will."""
_NAMES_OF_CALLER: Final = ("caller_id", "CALLERID(num)", "CALLERIDNUM")
_NAMES_OF_DIALLED: Final = ("dialled", "EXTEN")
_SECRET: Final = "token"


class ChannelLeg:
    """A CallLeg, and the sink of its WebSocket. Handed to the line's owner once Asterisk has said MEDIA_START."""

    def __init__(
        self,
        websocket: MessageSocket,
        parameters: Mapping[str, str],
        settings: ChanWebSocketSettings,
        ticker: Ticker,
        owner: ChannelOwner,
    ) -> None:
        self.stats = ChannelStats()
        self.call_id = parameters.get("uuid", "")
        self.data = NO_DATA
        self.peer = websocket.peer
        self._websocket = websocket
        self._parameters = parameters
        self._settings = settings
        self._ticker = ticker
        self._owner = owner
        self._log = log.bind(peer=self.peer[0])
        self._loop = asyncio.get_running_loop()
        self._output = LeadOutput(
            settings.lead_ms, self._loop.time, self._send_frames, self._send_mark, self._note_failure, WAY_MAX_MS
        )
        self._format = wire.FORMATS["slin"]
        self._is_json: bool | None = None  # the form of commands; not known before MEDIA_START
        self._stage = Stage.UNSTARTED
        self._reason: Gone | None = None
        self._ear = CallerEar(settings.early_max_messages, self._note_failure)
        self._unread: deque[bytes] = deque(maxlen=settings.early_max_messages)  # audio before its format is known
        self._is_taken = False  # somebody listens
        self._deadline: asyncio.TimerHandle | None = None
        self._arm(settings.handshake_deadline_s, lambda: self.refuse("no MEDIA_START within the deadline"))

    # --- what a call does with it

    @property
    def is_live(self) -> bool:
        return self._stage is Stage.LIVE

    @property
    def rate_hz(self) -> int:
        """Of the frames a source gives, and of what its listener hears: that of Asterisk's format."""
        return self._format.rate_hz

    @property
    def keeps_lead(self) -> bool:
        """Asterisk plays by its own timer."""
        return True

    @property
    def lead_ms(self) -> int:
        return self._output.lead_ms

    @property
    def frames_unsent(self) -> int:
        return self.stats.frames_unsent

    def play_from(self, source: AudioSource | None) -> None:
        """From the next tick on the lead is filled from `source` (None: silence)."""
        self._output.source = source

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener. It first hears what came before there was one (bounded), and `on_gone` if too late."""
        if self._settings.answers and not self._is_taken and self._stage is Stage.LIVE:
            self._command("ANSWER")  # Asterisk minds no second one
        self._is_taken = True
        self._ear.listen(listener)

    def flush(self) -> None:
        """FLUSH_MEDIA: Asterisk stops at the next frame, and marks that are pending never come."""
        if self._output.lead_ms:
            self._command("FLUSH_MEDIA")
        self._output.lead.flush()

    async def hang_up(self, reason: Gone = Gone.HUNG_UP) -> None:
        """The polite end, after which Asterisk's dialplan goes on; returns when the WebSocket is gone.

        Whoever calls first gives the reason; calling it again, or being cancelled in it, changes nothing.
        """
        self.leave(reason)
        await self.wait_gone()

    async def wait_gone(self) -> None:
        """Returns when nothing is left of the line, whoever ended it; `on_gone` has been called by then."""
        await self._websocket.wait_closed()

    # --- what the line does with it

    def leave(self, reason: Gone) -> None:
        """`hang_up`, begun and not waited for."""
        if not self._depart(Stage.LEAVING, reason):
            return
        if self._command("HANGUP"):
            self._arm(self._settings.hang_up_deadline_s, self._close)
        else:
            self._close()

    def refuse(self, reason: str, why: str = "") -> None:
        """An end that the dialplan can tell from a served call: there is no HANGUP, and 1008 is its code."""
        del why
        self._log.warning("chan_websocket_refused", why=reason)
        if self._depart(Stage.LEAVING, Gone.REFUSED):
            self._websocket.close(1008, reason)

    def cut(self) -> None:
        self._websocket.abort()

    # --- the sink of the WebSocket

    def received(self, payload: Payload, *, binary: bool) -> None:
        if self._stage in (Stage.LEAVING, Stage.ENDED):
            return
        self.stats.messages_received += 1
        if not binary:
            event = wire.decode_event(payload)
            _ON_EVENT[type(event)](self, event)
        elif self._stage is Stage.LIVE:
            self._ear.hear(self._format.to_pcm(bytes(payload)), self._format.rate_hz)
        else:
            self.stats.early_dropped += len(self._unread) == self._unread.maxlen
            self._unread.append(bytes(payload))

    def ended(self) -> None:
        was, end = self._stage, self._websocket.end
        code, is_ours = (end.code, end.is_ours) if end is not None else (None, False)
        self._depart(Stage.ENDED, _reason(code, is_ours))
        self._stage = Stage.ENDED
        self._disarm()
        why = end.reason if end is not None else ""
        if was is Stage.UNSTARTED:
            self._log.info("chan_websocket_closed_before_start", code=code, why=why)
        elif self._reason is not Gone.REFUSED:
            self.stats.early_dropped += self._ear.early_dropped
            counted = attrs.asdict(self.stats) | attrs.asdict(self._output.lead.stats)
            self._log.info("chan_websocket_closed", reason=self._reason, code=code, why=why, **counted)
        if self._reason is not None:
            self._ear.end(self._reason.value)

    # --- inside: out

    def _send_frames(self, frames: list[bytes]) -> None:
        """Whole frames in one message, several if it grew too big."""
        encode, most = self._format.from_pcm, wire.MESSAGE_MAX_BYTES // self._format.frame_bytes
        for start in range(0, len(frames), most):
            whole = [self._shaped(frame) for frame in frames[start : start + most]]
            if not self._websocket.send_binary(encode(b"".join(whole))):
                self.stats.frames_unsent += len(whole)

    def _shaped(self, pcm: bytes) -> bytes:
        wanted = self._format.rate_hz // 50 * 2
        return pcm if len(pcm) == wanted else pcm[:wanted].ljust(wanted, b"\0")

    def _send_mark(self, mark: str) -> None:
        self._command("MARK_MEDIA", mark)

    def _command(self, name: str, correlation_id: str = "") -> bool:
        if self._is_json is None:
            return False
        return self._websocket.send_text(wire.encode_command(name, correlation_id, is_json=self._is_json))

    def _close(self) -> None:
        self._websocket.close(1000)

    # --- inside: in

    def _on_start(self, event: wire.MediaStart) -> None:
        if self._stage is not Stage.UNSTARTED:
            self._on_unreadable(wire.Unreadable("MEDIA_START", "the second one"))
            return
        self._is_json = event.is_json
        found = wire.FORMATS.get(event.format)
        self._log = self._log.bind(channel=event.channel, channel_id=event.channel_id)
        if found is None or (event.frame_bytes, event.ptime_ms) != (found.frame_bytes, 20):
            known = ", ".join(wire.FORMATS)
            said = f"{event.format[:40]} in frames of {event.frame_bytes} bytes, {event.ptime_ms} ms"
            self.refuse(f"format {said}; say c(..) with one of {known}")
            return
        self._format = found
        self.data = _call_data(event, self._parameters)
        self.call_id = _call_id(self.data.variables)
        self._log = self._log.bind(call_id=self.call_id)
        self._disarm()
        self._stage = Stage.LIVE
        if refusal := self._owner.started(self):
            self.refuse(refusal)
            return
        if self._stage is Stage.LIVE:
            self._output.start(self._ticker)
            while self._unread:
                self._ear.hear(found.to_pcm(self._unread.popleft()), found.rate_hz)

    def _on_xoff(self, _event: wire.MediaXoff) -> None:
        self.stats.xoffs += 1
        self._output.is_held = True
        self._arm(XOFF_MOST_S, self._release)

    def _on_xon(self, _event: wire.MediaXon) -> None:
        self._disarm()
        self._release()

    def _release(self) -> None:
        self._output.is_held = False

    def _on_mark(self, event: wire.MarkProcessed) -> None:
        self._output.lead.came_back(event.id, self._loop.time())

    def _on_digit(self, event: wire.DtmfEnd) -> None:
        self._ear.press(event.digit)

    def _on_error(self, event: wire.PeerError) -> None:
        self.stats.errors += 1
        if self.stats.errors == 1:
            self._log.warning("chan_websocket_peer_complains", text=event.text)

    def _on_unreadable(self, event: wire.Unreadable) -> None:
        self.stats.unreadable += 1
        if self.stats.unreadable == 1:
            self._log.warning("chan_websocket_message_skipped", kind=event.kind, why=event.why)

    def _on_nothing(self, _event: object) -> None:
        """An answer to what we never ask."""

    # --- inside: the end

    def _depart(self, stage: Stage, reason: Gone) -> bool:
        """Into `stage` from a living one, once: no more ticks, no deadline, the id is free."""
        if self._stage in (Stage.LEAVING, Stage.ENDED):
            return False
        was_live = self._stage is Stage.LIVE
        self._stage, self._reason = stage, reason
        self._disarm()
        self._output.stop()
        self._unread.clear()
        if was_live:
            self._owner.departing(self)
        return True

    def _note_failure(self, who: str) -> None:
        self.stats.failures += 1
        if self.stats.failures == 1:  # fifty a second would bury the first, which says it all
            self._log.exception("chan_websocket_callback_failed", who=who)

    def _arm(self, seconds: float, callback: Callable[[], object]) -> None:
        self._disarm()
        self._deadline = self._loop.call_later(seconds, callback)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _reason(code: int | None, is_ours: bool) -> Gone:
    """Of an end that nobody here has asked for."""
    if code is None:
        return Gone.PEER_NOT_READING if is_ours else Gone.CONNECTION_LOST
    return Gone.CALLER_HUNG_UP


def _call_data(start: wire.MediaStart, parameters: Mapping[str, str]) -> CallData:
    """The address goes before the channel's variables: who writes `v(..)` says it for us. A token is nobody's data."""
    said = {**start.variables, **parameters}
    said.pop(_SECRET, None)
    said |= {"channel": start.channel, "channel_id": start.channel_id}
    return CallData(
        caller_id=next((said[name] for name in _NAMES_OF_CALLER if said.get(name)), ""),
        dialled=next((said[name] for name in _NAMES_OF_DIALLED if said.get(name)), ""),
        variables=said,
    )


def _call_id(variables: Mapping[str, str]) -> str:
    """The variable `uuid`, or one made here where it is missing or is none."""
    try:
        return str(uuid.UUID(variables.get("uuid", "")))
    except ValueError:
        return str(uuid.uuid4())


_ON_EVENT: Final[Mapping[type[Any], Callable[[ChannelLeg, Any], None]]] = {
    wire.MediaStart: ChannelLeg._on_start,
    wire.MediaXoff: ChannelLeg._on_xoff,
    wire.MediaXon: ChannelLeg._on_xon,
    wire.MarkProcessed: ChannelLeg._on_mark,
    wire.DtmfEnd: ChannelLeg._on_digit,
    wire.PeerError: ChannelLeg._on_error,
    wire.Unreadable: ChannelLeg._on_unreadable,
    wire.BufferingCompleted: ChannelLeg._on_nothing,
    wire.QueueDrained: ChannelLeg._on_nothing,
    wire.QueueStatus: ChannelLeg._on_nothing,
}
