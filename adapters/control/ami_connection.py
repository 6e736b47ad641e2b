"""A logged-in connection to Asterisk's manager, kept up: connects again by itself, asks, answers or fails. No meaning.

Policy: an action waits for a connection within its own deadline; what was sent when a connection is lost fails as
uncertain and is not sent again; more actions than `max_pending` are refused; answers and events nobody waits for are
counted and dropped; what cannot be read is counted, logged and skipped. A rejected login is tried again at the longest
interval only: Asterisk hosts are watched by programs that ban who fails often.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import structlog

from adapters.control.ami_codec import AmiDecoder, AmiMessage, Banner, Malformed, Received, encode
from adapters.control.control import ControlError
from adapters.control.settings import AmiSettings
from fsm.errors import RemoteError

log = structlog.get_logger(__name__)

_READ_BYTES: Final = 64 * 1024
_PROBLEMS_LOGGED: Final = 10
_LIST_ITEMS: Final = 20_000
_LOGIN_CURE: Final = "username and secret are those of a section in manager.conf, and its permit must allow this host"


class _LostError(RemoteError):
    """The connection is of no use any more; why."""


class _LoginError(_LostError):
    """It would not be of use next time either."""


@attrs.define
class AmiCounters:
    """What went over the connections."""

    connections: int = 0
    malformed: int = 0
    unasked: int = 0
    """Answers after their deadline, and events."""


@attrs.define(eq=False)
class _Pending:
    answered: asyncio.Future[tuple[AmiMessage, ...]]
    is_list: bool
    received: list[AmiMessage] = attrs.field(factory=list)


class AmiConnection:
    """`start`, then `ask` as often as needed, then `close`."""

    def __init__(self, settings: AmiSettings) -> None:
        self._settings = settings
        self.counters = AmiCounters()
        self.version = ""
        """Of the manager protocol, once there was a connection."""
        self._keeping: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None  # of a connection that is logged in
        self._up = asyncio.Event()
        self._pending: dict[str, _Pending] = {}
        self._last_id = 0
        self.trouble = "not connected yet"
        """Why there is no connection, or why there was none."""
        self._is_closed = False
        self._log = log.bind(manager=f"{settings.host}:{settings.port}")

    @property
    def is_up(self) -> bool:
        return self._writer is not None

    def start(self) -> None:
        if self._keeping is None and not self._is_closed:
            self._keeping = asyncio.get_running_loop().create_task(self._keep(), name="ami")

    async def close(self) -> None:
        """Everything that waits fails; when it returns, there is no task and no socket."""
        self._is_closed, self.trouble = True, "it was closed"
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._up.set()  # who waits for a connection looks, and fails

    async def ask(
        self, action: str, headers: Iterable[tuple[str, str]] = (), *, is_list: bool = False
    ) -> tuple[AmiMessage, ...]:
        """The response; with `is_list`, the events of its list behind it. ControlError: refused, or no answer.

        Its time is bounded by the caller's `asyncio.timeout`.
        """
        if len(self._pending) >= self._settings.max_pending:
            raise ControlError(f"more than {self._settings.max_pending} actions wait for the manager at {self._where}")
        await self._connected()
        return await self._exchange(action, headers, is_list)

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    async def _connected(self) -> None:
        await self._up.wait()
        if self._is_closed:
            raise ControlError(f"no manager at {self._where}: {self.trouble}")

    async def _exchange(self, action: str, headers: Iterable[tuple[str, str]], is_list: bool) -> tuple[AmiMessage, ...]:
        self._last_id += 1
        action_id = f"turnspec-{self._last_id}"
        sent = encode(action, action_id, headers)
        assert self._writer is not None
        pending = _Pending(asyncio.get_running_loop().create_future(), is_list)
        self._pending[action_id] = pending
        try:
            self._writer.write(sent)  # bounded by max_pending times a few short lines
            return await pending.answered
        finally:
            self._pending.pop(action_id, None)

    # --- keeping it up

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                await self._connection()
            except _LoginError as error:
                self.trouble, failures = str(error), 63
                self._log.error("ami_login_rejected", cause=self.trouble, cure=_LOGIN_CURE)
            except (_LostError, OSError, TimeoutError, ControlError) as error:
                failures = 0 if self.is_up else failures
                self.trouble = _reason(error)
                self._log.warning("ami_lost" if self.is_up else "ami_unreachable", cause=self.trouble)
            finally:
                self._down()
            wait_s = min(self._settings.most_wait_s, self._settings.least_wait_s * 2.0 ** min(failures, 63))
            failures += 1
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # so that not all come back at once

    async def _connection(self) -> None:
        """One connection from its opening to its end, which is an exception."""
        settings = self._settings
        async with asyncio.timeout(settings.connect_s):
            reader, writer = await asyncio.open_connection(settings.host, settings.port)
        try:
            decoder = AmiDecoder()
            async with asyncio.timeout(settings.connect_s):
                await self._log_in(reader, writer, decoder)
            self.counters.connections += 1
            self._writer = writer
            self._up.set()
            self._log.info("ami_connected", version=self.version)
            await self._receive(reader, writer, decoder)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: AmiDecoder) -> None:
        settings = self._settings
        credentials = (("Username", settings.username), ("Secret", settings.secret), ("Events", "off"))
        greeted = False
        while True:
            for each in decoder.feed(await _bytes(reader)):
                if isinstance(each, Banner) and each.version:
                    self.version, greeted = each.version, True
                    writer.write(encode("Login", "login", credentials))
                elif isinstance(each, AmiMessage) and each.get("Response"):
                    if each.get("Response") == "Success":
                        return
                    raise _LoginError(each.get("Message")[:200] or "the login was rejected")
                elif not greeted:
                    raise _LostError("no 'Asterisk Call Manager' answers there: is it another port?")

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: AmiDecoder) -> None:
        """A ping goes out when nothing comes in for a while; a second silence ends the connection."""
        is_pinged = False
        while True:
            try:
                async with asyncio.timeout(self._settings.ping_interval_s):
                    data = await _bytes(reader)
            except TimeoutError:
                if is_pinged:
                    raise _LostError("it does not answer a ping") from None
                is_pinged = True
                writer.write(encode("Ping", "ping"))
                continue
            is_pinged = False
            for each in decoder.feed(data):
                self._received(each)

    def _received(self, each: Received) -> None:
        if isinstance(each, Malformed):
            self.counters.malformed += 1
            if self.counters.malformed <= _PROBLEMS_LOGGED:
                self._log.warning("ami_malformed", cause=each.reason)
            return
        action_id = each.get("ActionID") if isinstance(each, AmiMessage) else ""
        pending = self._pending.get(action_id)
        if pending is None or pending.answered.done() or isinstance(each, Banner):
            self.counters.unasked += action_id != "ping"
            return
        if len(pending.received) >= _LIST_ITEMS:
            pending.answered.set_exception(ControlError(f"Asterisk lists more than {_LIST_ITEMS} channels"))
            return
        pending.received.append(each)
        if not pending.is_list or _ends(pending.received):
            pending.answered.set_result(tuple(pending.received))

    def _down(self) -> None:
        """What waits for an answer fails: it may have been done, so nobody sends it again."""
        self._writer = None
        if not self._is_closed:
            self._up.clear()
        for each in self._pending.values():
            if not each.answered.done():
                cause = f"the connection to the manager was lost before it answered: {self.trouble}"
                each.answered.set_exception(ControlError(cause, is_uncertain=True))


async def _bytes(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(_READ_BYTES)
    if not data:
        raise _LostError("it has closed the connection")
    return data


def _ends(received: Sequence[AmiMessage]) -> bool:
    first, last = received[0], received[-1]
    return first.get("Response") != "Success" or last.get("EventList").lower() in ("complete", "cancelled")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
