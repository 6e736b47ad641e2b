"""How a connection ends or fails to begin: real loopback sockets, a scripted server, virtual time."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from adapters.providers.realtime.endpoint import openai_endpoint
from tests.adapters.providers.realtime.scripted_server import (
    KEY,
    LOCAL,
    connected,
    event,
    raw,
    scripted,
    upgrade,
)

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    ("code", "reason", "fatal"),
    [
        (1000, "", False),
        (1001, "Your session hit the maximum duration of 60 minutes.", False),
        (1008, "policy", False),
        (1011, "", False),
        (1013, "try again", False),
        (3000, "invalid_request_error.invalid_api_key", True),
        (4000, "invalid_request_error.missing_model", True),
        (4004, "invalid_request_error.model_not_found", True),
        (4001, "billing_error.insufficient_quota", True),
    ],
)
async def test_each_close_is_told_once_with_its_guilt(code: int, reason: str, fatal: bool) -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(event("session.created"))
        await ws.close(code, reason)

    async with scripted(script) as endpoint, connected(endpoint) as (connection, heard):
        assert await heard.end() == ("closed", code, reason, fatal)
        assert not connection.is_open and not connection.send_audio(b"\xff" * 160)


@pytest.mark.parametrize(("wait_s", "fatal"), [(0.5, True), (30.0, False)])
async def test_an_error_just_before_explains_a_close_that_says_nothing(wait_s: float, fatal: bool) -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(event("error", error={"code": "insufficient_quota"}))
        await asyncio.sleep(wait_s)
        await ws.close(1000)

    async with scripted(script) as endpoint, connected(endpoint) as (_, heard):
        assert await heard.end() == ("closed", 1000, "insufficient_quota" if fatal else "", fatal)


async def test_a_close_frame_is_the_end_even_if_tcp_stays() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x88\x02" + struct.pack("!H", 1001))
        await reader.read()  # until the client gives up the socket

    loop = asyncio.get_running_loop()
    async with raw(script) as endpoint:
        began = loop.time()
        async with connected(endpoint) as (connection, heard):
            await heard.end()
            assert heard.ends == [("closed", 1001, "", False)] and loop.time() - began < 0.1
            await asyncio.sleep(LOCAL.close_s + 0.1)  # nobody has called close(), and yet:
            assert connection._wire is not None and connection._wire.connection_lost_waiter.done()


async def test_a_reset_is_1006() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await reader.readexactly(10)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with raw(script) as endpoint, connected(endpoint) as (connection, heard):
        assert connection.send_audio(b"\xff" * 160)
        assert await heard.end() == ("closed", 1006, "Connection reset by peer", False)
        for _ in range(10):
            assert not connection.send_audio(b"\xff" * 160)
        assert connection.counters.frames_dropped_closed == 10


@pytest.mark.parametrize("bytes_", [b"", b"\xff\xff\xff\xff", b"\x83\x00", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_an_end_of_stream_or_a_broken_protocol_is_1006(bytes_: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(bytes_)
        writer.write_eof()
        await reader.read()

    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        end = await heard.end()
        assert end[:2] == ("closed", 1006) and end[3] is False and end[2]


async def test_a_broken_protocol_is_told_at_once_even_if_tcp_stays() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x83\x00")
        await reader.read()

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        assert await heard.end() == ("closed", 1006, "invalid opcode", False)
        assert loop.time() - began < 0.1


async def test_a_peer_that_fell_silent_is_noticed_by_ping() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(1000)

    loop = asyncio.get_running_loop()
    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        began = loop.time()
        assert await heard.end() == ("closed", 1006, "keepalive ping timeout", False)
        assert loop.time() - began <= LOCAL.ping_interval_s + LOCAL.ping_timeout_s + LOCAL.close_s + 0.1


# --- not opening


@pytest.mark.parametrize(
    ("status", "fatal"), [(302, True), (400, True), (401, True), (403, True), (404, True), (429, False), (503, False)]
)
async def test_a_refused_upgrade(status: int, fatal: bool) -> None:
    seen: list[str] = []

    def answer(_: ServerConnection, request: Request) -> Response:
        seen.append(request.path)
        headers = Headers(Location="/elsewhere") if status == 302 else Headers()
        return Response(status, "", headers, b'{"error": {"code": "its_code", "message": "bad key sk-proj-VERY"}}')

    async def script(_: ServerConnection) -> None:
        pytest.fail("it upgraded")

    async with scripted(script, answer=answer) as endpoint, connected(endpoint) as (_, heard):
        assert await heard.end() == ("unreachable", f"http {status} its_code", fatal)
        assert seen == ["/v1/realtime?model=m"]  # once: no redirect is followed, a key would go along


async def test_a_slow_upgrade_ends_at_the_deadline() -> None:
    async def script(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1000)

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        assert await heard.end() == ("unreachable", "no connection within the deadline", False)
        assert LOCAL.open_s <= loop.time() - began < LOCAL.open_s + 0.1


@pytest.mark.parametrize("bytes_", [b"", b"\x00\xff\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
async def test_what_is_no_websocket_server_is_unreachable(bytes_: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(bytes_)
        writer.close()

    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        end = await heard.end()
        assert end[0] == "unreachable" and end[2] is False


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with connected(openai_endpoint("m", KEY, base_url=f"ws://127.0.0.1:{port}")) as (connection, heard):
        assert heard.facts[0][0] == "unreachable" and heard.facts[0][2] is False
        assert not connection.send_audio(b"\xff")
