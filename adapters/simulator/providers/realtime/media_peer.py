"""Stands in for the caller's own client, whose audio comes by RTP: one WebSocket for its audio and its data channel.

`?model=M&call_id=ID` is the client with the audio; with `&media=pcm` it hears, too. Text is the data channel, binary is
20 ms of 24 kHz PCM, `key 5` a telephone's key. No provider has this; what other clients of the session see is the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from adapters.simulator.providers.realtime.core import ProviderCore
from adapters.simulator.providers.realtime.outbox import Outgoing

FRAME_S: Final = 0.02
_KEY: Final = "key "


def taken(core: ProviderCore, frame: str | bytes, now_s: float) -> list[Outgoing]:
    """What a frame of the caller's client comes to."""
    if isinstance(frame, bytes):
        return core.hear(frame, now_s)
    if frame.startswith(_KEY):
        core.press(frame.removeprefix(_KEY), now_s)
        return core.advance(now_s)
    return core.receive_frame(frame, now_s)


async def play(core: ProviderCore, connection: ServerConnection) -> None:
    """What the caller hears, until he is gone."""
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    with contextlib.suppress(ConnectionClosed):
        while True:
            due_s += FRAME_S
            await asyncio.sleep(due_s - loop.time())
            if frame := core.sound():
                await connection.send(frame)
