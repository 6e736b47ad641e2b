"""`TurnspecServer`: calls from AudioSocket, each with its spec's machine, its observers and its end. Never a decision.

One process, one loop: the calls share a ticker, the threads of plain tools, one writer thread for recordings and one
for journals. A call that fails is logged and ends politely; no other one notices.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Final

import structlog

from adapters.audio.prompt import load_prompts
from adapters.audio.tick import Ticker
from adapters.call.call import Call, CallServices
from adapters.call.journal_writer import CallJournal, JournalWriter
from adapters.call.observers import Observer
from adapters.call.wire_log import WireLog
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection, Gone
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.settings.config import Settings
from fsm.machine.machine import TurnSpecMachine

log = structlog.get_logger(__name__)

NewObservers = Callable[[str], Iterable[Observer]]
"""Further observers of a call, by its id; one list for each call."""

CUT_S: Final = 5.0
"""After the drain of a shutdown: for the goodbyes of the line, and for what holds out against them."""
FORCED_S: Final = 0.5
"""The same where it is forced: long enough for a peer that listens, so that its dialplan goes on."""


class TurnspecServer:
    """`start()`, then calls come by themselves, then `close()`. `run()` does all three, until SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, new_observers: NewObservers | None = None) -> None:
        self.settings = settings
        self._new_observers = new_observers
        self._machine = TurnSpecMachine(settings.spec)
        self._ticker = Ticker()
        self._recordings = FileWriterThread()
        self._threads = ThreadPoolExecutor(settings.tool_threads, thread_name_prefix="tool")
        self._journals: JournalWriter | None = None
        self._services: CallServices | None = None
        self._calls: dict[str, Call] = {}
        self._running = 0
        self._none_left = asyncio.Event()
        self._none_left.set()
        self._is_closing = False
        self._forced = asyncio.Event()
        self._listener = AudioSocketServer(settings.audiosocket, self._ticker, self._on_call)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, sock: socket.socket | None = None) -> None:
        """Prepares all that calls share, then listens (on a bound `sock` if given). OSError: it cannot, and why."""
        settings = self.settings
        self._warm_up()
        if settings.call.journal_dir is not None:
            self._journals = JournalWriter(
                settings.call.journal_dir, settings.spec, settings.spec_digest, settings.call, secrets=settings.secrets
            )
        if settings.call.recording_dir is not None:
            settings.call.recording_dir.mkdir(parents=True, exist_ok=True)
        prompts = load_prompts(settings.audiosocket.rate_hz)
        self._services = CallServices(
            self._machine, settings.provider, settings.call, prompts, self._threads, self._recordings
        )
        await self._listener.start(sock)
        gc.collect()
        gc.freeze()  # a full collection no longer walks what is here for good (docs/facts/performance.md)
        log.info("ready", spec=settings.spec.name, provider=settings.provider.label, addresses=self.addresses)

    def _warm_up(self) -> None:
        """What would hold the loop during the first call."""
        self.settings.provider.warm_up()
        if self.settings.call.tools:
            import jsonschema  # noqa: F401

    async def close(self, drain_s: float | None = None) -> None:
        """New calls are turned away politely; live ones end when nobody speaks, is heard or waits for an answer.

        What has not ended after `drain_s` (the settings' `shutdown_s` unless given) is ended then, politely as well.
        """
        self._is_closing = True
        drain_s = self.settings.shutdown_s if drain_s is None else drain_s
        if self._calls:
            log.info("closing", calls=len(self._calls), drain_s=drain_s)
        for call in list(self._calls.values()):
            call.leave("server_closing")
        await self._wait_until_empty(drain_s)
        if self._calls:
            log.warning("calls_cut_short", calls=sorted(self._calls))
        for call in list(self._calls.values()):
            call.hang_up("server_closing")
        await self._listener.close(FORCED_S if self._forced.is_set() else CUT_S)
        await self._wait_until_empty(CUT_S)
        self._ticker.close()
        for what, written in (("recordings", self._recordings.close()), ("journals", self._close_journals())):
            if not written:
                log.error("not_all_written", what=what)
        self._threads.shutdown(wait=False, cancel_futures=True)
        log.info("closed")

    def force(self) -> None:
        """A `close` under way no longer waits for the calls."""
        self._forced.set()

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT; a second one ends the wait for the calls. OSError: it cannot start."""
        stop = asyncio.Event()

        def on_signal() -> None:
            if stop.is_set():
                self.force()
            stop.set()

        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, on_signal)
        try:
            await self.start()
            await stop.wait()
        finally:
            await self.close()
            for number in signals:
                loop.remove_signal_handler(number)

    def _close_journals(self) -> bool:
        return self._journals is None or self._journals.close()

    async def _wait_until_empty(self, deadline_s: float) -> None:
        waits = [asyncio.ensure_future(self._none_left.wait()), asyncio.ensure_future(self._forced.wait())]
        await asyncio.wait(waits, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    # --- calls --------------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket."""
        return self._listener.addresses

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def calls(self) -> Mapping[str, Call]:
        """The live calls by id (Asterisk's uuid): for `hang_up` and `say`."""
        return MappingProxyType(self._calls)

    async def _on_call(self, connection: Connection) -> None:
        call_id = str(connection.uuid)
        if self._is_closing or self._services is None:
            connection.leave(Gone.SERVER_CLOSING)  # politely: Asterisk's dialplan goes on
            return
        structlog.contextvars.bind_contextvars(call_id=call_id)  # for all that this task begins
        journal = self._open_journal(call_id)
        self._running += 1
        self._none_left.clear()
        try:
            call = Call(call_id, connection, self._services, self._observers(call_id, journal))
            await self._run(call, connection)
        finally:  # a failure goes on to the listener: it logs it, and ends the line politely
            if journal is not None:
                journal.close()
            self._running -= 1
            if not self._running:
                self._none_left.set()

    async def _run(self, call: Call, connection: Connection) -> None:
        self._calls[call.call_id] = call
        log.info("call_began", peer=connection.peer[0])
        try:
            await call.run()
            connection.leave(Gone.HUNG_UP)
        finally:
            if self._calls.get(call.call_id) is call:  # its uuid is free before it is done: there may be a new one
                del self._calls[call.call_id]

    def _open_journal(self, call_id: str) -> CallJournal | None:
        return self._journals.open(call_id) if self._journals is not None else None

    def _observers(self, call_id: str, journal: CallJournal | None) -> list[Observer]:
        found: list[Observer] = [] if journal is None else [journal]
        if self.settings.log.wire:
            found.append(WireLog(call_id))
        return found + list(self._new_observers(call_id) if self._new_observers is not None else ())
