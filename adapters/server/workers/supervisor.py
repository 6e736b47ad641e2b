"""`Supervisor`: accepts every line's connections and gives each to the worker with least to do; holds the one door.

It reads nothing of a connection. Its workers are processes that end with it; one that dies is replaced after a pause
that doubles, and its calls are gone. What is known of calls beyond their worker is kept here (shared_store.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import structlog

from adapters.lines.audiosocket.listener import Acceptor, bound_sockets, reset
from adapters.lines.twilio.gate import Gate
from adapters.lines.twilio.webhook import Webhook
from adapters.server.generation import changed_beyond
from adapters.server.inside import Announcement, NotReady, ReloadVerdict
from adapters.server.lines import AUDIOSOCKET, CHAN_WEBSOCKET, TWILIO
from adapters.server.readiness import ProviderHealth
from adapters.server.reload import ConfigReader, ReloadRefusedError, Reloads, merged_secrets
from adapters.server.server import DOOR_S, READ_S
from adapters.server.service import END_S, run_service
from adapters.server.workers.backoff import Backoff
from adapters.server.workers.link import LinkError, Said
from adapters.server.workers.shared_store import SharedStore
from adapters.server.workers.worker_process import WorkerProcess
from adapters.settings.config import Settings
from fsm.errors import LocalError

if TYPE_CHECKING:
    from adapters.metrics.merged import MergedMetrics
    from adapters.server.door.door import Door

log = structlog.get_logger(__name__)

BEGIN_S: Final = 60.0
"""From the begin of a worker to its being ready: its specs are type-checked by then, or their verdict is known."""
PREPARE_S: Final = 60.0
"""For a worker to load another configuration; it has calls to serve meanwhile."""
KILL_AFTER_S: Final = END_S - 2.0
"""After the drain of a shutdown a worker that is still there is killed."""


class WorkerStartError(LocalError):
    """A worker cannot begin: why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Supervisor:
    """`run()` until SIGTERM or SIGINT; SIGHUP reloads."""

    def __init__(self, settings: Settings, path: Path, config: ConfigReader) -> None:
        self.settings = settings
        self._started_with = settings
        self._secrets = settings.secrets
        self._path = path
        self._config = config
        self.restarts = 0

        def now_s() -> float:
            return asyncio.get_running_loop().time()

        audiosocket = settings.audiosocket
        most, most_of_peer = audiosocket.max_connections, audiosocket.max_calls_per_peer
        self.store = SharedStore(now_s, most, most_of_peer, settings.cluster)
        self._health = ProviderHealth(now_s, settings.provider_urls, settings.provider.limits.system_proxy)
        self._workers: dict[int, WorkerProcess] = {}
        self._numbers = 0
        self._chosen = 0
        self._acceptors: dict[str, Acceptor] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._is_closing = False
        self.is_leaving = False
        self.forced = asyncio.Event()
        self._reloads = Reloads(self._reload)
        self._metrics: MergedMetrics | None = None
        self.door = self._new_door()

    def _new_door(self) -> Door | None:
        """Its libraries are an extra."""
        settings = self.settings
        if settings.http is None:
            return None
        from adapters.metrics.merged import MergedMetrics
        from adapters.server.door.door import Door
        from adapters.server.twiml_route import twiml_route
        from adapters.server.workers.supervisor_inside import SupervisorInside

        self._metrics = MergedMetrics()
        inside = SupervisorInside(self, self.store, self._health, self._metrics, self._reloads)
        signed = []
        if settings.twilio is not None:  # a token of its answer is known by its secret: in every worker
            signed.append(twiml_route(Webhook(settings.twilio, Gate(settings.twilio), self._is_full)))
        return Door(settings.http, inside, signed)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """OSError: it cannot listen, or there can be no process. WorkerStartError."""
        await run_service(self, self.settings, self._reloads, self.start)

    @property
    def live_calls(self) -> int:
        return len(self.store)

    async def start(self, stop: asyncio.Event | None = None) -> None:
        """All workers are ready, then it listens. `stop`: it need not go on."""
        socks = await self._bound()
        try:
            await self.store.kept.start()
            await self._begin_workers(stop or asyncio.Event())
        except BaseException:
            for each in (sock for some in socks.values() for sock in some):
                each.close()
            raise
        backlogs = dict(self._lines())
        for line, some in socks.items():
            acceptor = self._acceptors[line] = self._acceptor(line)
            acceptor.start(some, backlogs[line][2])
        if self.door is not None:
            await self.door.open()
        log.info(
            "ready", spec=self.settings.spec.name, agents=[each.name for each in self.settings.agents],
            provider=self.settings.provider.label, server=self.settings.provider.server_name,
            addresses=self.addresses, workers=len(self.ready),
        )  # fmt: skip

    def _lines(self) -> Iterator[tuple[str, tuple[str, int, int]]]:
        settings = self._started_with
        sections = ((AUDIOSOCKET, settings.audiosocket), (CHAN_WEBSOCKET, settings.chan_websocket))
        for name, section in (*sections, (TWILIO, settings.twilio)):
            if section is not None:
                yield name, (section.host, section.port, section.backlog)

    async def _bound(self) -> dict[str, list[socket.socket]]:
        found: dict[str, list[socket.socket]] = {}
        try:
            for line, (host, port, _) in self._lines():
                found[line] = await bound_sockets(host, port, reuse_port=False)
        except OSError:
            for sock in (sock for some in found.values() for sock in some):
                sock.close()
            raise
        return found

    async def _begin_workers(self, stop: asyncio.Event) -> None:
        wanted = self.settings.serve.workers
        begun = [asyncio.get_running_loop().create_future() for _ in range(wanted)]
        self._keeping = [
            asyncio.get_running_loop().create_task(self._keep(slot, begun[slot]), name=f"worker {slot}")
            for slot in range(wanted)
        ]
        stopped = asyncio.get_running_loop().create_task(stop.wait(), name="stop before the begin")
        all_begun = asyncio.gather(*begun)
        try:
            waits: set[asyncio.Future[Any]] = {all_begun, stopped}
            await asyncio.wait(waits, timeout=BEGIN_S, return_when=asyncio.FIRST_COMPLETED)
            if all_begun.done():
                all_begun.result()
            elif not stopped.done():
                raise WorkerStartError([f"not every worker was ready within {BEGIN_S:g} s"])
        finally:
            stopped.cancel()
            all_begun.cancel()
            await asyncio.gather(all_begun, stopped, return_exceptions=True)

    async def close(self) -> None:
        """The workers drain, as one process does; who has not ended by then is killed."""
        self._is_closing = True
        drain_s = self._started_with.shutdown_s
        if len(self.store):
            log.info("closing", calls=len(self.store), drain_s=drain_s)
        await self._reloads.close()
        for worker in self._workers.values():
            worker.link.tell("stop", drain_s=drain_s)
            if self.forced.is_set():
                worker.link.tell("force")
        await self._wait_for_workers(drain_s + KILL_AFTER_S)
        for acceptor in self._acceptors.values():
            acceptor.close()
        if self.door is not None:
            kept = self.store.local
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(kept.all_read.wait(), max(READ_S - kept.since_last_result_s(), 0.001))
            await self.door.close(DOOR_S)
        await self.store.kept.close()
        await self._health.close()
        log.info("closed")

    async def _wait_for_workers(self, deadline_s: float) -> None:
        idle = [each for each in self._keeping if not each.done()]
        if idle and not self._workers:  # they wait for their next attempt
            deadline_s = 0.0
        if idle:
            await asyncio.wait(idle, timeout=deadline_s)
        for worker in list(self._workers.values()):
            log.error("worker_killed", worker=worker.slot, why="it did not end in time")
            worker.kill()
        for each in idle:
            if not self._workers:
                each.cancel()
        if idle:
            await asyncio.wait(idle, timeout=1.0)
        for each in idle:
            each.cancel()
        await asyncio.gather(*idle, return_exceptions=True)

    def force(self) -> None:
        """A `close` under way no longer waits for the calls."""
        self.forced.set()
        for worker in self._workers.values():
            worker.link.tell("force")

    # --- workers ------------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> list[WorkerProcess]:
        """Those that take calls, by their place."""
        return sorted((each for each in self._workers.values() if each.is_ready), key=lambda each: each.slot)

    def by_number(self, number: int | None) -> WorkerProcess | None:
        return None if number is None else self._workers.get(number)

    async def _keep(self, slot: int, begun: asyncio.Future[None]) -> None:
        """One worker after another in this place. The first has to begin: else `begun` says why it does not."""
        loop, backoff = asyncio.get_running_loop(), Backoff()
        while not self._is_closing:
            backoff.began(loop.time())
            problems = await self._live(slot, begun)
            if not begun.done():
                begun.set_exception(WorkerStartError(problems or ["a worker has ended before it was ready"]))
                return
            if self._is_closing:
                return
            pause_s = backoff.failed(loop.time())
            log.info("worker_restarts", worker=slot, in_s=pause_s)
            await asyncio.sleep(pause_s)
            self.restarts += 1

    async def _live(self, slot: int, begun: asyncio.Future[None]) -> list[str]:
        """One worker from its begin to its end; what it complained of."""
        self._numbers += 1
        worker = WorkerProcess(self._numbers, slot, self)
        settings = self.settings
        try:
            await worker.start(settings.serve.loop, str(self._path.resolve()), settings.texts, slot == 0)
        except OSError as error:
            log.error("worker_not_begun", worker=slot, why=str(error))
            return [f"a process cannot be begun: {error}"]
        self._workers[worker.number] = worker
        if self._is_closing:  # while its process was begun
            worker.link.tell("stop", drain_s=0.0)
        welcomed = asyncio.get_running_loop().create_task(self._welcome(worker, begun), name=f"welcome {slot}")
        try:
            code = await worker.ended()
        finally:
            welcomed.cancel()
            worker.kill()
            del self._workers[worker.number]
            if self._metrics is not None:
                self._metrics.lose(worker.number)
            lost = self.store.lose(worker.number)
        if not self._is_closing:
            log.error(
                "worker_died", worker=slot, pid=worker.pid, code=code, calls_lost=lost, problems=list(worker.problems)
            )
        return list(worker.problems)

    async def _welcome(self, worker: WorkerProcess, begun: asyncio.Future[None]) -> None:
        try:
            await asyncio.wait_for(worker.ready_or_over.wait(), BEGIN_S)
        except TimeoutError:
            log.error("worker_not_ready", worker=worker.slot, within_s=BEGIN_S)
            worker.kill()
            return
        if not worker.is_ready:
            return
        log.info("worker_ready", worker=worker.slot, pid=worker.pid)
        if not begun.done():
            begun.set_result(None)
        while worker.texts is not self.settings.texts:  # there was a reload meanwhile
            texts = self.settings.texts
            if problems := await self._prepare(worker, texts):
                log.error("worker_not_reloaded", worker=worker.slot, problems=problems)
                worker.kill()
                return
            await self._commit(worker, texts)

    # --- connections --------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket; AudioSocket's first."""
        return [address for acceptor in self._acceptors.values() for address in acceptor.addresses]

    def _acceptor(self, line: str) -> Acceptor:
        def starved() -> None:
            log.warning("connection_reset", line=line, why="no file descriptors")

        return Acceptor(lambda sock, _peer: self._hand_over(line, sock), starved)

    def _hand_over(self, line: str, sock: socket.socket) -> None:
        """To the worker with least to do; one that is busy comes last, one whose queue is full not at all."""
        now_s = asyncio.get_running_loop().time()
        loads = {each: each.load(now_s, self.store.count_of(each.number)) for each in self.ready}
        self._chosen += 1
        for worker in sorted(loads, key=lambda each: (each.is_busy, loads[each], each.chosen)):
            if worker.hand_over(line, sock, self._chosen):
                return
        reset(sock)
        log.warning("connection_reset", line=line, why="no worker takes it")

    def reasons(self) -> list[NotReady]:
        """Why no call should come, beside the provider."""
        missing = [line for line, _ in self._lines() if line not in self._acceptors]
        found = [NotReady("not_listening", f"{line} is not listening") for line in missing]
        if self._is_closing:
            found.append(NotReady("draining", "the server is closing"))
        elif self.is_leaving:  # a call that comes all the same is taken
            found.append(NotReady("draining", "the server is about to close"))
        ready, wanted = self.ready, self._started_with.serve.workers
        if len(ready) < wanted:
            found.append(NotReady("worker_missing", f"{wanted - len(ready)} of {wanted} workers do not take calls"))
        if ready and all(each.is_busy for each in ready):
            found.append(NotReady("busy", "every worker's loop is too late for one more call"))
        return found

    def keeps_out(self) -> str | None:
        """Why no call is taken at the moment."""
        if self._is_closing:
            return "the server is closing"
        return None if self.ready else "no worker takes calls"

    def _is_full(self) -> str | None:
        most = self._started_with.audiosocket.max_connections
        if len(self.store) >= most:
            return f"{most} calls are live"
        busy = bool(self.ready) and all(each.is_busy for each in self.ready)
        return self.keeps_out() or ("every worker is busy" if busy else None)

    # --- what workers say ---------------------------------------------------------------------------------------------

    def told(self, worker: WorkerProcess, what: str, said: Said) -> None:
        if what == "release":
            self.store.release_of(worker.number, said["id"], said["ticket"])
        elif what == "refused":
            self.store.kept.refuse(said["id"], said["reason"])
        elif what == "seen":
            self._health.note(said["complaint"])

    async def asked(self, worker: WorkerProcess, what: str, said: Said) -> object:
        if what == "claim":
            claim = await self.store.claim(worker.number, said["id"], said["peer"])
            announced = attrs.asdict(claim.announcement) if claim.announcement is not None else None
            return {"refusal": claim.refusal, "announcement": announced, "ticket": claim.ticket}
        if what == "ended":
            await self.store.kept.keep_result(said["id"], said["word"], said["values"])
            return True
        if what == "announce":
            return attrs.asdict(await self.store.kept.announce(Announcement(**said["announcement"])))
        assert what == "result", what
        kept = await self.store.kept.result(said["id"])
        return None if kept is None else {"word": kept.word, "values": kept.values, "until_s": kept.until_s}

    # --- another configuration ----------------------------------------------------------------------------------------

    async def _reload(self) -> ReloadVerdict:
        """All workers have it, or none. ReloadRefusedError."""
        read = await self._config.read(self.settings)
        workers = self.ready
        found = await asyncio.gather(*(self._prepare(each, read.texts) for each in workers))
        if problems := list(dict.fromkeys(problem for each in found for problem in each)):
            for worker in workers:
                worker.link.tell("abandon")
            raise ReloadRefusedError("a worker cannot take it", problems)
        self.settings = read
        await asyncio.gather(*(self._commit(each, read.texts) for each in workers))
        self._secrets = merged_secrets(self._secrets, read.secrets)
        self._config.configure_logs(attrs.evolve(read, secrets=self._secrets))
        self._health.renew(read.provider_urls, read.provider.limits.system_proxy)
        return ReloadVerdict(
            agents=[each.name for each in read.agents],
            problems=[str(each) for each in read.warnings],
            needs_restart=changed_beyond(self._started_with, read),
        )

    async def _prepare(self, worker: WorkerProcess, texts: object) -> list[str]:
        """What is wrong with it. A worker that is gone is no reason: the next one begins with it."""
        try:
            found: list[str] = await worker.link.ask("prepare", PREPARE_S, texts=texts)
        except LinkError as error:
            return [] if worker.link.over.is_set() else [str(error)]
        return found

    async def _commit(self, worker: WorkerProcess, texts: object) -> None:
        try:
            await worker.link.ask("commit", PREPARE_S)
        except LinkError as error:
            log.error("worker_not_reloaded", worker=worker.slot, why=str(error))
            worker.kill()
        else:
            worker.texts = self.settings.texts if texts is self.settings.texts else worker.texts
