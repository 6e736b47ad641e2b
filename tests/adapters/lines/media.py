"""What tests of WebSocket lines are made of: a line that remembers, and a look at what a loop still holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs

from adapters.lines.websocket import MediaServer, MediaServerSettings
from adapters.websocket.client_socket import ClientSocket
from adapters.websocket.message_socket import MessageSocket, SocketLimits
from adapters.websocket.server_socket import Handshake, HttpRefusal, ServerSocket


def held() -> tuple[int, int, int]:
    """Tasks, live timers and watched sockets of this loop."""
    loop: Any = asyncio.get_running_loop()
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]
    return len(asyncio.all_tasks()), len(timers), len(loop._selector.get_map())


async def settled(before: tuple[int, int, int]) -> None:
    """Nothing more is held than before. Not by `until`, which has a timer of its own."""
    for _ in range(1000):
        if held() == before:
            return
        await asyncio.sleep(0.01)
    assert held() == before


async def until(is_true: Callable[[], bool]) -> None:
    """Looks again every 10 ms; TimeoutError after a minute (of virtual time)."""
    async with asyncio.timeout(60):
        while not is_true():  # noqa: ASYNC110  what is waited for is the code under test, which sets no event
            await asyncio.sleep(0.01)


@attrs.define(eq=False)
class Remembering:
    """A sink."""

    websocket: MessageSocket
    messages: list[bytes | str] = attrs.field(factory=list)
    ends: int = 0
    fails: bool = False

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        self.messages.append(bytes(payload) if binary else bytes(payload).decode())
        if self.fails:
            raise RuntimeError("a sink that fails")

    def ended(self) -> None:
        self.ends += 1


@attrs.define(eq=False)
class Dialler:
    """Who makes connections: a sink for each."""

    sinks: list[Remembering] = attrs.field(factory=list)

    def __call__(self, websocket: ClientSocket) -> Remembering:
        self.sinks.append(Remembering(websocket))
        return self.sinks[-1]


@attrs.define(eq=False)
class Line:
    """An owner that lets everybody in whom `refusal` does not keep out."""

    refusal: HttpRefusal | None = None
    sinks: list[Remembering] = attrs.field(factory=list)
    asked: list[Handshake] = attrs.field(factory=list)
    fails: bool = False
    fails_to_open: bool = False

    def admit(self, handshake: Handshake) -> HttpRefusal | None:
        self.asked.append(handshake)
        if self.fails:
            raise RuntimeError("a line that fails")
        return self.refusal

    def opened(self, websocket: ServerSocket) -> Remembering:
        if self.fails_to_open:
            raise RuntimeError("a line that fails")
        self.sinks.append(Remembering(websocket))
        return self.sinks[-1]


@contextlib.asynccontextmanager
async def serving(line: Line, limits: SocketLimits | None = None, **settings: Any) -> AsyncIterator[MediaServer]:
    """Whatever a test does, nothing is left at its end."""
    await asyncio.sleep(0)
    before = held()
    server = MediaServer(MediaServerSettings(limits=limits or SocketLimits(), **settings), line, "test")
    await server.start()
    try:
        yield server
    finally:
        await server.close(1.0)
        await settled(before)
