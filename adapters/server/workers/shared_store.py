"""The store of several workers: at the supervisor what it keeps for all of them, in a worker how it asks for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import structlog

from adapters.lines.refusal import CallRefusal
from adapters.server.inside import Announced, Announcement, Degraded
from adapters.server.results import KeptResult
from adapters.server.store import CallClaim, LocalStore, shared_over
from adapters.server.workers.link import Link, LinkError
from adapters.settings.cluster import ClusterSettings

log = structlog.get_logger(__name__)

HELD_S: Final = 0.5
"""So long a call waits for the last one of its id to be released: a dialplan that tries again is fast."""
ASK_S: Final = 2.0
"""For an answer of the supervisor, which has nothing else to do."""


ANY: Final = 0
"""The ticket of whatever claim a worker has of an id."""


@attrs.define(eq=False)
class Holder:
    """Who has a call."""

    worker: int
    peer: str
    ticket: int
    claim: CallClaim = attrs.field(factory=CallClaim)
    """At the store of all."""
    released: asyncio.Event = attrs.field(factory=asyncio.Event)


class SharedStore:
    """At the supervisor: a store, and which worker has which call. `limits.calls` is the total."""

    def __init__(
        self, now_s: Callable[[], float], most: int, most_of_peer: int | None, cluster: ClusterSettings | None = None
    ) -> None:
        self.local = LocalStore(now_s)
        self.kept = shared_over(self.local, cluster)
        """That of all workers; of all nodes, where there are several."""
        self._most = most
        self._most_of_peer = most_of_peer
        self._holders: dict[str, Holder] = {}
        self._of_peer: Counter[str] = Counter()
        self._of_worker: Counter[int] = Counter()
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._holders)

    def worker_of(self, call_id: str) -> int | None:
        holder = self._holders.get(call_id)
        return holder.worker if holder is not None else None

    def calls_of(self, worker: int) -> list[str]:
        return sorted(call_id for call_id, each in self._holders.items() if each.worker == worker)

    def count_of(self, worker: int) -> int:
        return self._of_worker[worker]

    async def claim(self, worker: int, call_id: str, peer: str) -> CallClaim:
        """Of the worker that has the connection. Its own lines know which ids are live in it."""
        held = self._holders.get(call_id)
        if held is not None and held.worker != worker:
            try:
                await asyncio.wait_for(held.released.wait(), HELD_S)
            except TimeoutError:
                return CallClaim(CallRefusal.LIVE_CALL)
            held = self._holders.get(call_id)
            if held is not None and held.worker != worker:  # somebody was faster
                return CallClaim(CallRefusal.LIVE_CALL)
        if held is not None:
            self.release(call_id, held.ticket)
        if len(self._holders) >= self._most:
            return CallClaim(CallRefusal.LIMIT)
        if self._most_of_peer is not None and self._of_peer[peer] >= self._most_of_peer:
            return CallClaim(CallRefusal.CALLS_PER_PEER)
        self._tickets += 1
        ticket = self._tickets
        self._holders[call_id] = Holder(worker, peer, ticket)
        self._of_peer[peer] += 1
        self._of_worker[worker] += 1
        claim = await self.kept.claim(call_id, peer)
        if (held := self._holders.get(call_id)) is None or held.ticket != ticket:  # it has been given up meanwhile
            self.kept.release(call_id, claim)
        else:
            held.claim = claim
        return attrs.evolve(claim, ticket=ticket)

    def release(self, call_id: str, ticket: int) -> None:
        holder = self._holders.get(call_id)
        if holder is None or holder.ticket != ticket:
            return
        del self._holders[call_id]
        self.kept.release(call_id, holder.claim)
        for counts, key in ((self._of_peer, holder.peer), (self._of_worker, holder.worker)):
            counts[key] -= 1  # type: ignore[index]
        self._of_peer += Counter()  # those without calls go
        holder.released.set()

    def release_of(self, worker: int, call_id: str, ticket: int) -> None:
        """As a worker says it."""
        holder = self._holders.get(call_id)
        if holder is not None and holder.worker == worker:
            self.release(call_id, holder.ticket if ticket == ANY else ticket)

    def lose(self, worker: int) -> list[str]:
        """The worker is gone, and its calls with it: their ids."""
        lost = self.calls_of(worker)
        for call_id in lost:
            self.release(call_id, self._holders[call_id].ticket)
        return lost


class AskedStore:
    """In a worker: every question goes to the supervisor. Without an answer a call is not taken."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def announce(self, announcement: Announcement) -> Announced:
        try:
            return Announced(**await self._link.ask("announce", ASK_S, announcement=attrs.asdict(announcement)))
        except LinkError as error:
            log.error("announcement_not_kept", call_id=announcement.id, why=str(error))
            return Announced(why="full", cause="the supervisor does not answer")

    async def claim(self, call_id: str, peer: str) -> CallClaim:
        try:
            said = await self._link.ask("claim", ASK_S, id=call_id, peer=peer)
        except LinkError as error:
            log.error("claim_failed", call_id=call_id, why=str(error))
            self._link.tell("release", id=call_id, ticket=ANY)  # the answer may be on its way
            return CallClaim(CallRefusal.BUSY)
        announcement = Announcement(**said["announcement"]) if said["announcement"] is not None else None
        return CallClaim(CallRefusal(said["refusal"]) if said["refusal"] else None, announcement, said["ticket"])

    def release(self, call_id: str, claim: CallClaim) -> None:
        self._link.tell("release", id=call_id, ticket=claim.ticket)

    def refuse(self, call_id: str, reason: str) -> None:
        self._link.tell("refused", id=call_id, reason=reason)

    async def keep_result(self, call_id: str, word: str, values: Mapping[str, str]) -> None:
        try:
            await self._link.ask("ended", ASK_S, id=call_id, word=word, values=dict(values))
        except LinkError as error:  # the call is over all the same
            log.error("result_not_kept", call_id=call_id, why=str(error))

    async def result(self, call_id: str) -> KeptResult | None:
        try:
            said = await self._link.ask("result", ASK_S, id=call_id)
        except LinkError as error:
            log.error("result_not_known", call_id=call_id, why=str(error))
            return None
        return KeptResult(**said) if said is not None else None

    async def holder(self, call_id: str) -> str:
        """The door is the supervisor's, and asks its own store."""
        del call_id
        return ""

    def degraded(self) -> Sequence[Degraded]:
        return ()
