"""The listening sockets by themselves: addresses, and an accept that fails in every way that it can."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.lines.audiosocket.listener import Acceptor, bound_sockets

pytestmark = pytest.mark.virtual_time


class Failing(socket.socket):
    """Its first accepts fail with these numbers."""

    failures: list[int]
    accepts = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.accepts += 1
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, "failed")
        return super().accept()


@pytest.fixture
def failing() -> Iterator[Failing]:
    with Failing(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


async def accepted_by(sock: Failing, *failures: int) -> tuple[float, int]:
    """How long it takes until somebody is accepted, and how many were reset."""
    loop = asyncio.get_running_loop()
    sock.failures = list(failures)
    here: asyncio.Future[None] = loop.create_future()
    starved: list[None] = []

    def take(accepted: socket.socket, peer: tuple[str, int]) -> None:
        assert peer[0] == "127.0.0.1" and not accepted.getblocking()
        accepted.close()
        here.set_result(None)

    acceptor = Acceptor(take, lambda: starved.append(None))
    acceptor.start([sock], 8)
    began = loop.time()
    with socket.socket() as peer:
        peer.setblocking(False)
        await loop.sock_connect(peer, acceptor.addresses[0])
        await asyncio.wait_for(here, 5)
    acceptor.close()
    acceptor.close()
    assert acceptor.addresses == []
    return loop.time() - began, len(starved)


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EINTR, errno.EAGAIN])
async def test_who_has_gone_before_being_accepted_costs_nothing(failing: Failing, number: int) -> None:
    took_s, starved = await accepted_by(failing, number)
    assert (round(took_s, 3), starved) == (0, 0)


@pytest.mark.parametrize("number", [errno.EPROTO, errno.ENETDOWN])
async def test_an_accept_that_fails_is_tried_again_after_a_pause(failing: Failing, number: int) -> None:
    took_s, starved = await accepted_by(failing, number)
    assert (round(took_s, 3), starved) == (0.1, 0)


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM, errno.EMFILE])
async def test_what_the_reserve_does_not_help_against_is_a_pause(failing: Failing, number: int) -> None:
    took_s, starved = await accepted_by(failing, number, number)
    assert (round(took_s, 3), starved) == (0.1, 0)


async def test_a_reserve_that_has_nobody_to_tell_is_kept(failing: Failing) -> None:
    took_s, starved = await accepted_by(failing, errno.EMFILE, errno.EAGAIN)
    assert (round(took_s, 3), starved) == (0, 0)


async def test_a_pause_ends_with_the_listener(failing: Failing) -> None:
    failing.failures = [errno.EPROTO]
    acceptor = Acceptor(lambda sock, _: sock.close(), lambda: None)
    acceptor.start([failing], 8)
    with socket.socket() as peer:
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, acceptor.addresses[0])
        await asyncio.sleep(0.05)
        acceptor.close()
    await asyncio.sleep(1)
    assert failing.accepts == 1


async def test_a_callback_may_close_the_listener(failing: Failing) -> None:
    failing.failures = []
    acceptor: Acceptor

    def take(sock: socket.socket, _: tuple[str, int]) -> None:
        sock.close()
        acceptor.close()

    acceptor = Acceptor(take, lambda: None)
    acceptor.start([failing], 8)
    with socket.socket() as peer:
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, acceptor.addresses[0])
        await asyncio.sleep(0.05)
    assert failing.accepts == 1 and acceptor.addresses == []


async def test_an_address_of_another_machine_cannot_be_had() -> None:
    with pytest.raises(OSError, match="address"):
        await bound_sockets("192.0.2.1", 0, reuse_port=False)


async def test_a_taken_port_is_an_error_and_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await bound_sockets("127.0.0.1", taken.getsockname()[1], reuse_port=False)


async def test_no_host_is_every_address() -> None:
    socks = await bound_sockets("", 0, reuse_port=True)
    assert {sock.family for sock in socks} >= {socket.AF_INET}
    for sock in socks:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        sock.close()


async def test_an_ipv6_socket_takes_no_ipv4_address() -> None:
    try:
        (sock,) = await bound_sockets("::1", 0, reuse_port=False)
    except OSError:
        pytest.skip("no IPv6 here")
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    sock.close()


def test_a_name_may_have_several_addresses() -> None:
    socks = asyncio.run(bound_sockets("localhost", 0, reuse_port=False))
    assert "127.0.0.1" in {sock.getsockname()[0] for sock in socks}
    for sock in socks:
        sock.close()
