"""`ClusterStore`: what every node knows of calls, in Redis or Valkey; and on this node alone while that is away.

A call never waits for it longer than a deadline, and not at all once it is known to be away. What could not be written
then is written when it is back; the library's backoff says when that is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import structlog
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from adapters.call.words import printable
from adapters.server.cluster import record
from adapters.server.cluster.record import RecordChange
from adapters.server.cluster.redis_records import AT_ONCE, RedisRecords
from adapters.server.inside import Announced, Announcement, Degraded
from adapters.server.results import REFUSED, KeptResult
from adapters.server.store import CallClaim, LocalStore
from adapters.settings.cluster import ClusterSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

MISSED_BEATS: Final = 3
"""A node that has missed so many is gone."""
MOST_UNWRITTEN: Final = 10_000
"""Calls about which something is to be written; the oldest is forgotten for one more."""
FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0
CLOSE_S: Final = 1.0
CANCELS: Final = 10
_FAILURES: Final = (RedisError, OSError, TimeoutError)


class ClusterStore:
    """`start`, then `close`. `memory` is of this node alone."""

    def __init__(self, settings: ClusterSettings, memory: LocalStore) -> None:
        self._settings = settings
        self._memory = memory
        self._records = RedisRecords(settings)
        self._live: dict[str, tuple[float, CallClaim]] = {}
        """Of this node: when it was last written that it is here, and its claim."""
        self._tickets = 0
        self._unwritten: OrderedDict[str, RecordChange] = OrderedDict()
        self._trouble = "it has not been reached yet"
        self._told = ""
        self._is_twice = False
        self._is_closing = False
        self._wake = asyncio.Event()
        self._tried = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Joins, if that is possible now: the first call may be one that was announced at another node."""
        self._beating = asyncio.get_running_loop().create_task(self._beat_on(), name="cluster")
        await self._tried.wait()

    async def close(self) -> None:
        await self._end_beating()
        with contextlib.suppress(*_FAILURES):
            async with asyncio.timeout(CLOSE_S):
                if not self._trouble:
                    await self._write_down()
                    await self._records.leave()
        if self._unwritten:
            log.warning("cluster_not_all_written", calls=len(self._unwritten))
        with contextlib.suppress(*_FAILURES):
            async with asyncio.timeout(CLOSE_S):
                await self._records.close()

    async def _end_beating(self) -> None:
        """A cancellation can get lost in a library that waits at that moment: it is said again, and the loop looks."""
        self._is_closing = True
        self._wake.set()
        for _ in range(CANCELS):
            if self._beating is None or self._beating.done():
                return
            self._beating.cancel()
            await asyncio.wait({self._beating}, timeout=CLOSE_S / CANCELS)

    # --- CallStore ----------------------------------------------------------------------------------------------------

    async def announce(self, announcement: Announcement) -> Announced:
        said = announcement
        kept_here = await self._memory.announce(said)

        async def share() -> bool:
            await self._records.announce(said)
            return True

        if await self._shared(share):
            self._unwritten.pop(said.id, None)
            return Announced(self._settings.announced_s)
        if not kept_here.why:
            self._write_later(said.id, record.announced(said))
        return Announced(kept_here.lifetime_s, kept_here.why, kept_here.cause, is_shared=False)

    async def claim(self, call_id: str, peer: str) -> CallClaim:
        said_here = (await self._memory.claim(call_id, peer)).announcement
        unwritten = self._unwritten.get(call_id)

        async def share() -> tuple[Announcement | None]:
            return (await self._records.claim(call_id),)

        found = await self._shared(share)
        is_newer_here = unwritten is not None and record.SAID in unwritten.sets
        said = said_here if found is None or is_newer_here else found[0]
        self._tickets += 1
        claim = CallClaim(announcement=said, ticket=self._tickets)
        self._live[call_id] = (asyncio.get_running_loop().time(), claim)
        if found is None or unwritten is not None:
            self._write_later(call_id, record.live(self._records.me, said))
        return claim

    async def keep_result(self, call_id: str, word: str, values: Mapping[str, str]) -> None:
        self._live.pop(call_id, None)
        await self._memory.keep_result(call_id, word, values)
        self._note(call_id, record.ended(word, values))
        change = self._unwritten[call_id]

        async def share() -> bool:
            await self._records.write({call_id: change})
            return True

        if await self._shared(share):
            self._is_written(call_id, change)
        else:
            self._wake.set()

    def release(self, call_id: str, claim: CallClaim) -> None:
        held = self._live.get(call_id)
        if held is not None and held[1].ticket == claim.ticket:  # else it has a result, or there is a newer one
            del self._live[call_id]
            self._write_later(call_id, record.released(claim.announcement))

    def refuse(self, call_id: str, reason: str) -> None:
        self._memory.refuse(call_id, reason)
        self._write_later(call_id, record.refused(REFUSED + (printable(reason) or "no reason given")))

    async def result(self, call_id: str) -> KeptResult | None:
        """Here first only where it is newer: a call that this node refused may have been another's since."""
        kept = await self._memory.result(call_id)
        if call_id in self._live or call_id in self._unwritten:
            return kept

        async def ask() -> tuple[record.SharedResult | None]:
            return (await self._records.result(call_id),)

        if (answer := await self._shared(ask)) is None:
            return kept
        found = answer[0]
        return None if found is None else KeptResult(found.word, found.values, self._settings.kept_s)

    async def holder(self, call_id: str) -> str:
        return await self._shared(lambda: self._records.holder(call_id)) or ""

    def degraded(self) -> Sequence[Degraded]:
        return [Degraded("store_unreachable", self._trouble)] if self._trouble else ()

    # --- with a deadline ----------------------------------------------------------------------------------------------

    async def _shared(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """None: it is away, or it has gone away now."""
        if self._trouble:
            return None
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await ask()
        except _FAILURES as error:
            self._lost(error)
            return None

    def _lost(self, error: Exception) -> None:
        """Told once for each reason, in words that say no address twice and never a secret."""
        self._trouble = printable(str(error)) or type(error).__name__
        if isinstance(error, TimeoutError) and not isinstance(error, RedisError):
            self._trouble = f"it does not answer within {self._settings.deadline_s:g} s"
        if self._told != self._trouble:
            self._told = self._trouble
            log.error("cluster_lost", store=self._settings.shown, why=self._trouble, calls_here=len(self._live))
        self._wake.set()

    # --- what is still to be written ----------------------------------------------------------------------------------

    def _note(self, call_id: str, change: RecordChange) -> None:
        before = self._unwritten.pop(call_id, RecordChange())
        self._unwritten[call_id] = before.then(change)
        while len(self._unwritten) > MOST_UNWRITTEN:
            self._unwritten.popitem(last=False)

    def _write_later(self, call_id: str, change: RecordChange) -> None:
        self._note(call_id, change)
        self._wake.set()

    def _is_written(self, call_id: str, change: RecordChange) -> None:
        """What has been noted meanwhile stays to be written."""
        if self._unwritten.get(call_id) is change:
            del self._unwritten[call_id]

    async def _write_down(self) -> None:
        while self._unwritten:
            some = dict(list(self._unwritten.items())[:AT_ONCE])
            async with asyncio.timeout(self._settings.deadline_s):
                await self._records.write(some)
            for call_id, change in some.items():
                self._is_written(call_id, change)

    # --- in the background --------------------------------------------------------------------------------------------

    async def _beat_on(self) -> None:
        backoff = ExponentialBackoff(cap=LONGEST_BACKOFF_S, base=FIRST_BACKOFF_S / 2)
        retry = Retry(backoff, -1, supported_errors=(Exception,))  # type: ignore[arg-type]  # whatever it is: again, later
        loop = asyncio.get_running_loop()
        while not self._is_closing:
            await retry.call_with_retry(self._beat, self._failed)
            due_s = loop.time() + self._settings.heartbeat_s
            while not self._is_closing and not self._trouble and (wait_s := due_s - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                self._wake.clear()
                if self._unwritten and not self._trouble:
                    await self._shared(self._write_down)

    async def _failed(self, error: Exception) -> None:
        if not isinstance(error, _FAILURES):
            log.error("cluster_failed", exc_info=error)
        self._lost(error)
        self._tried.set()

    async def _beat(self) -> None:
        async with asyncio.timeout(self._settings.deadline_s):
            before = await self._records.beat(MISSED_BEATS * self._settings.heartbeat_s)
        self._look_for_a_namesake(before)
        if self._trouble:
            for call_id, (_, claim) in list(self._live.items()):
                here = record.live(self._records.me, claim.announcement)
                self._unwritten[call_id] = here.then(self._unwritten.get(call_id, RecordChange()))
        await self._write_down()
        await self._keep_long_calls()
        if self._trouble:
            self._trouble = self._told = ""
            log.info("cluster_joined", store=self._settings.shown, node=self._settings.node, calls_here=len(self._live))
        self._tried.set()

    def _look_for_a_namesake(self, before: str) -> None:
        """After our first beat nobody else is called like this node."""
        if before and before != self._records.token and not self._trouble and not self._is_twice:
            self._is_twice = True
            log.error("cluster_name_twice", node=self._settings.node, cure="a name of its own for each: cluster.node")

    async def _keep_long_calls(self) -> None:
        now_s = asyncio.get_running_loop().time()
        due = [call_id for call_id, (at_s, _) in self._live.items() if now_s - at_s > self._settings.kept_s / 3]
        for call_id in due[:AT_ONCE]:  # the others with the next beats
            self._live[call_id] = (now_s, self._live[call_id][1])
        if due:
            async with asyncio.timeout(self._settings.deadline_s):
                await self._records.touch(due[:AT_ONCE])
