"""The workers as the one door sees them: `Inside` over all of them. What a call says comes from the worker that has it.

A worker that is gone or does not answer in time is as one without calls: the others are shown.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from adapters.active_call import ANSWER_S
from adapters.metrics.merged import MergedMetrics, gauge
from adapters.server.inside import (
    Announced,
    Announcement,
    CallInside,
    CallOutcome,
    Degraded,
    LiveCall,
    NotReady,
    ReloadVerdict,
    RequestForm,
    RequestVerdict,
)
from adapters.server.measured import STORE_DEGRADED
from adapters.server.readiness import ProviderHealth, not_ready
from adapters.server.reload import Reloads
from adapters.server.server_inside import LIVE, absent_from, announced_at, no_such_agent, request_forms
from adapters.server.workers.link import LinkError
from adapters.server.workers.shared_store import SharedStore
from adapters.server.workers.worker_process import WorkerProcess
from adapters.settings.config import Settings

log = structlog.get_logger(__name__)

LOOK_S: Final = 3.0
"""For what a worker has at hand."""
_MARGIN_S: Final = 1.0
_OVERDUE: Final = RequestVerdict("overdue", "the worker that has the call did not answer")


class Crew(Protocol):
    """The supervisor, as far as the door's questions go."""

    settings: Settings
    """What new calls begin with."""
    restarts: int

    @property
    def ready(self) -> list[WorkerProcess]: ...

    def by_number(self, number: int | None) -> WorkerProcess | None: ...

    def reasons(self) -> list[NotReady]: ...

    def keeps_out(self) -> str | None: ...


class SupervisorInside:
    """What the door is given."""

    def __init__(
        self, crew: Crew, store: SharedStore, health: ProviderHealth, metrics: MergedMetrics, reloads: Reloads
    ) -> None:
        self._crew = crew
        self._store = store
        self._health = health
        self._metrics = metrics
        self._reloads = reloads

    async def not_ready(self) -> Sequence[NotReady]:
        return await not_ready(self._crew.reasons(), self._health)

    def degraded(self) -> Sequence[Degraded]:
        return self._store.kept.degraded()

    async def holder(self, call_id: str) -> str:
        return await self._store.kept.holder(call_id)

    async def reload(self) -> ReloadVerdict:
        return await self._reloads.ask()

    def reloaded(self) -> ReloadVerdict | None:
        return self._reloads.last

    def requests(self) -> Sequence[RequestForm]:
        return request_forms(self._crew.settings.agents)

    # --- all workers --------------------------------------------------------------------------------------------------

    async def calls(self, after: str, at_most: int) -> tuple[Sequence[LiveCall], int]:
        found = await self._of_all("calls", after=after, at_most=at_most)
        listed = [LiveCall(**each) for _, (some, _) in found for each in some]
        beyond = sum(more for _, (_, more) in found)
        chosen = heapq.nsmallest(at_most, listed, key=lambda each: each.id)
        return chosen, beyond + len(listed) - len(chosen)

    async def measured(self) -> bytes:
        for worker, said in await self._of_all("measured"):
            if self._crew.by_number(worker.number) is not None:  # else it is gone, and lost already
                self._metrics.note(worker.number, said)
        calls = {str(each.slot): float(self._store.count_of(each.number)) for each in self._crew.ready}
        wanted, is_degraded = self._crew.settings.serve.workers, bool(self.degraded())
        return self._metrics.render(
            [
                gauge("store_degraded", STORE_DEGRADED, {"": float(is_degraded)}),
                gauge("workers_ready", "Workers that take calls.", {"": float(len(self._crew.ready))}),
                gauge("workers_wanted", "Workers that there should be.", {"": float(wanted)}),
                gauge("worker_restarts", "Workers begun in the place of one that had died.", {"": self._crew.restarts}),
                gauge("worker_calls", "Calls of a worker.", calls, "worker"),
            ]
        )

    async def _of_all(self, what: str, **said: object) -> list[tuple[WorkerProcess, Any]]:
        """What each of them answers, without those who do not."""
        workers = self._crew.ready
        answers = await asyncio.gather(
            *(each.link.ask(what, LOOK_S, **said) for each in workers), return_exceptions=True
        )
        found: list[tuple[WorkerProcess, Any]] = []
        for worker, answer in zip(workers, answers, strict=True):
            if isinstance(answer, LinkError):
                log.warning("worker_does_not_answer", worker=worker.slot, question=what, why=str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found.append((worker, answer))
        return found

    # --- the worker that has a call -----------------------------------------------------------------------------------

    async def call(self, call_id: str) -> CallInside | None:
        said = await self._of_call(call_id, "call", LOOK_S)
        return CallInside(**{**said, "call": LiveCall(**said["call"])}) if said else None

    async def request(self, call_id: str, name: str, data: Mapping[str, object]) -> RequestVerdict:
        if self._store.worker_of(call_id) is None:
            return await absent_from(self._store.kept, call_id)
        said = await self._of_call(call_id, "request", ANSWER_S + _MARGIN_S, name=name, data=data)
        return RequestVerdict(**said) if said else _OVERDUE

    async def result(self, call_id: str) -> CallOutcome | None:
        kept = await self._store.kept.result(call_id)
        if kept is not None:
            return CallOutcome(kept.word, kept.values)
        said = await self._of_call(call_id, "outcome", LOOK_S)
        return CallOutcome(said["word"], said["values"], is_live=True) if said else None

    async def _of_call(self, call_id: str, what: str, deadline_s: float, **said: object) -> Any:
        """None: nobody has it, or whoever has it does not answer."""
        worker = self._crew.by_number(self._store.worker_of(call_id))
        if worker is None:
            return None
        try:
            return await worker.link.ask(what, deadline_s, id=call_id, **said)
        except LinkError as error:
            log.warning("worker_does_not_answer", worker=worker.slot, question=what, why=str(error))
            return None

    # --- announcements ------------------------------------------------------------------------------------------------

    async def announce(self, announcement: Announcement) -> Announced:
        if why := self._crew.keeps_out():
            return Announced(why="draining", cause=why)
        if self._store.worker_of(announcement.id) is not None:
            return LIVE
        agents = [each.name for each in self._crew.settings.agents]
        if announcement.agent and announcement.agent not in agents:
            return no_such_agent(agents)
        if announcement.attaches:
            return Announced(why="not_attachable", cause="no worker of this server attaches to calls")
        return await announced_at(self._store.kept, announcement)
