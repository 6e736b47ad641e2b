"""The bare bridge on lines that are WebSockets: the same as over AudioSocket, and nothing else.

The sans-I/O server side of `websockets`, one message a frame and tick, audio as PCM between line and provider, a flush
when the caller speaks. No authentication, no marks, no lead that anybody keeps. Not for use.
"""

from __future__ import annotations

import binascii
from types import MappingProxyType
from typing import Final

import orjson
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from bench.bare_bridge import BareBridge, Phone


class _WebSocketPhone(Phone):
    """What both have in common."""

    def __init__(self, bridge: BareBridge) -> None:
        super().__init__(bridge)
        self._ws = ServerProtocol(subprotocols=None, select_subprotocol=lambda _ws, offered: next(iter(offered), None))

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.BINARY:
                    self.speak(bytes(event.data))
                elif event.opcode is Opcode.TEXT:
                    self.take(orjson.loads(event.data))
            elif isinstance(event, Request):
                self._ws.send_response(self._ws.accept(event))
        self.flush_socket()

    def flush_socket(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)

    def speak(self, pcm: bytes) -> None:
        """The caller's."""
        if self._provider is not None:
            self._provider.append(pcm)

    def take(self, message: dict[str, object]) -> None:
        """A text of the peer's."""
        raise NotImplementedError

    def silence(self) -> None:
        """The peer's own."""


class _ChannelPhone(_WebSocketPhone):
    def take(self, message: dict[str, object]) -> None:
        if message["event"] == "MEDIA_START":
            self.connect()

    def frame(self, pcm: bytes | bytearray) -> None:
        self._ws.send_binary(pcm)
        self.flush_socket()

    def clear(self) -> None:
        super().clear()
        self._ws.send_text(b'{"command":"FLUSH_MEDIA"}')
        self.flush_socket()


class _TwilioPhone(_WebSocketPhone):
    _before = _clear = b""

    def take(self, message: dict[str, object]) -> None:
        if message["event"] == "media":
            media = message["media"]
            assert isinstance(media, dict)
            self.speak(mulaw_to_pcm16(binascii.a2b_base64(media["payload"])))
        elif message["event"] == "start":
            sid = str(message["streamSid"]).encode()
            self._before = b'{"event":"media","streamSid":"' + sid + b'","media":{"payload":"'
            self._clear = b'{"event":"clear","streamSid":"' + sid + b'"}'
            self.connect()

    def frame(self, pcm: bytes | bytearray) -> None:
        payload = binascii.b2a_base64(pcm16_to_mulaw(bytes(pcm)), newline=False)
        self._ws.send_text(self._before + payload + b'"}}')
        self.flush_socket()

    def clear(self) -> None:
        super().clear()
        self._ws.send_text(self._clear)
        self.flush_socket()


PHONES: Final = MappingProxyType({"audiosocket": Phone, "chan_websocket": _ChannelPhone, "twilio": _TwilioPhone})
"""By the name of the line."""
