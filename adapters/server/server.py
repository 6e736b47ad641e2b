"""`TurnspecServer`: calls from every line, each with its spec's machine, its observers and its end. Never a decision.

One process, one loop: the calls share a ticker, the threads of plain tools, one writer thread for recordings and one
for journals. A call that fails is logged and ends politely; no other one notices.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs
import structlog

from adapters.audio.tick import Ticker
from adapters.call.call import Call
from adapters.call.journal_writer import CallJournal, JournalWriter
from adapters.call.observers import Observer
from adapters.call.wire_log import WireLog
from adapters.files import FileWriterThread
from adapters.lines.chan_websocket.server import ChanWebSocketServer
from adapters.lines.refusal import CallRefusal
from adapters.lines.twilio.server import TwilioServer
from adapters.lines.twilio.webhook import Webhook
from adapters.server.admission import LoopWatch, NewCalls
from adapters.server.announcements import joined
from adapters.server.circuits import Circuits
from adapters.server.generation import Generation, changed_beyond
from adapters.server.incoming import NotTaken, agent_of, held_at
from adapters.server.inside import NotReady, ReloadVerdict
from adapters.server.lines import ServedLeg, ServerLines
from adapters.server.measured import LoopLag, measure_server
from adapters.server.readiness import ProviderHealth
from adapters.server.reload import ConfigReader, ReloadRefusedError, Reloads, merged_secrets
from adapters.server.retention import Retention, retentions_of
from adapters.server.server_inside import ServerInside
from adapters.server.service import run_service
from adapters.server.store import CallClaim, CallStore, LocalStore, shared_over
from adapters.settings.config import AgentSettings, Settings
from adapters.tool_processes import ToolProcesses
from fsm.errors import LocalError

if TYPE_CHECKING:
    from adapters.metrics.metrics import Metrics
    from adapters.server.door.door import Door

log = structlog.get_logger(__name__)

NewObservers = Callable[[str], Iterable[Observer]]
"""Further observers of a call, by its id; one list for each call."""

CUT_S: Final = 5.0
"""After the drain of a shutdown: for the goodbyes of the line, and for what holds out against them."""
READ_S: Final = 1.0
"""At the end, for dialplans that have not yet asked how the last calls ended."""
DOOR_S: Final = 0.5
"""For who is being answered then."""
FORCED_S: Final = 0.5
"""The same where it is forced: long enough for a peer that listens, so that its dialplan goes on."""
_BUSY: Final = "the loop is too late for one more call (limits.loop_lag_ms)"
_TOO_MANY: Final = "too many calls have just begun (limits.new_calls_s)"


@attrs.frozen(kw_only=True)
class Employment:
    """What a server that is one of several is given by whoever accepts the connections and holds the door."""

    store: CallStore
    on_provider_seen: Callable[[str], None]
    """Why a call has got no session of its provider, or ""."""
    deletes_old_files: bool
    """One of them does."""


class TurnspecServer:
    """`start()`, then calls come by themselves, then `close()`. `run()` does all three, until SIGTERM or SIGINT."""

    def __init__(
        self,
        settings: Settings,
        new_observers: NewObservers | None = None,
        config: ConfigReader | None = None,
        employment: Employment | None = None,
    ) -> None:
        """`config`: where a reload reads. `employment`: it listens nowhere and has no door, and is given connections
        (`adopt`)."""
        self.settings = settings
        self.secrets = settings.secrets
        """Those of every configuration so far: live calls may have an older one."""
        self._new_observers = new_observers
        self._config = config
        self._employment = employment
        self._ticker = Ticker()
        self._recordings = FileWriterThread()
        self._threads = ThreadPoolExecutor(settings.tool_threads, thread_name_prefix="tool")
        self._processes = ToolProcesses(settings.tool_processes)

        def now_s() -> float:
            return asyncio.get_running_loop().time()

        self._circuits = Circuits(now_s, settings.provider_failures)
        self._generation = Generation(settings, self._threads, self._recordings, self._processes, self._circuits)
        self._superseded: list[Generation] = []
        self._journals: JournalWriter | None = None
        self._retentions: list[Retention] = []
        self._calls: dict[str, Call] = {}
        self._running = 0
        self._none_left = asyncio.Event()
        self._none_left.set()
        self._is_closing = False
        self.is_leaving = False
        self.forced = asyncio.Event()
        self.watch = LoopWatch(settings.loop_lag_s)
        self._new_calls = NewCalls(settings.new_calls_s)
        self._lines = ServerLines(
            settings, self._ticker, self._on_call, self.refused, lambda: self._too_much() is not None, self._keeps_out
        )

        self._local = LocalStore(now_s)
        self.store: CallStore = shared_over(self._local, settings.cluster) if employment is None else employment.store
        seen = employment.on_provider_seen if employment is not None else lambda _complaint: None
        self._health = ProviderHealth(now_s, settings.provider_urls, settings.provider.limits.system_proxy, seen)
        self._reloads = Reloads(self._reload if config is not None else None)
        self.inside = ServerInside(
            self._calls, settings, self.store, self._health, self._reasons, self._keeps_out,
            lambda: self.metrics.render() if self.metrics else b"", self._reloads,
            self._circuits.passed_over, self._lines.attachments.attach,
        )  # fmt: skip
        """What whoever is not a call may see and ask."""
        self._lag = LoopLag()
        self.metrics = self._new_metrics()
        self.door = self._new_door()

    def _new_metrics(self) -> Metrics | None:
        """Where nobody can ask for them, nothing is measured."""
        if self.settings.http is None:
            return None
        from adapters.metrics.metrics import Metrics

        metrics = Metrics()
        measure_server(
            metrics, self._ticker, self._lag, self._calls, self.settings.audiosocket.max_connections,
            lambda: bool(self.store.degraded()),
        )  # fmt: skip
        self._circuits.measure(metrics)
        if self._lines.incoming is not None:
            self._lines.incoming.on_delivery_refused = metrics.delivery_refused
        metrics.gauge("recordings_waiting_bytes", "Not yet on the disk.", lambda: self._recordings.waiting_bytes)
        metrics.gauge("journals_waiting_bytes", "Not yet on the disk.", self._journals_waiting)
        return metrics

    def _journals_waiting(self) -> float:
        return 0.0 if self._journals is None else self._journals.thread.waiting_bytes

    def _new_door(self) -> Door | None:
        """Its libraries are an extra, and imported before there are calls."""
        if self.settings.http is None or self._employment is not None:
            return None
        from adapters.server.door.door import Door
        from adapters.server.sip_route import sip_route
        from adapters.server.twiml_route import twiml_route

        signed = [twiml_route(self.webhook)] if self.webhook is not None else []
        if self._lines.incoming is not None:
            signed.append(sip_route(self._lines.incoming))
        return Door(self.settings.http, self.inside, signed)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, sock: socket.socket | None = None) -> None:
        """Prepares all that calls share, then listens (AudioSocket on a bound `sock` if given).

        OSError: it cannot, and why.
        """
        settings, generation = self.settings, self._generation
        generation.warm_up()
        if settings.call.journal_dir is not None:
            self._journals = JournalWriter(settings.call.journal_dir)
        if self._employment is None or self._employment.deletes_old_files:
            self._retentions = retentions_of(settings, self._journals, self._recordings)
        generation.start(self._journals)
        await self.store.start()
        if self._employment is None:
            await self._lines.start(sock)
        self.watch.start()
        if self.metrics is not None:
            self._lag.start()
        if self.door is not None:
            await self.door.open()
        gc.collect()
        gc.freeze()  # a full collection no longer walks what is here for good (docs/facts/performance.md)
        if self._employment is not None:
            return
        names = [agent.name for agent in settings.agents]
        log.info(
            "ready",
            spec=settings.spec.name,
            agents=names,
            provider=settings.provider.label,
            server=settings.provider.server_name,
            addresses=self.addresses,
        )

    async def close(self, drain_s: float | None = None) -> None:
        """New calls are turned away; live ones end when nobody speaks, is heard or waits for an answer.

        AudioSocket's port stays open meanwhile. What has not ended after `drain_s` (the settings' `shutdown_s` unless
        given) is ended then, politely as well.
        """
        self._is_closing = True
        drain_s = self.settings.shutdown_s if drain_s is None else drain_s
        if self._calls:
            log.info("closing", calls=len(self._calls), drain_s=drain_s)
        self._lines.drain()
        for call in list(self._calls.values()):
            call.leave("server_closing")
        await self._wait_for(self._none_left, drain_s)
        if self._calls:
            log.warning("calls_cut_short", calls=sorted(self._calls))
        for call in list(self._calls.values()):
            call.hang_up("server_closing")
        cut_s = FORCED_S if self.forced.is_set() else CUT_S
        await self._lines.close(cut_s)
        await self._wait_for(self._none_left, CUT_S)
        await self._close_door()
        await self._reloads.close()
        await self.store.close()
        await asyncio.gather(*(each.close() for each in (self._generation, *self._superseded)))
        self._ticker.close()
        self.watch.close()
        for each in self._retentions:
            each.close()
        for what, written in (("recordings", self._recordings.close()), ("journals", self._close_journals())):
            if not written:
                log.error("not_all_written", what=what)
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._processes.close()
        log.info("closed")

    def force(self) -> None:
        """A `close` under way no longer waits for the calls."""
        self.forced.set()

    async def run(self) -> None:
        """Serves until a signal says to stop (service.py). OSError: it cannot start."""
        await run_service(self, self.settings, self._reloads, lambda _stop: self.start())

    @property
    def live_calls(self) -> int:
        return self._running

    async def _close_door(self) -> None:
        """The last thing: how the last calls ended can still be asked for."""
        if self.door is not None:
            await self._wait_for(self._local.all_read, max(READ_S - self._local.since_last_result_s(), 0))
            await self.door.close(DOOR_S)
        self._lag.close()
        await self._health.close()

    def _close_journals(self) -> bool:
        return self._journals is None or self._journals.close()

    async def _wait_for(self, event: asyncio.Event, deadline_s: float) -> None:
        """Or until we are forced."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.forced.wait())]
        await asyncio.wait(waits, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    # --- calls --------------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket; AudioSocket's first."""
        return self._lines.addresses

    @property
    def port(self) -> int:
        """AudioSocket's."""
        return self._lines.audiosocket.port

    @property
    def channels(self) -> ChanWebSocketServer | None:
        return self._lines.channels

    @property
    def streams(self) -> TwilioServer | None:
        return self._lines.streams

    @property
    def webhook(self) -> Webhook | None:
        return self._lines.webhook

    @property
    def calls(self) -> Mapping[str, Call]:
        """The live calls by the id that the line gives them: for `hang_up` and `say`."""
        return MappingProxyType(self._calls)

    def adopt(self, line: str, sock: socket.socket, peer: tuple[str, int]) -> None:
        """A connection of a line (adapters.server.lines) that somebody else has accepted; it is ours from here on."""
        self._lines.adopt(line, sock, peer)

    def has_newcomers(self) -> bool:
        """As many as come at once: whoever hands over further connections waits a moment."""
        return self._lines.has_newcomers()

    def _reasons(self) -> list[NotReady]:
        found = [NotReady("not_listening", f"{name} is not listening") for name in self._lines.unbound()]
        if self._is_closing:
            found.append(NotReady("draining", "the server is closing"))
        elif self.is_leaving:  # a call that comes all the same is taken
            found.append(NotReady("draining", "the server is about to close"))
        if self.watch.is_busy():
            found.append(NotReady("busy", _BUSY))
        if why := self._generation.agents.refusal():
            found.append(NotReady("no_provider", why))
        return found

    def _keeps_out(self) -> str | None:
        """Why no call is taken at the moment."""
        if self._is_closing:
            return "the server is closing"
        return self._too_much()

    def _too_much(self) -> str | None:
        if self.watch.is_busy():
            return _BUSY
        return _TOO_MANY if self._new_calls.is_full(asyncio.get_running_loop().time()) else None

    async def _on_call(self, leg: ServedLeg) -> None:
        call_id = leg.call_id
        if self._is_closing:
            self._refuse(leg, CallRefusal.DRAIN, "the server is closing")
            return
        wait_s = self._new_calls.wait_s(asyncio.get_running_loop().time())
        if wait_s is None:
            self._refuse(leg, CallRefusal.BUSY, _TOO_MANY)
            return
        if wait_s:
            await asyncio.sleep(wait_s)
        structlog.contextvars.bind_contextvars(call_id=call_id)  # for all that this task begins
        if node := await held_at(self.store, leg):
            self._refuse(leg, CallRefusal.LIVE_CALL, f"node {node} has it")
            return
        claim = await self.store.claim(call_id, leg.peer[0])
        if claim.refusal is not None:
            self._refuse(leg, claim.refusal, f"it is not taken: {claim.refusal.value}")
            return
        try:
            if self._is_closing:  # since then
                self.store.release(call_id, claim)  # before the refusal, which is the last word
                self._refuse(leg, CallRefusal.DRAIN, "the server is closing")
                return
            await self._serve(leg, claim)
        finally:
            self.store.release(call_id, claim)

    async def _serve(self, leg: ServedLeg, claim: CallClaim) -> None:
        data = joined(leg.data, claim.announcement)
        generation, call_id = self._generation, leg.call_id
        agent = await agent_of(generation.agents, leg, data)
        if self._is_closing:  # since then
            agent = NotTaken(CallRefusal.DRAIN, "the server is closing")
        if isinstance(agent, NotTaken):
            self.store.release(call_id, claim)
            self._refuse(leg, agent.why, agent.text)
            return
        keeps = agent.settings.call.journal_dir is not None
        journals = generation.journals if keeps else None
        journal = journals.open(agent.header(call_id, data)) if journals is not None else None
        self._running += 1
        self._none_left.clear()
        generation.began()
        try:
            services = agent.services(leg.rate_hz)
            call = Call(call_id, leg, services, self._observers(agent.settings, call_id, journal), data)
            await self._run(call, leg, claim)
        finally:  # a failure goes on to the listener: it logs it, and ends the line politely
            if journal is not None:
                journal.close()
            generation.ended()
            self._running -= 1
            if not self._running:
                self._none_left.set()

    def refused(self, call_id: str, reason: str) -> None:
        """A listener or we do not take this call: its dialplan may ask why. Of a live call nothing is said."""
        if self.metrics is not None:
            self.metrics.refused.labels(self.metrics.reason(reason)).inc()
        if call_id not in self._calls and reason != CallRefusal.LIVE_CALL.value:
            self.store.refuse(call_id, reason)

    def _refuse(self, leg: ServedLeg, why: CallRefusal, text: str) -> None:
        """The result is there before the dialplan can ask for it."""
        self.refused(leg.call_id, why.value)
        leg.refuse(text, why.value)

    async def _run(self, call: Call, leg: ServedLeg, claim: CallClaim) -> None:
        self._calls[call.call_id] = call
        data = call.data
        log.info("call_began", peer=leg.peer[0], agent=call.agent, caller_id=data.caller_id, dialled=data.dialled)
        try:
            await call.run()
            if self._calls.get(call.call_id) is call:
                await self.store.keep_result(call.call_id, call.outcome, call.result.values)
            self.store.release(call.call_id, claim)  # before the line is told: its dialplan may come again with this id
            await leg.hang_up()
        finally:
            if self._calls.get(call.call_id) is call:  # its uuid is free before it is done: there may be a new one
                del self._calls[call.call_id]

    def _observers(self, agent: AgentSettings, call_id: str, journal: CallJournal | None) -> list[Observer]:
        found: list[Observer] = [self._health] if journal is None else [self._health, journal]
        if self.metrics is not None:
            from adapters.metrics.call_metrics import CallMetrics

            found.append(CallMetrics(self.metrics, agent.spec, agent.name))
        if self._generation.settings.log.wire:
            found.append(WireLog(call_id))
        return found + list(self._new_observers(call_id) if self._new_observers is not None else ())

    # --- another configuration ----------------------------------------------------------------------------------------

    async def _reload(self) -> ReloadVerdict:
        """ReloadRefusedError."""
        assert self._config is not None
        read = await self._config.read(self._generation.settings)
        try:
            self.renew(await self.prepared(read))
        except (OSError, ValueError, LocalError, ImportError) as error:
            raise ReloadRefusedError(f"what calls need cannot be had: {error}") from error
        self._config.configure_logs(attrs.evolve(read, secrets=self.secrets))
        return ReloadVerdict(
            agents=[each.name for each in read.agents],
            problems=[str(each) for each in read.warnings],
            needs_restart=changed_beyond(self.settings, read),
        )

    async def prepared(self, settings: Settings) -> Generation:
        """What calls could begin with; nothing is changed. ValueError, OSError: it cannot be had."""
        generation = Generation(settings, self._threads, self._recordings, self._processes, self._circuits)
        await asyncio.to_thread(generation.warm_up)
        return generation

    def renew(self, generation: Generation) -> None:
        """New calls begin with this; live ones keep what they have."""
        generation.start(self._journals)
        before, self._generation = self._generation, generation
        self._superseded = [each for each in self._superseded if not each.is_over]
        self._superseded.append(before)
        before.supersede()
        settings = generation.settings
        self.secrets = merged_secrets(self.secrets, settings.secrets)
        self._lines.renew(settings)
        self.inside.renew(attrs.evolve(settings, secrets=self.secrets))
        self._health.renew(settings.provider_urls, settings.provider.limits.system_proxy)
