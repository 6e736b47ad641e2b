"""Who is let in, who is not and how they are told, and how all of it ends."""

from __future__ import annotations

import asyncio
import socket
import uuid

import pytest

from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.networks import as_networks, is_allowed
from tests.adapters.lines.audiosocket.peers import HELLO, SILENCE, Peer, raw_message, stage
from tests.adapters.lines.sources import Frames

pytestmark = pytest.mark.virtual_time


async def is_told_politely(peer: Peer) -> bool:
    """The zeros are the last thing said, and what is said back is read and not answered by a reset."""
    while (await peer.hear())[0] != wire.HANGUP:
        pass
    peer.say(SILENCE * 50)
    await asyncio.sleep(0.1)
    peer.writer.write_eof()
    return await peer.reader.read() == b""


async def is_reset(peer: Peer) -> bool:
    """RST, and no polite word before it."""
    heard = b""
    try:
        while received := await peer.reader.read(65_536):
            heard += received
    except ConnectionResetError:
        return wire.Hangup() not in wire.Decoder().feed(heard)
    return False


async def test_a_call_is_known_by_its_uuid_and_peer() -> None:
    async with stage() as play:
        _, connection, _ = await play.call()
        assert connection.uuid == uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
        assert connection.peer[0] == "127.0.0.1"
        assert play.server.calls == [connection]
        assert connection.is_live


async def test_an_unanswered_channel_connects_and_says_nothing() -> None:
    async with stage() as play:
        peer = await play.connect()
        await peer.hear(2)
        await peer.leave()
        await asyncio.sleep(0.1)
        assert play.calls.connections == []
        assert len(play.ticker) == 0


async def test_no_uuid_within_the_deadline() -> None:
    async with stage(handshake_deadline_s=1.0) as play:
        peer = await play.connect(HELLO[:10])
        began = asyncio.get_running_loop().time()
        assert await is_reset(peer)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert play.calls.connections == []


@pytest.mark.parametrize("first", [wire.encode_dtmf("1"), raw_message(0x47, b"ET / HTTP"), raw_message(0x01, b"short")])
async def test_a_first_message_that_is_no_uuid_is_refused(first: bytes) -> None:
    async with stage() as play:
        assert await is_reset(await play.connect(first, HELLO))
        assert play.calls.connections == []


async def test_audio_before_the_uuid_is_tolerated() -> None:
    async with stage() as play:
        peer = await play.connect(SILENCE, SILENCE)
        await peer.hear(2)
        peer.say(HELLO, wire.encode_audio(b"\1\1"))
        await peer.hear(2)
        assert play.calls.heard[0].audio == [(b"\1\1", 8_000)]


async def test_a_uuid_is_refused_while_its_call_is_live_and_welcome_after_it() -> None:
    async with stage() as play:
        first, connection, heard = await play.call()
        assert await is_reset(await play.connect(HELLO))
        assert play.server.calls == [connection]
        assert heard.gone == []
        await first.leave()
        await connection.wait_gone()
        _, again, _ = await play.call()
        assert play.server.calls == [again]


async def test_a_uuid_is_free_while_its_call_is_being_hung_up() -> None:
    async with stage() as play:
        _, connection, _ = await play.call()
        ending = asyncio.ensure_future(connection.hang_up())
        await asyncio.sleep(0)
        _, again, _ = await play.call()
        assert play.server.calls == [again]
        await ending
        assert play.server.calls == [again]


async def test_more_connections_than_the_cap_are_refused() -> None:
    async with stage(max_connections=2) as play:
        peers = [await play.connect(wire.encode_uuid(uuid.uuid4())) for _ in range(2)]
        await peers[1].hear()
        assert await is_reset(await play.connect(HELLO))
        await peers[0].leave()
        await asyncio.sleep(0.05)
        _, connection, _ = await play.call()
        assert connection.is_live


async def test_polite_refusals_are_bounded() -> None:
    async with stage(refuse="polite", allowed_peers=["10.0.0.0/8"], max_refusals=2) as play:
        lingering = [await play.connect() for _ in range(2)]
        for peer in lingering:
            await peer.hear()
        assert await is_reset(await play.connect())
        assert await lingering[0].hear_all() == []  # after its deadline


async def test_polite_refusals_after_the_uuid_are_bounded_with_the_others() -> None:
    async with stage(refuse="polite", max_connections=1, max_refusals=1) as play:
        await play.call()
        first = await play.connect(wire.encode_uuid(uuid.uuid4()))
        while (await first.hear())[0] != wire.HANGUP:
            pass
        assert await is_reset(await play.connect(wire.encode_uuid(uuid.uuid4())))


async def test_who_is_refused_politely_is_told_after_its_uuid() -> None:
    async with stage(refuse="polite", max_connections=1) as play:
        await play.call()
        assert await is_told_politely(await play.connect(wire.encode_uuid(uuid.uuid4())))


@pytest.mark.parametrize(("networks", "allowed"), [(["127.0.0.0/8"], True), (["10.0.0.0/8", "::1"], False)])
async def test_only_peers_of_the_allowed_networks(networks: list[str], allowed: bool) -> None:
    async with stage(allowed_peers=networks) as play:
        if allowed:
            await play.call()
        else:
            assert await is_reset(await play.connect(HELLO))
            assert play.calls.connections == []


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("::ffff:10.1.2.3", True), ("10.9.9.9", True), ("11.0.0.1", False), ("fe80::1%eth0", True), ("", False)],
)
def test_addresses_of_dual_stack_sockets(host: str, allowed: bool) -> None:
    assert is_allowed(host, as_networks(["10.0.0.0/8", "fe80::/64"])) is allowed


async def test_a_failing_handler_ends_its_call_politely() -> None:
    async def fails(connection: Connection) -> None:
        await asyncio.sleep(0.1)
        raise RuntimeError(f"no agent for {connection.uuid}")

    async with stage(on_call=fails) as play:
        assert await is_told_politely(await play.connect(HELLO))


async def test_a_handler_that_fails_at_once_ends_its_call_politely() -> None:
    def fails(connection: Connection) -> None:
        raise RuntimeError(f"no agent for {connection.uuid}")

    async with stage(on_call=fails) as play:
        assert await is_told_politely(await play.connect(HELLO))


async def test_a_handler_that_returns_leaves_the_call_as_it_is() -> None:
    async def returns(connection: Connection) -> None:
        connection.play_from(Frames(lambda: b"\1" * 320))

    async with stage(on_call=returns) as play:
        peer = await play.connect(HELLO)
        await peer.hear(2)
        assert await peer.hear(20) == [wire.encode_audio(b"\1" * 320)] * 20


async def test_closing_ends_every_call_politely_and_takes_no_more() -> None:
    async with stage() as play:
        first, connection, heard = await play.call()
        unknown = await play.connect()
        await unknown.hear()
        port = play.server.port
        closing = asyncio.ensure_future(play.server.close(deadline_s=5.0))
        assert await is_told_politely(first)
        assert await is_reset(unknown)
        await closing
        assert not connection.is_live
        assert heard.gone == ["server_closing"]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_closing_cuts_who_does_not_go_and_cancels_who_does_not_finish() -> None:
    cancelled: list[Connection] = []

    async def forever(connection: Connection) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(connection)

    async with stage(on_call=forever, hang_up_deadline_s=60.0) as play:
        await (await play.connect(HELLO)).hear(2)
        began = asyncio.get_running_loop().time()
        await play.server.close(deadline_s=2.0)
        assert asyncio.get_running_loop().time() - began == pytest.approx(2.0, abs=0.1)
        assert [each.is_live for each in cancelled] == [False]
        await play.server.close()


async def test_a_bound_socket_can_be_handed_over() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    async with stage(sock=sock) as play:
        assert play.server.addresses == [("127.0.0.1", port)]
        await play.call()


async def test_the_port_can_be_shared_between_processes() -> None:
    async with stage(reuse_port=True) as play:
        await play.call()
        port = play.server.port
        async with stage(port=port, reuse_port=True) as beside:
            assert beside.server.port == port
        with pytest.raises(OSError, match="in use"):
            async with stage(port=port):
                pass


async def test_many_at_once() -> None:
    async with stage() as play:
        peers = await asyncio.gather(*(play.connect(wire.encode_uuid(uuid.uuid4())) for _ in range(100)))
        await asyncio.gather(*(peer.hear(5) for peer in peers))
        assert len(play.server.calls) == 100


@pytest.mark.parametrize(
    "wrong",
    [{"rates_hz": [11_025]}, {"rates_hz": []}, {"refuse": "never"}, {"backlog": 0}, {"allowed_peers": ["10.0.0.1/8"]}],
)
async def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        AudioSocketSettings(**wrong)  # type: ignore[arg-type]
