"""What the tests of chan_websocket are made of: the line with a call handler that remembers, and Asterisk's end."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import attrs
import numpy as np

from adapters.audio.tick import Ticker
from adapters.lines.chan_websocket.connection import ChannelLeg
from adapters.lines.chan_websocket.server import ChanWebSocketServer, OnChannel
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.chan_websocket import AsteriskChannel, SimulatedChannel, dial_server
from tests.adapters.lines.listeners import Remembering
from tests.adapters.lines.media import held, settled, until

CALL = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
LOUD: bytes = (np.sin(np.arange(160) * 0.3) * 8000).astype("<i2").tobytes()


@attrs.define
class Calls:
    """An `on_call` that listens at once and remembers."""

    legs: list[ChannelLeg] = attrs.field(factory=list)
    heard: list[Remembering] = attrs.field(factory=list)

    def __call__(self, leg: ChannelLeg) -> None:
        self.legs.append(leg)
        self.heard.append(Remembering())
        leg.listen(self.heard[-1])


@attrs.define
class Stage:
    server: ChanWebSocketServer
    ticker: Ticker
    calls: Calls
    phones: list[SimulatedChannel] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/media"

    async def phone(
        self, channel: AsteriskChannel | None = None, call_id: uuid.UUID = CALL, **said: Any
    ) -> SimulatedChannel:
        """Asterisk connects; OSError: it is refused."""
        channel = channel or AsteriskChannel(**said)
        rate_hz = {"slin16": 16_000, "slin24": 24_000}.get(channel.format, 8_000)
        settings = CallerSettings(rate_hz=rate_hz)
        made = await dial_server(self.url, channel, call_id, settings, lambda *_: None)
        assert isinstance(made, SimulatedChannel)
        self.phones.append(made)
        return made

    async def call(
        self, channel: AsteriskChannel | None = None, **said: Any
    ) -> tuple[SimulatedChannel, ChannelLeg, Remembering]:
        known = len(self.calls.legs)
        phone = await self.phone(channel, **said)
        await until(lambda: len(self.calls.legs) > known)
        return phone, self.calls.legs[-1], self.calls.heard[-1]


@contextlib.asynccontextmanager
async def stage(on_call: OnChannel | None = None, **settings: Any) -> AsyncIterator[Stage]:
    """Whatever a test does, nothing is left at its end."""
    before = held()
    ticker, calls = Ticker(), Calls()
    server = ChanWebSocketServer(ChanWebSocketSettings(**{"port": 0, **settings}), ticker, on_call or calls)
    await server.start()
    playing = Stage(server, ticker, calls)
    try:
        yield playing
    finally:
        for phone in playing.phones:
            phone.abandon()
        await server.close(deadline_s=1.0)
        assert len(ticker) == 0
        await settled(before)
