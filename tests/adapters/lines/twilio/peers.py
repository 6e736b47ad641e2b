"""What the tests of Twilio's line are made of: a stage with a server, and Twilio's end of a stream by messages."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs

from adapters.audio.tick import Ticker
from adapters.lines.twilio import protocol as wire
from adapters.lines.twilio.connection import TwilioConnection
from adapters.lines.twilio.gate import TOKEN, Gate
from adapters.lines.twilio.server import OnCall, TwilioServer
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import signature
from adapters.websocket.client_socket import ClientSocket, dial
from adapters.websocket.message_socket import SocketLimits
from tests.adapters.lines.listeners import Remembering

SECRET = "0123456789abcdef"
URL = "https://agent.example.com"
FRAME = bytes(320)
PATIENT = SocketLimits(ping_interval_s=600, ping_timeout_s=600)


@attrs.define
class Calls:
    """An `on_call` that listens at once and remembers."""

    connections: list[TwilioConnection] = attrs.field(factory=list)
    heard: list[Remembering] = attrs.field(factory=list)

    def __call__(self, connection: TwilioConnection) -> None:
        self.connections.append(connection)
        self.heard.append(Remembering())
        connection.listen(self.heard[-1])


@attrs.define
class Peer:
    """Twilio's end: what it hears, and when."""

    call_sid: str = "CA1"
    stream_sid: str = "MZ1"
    heard: list[tuple[float, wire.Outgoing]] = attrs.field(factory=list)
    has_ended: bool = False
    on_message: Callable[[wire.Outgoing], None] | None = None
    socket: ClientSocket = attrs.field(init=False)
    words: wire.TwilioEncoder = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.words = wire.TwilioEncoder(self.stream_sid, self.call_sid, "AC1")

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        assert not binary
        message = wire.decode_outgoing(payload)
        self.heard.append((asyncio.get_running_loop().time(), message))
        if self.on_message is not None:
            self.on_message(message)

    def ended(self) -> None:
        self.has_ended = True

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.socket.send_text(message)

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for _, message in self.heard if isinstance(message, kind)]

    @property
    def audio(self) -> list[bytes]:
        return [message.pcm for message in self.of(wire.Media)]

    @property
    def marks(self) -> list[str]:
        return [message.name for message in self.of(wire.TwilioMark)]


@attrs.define
class Stage:
    server: TwilioServer
    gate: Gate
    ticker: Ticker
    calls: Calls
    numbers: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))
    peers: list[Peer] = attrs.field(factory=list)

    async def connect(self, path: str = "/audio", signed: str | None = None, **peer: Any) -> Peer:
        """DialError: it was refused."""
        here = Peer(**peer)
        if signed is None:
            signed = signature(SECRET, "wss://agent.example.com/audio")
        url, headers = f"ws://127.0.0.1:{self.server.port}{path}", {"X-Twilio-Signature": signed}
        here.socket = await dial(url, lambda _: here, PATIENT, headers=headers)
        self.peers.append(here)
        return here

    async def call(self, parameters: dict[str, str] | None = None) -> tuple[Peer, TwilioConnection, Remembering]:
        """A stream of a call that the server knows by now."""
        number = next(self.numbers)
        peer = await self.connect(call_sid=f"CA{number}", stream_sid=f"MZ{number}")
        token = self.gate.issue(peer.call_sid)
        peer.say(peer.words.connected(), peer.words.start({TOKEN: token, **(parameters or {})}))
        await until(lambda: any(each.call_id == peer.call_sid for each in self.calls.connections))
        return peer, self.calls.connections[-1], self.calls.heard[-1]


async def until(is_true: Callable[[], bool]) -> None:
    """Looks again every 10 ms; TimeoutError after a minute (of virtual time)."""
    async with asyncio.timeout(60):
        while not is_true():  # noqa: ASYNC110  what is waited for is the code under test, which sets no event
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def stage(on_call: OnCall | None = None, **settings: Any) -> AsyncIterator[Stage]:
    given = {"port": 0, "public_url": URL, "account_sid": "AC1", "auth_token": SECRET, **settings}
    made, ticker, calls = TwilioSettings(**given), Ticker(), Calls()
    gate = Gate(made, lambda: asyncio.get_running_loop().time())
    server = TwilioServer(made, ticker, gate, on_call or calls)
    await server.start()
    playing = Stage(server, gate, ticker, calls)
    try:
        yield playing
    finally:
        for peer in playing.peers:
            peer.socket.close()
            await peer.socket.wait_closed()
        await server.close(deadline_s=1.0)
        assert len(ticker) == 0
        assert not server.calls and not server._legs
