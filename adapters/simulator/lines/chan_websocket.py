"""Asterisk's end of a chan_websocket call, in both roles: it connects to a server, or a server connects to it.

Behaves like Asterisk 23.4.1 (docs/facts/telephony.md section 4): MEDIA_START first, the caller's frames as they come,
what it is sent played by its own timer; a message that is too big is answered with 1009, and the call is gone.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import attrs

from adapters.lines.chan_websocket import protocol as wire
from adapters.lines.websocket import MediaServer, MediaServerSettings
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.media_queue import MediaQueue
from adapters.simulator.lines.telephone import OnEvent, Telephone
from adapters.simulator.lines.way import Way
from adapters.websocket.client_socket import dial
from adapters.websocket.frames import Payload
from adapters.websocket.message_socket import MessageSocket, SocketLimits
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket

RECEIVED_MAX_BYTES: Final = 65_535
_TIMER_S: Final = 0.02


@attrs.frozen(kw_only=True)
class AsteriskChannel:
    """What the dialplan says of the call: `Dial(WebSocket/CLIENT/c(..)f(..)v(..))`."""

    format: str = "slin"
    is_json: bool = True
    uri_parameters: Mapping[str, str] = attrs.field(factory=dict)
    """Of `v(..)`; the call's uuid goes along by itself."""
    variables: Mapping[str, str] = attrs.field(factory=dict)
    """Of the channel; said in JSON only."""
    names_uuid: bool = True
    timer_phase_ms: float = 7.0
    """When Asterisk's timer first fires, after the beginning."""
    answers_itself: bool = True
    """Without `n`."""
    audio_before_start: int = 0
    """So many frames of the caller come before MEDIA_START (gh#1712)."""
    way_ms: float = 0.0
    """Of everything, each way."""
    knows_marks: bool = True
    """Since 20.18, 22.8 and 23.2."""
    user: tuple[str, str] | None = attrs.field(default=None, repr=False)
    """Of websocket_client.conf: for basic authentication."""


class SimulatedChannel(Telephone):
    """The wire of one call, and the sink of its WebSocket."""

    def __init__(
        self, websocket: MessageSocket, channel: AsteriskChannel, call_id: uuid.UUID, settings: CallerSettings,
        emit: OnEvent,
    ) -> None:  # fmt: skip
        super().__init__(settings, emit)
        self.heard_frames = 0
        """Of the server's audio, handed on to the caller: the truth."""
        self.cuts_ms: list[int] = []
        """How much that was at each flush."""
        self.queue = MediaQueue(wire.FORMATS[channel.format].frame_bytes, self._say, knows_marks=channel.knows_marks)
        self.is_answered = channel.answers_itself
        self.errors: list[str] = []
        self._format = wire.FORMATS[channel.format]
        self._websocket = websocket
        self._channel = channel
        self._call_id = call_id
        self._channel_id = f"sim-{call_id.hex[:12]}.1"
        self._way = Way(channel.way_ms)
        self._fires = 0
        self._firing: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """At the upgrade."""
        self._begin()
        for _ in range(self._channel.audio_before_start):
            self._way.later(self._websocket.send_binary, self._format.audio.silence())
        fields: dict[str, object] = {
            "connection_id": str(self._call_id),
            "channel": f"WebSocket/sim/0x{self._call_id.hex[:8]}",
            "channel_id": self._channel_id,
            "format": self._format.name,
            "optimal_frame_size": self._format.frame_bytes,
            "ptime": 20,
            "channel_variables": dict(self._channel.variables),
        }
        self._way.later(
            self._websocket.send_text, wire.encode_event("MEDIA_START", fields, is_json=self._channel.is_json)
        )
        self._schedule_timer()

    # --- what a script does with it

    def press(self, digit: str) -> None:
        self._say("DTMF_END", {"digit": digit})

    def hang_up(self) -> None:
        if self.ending is None:
            self._end("caller")
            self._way.later(self._websocket.close, 1000)

    def reset(self) -> None:
        if self.ending is None:
            self._end("caller")
            self._websocket.abort()

    def abandon(self) -> None:
        self._stop()
        self._way.close()
        self._websocket.abort()

    # --- the sink of the WebSocket

    def received(self, payload: Payload, *, binary: bool) -> None:
        self._way.later(self._take, bytes(payload), binary)

    def ended(self) -> None:
        end = self._websocket.end
        self._note_closed()
        if end is None or end.code is None:
            self._end("rst")
        elif end.is_ours:  # the library's own answer to what broke the call: 1009, 1002
            self._end("dropped", f"{end.code}: {end.reason}")
        else:
            self._end("fin")
        if not self.closed.done():
            self.closed.set_result(None)

    # --- inside

    def _take(self, payload: bytes, binary: bool) -> None:
        if self.ending is not None:
            return
        if binary:
            self.queue.take(payload)
        else:
            self._take_text(payload)

    def _take_text(self, text: bytes) -> None:
        if not text or len(text) > wire.COMMAND_MAX_BYTES:
            return
        command = wire.decode_command(text, is_json=self._channel.is_json)
        if isinstance(command, wire.Unreadable):
            self.errors.append(command.why)
            if not command.kind:
                self._say("ERROR", {"error_text": command.why})
        elif command.name == "HANGUP":
            self._end("hangup")
            self._way.later(self._websocket.close, 1000)
        elif command.name == "ANSWER":
            self.is_answered = True
        else:
            if command.name == "FLUSH_MEDIA":
                self.cuts_ms.append(self.heard_frames * 20)
            self.queue.command(command)

    def _say(self, name: str, fields: Mapping[str, object]) -> None:
        if self.ending is None:
            said = {"channel_id": self._channel_id, **fields}
            self._way.later(self._websocket.send_text, wire.encode_event(name, said, is_json=self._channel.is_json))

    def _send_frame(self, at_ms: float) -> None:
        if self.is_pressing:
            return
        pcm = self.voice.frame(at_ms)
        if pcm is not None:
            self._way.later(self._websocket.send_binary, self._format.from_pcm(pcm))

    def _schedule_timer(self) -> None:
        at_s = self._began_s + self._channel.timer_phase_ms / 1000 + self._fires * _TIMER_S
        self._firing = self._loop.call_at(at_s, self._fire)

    def _fire(self) -> None:
        if self.ending is not None:
            return
        self._fires += 1
        self._schedule_timer()
        frame = self.queue.play()
        if frame is not None:
            self.heard_frames += 1
            whole = frame.ljust(self._format.frame_bytes, self._format.audio.silence(1)[:1])
            self._hear(self.now_ms, self._format.rate_hz, self._format.to_pcm(whole))

    def _stop(self) -> None:
        if self._firing is not None:
            self._firing.cancel()
        super()._stop()


def _check(channel: AsteriskChannel, settings: CallerSettings) -> None:
    """ValueError: the caller's audio is not of the channel's rate."""
    found = wire.FORMATS.get(channel.format)
    if found is None or found.rate_hz != settings.rate_hz:
        raise ValueError(f"c({channel.format}) and a caller at {settings.rate_hz} Hz do not go together")


async def dial_server(
    url: str, channel: AsteriskChannel, call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent
) -> Telephone:
    """Asterisk as the client: `url` is the `uri` of websocket_client.conf. OSError: there is no call, and why."""
    _check(channel, settings)
    phones: list[SimulatedChannel] = []

    def make(websocket: MessageSocket) -> SimulatedChannel:
        phones.append(SimulatedChannel(websocket, channel, call_id, settings, emit))
        return phones[0]

    said = {**({"uuid": str(call_id)} if channel.names_uuid else {}), **channel.uri_parameters}
    headers = {}
    if channel.user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(channel.user).encode()).decode()
    limits = SocketLimits(open_s=settings.connect_deadline_ms / 1000, message_bytes=RECEIVED_MAX_BYTES)
    await dial(
        url + (f"?{urlencode(said)}" if said else ""), make, limits, headers=headers, subprotocol=wire.SUBPROTOCOL
    )
    phones[0].start()
    return phones[0]


class SimulatedAsterisk:
    """Asterisk as the server: `start`, then `wait_for_server(id, ...)` for each channel, then `close`.

    Whoever connects to `/media/ID` of a channel that waits has its call; an unknown id is answered with 404, one that
    somebody is connected to with 409.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        settings = MediaServerSettings(
            host=host, port=port, subprotocol=wire.SUBPROTOCOL, limits=SocketLimits(message_bytes=RECEIVED_MAX_BYTES)
        )
        self._listener = MediaServer(settings, self, "simulated asterisk")
        self._waiting: dict[str, tuple[AsteriskChannel, uuid.UUID, CallerSettings, OnEvent]] = {}
        self._connected: dict[str, asyncio.Future[SimulatedChannel]] = {}

    async def start(self) -> None:
        await self._listener.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._listener.port}/media"

    async def close(self) -> None:
        await self._listener.close(1.0)

    async def wait_for_server(
        self, connection_id: str, channel: AsteriskChannel, call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent
    ) -> Telephone:
        """`Dial(WebSocket/INCOMING/...)`: until somebody has connected."""
        _check(channel, settings)
        self._waiting[connection_id] = (channel, call_id, settings, emit)
        connected: asyncio.Future[SimulatedChannel] = asyncio.get_running_loop().create_future()
        self._connected[connection_id] = connected
        try:
            return await connected
        finally:
            self._waiting.pop(connection_id, None)

    # What its listener asks.

    def admit(self, handshake: Handshake) -> HttpRefusal | None:
        connection_id = handshake.path.rpartition("/media/")[2]
        if connection_id in self._waiting:
            return None
        connected = self._connected.get(connection_id)
        if connected is not None and connected.done() and not connected.cancelled():
            return HttpRefusal(409, "already connected")
        return HttpRefusal(404, "unknown id")

    def opened(self, websocket: ServerSocket) -> SimulatedChannel:
        connection_id = websocket.handshake.path.rpartition("/media/")[2]
        channel, call_id, settings, emit = self._waiting.pop(connection_id)
        phone = SimulatedChannel(websocket, channel, call_id, settings, emit)
        phone.start()
        self._connected[connection_id].set_result(phone)
        return phone
