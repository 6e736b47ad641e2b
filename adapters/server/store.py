"""The seam of stores: what is known of calls beside the calls. Announced before they come, claimed while they live,
results after.

One process keeps it in its memory (`LocalStore`). Where several processes take calls, each asks whoever keeps it for
all of them (workers/shared_store.py); where several machines do, it is in Redis (cluster/cluster_store.py), with a
memory of their own below it, so that calls go on while that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs

from adapters.lines.refusal import CallRefusal
from adapters.server.announcements import LIFETIME_S, MOST_ANNOUNCED, Announcements
from adapters.server.inside import Announced, Announcement, Degraded
from adapters.server.results import KeptResult, Results
from adapters.settings.cluster import ClusterSettings


@attrs.frozen
class CallClaim:
    """What comes of claiming a call: it is ours (`refusal` is None), with what was announced for it, if anything."""

    refusal: CallRefusal | None = None
    announcement: Announcement | None = None
    ticket: int = 0
    """Whatever the store knows it by: an id may be claimed again before its last claim is released."""


class CallStore(Protocol):
    """On the loop of the calls. Every wait is bounded by the store itself, and nothing is raised."""

    async def start(self) -> None:
        """Before the first call. What cannot be reached is not waited for."""

    async def close(self) -> None:
        """The last calls are over."""

    async def announce(self, announcement: Announcement) -> Announced:
        """Keeps it until its call is claimed, here or wherever this is shared, for a bounded time. A second one of a
        call replaces the first."""

    async def claim(self, call_id: str, peer: str) -> CallClaim:
        """A call has come, from this address: is it ours? Its announcement is used up, an older result forgotten."""

    def release(self, call_id: str, claim: CallClaim) -> None:
        """It is over here: its id may come again. One without a result finds its announcement again, where that
        outlives a process. Once more changes nothing."""

    def refuse(self, call_id: str, reason: str) -> None:
        """It never was a call of ours, and why not. Nobody waits for it."""

    async def keep_result(self, call_id: str, word: str, values: Mapping[str, str]) -> None:
        """How a call ended; once this returns it can be asked for by everybody who shares this, or cannot be now."""

    async def result(self, call_id: str) -> KeptResult | None:
        """None: there is none, or it is too old."""

    async def holder(self, call_id: str) -> str:
        """Which other node has it now; "" if none."""

    def degraded(self) -> Sequence[Degraded]:
        """What does not work at the moment, while calls go on."""


class LocalStore:
    """That of one process that takes all calls: its lines know themselves which ids are live."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """`now_s`: the loop's clock."""
        self._announcements, self._results = Announcements(now_s), Results(now_s)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def announce(self, announcement: Announcement) -> Announced:
        if not self._announcements.keep(announcement):
            return Announced(why="full", cause=f"{MOST_ANNOUNCED} announced calls have not come yet")
        return Announced(LIFETIME_S)

    async def claim(self, call_id: str, peer: str) -> CallClaim:
        del peer
        self._results.forget(call_id)
        return CallClaim(announcement=self._announcements.take(call_id))

    def release(self, call_id: str, claim: CallClaim) -> None: ...

    def refuse(self, call_id: str, reason: str) -> None:
        self._results.refuse(call_id, reason)

    async def keep_result(self, call_id: str, word: str, values: Mapping[str, str]) -> None:
        self._results.keep(call_id, word, values)

    async def result(self, call_id: str) -> KeptResult | None:
        return self._results.of(call_id)

    async def holder(self, call_id: str) -> str:
        del call_id
        return ""

    def degraded(self) -> Sequence[Degraded]:
        return ()

    @property
    def all_read(self) -> asyncio.Event:
        """Is there no result that nobody has asked for yet?"""
        return self._results.all_read

    def since_last_result_s(self) -> float:
        return self._results.since_last_s()


def shared_over(local: LocalStore, cluster: ClusterSettings | None) -> CallStore:
    """What all nodes share, with this process's memory below it; without a cluster that memory. ImportError: its
    library is an extra."""
    if cluster is None:
        return local
    from adapters.server.cluster.cluster_store import ClusterStore

    return ClusterStore(cluster, local)
