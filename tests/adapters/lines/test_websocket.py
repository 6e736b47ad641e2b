"""The listener of WebSocket lines against the library's own client and raw peers, over loopback in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from adapters.lines.websocket import MediaServer
from adapters.websocket.client_socket import DialError, dial
from adapters.websocket.message_socket import SocketLimits
from adapters.websocket.server_socket import HttpRefusal, ServerSocket
from tests.adapters.lines.media import Dialler, Line, serving, until
from tests.tls import Certificate
from tests.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time

UPGRADE = (
    b"GET /media?uuid=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextlib.asynccontextmanager
async def client(server: MediaServer, path: str = "/media") -> AsyncIterator[ClientConnection]:
    """The library's; it pings nobody and is gone at the end."""
    url = f"ws://127.0.0.1:{server.port}{path}"
    protocols = [Subprotocol("media")]
    async with connect(url, subprotocols=protocols, ping_interval=None, compression=None, proxy=None) as ws:
        yield ws


@contextlib.asynccontextmanager
async def raw(
    server: MediaServer, said: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_messages_go_both_ways_in_order_and_fragments_are_put_together() -> None:
    line = Line()
    async with serving(line, path="/media", subprotocol="media") as server, client(server, "/media?uuid=7") as ws:
        assert ws.subprotocol == "media"
        await ws.send("text")
        await ws.send([b"in ", b"three ", b"parts"])
        await ws.send(bytes(65_536))
        await until(lambda: len(line.sinks[0].messages) == 3)
        assert line.sinks[0].messages == ["text", b"in three parts", bytes(65_536)]
        assert (line.asked[0].path, line.asked[0].query) == ("/media", "uuid=7")
        assert line.asked[0].headers["upgrade"] == "websocket"
        assert line.sinks[0].websocket.send_text(b"MEDIA") and line.sinks[0].websocket.send_binary(bytes(70_000))
        assert [await ws.recv(), await ws.recv()] == ["MEDIA", bytes(70_000)]
        await ws.close(1000, "caller hung up")
        await until(lambda: line.sinks[0].ends == 1)
        end = line.sinks[0].websocket.end
        assert end is not None and (end.code, end.reason, end.is_ours) == (1000, "caller hung up", False)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("path", "settings", "status"),
    [
        ("/other", {"path": "/media"}, 404),
        ("/media", {"subprotocol": "audio.drachtio.org"}, 400),
    ],
)
async def test_what_is_not_wanted_gets_a_status_before_the_upgrade(
    path: str, settings: dict[str, Any], status: int
) -> None:
    line = Line()
    async with serving(line, **settings) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, path):
                pass
    assert refused.value.response.status_code == status
    assert line.sinks == []


async def test_the_line_refuses_with_a_status_a_reason_and_headers() -> None:
    line = Line(HttpRefusal(401, "a token is needed", {"WWW-Authenticate": "Bearer"}))
    async with serving(line) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with client(server):
                pass
    response = refused.value.response
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"a token is needed" in bytes(response.body or b"")


async def test_beyond_the_bound_connections_are_refused_and_a_place_that_is_free_again_is_taken() -> None:
    line = Line()
    async with serving(line, max_connections=2) as server:
        async with client(server), client(server):
            with pytest.raises(InvalidStatus) as refused:
                async with client(server):
                    pass
            assert refused.value.response.status_code == 503
        await until(lambda: server.connections == 0)
        async with client(server):
            assert server.connections == 1


async def test_connections_that_say_nothing_are_bounded_in_number_and_in_time() -> None:
    line = Line()
    async with serving(line, SocketLimits(open_s=3), max_waiting=2) as server, raw(server) as one, raw(server) as two:
        await asyncio.sleep(0.1)
        async with raw(server, UPGRADE) as (reader, _):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        began_s = asyncio.get_running_loop().time()
        assert await one[0].read() == b"" and await two[0].read() == b""
        assert 2.8 < asyncio.get_running_loop().time() - began_s < 3
        async with client(server):
            assert server.connections == 1


async def test_an_address_outside_of_the_allowed_networks_is_cut() -> None:
    async with serving(Line(), allowed_peers=("192.0.2.0/24",)) as server, raw(server, UPGRADE) as (reader, _):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_a_message_over_the_bound_is_closed_with_1009() -> None:
    line = Line()
    async with serving(line, SocketLimits(message_bytes=1000)) as server, client(server) as ws:
        await ws.send(bytes(1000))
        await ws.send([bytes(600), bytes(600)])
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == 1009
        await until(lambda: line.sinks[0].ends == 1)
        assert line.sinks[0].messages == [bytes(1000)]


async def test_a_peer_that_does_not_read_is_left() -> None:
    line = Line()
    limits = SocketLimits(unsent_bytes=100_000, send_buffer_bytes=4096)
    async with serving(line, limits) as server, raw(server, UPGRADE):
        await until(lambda: bool(line.sinks))
        websocket = line.sinks[0].websocket
        writes = 0
        while websocket.send_binary(bytes(10_000)):
            writes += 1
            await asyncio.sleep(0)
            assert writes < 5000, "it never stops"
        await websocket.wait_closed()
        end = websocket.end
        assert end is not None and (end.reason, end.is_ours) == ("the peer does not read", True)
        assert line.sinks[0].ends == 1 and not websocket.send_text(b"late")


async def test_a_peer_that_answers_no_ping_is_left_within_interval_and_timeout() -> None:
    line = Line()
    async with serving(line, SocketLimits(ping_interval_s=5, ping_timeout_s=10)) as server, raw(server, UPGRADE):
        await until(lambda: bool(line.sinks))
        began_s = asyncio.get_running_loop().time()
        await until(lambda: line.sinks[0].ends == 1)
        assert 14.9 < asyncio.get_running_loop().time() - began_s < 15.1
        end = line.sinks[0].websocket.end
        assert end is not None and "ping" in end.reason


async def test_a_peer_that_answers_pings_stays() -> None:
    line = Line()
    async with serving(line, SocketLimits(ping_interval_s=1, ping_timeout_s=2)) as server, client(server):
        await asyncio.sleep(60)
        assert server.connections == 1 and line.sinks[0].ends == 0


async def test_a_close_that_is_not_answered_is_an_abort_at_its_deadline() -> None:
    line = Line()
    async with serving(line, SocketLimits(close_s=2)) as server, raw(server, UPGRADE) as (reader, _):
        await until(lambda: bool(line.sinks))
        websocket = line.sinks[0].websocket
        began_s = asyncio.get_running_loop().time()
        websocket.close(1000, "done")
        websocket.close(1000, "twice is harmless")
        await websocket.wait_closed()
        assert 1.9 < asyncio.get_running_loop().time() - began_s < 2.1
        assert line.sinks[0].ends == 1
        said = await reader.read()
        assert said.endswith(b"\x88\x06\x03\xe8done")


async def test_closing_ends_all_connections_politely() -> None:
    line = Line()
    async with serving(line) as server, client(server) as one, client(server) as two:
        await server.close(2.0)
        for ws in (one, two):
            await ws.wait_closed()
            assert ws.close_code == 1001
        assert [sink.ends for sink in line.sinks] == [1, 1]


async def test_a_sink_or_a_line_that_fails_ends_nothing_else() -> None:
    line = Line()
    async with serving(line) as server, client(server) as ws:
        line.sinks[0].fails = True
        await ws.send("one")
        await ws.send("two")
        await until(lambda: len(line.sinks[0].messages) == 2)
        line.fails_to_open = True
        async with client(server) as other:
            with pytest.raises(ConnectionClosed):
                await other.recv()
            assert other.close_code == 1011
        await until(lambda: server.connections == 1)
        line.fails = True
        with pytest.raises(InvalidStatus) as refused:
            async with client(server):
                pass
        assert refused.value.response.status_code == 500
        assert server.connections == 1


async def test_a_peer_that_only_pings_and_never_reads_is_left() -> None:
    line = Line()
    limits = SocketLimits(unsent_bytes=20_000, send_buffer_bytes=4096)
    ping = b"\x89\xfd" + bytes(4) + bytes(125)
    async with serving(line, limits) as server, raw(server, UPGRADE) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: bool(line.sinks))
        for _ in range(2000):
            if line.sinks[0].ends:
                break
            writer.write(ping * 100)
            await asyncio.sleep(0.01)
        end = line.sinks[0].websocket.end
        assert end is not None and end.reason == "the peer does not read"


async def test_whatever_follows_the_request_at_once_is_heard_after_the_opening() -> None:
    line = Line()
    masked = b"\x81\x82\x00\x00\x00\x00hi"
    async with serving(line) as server, raw(server, UPGRADE + masked):
        await until(lambda: bool(line.sinks and line.sinks[0].messages))
        assert line.sinks[0].messages == ["hi"]


@pytest.mark.parametrize("junk", [b"\x81\x02hi", b"\x88\x80\x00\x00\x00\x00", b"\x83\x80\x00\x00\x00\x00"])
async def test_who_breaks_the_protocol_together_with_the_request_is_not_let_in(junk: bytes) -> None:
    line = Line()
    async with serving(line) as server, raw(server, UPGRADE + junk) as (reader, _):
        with contextlib.suppress(ConnectionResetError):
            assert b"101 Switching" not in await reader.read()
        assert line.sinks == [] and line.asked == []


@given(junk=st.binary(max_size=200), upgrades=st.booleans(), cut=st.integers(1, 64))
def test_no_bytes_break_the_listener(junk: bytes, upgrades: bool, cut: int) -> None:
    async def play() -> None:
        line = Line()
        async with serving(line, SocketLimits(open_s=1)) as server:
            async with raw(server) as (_, writer):
                said = (UPGRADE if upgrades else b"") + junk
                for start in range(0, len(said), cut * 16):
                    writer.write(said[start : start + cut * 16])
                    await asyncio.sleep(0)
                await asyncio.sleep(0.1)
            async with client(server):
                await until(lambda: bool(line.sinks) and line.sinks[-1].websocket.is_open)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(play())


async def test_over_tls(certificate: Certificate) -> None:
    line = Line()
    dialler = Dialler()
    async with serving(line, tls=certificate.serving, path="/media", subprotocol="media") as server:
        url = f"wss://127.0.0.1:{server.port}/media"
        ours = await dial(url, dialler, subprotocol="media", tls=certificate.trusting)
        assert ours.send_binary(bytes(1000)) and line.sinks[0].websocket.send_text(b"over TLS")
        await until(lambda: line.sinks[0].messages == [bytes(1000)])
        await until(lambda: dialler.sinks[0].messages == ["over TLS"])
        ours.close(1000, "bye")
        await ours.wait_closed()
        assert dialler.sinks[0].ends == 1
        with pytest.raises(DialError, match="certificate"):
            await dial(url, dialler, subprotocol="media")


async def test_a_dial_that_is_refused_says_with_which_status_and_leaves_nothing() -> None:
    line = Line(HttpRefusal(404, "unknown id"))
    async with serving(line) as server:
        with pytest.raises(DialError) as refused:
            await dial(f"ws://127.0.0.1:{server.port}/media/x", Dialler())
        assert refused.value.status == 404


async def test_a_dial_into_nothing_and_one_that_is_not_answered_fail_within_the_deadline() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(DialError):
            await dial(f"ws://127.0.0.1:{bound.getsockname()[1]}/", Dialler())
        bound.listen()
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(DialError, match="deadline"):
            await dial(f"ws://127.0.0.1:{bound.getsockname()[1]}/", Dialler(), SocketLimits(open_s=2))
        assert asyncio.get_running_loop().time() - began_s < 2.1


async def test_no_header_of_a_handshake_is_shown() -> None:
    line = Line()
    async with serving(line) as server, client(server):
        assert "AAAA" not in repr(line.asked[0]) and "websocket" not in json.dumps(repr(line.asked[0]))
        assert isinstance(line.sinks[0].websocket, ServerSocket)


async def accepted(sent: bytes) -> tuple[socket.socket, asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that somebody else has accepted, and its peer, who has said this."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        sock, _ = listener.accept()
    sock.setblocking(False)
    writer.write(sent)
    return sock, reader, writer


async def test_a_connection_that_somebody_else_has_accepted_is_let_in_as_any_other() -> None:
    line = Line()
    async with serving(line, path="/media") as server:
        sock, reader, writer = await accepted(UPGRADE)
        server.adopt(sock)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 101")
        assert server.connections == 1 and line.asked[0].path == "/media"
        writer.close()
        await until(lambda: server.connections == 0)


async def test_its_tls_handshake_is_ours_and_one_that_comes_to_nothing_is_given_up(certificate: Certificate) -> None:
    async with serving(Line(), path="/media", tls=certificate.serving) as server:
        broken, reader, writer = await accepted(b"GET / HTTP/1.1\r\n\r\n")
        server.adopt(broken)
        with contextlib.suppress(ConnectionError):
            assert b"101" not in await reader.read()
        writer.close()
        slow, _, other = await accepted(b"")
        server.adopt(slow)
        await asyncio.sleep(0.01)
        assert len(server._attaching) == 1, "it waits for a handshake, until the end"
        other.close()
