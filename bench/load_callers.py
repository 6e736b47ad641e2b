"""The load's callers, one class for each line: numbered frames out, and what is heard of the answers.

AudioSocket neither queues nor paces: what comes is what the caller hears, silence too. Asterisk's chan_websocket and
Twilio queue what they are sent and play it by their own clock; here that clock is counted on, marks come back when it
has reached them, and silence after a barge-in begins when the queue is told to be empty.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from types import MappingProxyType
from typing import Final
from uuid import UUID

import orjson

from adapters.lines.chan_websocket import protocol as channel
from adapters.lines.twilio.gate import TOKEN, Gate
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import HEADER, signature
from bench import load_wire as wire
from bench.load_loop import SLOTS, LoadLoop, Peer
from bench.load_stats import FRAME_S, HeardByCaller

TWILIO: Final = TwilioSettings(
    port=0, max_connections=2000, public_url="https://bench", account_sid="AC0", auth_token="bench"
)
"""What both sides of a measured call over Twilio's line know."""

_ROUNDING_S: Final = 0.001


def _uuid(number: int) -> UUID:
    return UUID(int=(0xBE << 96) + number + 1)


class BenchCaller(Peer):
    """Sends 50 numbered frames a second, and is told by its session what it ought to hear."""

    def __init__(self, loop: LoadLoop, address: tuple[str, int], number: int) -> None:
        super().__init__(loop, socket.create_connection(address))
        self.heard = HeardByCaller()
        self.sent_at = [0.0] * wire.NUMBERS
        self.awaits_sound_since: float | None = None
        self.awaits_silence_since: float | None = None
        self.is_cut = False
        self._number = 0
        self._held = b""
        self._run = 0  # loud frames of the answer that is being heard
        self._owed = 0  # answers that were sent and not heard yet
        self._slot = loop.slots[number % SLOTS]
        self.began_s, self.ended_s = monotonic(), 0.0

    def close(self) -> None:
        if self in self._slot:
            self._slot.remove(self)
            self.ended_s = monotonic()
        super().close()

    def speak(self) -> None:
        number = self._number
        self._number = (number + 1) % wire.NUMBERS
        self.sent_at[number] = monotonic()
        self.heard.frames_sent += 1
        self.send(self.message(number))

    def message(self, number: int) -> bytes:
        raise NotImplementedError

    def answer_comes(self) -> None:
        """The first audio of an answer has been sent to the bridge."""
        self._owed += 1
        self.is_cut = False
        self.awaits_sound_since = monotonic()

    def interrupts(self) -> None:
        self.is_cut = True
        self.awaits_silence_since = monotonic()

    def _sound_begins(self, now: float) -> None:
        if self._owed:
            self._owed -= 1
            self.heard.answers += 1
        else:
            self.heard.breaks += 1
        if self.awaits_sound_since is not None:
            self.heard.first_sound_s.append(now - self.awaits_sound_since)
            self.awaits_sound_since = None

    def _silence_begins(self, now: float) -> None:
        if self._run not in (0, wire.ANSWER_FRAMES) and not self.is_cut:
            self.heard.wrong_lengths += 1
        if self.awaits_silence_since is not None:
            self.heard.cut_s.append(now - self.awaits_silence_since)
            self.awaits_silence_since = None
        self._run = 0


class AudioSocketCaller(BenchCaller):
    """Hears 50 frames a second."""

    def __init__(self, loop: LoadLoop, address: tuple[str, int], number: int) -> None:
        super().__init__(loop, address, number)
        self.send(wire.encode_uuid_message(_uuid(number)))
        self._slot.append(self)

    def message(self, number: int) -> bytes:
        return wire.caller_message(number)

    def received(self, data: bytes) -> None:
        now = monotonic()
        if len(data) == wire.MESSAGE_BYTES and not self._held:
            self._frame(data, now)
            return
        data = self._held + data
        position, end = 0, len(data)
        while end - position >= wire.MESSAGE_BYTES and data[position]:
            self._frame(data[position : position + wire.MESSAGE_BYTES], now)
            position += wire.MESSAGE_BYTES
        self._held = data[position:]

    def _frame(self, message: bytes, now: float) -> None:
        self.heard.arrivals.append(now)
        if not message.endswith(wire.SILENT_FRAME):
            self.heard.loud += 1
            if not self._run:
                self._sound_begins(now)
            self._run += 1
        elif self._run:
            self._silence_begins(now)


class WebSocketCaller(BenchCaller):
    """A peer that plays by its own clock, over a WebSocket."""

    path = "/media"
    upgrade: Mapping[str, str] = MappingProxyType({})

    def __init__(self, loop: LoadLoop, address: tuple[str, int], number: int) -> None:
        super().__init__(loop, address, number)
        self._uuid = _uuid(number)
        self._is_open = False
        self._played_out = 0.0  # when all that has come is
        self._flushes = 0
        self.send(wire.upgrade_request(self.path, self.upgrade))

    def begins(self) -> Iterator[bytes]:
        """The texts that tell whose call it is."""
        raise NotImplementedError

    def take_text(self, text: bytes, now: float) -> None:
        raise NotImplementedError

    def echo(self, mark: str) -> bytes:
        """The text that reports a mark."""
        raise NotImplementedError

    def received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            self._held = b"" if end else head
            if not end:
                return
            if b" 101 " not in head[:16]:
                raise RuntimeError(f"the bridge refuses the call: {head[:200]!r}")
            self._is_open = True
            for text in self.begins():
                self.send(wire.client_frame(text))
            self._slot.append(self)
        now, position = monotonic(), 0
        for opcode, start, position in wire.server_frames(data):
            payload = data[start:position]
            if opcode == wire.BINARY:
                self.take_audio(payload, now)
            elif opcode == wire.TEXT:
                self.take_text(payload, now)
            elif opcode == wire.PING:
                self.send(wire.client_frame(payload, wire.PONG))
        self._held = data[position:]

    def take_audio(self, pcm: bytes, now: float) -> None:
        """Frames of 320 bytes; what is silent takes its time, and ends nothing."""
        for start in range(0, len(pcm), wire.FRAME_BYTES):
            if now > self._played_out + FRAME_S + _ROUNDING_S:  # the queue has been empty
                self.heard.breaks += 0 < self._run < wire.ANSWER_FRAMES and not self.is_cut
                self._run = 0
            self._played_out = max(self._played_out, now) + FRAME_S
            if pcm[start : start + wire.FRAME_BYTES] != wire.SILENT_FRAME:
                self._loud(now)

    def _loud(self, now: float) -> None:
        self.heard.loud += 1
        if self._run in (0, wire.ANSWER_FRAMES):
            self._run = 0
            self._sound_begins(now)
        self._run += 1

    def marked(self, mark: str, now: float) -> None:
        """It comes back when what came before it is played, unless that is thrown away first."""
        flushes = self._flushes

        def report() -> None:
            if flushes == self._flushes:
                self.send(wire.client_frame(self.echo(mark)))

        self.loop.later(max(self._played_out - now, 0.0), report)

    def flushed(self, now: float) -> None:
        self._flushes += 1
        self._played_out = now
        self._silence_begins(now)


class ChannelCaller(WebSocketCaller):
    """Asterisk's chan_websocket, `c(slin)f(json)`, connecting to us."""

    upgrade = MappingProxyType({"Sec-WebSocket-Protocol": "media"})

    def begins(self) -> Iterator[bytes]:
        fields = {
            "connection_id": str(self._uuid), "channel": "WebSocket/bench", "channel_id": f"bench-{self._uuid.hex}",
            "format": "slin", "optimal_frame_size": wire.FRAME_BYTES, "ptime": 20,
            "channel_variables": {"uuid": str(self._uuid)},
        }  # fmt: skip
        yield channel.encode_event("MEDIA_START", fields, is_json=True)

    def message(self, number: int) -> bytes:
        return wire.client_frame(wire.caller_frame(number), wire.BINARY)

    def take_text(self, text: bytes, now: float) -> None:
        command = orjson.loads(text)
        if command["command"] == "FLUSH_MEDIA":
            self.flushed(now)
        elif command["command"] == "MARK_MEDIA":
            self.marked(command["correlation_id"], now)

    def echo(self, mark: str) -> bytes:
        return channel.encode_event("MEDIA_MARK_PROCESSED", {"correlation_id": mark}, is_json=True)


class TwilioCaller(WebSocketCaller):
    """A stream of Twilio's, with a signature and a token."""

    path = TWILIO.path
    upgrade = MappingProxyType({HEADER: signature(TWILIO.auth_token, TWILIO.stream_url)})

    def begins(self) -> Iterator[bytes]:
        self._call_sid, self._stream_sid = f"CA{self._uuid.hex}", f"MZ{self._uuid.hex}"
        self._before, self._after = wire.twilio_media(self._stream_sid)
        yield orjson.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "streamSid": self._stream_sid, "callSid": self._call_sid, "accountSid": TWILIO.account_sid,
            "tracks": ["inbound"], "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {TOKEN: Gate(TWILIO).issue(self._call_sid)},
        }  # fmt: skip
        yield orjson.dumps({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": self._stream_sid})

    def message(self, number: int) -> bytes:
        return wire.client_frame(self._before + wire.caller_payload(number) + self._after)

    def take_text(self, text: bytes, now: float) -> None:
        message = orjson.loads(text)
        match message["event"]:
            case "media":
                self.take_audio(wire.pcm_of_payload(message["media"]["payload"]), now)
            case "mark":
                self.marked(message["mark"]["name"], now)
            case "clear":
                self.flushed(now)

    def echo(self, mark: str) -> bytes:
        return orjson.dumps({"event": "mark", "streamSid": self._stream_sid, "mark": {"name": mark}})


CALLERS: Final[Mapping[str, Callable[[LoadLoop, tuple[str, int], int], BenchCaller]]] = MappingProxyType(
    {"audiosocket": AudioSocketCaller, "chan_websocket": ChannelCaller, "twilio": TwilioCaller}
)
"""By the name of the line (adapters/demo/lines.py)."""
