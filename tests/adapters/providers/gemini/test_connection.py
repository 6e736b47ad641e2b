"""A session's socket: what waits, what its closes mean."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from adapters.providers.gemini.connection import GeminiConnection
from tests.adapters.providers.realtime.scripted_server import LOCAL, Recorder, resources, scripted

pytestmark = pytest.mark.virtual_time
FRAME = b"\x00\x01" * 320
CALL = {"toolCall": {"functionCalls": [{"id": "c1", "name": "look_up", "args": {}}]}}


def message(key: str, body: dict[str, Any]) -> dict[str, object]:
    return {"type": key, key: body}


async def test_nothing_is_sent_between_the_setup_and_its_confirmation_nor_audio_while_a_call_is_open() -> None:
    got: list[dict[str, Any]] = []

    async def script(ws: ServerConnection) -> None:
        got.append(json.loads(await ws.recv()))
        await ws.send(json.dumps({"sessionResumptionUpdate": {"resumable": False}}).encode())
        await ws.send(json.dumps({"setupComplete": {}}).encode())  # JSON in a binary frame
        got.append(json.loads(await ws.recv()))
        await ws.send(json.dumps(CALL))
        got.append(json.loads(await ws.recv()))
        got.append(json.loads(await ws.recv()))

    before = resources()
    async with scripted(script) as endpoint:
        heard = Recorder()
        connection = GeminiConnection(endpoint, heard, LOCAL, holds_audio_at_tools=True)
        connection.open()
        await heard.until("open")
        control = connection.take_control()
        assert control.send_control(message("setup", {"model": "m"}))
        assert control.send_control(message("clientContent", {"turnComplete": True}))
        await heard.until("event", "toolCall")
        assert connection.send_audio(FRAME)
        assert connection.counters.frames_sent == 0
        response = {"functionResponses": [{"id": "c1", "response": {}}]}
        assert control.send_control(message("toolResponse", response))
        await heard.end()
        await connection.close()
    assert [next(iter(each)) for each in got] == ["setup", "clientContent", "toolResponse", "realtimeInput"]
    assert base64.b64decode(got[3]["realtimeInput"]["audio"]["data"]) == FRAME
    assert resources() == before


@pytest.mark.parametrize(
    ("handle", "completes", "code", "fatal"),
    [
        (None, False, 1007, True),
        (None, False, 1008, True),
        (None, False, 1011, False),
        ("h", False, 1007, False),
        (None, True, 1007, False),
    ],
)
async def test_a_close_is_fatal_where_it_answers_the_setup(
    handle: str | None, completes: bool, code: int, fatal: bool
) -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.recv()
        if completes:
            await ws.send(json.dumps({"setupComplete": {}}))
        await ws.close(code, "Request contains an invalid argument.")

    async with scripted(script) as endpoint:
        heard = Recorder()
        connection = GeminiConnection(endpoint, heard, LOCAL, holds_audio_at_tools=True)
        connection.open()
        await heard.until("open")
        setup: dict[str, object] = {"sessionResumption": {} if handle is None else {"handle": handle}}
        connection.take_control().send_control(message("setup", setup))
        await heard.until("closed")
        await connection.close()
    assert heard.ends == [("closed", code, "Request contains an invalid argument.", fatal)]
