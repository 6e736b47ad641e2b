"""What strangers do at a line's port while a call is there: garbage, floods, resets, peers that are slow or silent.

Each attack has connections of its own, ends by itself within seconds, and leaves nothing open. What becomes of the
server and of the call beside it is judged elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final, Literal

import attrs

from adapters.lines.audiosocket import protocol as wire
from adapters.websocket.frames import masked_frame

Port = Literal["audiosocket", "websocket"]
FRAME: Final = bytes(320)
FIN_TEXT, FIN_BINARY, PING = 0x81, 0x82, 0x89
_LONGEST_S: Final = 12.0
"""Of one attack, whatever the server does."""
_DRAIN_BYTES: Final = 65_536


@attrs.frozen(kw_only=True)
class AttackedPort:
    """A port, and what a stranger may know of it. `live`: the id of the call that is there."""

    host: str
    port: int
    live: uuid.UUID
    path: str = "/"
    subprotocol: str | None = None


@attrs.define
class Stranger:
    """One connection to the port."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    target: AttackedPort
    random: Random

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def upgrade(self) -> None:
        """To a WebSocket; the answer is read to its empty line."""
        key = base64.b64encode(self.random.randbytes(16)).decode()
        offered = f"Sec-WebSocket-Protocol: {self.target.subprotocol}\r\n" if self.target.subprotocol else ""
        self.send(
            f"GET {self.target.path} HTTP/1.1\r\nHost: {self.target.host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offered}\r\n".encode()
        )
        await self.reader.readuntil(b"\r\n\r\n")

    def frame(self, opcode: int, payload: bytes) -> None:
        self.send(masked_frame(opcode, payload))

    async def pause(self, seconds: float) -> None:
        """What the server says meanwhile is read and forgotten."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.reader.read(_DRAIN_BYTES):
                    pass
                await asyncio.sleep(seconds)

    def reset(self) -> None:
        """RST, as a process that dies sends it."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Way = Callable[[Stranger], Awaitable[None]]


@attrs.frozen
class Attack:
    """`port`: the kind of port it is for; None: any."""

    run: Way
    port: Port | None = None
    connections: int = 1


async def attack(name: str, target: AttackedPort, random: Random) -> None:
    """One attack from its connections to their end. What the server refuses or cuts is no failure of the attack."""
    chosen = ATTACKS[name]
    strangers = [_stranger(chosen.run, target, Random(random.random())) for _ in range(chosen.connections)]
    await asyncio.gather(*strangers)


async def _stranger(run: Way, target: AttackedPort, random: Random) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        async with asyncio.timeout(_LONGEST_S), _connected(target, random) as stranger:
            await run(stranger)


@contextlib.asynccontextmanager
async def _connected(target: AttackedPort, random: Random) -> AsyncIterator[Stranger]:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        yield Stranger(reader, writer, target, random)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# --- at any port ------------------------------------------------------------------------------------------------------


async def _garbage(peer: Stranger) -> None:
    for _ in range(peer.random.randint(1, 20)):
        peer.send(peer.random.randbytes(peer.random.choice((1, 3, 300, 20_000))))
        await peer.pause(0.05)


async def _http(peer: Stranger) -> None:
    peer.send(b"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: scanner\r\n\r\n")
    await peer.pause(1)


async def _tls(peer: Stranger) -> None:
    peer.send(bytes.fromhex("16030100c8010000c40303") + peer.random.randbytes(190))
    await peer.pause(1)


async def _says_nothing(peer: Stranger) -> None:
    await peer.pause(8)


async def _resets_at_once(peer: Stranger) -> None:
    peer.reset()


async def _byte_by_byte(peer: Stranger) -> None:
    for each in peer.random.randbytes(40):
        peer.send(bytes([each]))
        await peer.pause(0.1)


# --- AudioSocket ------------------------------------------------------------------------------------------------------


async def _half_a_header(peer: Stranger) -> None:
    peer.send(b"\x01\x00")
    await peer.pause(8)


async def _no_uuid(peer: Stranger) -> None:
    for _ in range(100):
        peer.send(wire.encode_audio(FRAME, 8_000))
        await peer.pause(0.02)


async def _uuid_of_the_call(peer: Stranger) -> None:
    peer.send(wire.encode_uuid(peer.target.live))
    await peer.pause(2)


async def _uuid_twice(peer: Stranger) -> None:
    _call(peer)
    _call(peer)
    await peer.pause(2)


async def _a_call_of_garbage(peer: Stranger) -> None:
    _call(peer)
    for _ in range(40):
        size = peer.random.choice((0, 1, 7, 320, 2_000))
        kind = peer.random.choice((0x02, 0x03, 0x10, 0x12, 0x13, 0x18, 0x77, 0xFF))
        peer.send(wire.HEADER.pack(kind, size) + peer.random.randbytes(size))
        await peer.pause(0.05)


async def _a_flood_of_audio(peer: Stranger) -> None:
    _call(peer)
    for _ in range(20):
        peer.send(wire.encode_audio(FRAME, 8_000) * 1_000)
        await peer.pause(0.02)


async def _a_flood_of_keys(peer: Stranger) -> None:
    _call(peer)
    peer.send(b"".join(wire.encode_dtmf(each) for each in "0123456789*#" * 200))
    await peer.pause(2)


async def _never_reads(peer: Stranger) -> None:
    """Its window fills, and its caller goes on speaking."""
    _call(peer)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
    for _ in range(200):
        peer.send(wire.encode_audio(FRAME, 8_000))
        await asyncio.sleep(0.04)


async def _reset_in_a_message(peer: Stranger) -> None:
    _call(peer)
    await peer.pause(peer.random.uniform(0.05, 3))
    peer.send(wire.encode_audio(FRAME, 8_000)[:100])
    await peer.pause(0.01)
    peer.reset()


async def _half_closes(peer: Stranger) -> None:
    _call(peer)
    await peer.pause(0.5)
    peer.writer.write_eof()
    await peer.pause(8)


async def _a_big_message(peer: Stranger) -> None:
    _call(peer)
    for _ in range(10):
        peer.send(wire.HEADER.pack(0x10, 65_535) + bytes(65_535))
        await peer.pause(0.1)


def _call(peer: Stranger) -> None:
    peer.send(wire.encode_uuid(uuid.UUID(int=peer.random.getrandbits(128), version=4)))


# --- WebSocket lines --------------------------------------------------------------------------------------------------


async def _half_an_upgrade(peer: Stranger) -> None:
    peer.send(f"GET {peer.target.path} HTTP/1.1\r\nHost: x\r\n".encode())
    await peer.pause(8)


async def _endless_headers(peer: Stranger) -> None:
    peer.send(f"GET {peer.target.path} HTTP/1.1\r\n".encode())
    for number in range(200):
        peer.send(f"X-{number}: {'y' * 1_000}\r\n".encode())
        await peer.pause(0.005)


async def _upgraded_garbage(peer: Stranger) -> None:
    await peer.upgrade()
    peer.send(peer.random.randbytes(2_000))
    await peer.pause(1)


async def _texts(peer: Stranger) -> None:
    """JSON of the wrong kind, and none."""
    await peer.upgrade()
    odd = (b"", b"{", b"[]", b"7", b'{"event": 5}', b'{"event": "start", "start": []}', b"MEDIA_START", b"\xff\xfe")
    for _ in range(30):
        peer.frame(FIN_TEXT, peer.random.choice(odd))
        await peer.pause(0.05)


async def _a_big_text(peer: Stranger) -> None:
    await peer.upgrade()
    peer.frame(FIN_TEXT, b'{"event": "' + b"x" * 3_000_000 + b'"}')
    await peer.pause(2)


async def _a_flood_of_frames(peer: Stranger) -> None:
    await peer.upgrade()
    for _ in range(20):
        for _ in range(500):
            peer.frame(FIN_BINARY, FRAME)
        await peer.pause(0.02)


async def _pings(peer: Stranger) -> None:
    await peer.upgrade()
    for _ in range(2_000):
        peer.frame(PING, b"x" * 100)
    await peer.pause(2)


async def _upgraded_and_silent(peer: Stranger) -> None:
    await peer.upgrade()
    await peer.pause(8)


async def _unmasked(peer: Stranger) -> None:
    await peer.upgrade()
    peer.send(b"\x81\x05hello")
    await peer.pause(1)


async def _upgraded_and_reset(peer: Stranger) -> None:
    await peer.upgrade()
    peer.frame(FIN_TEXT, b'{"event": "MEDIA_START"}')
    peer.reset()


ATTACKS: Final[Mapping[str, Attack]] = MappingProxyType(
    {
        "garbage": Attack(_garbage, connections=3),
        "http": Attack(_http),
        "tls": Attack(_tls),
        "says_nothing": Attack(_says_nothing, connections=20),
        "resets_at_once": Attack(_resets_at_once, connections=50),
        "byte_by_byte": Attack(_byte_by_byte),
        "half_a_header": Attack(_half_a_header, "audiosocket", 5),
        "no_uuid": Attack(_no_uuid, "audiosocket"),
        "uuid_of_the_call": Attack(_uuid_of_the_call, "audiosocket", 2),
        "uuid_twice": Attack(_uuid_twice, "audiosocket"),
        "a_call_of_garbage": Attack(_a_call_of_garbage, "audiosocket"),
        "a_flood_of_audio": Attack(_a_flood_of_audio, "audiosocket"),
        "a_flood_of_keys": Attack(_a_flood_of_keys, "audiosocket"),
        "never_reads": Attack(_never_reads, "audiosocket"),
        "reset_in_a_message": Attack(_reset_in_a_message, "audiosocket", 3),
        "half_closes": Attack(_half_closes, "audiosocket"),
        "a_big_message": Attack(_a_big_message, "audiosocket"),
        "half_an_upgrade": Attack(_half_an_upgrade, "websocket", 5),
        "endless_headers": Attack(_endless_headers, "websocket"),
        "upgraded_garbage": Attack(_upgraded_garbage, "websocket", 2),
        "texts": Attack(_texts, "websocket"),
        "a_big_text": Attack(_a_big_text, "websocket"),
        "a_flood_of_frames": Attack(_a_flood_of_frames, "websocket"),
        "pings": Attack(_pings, "websocket"),
        "upgraded_and_silent": Attack(_upgraded_and_silent, "websocket", 3),
        "unmasked": Attack(_unmasked, "websocket"),
        "upgraded_and_reset": Attack(_upgraded_and_reset, "websocket", 5),
    }
)
"""By name."""
