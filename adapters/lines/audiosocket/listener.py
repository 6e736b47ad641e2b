"""The listening sockets: every connection is accepted at once, also where there are no file descriptors left.

asyncio's own server takes a whole backlog in one pass of the loop, during which no call sends a frame, and stops
accepting for a second when descriptors are short, during which nobody is told anything. Here a pass takes a few, a
burst waits in the backlog for those before it, and a descriptor in reserve accepts and resets whoever finds none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, cast

import structlog

log = structlog.get_logger(__name__)

OnAccepted: TypeAlias = Callable[[socket.socket, tuple[str, int]], None]
"""The connection, which is the callee's from then on, and (host, port) of its peer."""

ACCEPTED_IN_A_PASS: Final = 8
_BUSY_S: Final = 0.005
_PAUSE_S: Final = 0.1
_SHORT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NOT_HERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_LINGER_NOT_AT_ALL: Final = struct.pack("ii", 1, 0)


def will_reset(sock: socket.socket) -> None:
    """Closing it will be RST and nothing else: without this it is FIN in most cases, which to Asterisk is success."""
    with contextlib.suppress(OSError):  # the peer may be gone already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)


def reset(sock: socket.socket) -> None:
    will_reset(sock)
    with contextlib.suppress(OSError):
        sock.close()


async def bound_sockets(host: str, port: int, *, reuse_port: bool) -> list[socket.socket]:
    """One for each address of the host. OSError: there is none, or one of them cannot be had."""
    numeric = socket.AI_PASSIVE | socket.AI_NUMERICHOST
    try:  # needs no thread
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    socks: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            try:
                socks.append(_bound(family, address, reuse_port))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error  # of localhost's two addresses a host may have one
        if not socks:
            raise missing or OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    except OSError:
        for sock in socks:
            sock.close()
        raise
    return socks


def _bound(family: int, address: tuple[object, ...], reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


class Acceptor:
    """`start` with bound sockets, `close` at the end; whoever waits in a backlog then is reset by the kernel."""

    def __init__(
        self, on_accepted: OnAccepted, on_starved: Callable[[], None], is_busy: Callable[[], bool] = lambda: False
    ) -> None:
        """`on_starved`: somebody has been reset because there is no file descriptor. `is_busy`: the next one waits."""
        self._on_accepted = on_accepted
        self._is_busy = is_busy
        self._on_starved = on_starved
        self._socks: list[socket.socket] = []
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        self._reserve: int | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [cast(tuple[str, int], sock.getsockname()[:2]) for sock in self._socks]

    def start(self, socks: Iterable[socket.socket], backlog: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._keep_reserve()
        for sock in socks:
            sock.setblocking(False)
            sock.listen(backlog)
            self._socks.append(sock)
            self._loop.add_reader(sock, self._accept, sock)

    def close(self) -> None:
        for timer in self._paused.values():
            timer.cancel()
        self._paused.clear()
        for sock in self._socks:
            self._loop.remove_reader(sock)
            sock.close()
        self._socks.clear()
        self._drop_reserve()

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(ACCEPTED_IN_A_PASS):
            if sock.fileno() < 0:  # closed by a callback
                return
            if self._is_busy():
                self._pause(sock, _BUSY_S)
                return
            try:
                accepted, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue
            except OSError as error:
                if error.errno not in _SHORT_OF:
                    log.exception("accept_failed")
                    self._pause(sock)
                    return
                if not self._turn_one_away(sock):
                    return
            else:
                accepted.setblocking(False)
                self._on_accepted(accepted, address[:2])

    def _turn_one_away(self, sock: socket.socket) -> bool:
        """False: there is nobody (left), or no way to."""
        if self._reserve is None:
            self._keep_reserve()
            if self._reserve is None:
                self._pause(sock)
                return False
        self._drop_reserve()
        try:
            reset(sock.accept()[0])
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._pause(sock)  # somebody else was faster, or it is memory
            return False
        finally:
            self._keep_reserve()
        self._on_starved()
        return True

    def _keep_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _drop_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def _pause(self, sock: socket.socket, seconds: float = _PAUSE_S) -> None:
        """What is readable would wake the loop again and again."""
        self._loop.remove_reader(sock)
        self._paused[sock] = self._loop.call_later(seconds, self._resume, sock)

    def _resume(self, sock: socket.socket) -> None:
        del self._paused[sock]
        self._loop.add_reader(sock, self._accept, sock)
