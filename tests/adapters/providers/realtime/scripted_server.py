"""The other end of a loopback socket, told what to do; and a listener that remembers.  Never: a test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import attrs
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from adapters.providers.connection import ConnectionLimits, SessionConnection
from adapters.providers.endpoint import Endpoint
from adapters.providers.provider import AudioDelta, ConnectionEnding, DecodeFailure, WireEvent
from adapters.providers.realtime.codec import RealtimeCodec
from adapters.providers.realtime.endpoint import openai_endpoint

KEY = "sk-proj-VERYSECRET"
LOCAL = ConnectionLimits(system_proxy=False)

DELTA = json.dumps(
    {
        "type": "response.output_audio.delta",
        "response_id": "resp_1",
        "item_id": "item_1",
        "content_index": 0,
        "delta": base64.b64encode(b"\x01\x02").decode(),
    }
)


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "event_id": "event_1", **fields})


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The server's half of the handshake, by hand; nothing is read afterwards unless the script does."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = accept_key(key.decode())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
    )


def text_frame(payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([0x81, len(payload)]) + payload


Script = Callable[[ServerConnection], Awaitable[None]]
RawScript = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Fact = tuple[object, ...]


@attrs.define
class Recorder:
    """A ConnectionListener that keeps what it is told; `fail` makes it raise after keeping it."""

    facts: list[Fact] = attrs.field(factory=list)
    fail: bool = False
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    def on_open(self) -> None:
        self._keep("open")

    def on_event(self, event: WireEvent) -> None:
        self._keep("event", event["type"])

    def on_audio(self, delta: AudioDelta) -> None:
        self._keep("audio", delta.item_id, delta.payload)

    def on_undecodable(self, failure: DecodeFailure) -> None:
        self._keep("problem", failure.kind)

    def on_closed(self, ending: ConnectionEnding) -> None:
        self._keep("closed", ending.code, ending.reason, ending.fatal)

    def on_unreachable(self, ending: ConnectionEnding) -> None:
        self._keep("unreachable", ending.reason, ending.fatal)

    def _keep(self, *fact: object) -> None:
        self.facts.append(fact)
        self._changed.set()
        if self.fail:
            raise RuntimeError("the listener is broken")

    @property
    def ends(self) -> list[Fact]:
        return [fact for fact in self.facts if fact[0] in ("closed", "unreachable")]

    async def begin(self) -> None:
        """Open, or known not to open."""
        async with asyncio.timeout(60):
            while not self.facts:
                self._changed.clear()
                await self._changed.wait()

    async def until(self, *start: object, seconds: float = 60.0) -> Fact:
        """The first fact that starts like this."""
        async with asyncio.timeout(seconds):
            while True:
                for fact in self.facts:
                    if fact[: len(start)] == start:
                        return fact
                self._changed.clear()
                await self._changed.wait()

    async def end(self) -> Fact:
        async with asyncio.timeout(120):
            while not self.ends:
                self._changed.clear()
                await self._changed.wait()
        return self.ends[0]


@contextlib.asynccontextmanager
async def scripted(
    script: Script, *, answer: Callable[[ServerConnection, Request], Response | None] | None = None
) -> AsyncIterator[Endpoint]:
    """A WebSocket server that runs the script for each connection; when the script returns it closes with 1000."""
    async with serve(
        script, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1, process_request=answer
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield openai_endpoint("m", KEY, base_url=f"ws://127.0.0.1:{port}/v1/realtime")


@contextlib.asynccontextmanager
async def raw(script: RawScript) -> AsyncIterator[Endpoint]:
    """A TCP server for what no WebSocket library would do. Connections it leaves open are aborted at the end."""
    writers: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(reader, writer)

    server = await asyncio.start_server(run, "127.0.0.1", 0, limit=2**12)
    try:
        yield openai_endpoint("m", KEY, base_url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        await asyncio.sleep(0.01)  # what was just accepted gets its writer
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def connected(
    endpoint: Endpoint, limits: ConnectionLimits = LOCAL, *, fail: bool = False
) -> AsyncIterator[tuple[SessionConnection, Recorder]]:
    """An opened connection (open or failed), closed on the way out, with exactly one end told."""
    recorder = Recorder(fail=fail)
    connection = SessionConnection(endpoint, recorder, RealtimeCodec(), limits)
    connection.open()
    try:
        await recorder.begin()
        yield connection, recorder
    finally:
        await connection.close()
    assert len(recorder.ends) == 1, recorder.facts
    assert recorder.facts[-1] == recorder.ends[0], recorder.facts


def resources() -> tuple[int, int, int]:
    """Tasks, live timers and watched sockets of this loop."""
    loop = asyncio.get_running_loop()
    timers = [timer for timer in _timers(loop) if not timer.cancelled()]
    return len(asyncio.all_tasks()), len(timers), len(loop._selector.get_map())  # type: ignore[attr-defined]


def _timers(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.TimerHandle]:
    yield from loop._scheduled  # type: ignore[attr-defined]
