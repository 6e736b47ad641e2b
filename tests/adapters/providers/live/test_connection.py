"""How a GPT-Live session is left: asked to close first, within a deadline."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.server import ServerConnection

from adapters.audio.formats import PCMU
from adapters.providers.endpoint import Endpoint
from adapters.providers.live.connection import LiveConnection
from tests.adapters.providers.realtime.scripted_server import LOCAL, Recorder, event, resources, scripted

pytestmark = pytest.mark.virtual_time


async def left(endpoint: Endpoint) -> tuple[LiveConnection, Recorder]:
    """A session that has started, and was left."""
    heard = Recorder()
    connection = LiveConnection(endpoint, heard, PCMU, LOCAL)
    connection.open()
    await heard.until("event", "session.started")
    await connection.close()
    return connection, heard


@pytest.mark.parametrize("answers", [True, False])
async def test_a_session_is_asked_to_close_and_left_at_the_deadline(answers: bool) -> None:
    asked: list[str] = []

    async def script(ws: ServerConnection) -> None:
        await ws.send(event("session.started", session={"id": "sess_1"}))
        async for message in ws:
            asked.append(json.loads(message)["type"])
            if answers:
                await ws.send(event("session.closed", usage={}))

    before = resources()
    async with scripted(script) as endpoint:
        _, heard = await left(endpoint)
    assert asked == ["session.close"]
    assert heard.ends == [("closed", None, "closed by us", False)]
    assert resources() == before


async def test_an_error_that_another_session_would_meet_again_explains_the_close() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(event("session.started", session={"id": "sess_1"}))
        await ws.send(event("error", error={"code": "insufficient_quota"}))
        await ws.close(1011, "")

    async with scripted(script) as endpoint:
        heard = Recorder()
        connection = LiveConnection(endpoint, heard, PCMU, LOCAL)
        connection.open()
        await heard.until("closed")
        await connection.close()
    assert heard.ends == [("closed", 1011, "insufficient_quota", True)]
