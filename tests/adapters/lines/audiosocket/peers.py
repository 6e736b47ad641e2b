"""What the server's tests are made of: a listener that remembers, a peer that says raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer, OnCall
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.refusal import OnRefused
from tests.adapters.lines.listeners import Remembering

CALL = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
HELLO = wire.encode_uuid(CALL)
SILENCE = wire.encode_audio(bytes(320))


def raw_message(kind: int, payload: bytes = b"") -> bytes:
    """Any message, right or wrong."""
    return wire.HEADER.pack(kind, len(payload)) + payload


@attrs.define
class Calls:
    """An `on_call` that listens at once and remembers."""

    connections: list[Connection] = attrs.field(factory=list)
    heard: list[Remembering] = attrs.field(factory=list)

    def __call__(self, connection: Connection) -> None:
        self.connections.append(connection)
        self.heard.append(Remembering())
        connection.listen(self.heard[-1])


@attrs.define
class Peer:
    """Asterisk's end, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *messages: bytes) -> None:
        self.writer.write(b"".join(messages))

    async def hear(self, count: int = 1) -> list[bytes]:
        """So many whole messages, as bytes."""
        heard = []
        for _ in range(count):
            header = await self.reader.readexactly(3)
            heard.append(header + await self.reader.readexactly(int.from_bytes(header[1:], "big")))
        return heard

    async def hear_all(self) -> list[wire.Message]:
        """Up to the server's FIN. ConnectionResetError: it was an RST."""
        return wire.Decoder().feed(await self.reader.read())

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@attrs.define
class Stage:
    server: AudioSocketServer
    ticker: Ticker
    calls: Calls
    peers: list[Peer] = attrs.field(factory=list)

    async def connect(self, *said: bytes, receive_buffer_bytes: int = 0) -> Peer:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
        except ConnectionResetError as error:  # refused so fast that it was reset before we knew that we were connected
            sock.close()
            return await self._was_reset(error)
        peer = Peer(*await asyncio.open_connection(sock=sock))
        self.peers.append(peer)
        peer.say(*said)
        return peer

    async def _was_reset(self, error: ConnectionResetError) -> Peer:
        mine, other = socket.socketpair()
        other.close()
        peer = Peer(*await asyncio.open_connection(sock=mine))
        peer.reader.set_exception(error)
        self.peers.append(peer)
        return peer

    async def call(self, *said: bytes) -> tuple[Peer, Connection, Remembering]:
        """A peer whose call the server knows by now."""
        known = len(self.calls.connections)
        peer = await self.connect(HELLO, *said)
        await until(lambda: len(self.calls.connections) > known)
        return peer, self.calls.connections[-1], self.calls.heard[-1]


async def until(is_true: Callable[[], bool]) -> None:
    """Looks again every 10 ms; TimeoutError after a minute (of virtual time)."""
    async with asyncio.timeout(60):
        while not is_true():  # noqa: ASYNC110  what is waited for is the code under test, which sets no event
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def stage(
    on_call: OnCall | None = None,
    sock: socket.socket | None = None,
    on_refused: OnRefused | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    ticker, calls = Ticker(), Calls()
    made = AudioSocketSettings(**{"port": 0, "rates_hz": [8_000], **settings})
    server = AudioSocketServer(made, ticker, on_call or calls, on_refused)
    await server.start(sock)
    playing = Stage(server, ticker, calls)
    try:
        yield playing
    finally:
        for peer in playing.peers:
            await peer.leave()
        await server.close(deadline_s=1.0)
        assert len(ticker) == 0
