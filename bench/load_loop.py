"""What the load runs on: one epoll loop with timers, and non-blocking sockets. No wire, no script."""

from __future__ import annotations

import heapq
import select
import socket
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Final, Protocol

SLOTS: Final = 20
_SLOT_S: Final = 0.001


class Speaker(Protocol):
    """Whoever says something every 20 ms."""

    def speak(self) -> None: ...


class LoadLoop:
    """epoll, a heap of timers, and twenty slots a millisecond apart in which callers speak."""

    def __init__(self) -> None:
        self.now = monotonic()
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self.slots: list[list[Speaker]] = [[] for _ in range(SLOTS)]
        self.running = True

    def read(self, fd: int, callback: Callable[[], None]) -> None:
        self._readers[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (monotonic() + seconds, next(self._serial), callback))

    def run(self) -> None:
        slot, due = 0, monotonic()
        while self.running:
            wait = due - monotonic()
            if self._timers:
                wait = min(wait, self._timers[0][0] - monotonic())
            for fd, _ in self._epoll.poll(max(wait, 0.0)):
                reader = self._readers.get(fd)
                if reader is not None:
                    reader()
            now = monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            while due <= now:
                for caller in self.slots[slot]:
                    caller.speak()
                slot = (slot + 1) % SLOTS
                due += _SLOT_S


class Peer:
    """A non-blocking socket; what the kernel does not take at once waits here."""

    def __init__(self, loop: LoadLoop, sock: socket.socket) -> None:
        self.loop = loop
        self.sock = sock
        self._unsent = b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.read(sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        data = self._unsent + data if self._unsent else data
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._unsent = data[sent:] if sent < len(data) else b""

    def close(self) -> None:
        self.loop.forget(self.sock.fileno())
        self.sock.close()

    def _readable(self) -> None:
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.received(data)
        else:
            self.close()

    def received(self, data: bytes) -> None:
        raise NotImplementedError
