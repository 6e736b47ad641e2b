"""What a supervisor and a worker say to each other: JSON messages over a Unix socket, questions with answers, in order.

A message is its length in four bytes and a list: `["tell", what, said]`, `["ask", number, what, said]`,
`["answer", number, said]`, `["failed", number, why]`. Both ends are ours: whatever else comes ends the link.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import orjson
import structlog

from fsm.errors import RemoteError

log = structlog.get_logger(__name__)

Said: TypeAlias = Mapping[str, Any]
OnTold: TypeAlias = Callable[[str, Said], None]
"""Hears what nobody waits for; in order."""
OnAsked: TypeAlias = Callable[[str, Said], Awaitable[object]]
"""Answers; what it raises is the other side's LinkError."""

MESSAGE_MAX_BYTES: Final = 64_000_000
UNSENT_MAX_BYTES: Final = 64_000_000
"""With more than that unread the other side is lost: the link ends."""
_HEAD: Final = 4


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


class LinkError(RemoteError):
    """There is no answer: the other side is gone, too slow, or has failed at it."""


class Link(asyncio.Protocol):
    """One end. `over` is set when the other end is gone, whatever became of it."""

    def __init__(self, on_told: OnTold, on_asked: OnAsked) -> None:
        self._on_told = on_told
        self._on_asked = on_asked
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._numbers = 0
        self._awaited: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self.over = asyncio.Event()

    async def open(self, sock: socket.socket) -> None:
        """On one end of a socket pair, which is ours from here on."""
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self, sock)

    def close(self) -> None:
        """What was told is still sent, if the other side reads it."""
        if self._transport is not None:
            self._transport.close()

    def tell(self, what: str, **said: object) -> None:
        self._send(["tell", what, said])

    async def ask(self, what: str, deadline_s: float, **said: object) -> Any:
        """LinkError."""
        self._numbers += 1
        number = self._numbers
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._awaited[number] = answered
        try:
            self._send(["ask", number, what, said])
            return await asyncio.wait_for(answered, deadline_s)
        except TimeoutError:
            raise LinkError(f"no answer to '{what}' within {deadline_s:g} s") from None
        finally:
            self._awaited.pop(number, None)

    # --- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= _HEAD:
            size = int.from_bytes(self._held[:_HEAD], "big")
            if size > MESSAGE_MAX_BYTES:
                self._break("a message is too long")
                return
            if len(self._held) < _HEAD + size:
                return
            message = bytes(self._held[_HEAD : _HEAD + size])
            del self._held[: _HEAD + size]
            try:
                self._receive(orjson.loads(message))
            except Exception:
                log.exception("link_message_failed")
                self._break("a message could not be taken")
                return

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        for each in self._awaited.values():
            if not each.done():
                each.set_exception(LinkError("the other process is gone"))
        for task in self._answering:
            task.cancel()
        self.over.set()

    # --- within -------------------------------------------------------------------------------------------------------

    def _send(self, message: list[object]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            if message[0] == "ask":
                raise LinkError("the other process is gone")
            return
        data = orjson.dumps(message, default=_as_dict)
        transport.write(len(data).to_bytes(_HEAD, "big") + data)
        if transport.get_write_buffer_size() > UNSENT_MAX_BYTES:
            self._break("the other process does not read")

    def _receive(self, message: list[Any]) -> None:
        kind, rest = message[0], message[1:]
        if kind == "tell":
            asyncio.get_running_loop().call_soon(self._hear, *rest)  # not before what was asked earlier has begun
        elif kind == "ask":
            task = asyncio.get_running_loop().create_task(self._answer(*rest), name=f"answers {rest[1]}")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            awaited = self._awaited.get(rest[0])
            if awaited is not None and not awaited.done():  # else it is too late
                if kind == "answer":
                    awaited.set_result(rest[1])
                else:
                    awaited.set_exception(LinkError(str(rest[1])))

    def _hear(self, what: str, said: Said) -> None:
        try:
            self._on_told(what, said)
        except Exception:
            log.exception("link_message_failed", what=what)

    async def _answer(self, number: int, what: str, said: Said) -> None:
        try:
            self._send(["answer", number, await self._on_asked(what, said)])
        except Exception as error:
            if not isinstance(error, RemoteError):
                log.exception("link_question_failed", what=what)
            self._send(["failed", number, f"{type(error).__name__}: {error}"])

    def _break(self, why: str) -> None:
        log.error("link_broken", why=why)
        if self._transport is not None:
            self._transport.abort()
