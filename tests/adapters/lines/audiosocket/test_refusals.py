"""Turning somebody away: by a reset that Asterisk cannot take for a served call, wherever in the handshake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.refusal import CallRefusal
from tests.adapters.lines.audiosocket.peers import CALL, HELLO, SILENCE, Stage, raw_message, stage, until

pytestmark = pytest.mark.virtual_time


async def raw_ending(port: int, *said: bytes) -> str:
    """How it ends for somebody with a plain socket: "reset", or "fin" with what was said last."""
    loop = asyncio.get_running_loop()
    heard = b""
    with socket.socket() as sock:
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            if said:
                await loop.sock_sendall(sock, b"".join(said))
            while received := await loop.sock_recv(sock, 65_536):
                heard += received
        except ConnectionResetError:
            return "reset"
    return f"fin after {heard[-3:]!r}"


async def endings(play: Stage, count: int, *said: bytes) -> dict[str, int]:
    """By how they ended, fifty at a time."""
    found: dict[str, int] = {}
    for _ in range(count // 50):
        for ending in await asyncio.gather(*(raw_ending(play.server.port, *said) for _ in range(50))):
            found[ending] = found.get(ending, 0) + 1
    return found


async def test_a_refusal_before_the_uuid_is_a_reset_each_of_a_thousand_times() -> None:
    async with stage(allowed_peers=["10.0.0.0/8"]) as play:
        assert await endings(play, 1_000) == {"reset": 1_000}
        assert play.server.refusals == {CallRefusal.NOT_ALLOWED: 1_000}


async def test_a_refusal_after_the_uuid_is_a_reset_each_of_a_thousand_times() -> None:
    told: list[tuple[str, str]] = []
    async with stage(on_refused=lambda call_id, why: told.append((call_id, why))) as play:
        play.server.drain()
        assert await endings(play, 1_000, HELLO, SILENCE) == {"reset": 1_000}
    assert told == [(str(CALL), "drain")] * 1_000


async def test_who_has_said_already_whose_call_it_is_is_refused_without_a_transport(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, str]] = []

    def failing(call_id: str, why: str) -> None:
        told.append((call_id, why))
        raise RuntimeError("the store is broken")

    async with stage(on_refused=failing) as play:
        play.server.drain()
        monkeypatch.setattr("adapters.lines.audiosocket.server.Connection", None)  # nobody may make one
        with socket.create_connection(("127.0.0.1", play.server.port)) as sock:
            sock.sendall(HELLO + SILENCE)
            await until(lambda: play.server.refusals[CallRefusal.DRAIN] == 1)
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
    assert told == [(str(CALL), "drain")]


async def test_a_refusal_by_who_handles_calls_is_a_reset_though_there_was_audio_both_ways() -> None:
    def refuses(connection: Connection) -> None:
        asyncio.get_running_loop().call_later(0.5, connection.refuse, "no such agent")

    async with stage(on_call=refuses) as play:
        assert await endings(play, 50, HELLO, SILENCE * 40) == {"reset": 50}


async def test_a_thousand_at_once_are_each_told_and_the_live_call_hears_every_frame() -> None:
    said = iter([b"\1" * 320] * 3_000)
    async with stage(max_connections=1) as play:
        peer, connection, _ = await play.call()

        class Ones:
            def tick(self) -> None: ...

            def pull(self) -> bytes | None:
                return next(said)

        connection.play_from(Ones())
        others = [asyncio.create_task(raw_ending(play.server.port, wire.encode_uuid(uuid.uuid4()))) for _ in range(300)]
        found = await asyncio.gather(*others)
        assert found == ["reset"] * 300
        assert play.server.refusals == {CallRefusal.LIMIT: 300}
        await asyncio.sleep(1)
        heard = await peer.hear(40)
        assert connection.is_live and connection.stats.frames_skipped == 0
        assert {message[3:] for message in heard[2:]} == {b"\1" * 320}
        connection.play_from(None)


@pytest.mark.parametrize(
    ("settings", "calls_before", "why"),
    [
        ({"max_connections": 2}, 2, "limit"),
        ({"max_calls_per_peer": 1}, 1, "calls_per_peer"),
        ({"handshake_deadline_s": 1.0}, 0, None),
    ],
)
async def test_the_reason_has_a_name_and_the_call_an_id(
    settings: dict[str, Any], calls_before: int, why: str | None
) -> None:
    told: list[tuple[str, str]] = []
    async with stage(on_refused=lambda call_id, why: told.append((call_id, why)), **settings) as play:
        for _ in range(calls_before):
            known = len(play.calls.connections)
            await play.connect(wire.encode_uuid(uuid.uuid4()))
            await until(lambda known=known: len(play.calls.connections) > known)  # type: ignore[misc]
        assert await raw_ending(play.server.port, *([HELLO] if why else [])) == "reset"
        assert told == ([(str(CALL), why)] if why else [])
        assert play.server.refusals == {CallRefusal(why) if why else CallRefusal.NO_UUID: 1}


async def test_a_call_that_ends_makes_room_for_another_of_its_peer() -> None:
    async with stage(max_calls_per_peer=1) as play:
        first, connection, _ = await play.call()
        await first.leave()
        await connection.wait_gone()
        await play.call()
        assert play.server.refusals == {}


async def test_the_uuid_of_a_live_call_is_refused_and_nobody_is_told_a_result_for_it() -> None:
    told: list[str] = []
    async with stage(on_refused=lambda call_id, why: told.append(call_id + why)) as play:
        _, connection, _ = await play.call()
        assert await raw_ending(play.server.port, HELLO) == "reset"
        assert connection.is_live and told == []
        assert play.server.refusals == {CallRefusal.LIVE_CALL: 1}


async def test_who_hears_of_refusals_may_fail() -> None:
    def fails(call_id: str, why: str) -> None:
        raise RuntimeError(call_id + why)

    async with stage(max_connections=1, on_refused=fails) as play:
        await play.connect(wire.encode_uuid(uuid.uuid4()))
        await until(lambda: bool(play.calls.connections))
        assert await raw_ending(play.server.port, HELLO) == "reset"


async def test_connections_without_a_uuid_take_no_calls_place() -> None:
    async with stage(max_unidentified=3, handshake_deadline_s=60.0, unidentified_grace_s=1.0) as play:
        silent = [asyncio.create_task(raw_ending(play.server.port)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert await raw_ending(play.server.port, HELLO) == "reset", "the others have just come, too"
        assert not any(task.done() for task in silent)
        await asyncio.sleep(1)
        _, connection, _ = await play.call()
        assert connection.is_live
        assert await silent[0] == "reset", "the oldest has made room"
        assert [task.done() for task in silent] == [True, False, False]
        assert play.server.refusals == {CallRefusal.UNIDENTIFIED: 2}
    assert [await task for task in silent] == ["reset"] * 3, "they are told at the end, too"


async def test_a_burst_waits_for_those_before_it() -> None:
    loop = asyncio.get_running_loop()
    async with stage(newcomers=2, unidentified_grace_s=1.0) as play:
        silent = [await play.connect() for _ in range(2)]
        for peer in silent:
            await peer.hear()
        began = loop.time()
        await play.call()
        assert loop.time() - began == pytest.approx(1.0, abs=0.1), "they are no newcomers any more"
        await play.connect(wire.encode_uuid(uuid.uuid4()))
        await until(lambda: len(play.calls.connections) == 2)
        assert loop.time() - began == pytest.approx(1.0, abs=0.1), "who says its UUID is none"
        assert play.server.refusals == {}


async def test_a_drain_keeps_the_port_and_the_live_call() -> None:
    async with stage() as play:
        _, connection, _ = await play.call()
        waiting = asyncio.create_task(raw_ending(play.server.port))
        await asyncio.sleep(0.1)
        play.server.drain()
        assert await raw_ending(play.server.port, wire.encode_uuid(uuid.uuid4())) == "reset"
        assert connection.is_live and not waiting.done()
        closing = asyncio.create_task(play.server.close(deadline_s=1.0))
        await asyncio.sleep(0.01)
        assert await raw_ending(play.server.port, wire.encode_uuid(uuid.uuid4())) == "reset"
        assert await waiting == "reset"
        await closing


async def test_a_port_that_others_share_is_left_to_them_in_a_drain() -> None:
    async with stage(reuse_port=True) as play:
        _, connection, _ = await play.call()
        play.server.drain()
        assert play.server.addresses == [] and connection.is_live


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Every one that this process may have is taken."""
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for each in taken:
            os.close(each)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """256 of them, so that they can all be taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def hear_something(sock: socket.socket, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    return await loop.sock_recv(sock, 10)


async def test_without_file_descriptors_each_is_reset_and_the_port_recovers(few_descriptors: None) -> None:
    del few_descriptors
    async with stage(descriptors_kept=0) as play:
        _, connection, _ = await play.call()
        with contextlib.ExitStack() as opened:
            socks = [opened.enter_context(socket.socket()) for _ in range(20)]
            opened.enter_context(no_descriptors())
            for sock in socks:
                sock.setblocking(False)
                with pytest.raises(ConnectionResetError):
                    await hear_something(sock, play.server.port)
        assert play.server.refusals == {CallRefusal.NO_DESCRIPTORS: 20}
        assert connection.is_live
        await play.connect(wire.encode_uuid(uuid.uuid4()))
        await until(lambda: len(play.calls.connections) == 2)


async def test_the_last_file_descriptors_are_for_the_calls_that_are_there(few_descriptors: None) -> None:
    del few_descriptors
    async with stage(descriptors_kept=40) as play:
        _, connection, _ = await play.call()
        taken: list[int] = []
        try:
            while not taken or taken[-1] < 218:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            assert await raw_ending(play.server.port, HELLO) == "reset"
        finally:
            for each in taken:
                os.close(each)
        assert connection.is_live and play.server.refusals == {CallRefusal.NO_DESCRIPTORS: 1}


async def test_nonsense_is_reset_too() -> None:
    async with stage() as play:
        assert await raw_ending(play.server.port, raw_message(0x03, b"1")) == "reset"


async def test_a_connection_that_cannot_be_taken_over_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise OSError("no transport")

    async with stage() as play:
        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", fails)
        assert await raw_ending(play.server.port, HELLO) == "reset"
        monkeypatch.undo()
        await play.call()
