"""The bridge turnspec is measured against: the same libraries, the same codec, and nothing else.

AudioSocket to Realtime and back as well as asyncio, `websockets`, numpy and orjson allow: protocols without tasks, one
write a frame, reads of 64 KB, the sans-I/O side of `websockets` without its queues, one tick in ten slots. It clears
its queue when the caller speaks, asks for one greeting, and that is all it decides: no machine, no log, no journal, no
deadline, no limit, no bookkeeping of what was heard. Not for use.
"""

from __future__ import annotations

import asyncio
import binascii
import socket
from collections.abc import Callable
from typing import cast

import attrs
import orjson
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from adapters.audio.tick import Lateness

_FRAME_BYTES = 320
_MESSAGE_BYTES = 323
_HEADER = b"\x10\x01\x40"
_SILENCE = _HEADER + bytes(_FRAME_BYTES)
_READ_BYTES = 65_536
_SUFFIX = b'"}'
_PERIOD_S = 0.02
_SLOTS = 10


@attrs.define
class BareBridge:
    """What the calls share: the provider's address, the tick, the counters."""

    url: str
    phone: Callable[[BareBridge], Phone]
    provider: Callable[[Phone, str], BareProvider]
    lateness: Lateness = attrs.field(factory=Lateness)
    underruns: int = 0
    slots: list[list[Phone]] = attrs.field(factory=lambda: [[] for _ in range(_SLOTS)])

    async def start(self) -> int:
        """Listens on a free port of this machine."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: self.phone(self), "127.0.0.1", 0, backlog=512)
        now = loop.time()
        for number, slot in enumerate(self.slots):
            _TickSlot(self, slot, now + number * _PERIOD_S / _SLOTS).schedule()
        return int(server.sockets[0].getsockname()[1])


class _TickSlot:
    """Every 20 ms on an absolute schedule, one frame for each call in it."""

    def __init__(self, bridge: BareBridge, phones: list[Phone], due_s: float) -> None:
        self._bridge = bridge
        self._phones = phones
        self._due_s = due_s
        self._loop = asyncio.get_running_loop()

    def schedule(self) -> None:
        self._loop.call_at(self._due_s, self._fire)

    def _fire(self) -> None:
        due_s, time, late = self._due_s, self._loop.time, self._bridge.lateness.add
        self._due_s += _PERIOD_S
        self.schedule()
        for phone in self._phones.copy():
            late(time() - due_s)
            phone.tick()


class Phone(asyncio.Protocol):
    """One AudioSocket connection, and the queue of what its caller is to hear."""

    def __init__(self, bridge: BareBridge) -> None:
        self._bridge = bridge
        self._held = b""
        self._queue = bytearray()
        self._offset = 0
        self._provider: BareProvider | None = None
        self._slot: list[Phone] = []
        self.is_generating = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        self._slot = min(self._bridge.slots, key=len)
        self._slot.append(self)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        position, end = 0, len(data)
        while end - position >= 3:
            size = (data[position + 1] << 8) | data[position + 2]
            start = position + 3
            position = start + size
            if position > end:
                position = start - 3
                break
            kind = data[start - 3]
            if kind == 0x10 and self._provider is not None:
                self._provider.append(data[start:position])
            elif kind == 0x01:
                self.connect()
        self._held = data[position:]

    def connection_lost(self, _exc: Exception | None) -> None:
        self._slot.remove(self)
        if self._provider is not None:
            self._provider.close()

    def connect(self) -> None:
        """The session of this call."""
        loop = asyncio.get_running_loop()
        self._provider = provider = self._bridge.provider(self, self._bridge.url)
        uri = parse_uri(self._bridge.url)
        self._connecting = loop.create_task(loop.create_connection(lambda: provider, uri.host, uri.port))

    # --- what the caller hears ----------------------------------------------------------------------------------------

    def tick(self) -> None:
        start = self._offset
        end = start + _FRAME_BYTES
        if end <= len(self._queue):
            self.frame(self._queue[start:end])
            self._offset = end
            if end > 65_536:
                del self._queue[:end]
                self._offset = 0
            return
        if start < len(self._queue):
            if self.is_generating:
                self._bridge.underruns += 1
            self.frame(self._queue[start:].ljust(_FRAME_BYTES, b"\0"))
            Phone.clear(self)  # nothing is under way at a peer that queues
            return
        self.silence()

    def frame(self, pcm: bytes | bytearray) -> None:
        """20 ms of the agent."""
        self._transport.write(_HEADER + pcm)

    def silence(self) -> None:
        """20 ms of nothing."""
        self._transport.write(_SILENCE)

    def hear(self, pcm: bytes) -> None:
        self._queue += pcm

    def clear(self) -> None:
        self._queue.clear()
        self._offset = 0


class BareProvider(asyncio.Protocol):
    """One Realtime session on the sans-I/O half of `websockets`."""

    prefix = b'{"type":"input_audio_buffer.append","audio":"'

    def __init__(self, phone: Phone, url: str) -> None:
        self._phone = phone
        self._ws = ClientProtocol(parse_uri(url), max_size=16 * 1024 * 1024)
        self._transport: asyncio.Transport | None = None
        self._is_ready = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        self._ws.send_request(self._ws.connect())
        self._flush()

    def append(self, pcm: bytes) -> None:
        if self._is_ready and self._transport is not None:
            audio = binascii.b2a_base64(pcm16_to_mulaw(pcm), newline=False)
            self._ws.send_text(self.prefix + audio + _SUFFIX)
            self._flush()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._hear(orjson.loads(event.data))
            elif isinstance(event, Response):
                if self._ws.state is State.OPEN:
                    self._opened()
                else:
                    self.close()
        self._flush()

    def _opened(self) -> None:
        """The session's first words."""

    def _flush(self) -> None:
        if self._transport is not None:
            for data in self._ws.data_to_send():
                if data:
                    self._transport.write(data)

    def _hear(self, event: dict[str, object]) -> None:
        kind = event["type"]
        if kind == "response.output_audio.delta":
            self._phone.hear(mulaw_to_pcm16(binascii.a2b_base64(str(event["delta"]))))
        elif kind == "input_audio_buffer.speech_started":
            self._phone.clear()
        elif kind == "response.created":
            self._phone.is_generating = True
        elif kind == "response.done":
            self._phone.is_generating = False
        elif kind == "session.created":
            self._say({"type": "session.update", "session": _SESSION})
        elif kind == "session.updated":
            self._is_ready = True
            self._say({"type": "response.create", "response": {"instructions": "Greet the caller."}})

    def _say(self, event: dict[str, object]) -> None:
        self._ws.send_text(orjson.dumps(event))


_SESSION = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}},
}
