"""Handing an accepted connection to another process: its file descriptor and its line, over a Unix socket.

Nothing was read from it: TLS and every handshake are the receiver's. Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final, TypeAlias, cast

import structlog

log = structlog.get_logger(__name__)

OnHanded: TypeAlias = Callable[[str, socket.socket, tuple[str, int]], None]
"""The line, the connection, which is the callee's from then on, and (host, port) of its peer."""

TAKEN_IN_A_PASS: Final = 8
_BUSY_S: Final = 0.005
_LINE_MAX_BYTES: Final = 64


def pair() -> tuple[socket.socket, socket.socket]:
    """Ours, which hands over, and the other process's, which takes. A message is a connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def hand_over(through: socket.socket, line: str, sock: socket.socket) -> bool:
    """The connection is the other process's, and closed here. False: it takes none just now, or is gone."""
    try:
        socket.send_fds(through, [line.encode("ascii")], [sock.fileno()])
    except OSError:  # its queue is full, too many are under way, or there is nobody
        return False
    sock.close()
    return True


class HandoverReceiver:
    """The other end: `start` in the loop, then `on_handed` for each connection, a few in a pass."""

    def __init__(
        self,
        sock: socket.socket,
        on_handed: OnHanded,
        on_taken: Callable[[int], None],
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_taken`: so many were taken out of the queue. `is_busy`: the next one waits in it."""
        self._sock = sock
        self._on_handed = on_handed
        self._on_taken = on_taken
        self._is_busy = is_busy
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self._take)

    def close(self) -> None:
        """Who waits in the queue is reset by the kernel, or told by FIN."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _take(self) -> None:
        taken = 0
        while taken < TAKEN_IN_A_PASS:
            if self._is_busy():
                self._loop.remove_reader(self._sock)
                self._timer = self._loop.call_later(_BUSY_S, self._resume)
                break
            try:
                data, fds, _, _ = socket.recv_fds(self._sock, _LINE_MAX_BYTES, 1)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                log.exception("handover_failed")
                self._loop.remove_reader(self._sock)
                break
            if not data:  # the other end is closed: whoever holds it says what that means
                self._loop.remove_reader(self._sock)
                break
            taken += 1
            for fd in fds:  # none: this process has no descriptor left for it, and the kernel has closed it
                self._begin(data.decode("ascii"), socket.socket(fileno=fd))
        if taken:
            self._on_taken(taken)

    def _resume(self) -> None:
        self._loop.add_reader(self._sock, self._take)

    def _begin(self, line: str, sock: socket.socket) -> None:
        sock.setblocking(False)
        try:
            peer = cast(tuple[str, int], sock.getpeername()[:2])
        except OSError:  # gone already
            with contextlib.suppress(OSError):
                sock.close()
            return
        self._on_handed(line, sock, peer)
