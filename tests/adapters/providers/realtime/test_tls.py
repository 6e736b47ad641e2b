"""The same connection over TLS: another transport underneath, with its own buffers and its own way to die."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve

from adapters.providers import connection as module
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.websocket.frames import READ_BYTES
from tests.adapters.providers.realtime.scripted_server import DELTA, KEY, LOCAL, connected, resources
from tests.tls import Certificate

pytestmark = pytest.mark.virtual_time


async def script(ws: ServerConnection) -> None:
    async for message in ws:
        assert isinstance(message, str)
        await ws.send(DELTA)
        if "response.cancel" in message:
            await ws.send('{"type":"done"}')


async def test_the_whole_way_over_tls(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting = certificate.trusting
    monkeypatch.setattr(module, "tls_context", lambda: trusting)
    tls = certificate.serving
    async with serve(script, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await asyncio.sleep(0.1)
        before = resources()
        async with connected(openai_endpoint("m", KEY, base_url=f"wss://127.0.0.1:{port}"), LOCAL) as (
            connection,
            heard,
        ):
            for _ in range(50):
                assert connection.send_audio(b"\xff" * 160)
            assert connection.take_control().send_control({"type": "response.cancel"})
            await heard.until("event", "done")
            assert connection.counters.audio_deltas == 51
            assert connection._wire is not None
            assert connection._wire.transport._ssl_protocol.max_size == READ_BYTES  # type: ignore[attr-defined]
        assert heard.ends == [("closed", None, "closed by us", False)]
        await asyncio.sleep(2)
        assert resources() == before


async def test_a_certificate_that_is_not_trusted_is_fatal(certificate: Certificate) -> None:
    tls = certificate.serving
    async with serve(script, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connected(openai_endpoint("m", KEY, base_url=f"wss://127.0.0.1:{port}")) as (_, heard):
            end = await heard.end()
            assert end[0] == "unreachable" and end[2] is True
            assert "certificate not accepted" in str(end[1])
        await asyncio.sleep(1)
