"""Asterisk's end of an AudioSocket connection: what it sends, when, and what makes it drop a call. It knows no script.

Behaves like Asterisk 23.4.1 (docs/facts/telephony.md section 2): it ends on `00 00 00` and on FIN; any other kind but
audio, audio of length 0, a stall in a payload, a server that does not read, and (in the app) two seconds without a
frame of the caller or a byte of the server make it drop the caller.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from adapters.lines.audiosocket import protocol as wire
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.telephone import OnEvent, Telephone


class SimulatedPhone(Telephone, asyncio.Protocol):
    """The wire of one call. Times in ms since `connection_made`."""

    def __init__(self, call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent) -> None:
        super().__init__(settings, emit)
        self._call_id = call_id
        self._decoder = wire.Decoder()
        self._active_s = 0.0
        self._stall: asyncio.TimerHandle | None = None

    def press(self, digit: str) -> None:
        self._write(wire.encode_dtmf(digit))

    def hang_up(self) -> None:
        """FIN; the server is expected to close, too."""
        if self.ending is None:
            self._end("caller")
            self._transport.write_eof()

    def reset(self) -> None:
        """RST."""
        if self.ending is None:
            self._end("caller")
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def abandon(self) -> None:
        """Nobody is interested in this call any more."""
        self._stop()
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._active_s = self._loop.time()
        self._write(wire.encode_uuid(self._call_id))
        self._begin()

    def data_received(self, data: bytes) -> None:
        if self.ending is not None:  # a caller that hung up, reading to the end
            return
        self._active_s = self._loop.time()
        for message in self._decoder.feed(data):
            _ON_MESSAGE[type(message)](self, message)
            if self.ending is not None:
                return
        self._watch_stall()

    def eof_received(self) -> bool:
        if self.ending is None:
            if self._decoder.awaits_payload:
                self._drop("the server closed in the middle of a message")
            else:
                self._end("fin")
        else:
            self._note_closed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end("rst")  # unless it is known better
        if not self.closed.done():
            self.closed.set_result(None)

    # Inside

    def _on_audio(self, message: wire.Audio) -> None:
        if not message.pcm:
            self._drop("an audio message of length 0")
            return
        self._hear(self.now_ms, message.rate_hz, message.pcm)

    def _on_hangup(self, message: wire.Hangup) -> None:
        del message
        self._end("hangup")
        self._transport.close()

    def _on_other(self, message: wire.Message) -> None:
        kind = f"kind 0x{message.kind:02x}" if isinstance(message, wire.Unknown) else type(message).__name__.upper()
        self._drop(f"a message Asterisk does not take: {kind}")

    def _watch_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._decoder.awaits_payload:
            text = f"a payload stalled for {self._settings.payload_stall_ms:g} ms"
            self._stall = self._loop.call_later(self._settings.payload_stall_ms / 1000, self._drop, text)

    def _look(self, now_s: float) -> None:
        if self._settings.driver == "app" and (now_s - self._active_s) * 1000 >= self._settings.idle_limit_ms:
            self._drop(f"nothing from either side for {self._settings.idle_limit_ms:g} ms")

    def _send_frame(self, at_ms: float) -> None:
        if self.is_pressing:
            return
        pcm = self.voice.frame(at_ms)
        if pcm is not None:
            self._active_s = self._loop.time()
            self._write(wire.encode_audio(pcm, self._settings.rate_hz))

    def _write(self, message: bytes) -> None:
        if self.ending is not None:
            return
        self._transport.write(message)
        if self._transport.get_write_buffer_size() and not self._transport.is_closing():
            self._drop("the server does not read")  # Asterisk's socket does not block, and a short write is the end

    def _drop(self, why: str) -> None:
        if self.ending is None:
            self._end("dropped", why)
            self._transport.abort()

    def _stop(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        super()._stop()


_ON_MESSAGE: Mapping[type[Any], Callable[[SimulatedPhone, Any], None]] = {
    wire.Audio: SimulatedPhone._on_audio,
    wire.Hangup: SimulatedPhone._on_hangup,
    wire.Uuid: SimulatedPhone._on_other,
    wire.Dtmf: SimulatedPhone._on_other,
    wire.Error: SimulatedPhone._on_other,
    wire.Unknown: SimulatedPhone._on_other,
}


async def dial_audiosocket(
    host: str, port: int, call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent
) -> SimulatedPhone:
    """A call of that id. OSError: there is none."""
    phone = SimulatedPhone(call_id, settings, emit)
    await asyncio.get_running_loop().create_connection(lambda: phone, host, port)
    return phone
