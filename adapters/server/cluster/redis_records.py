"""Records of calls and heartbeats of nodes in Redis or Valkey: which commands. Never when, and never what if it fails.

One hash for each call, one key for each node, all with a lifetime: nothing is left of a cluster that has gone. A node
is its name and its token, which is another one after every start: what a process had is not its successor's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from adapters.server.cluster import record
from adapters.server.cluster.record import NODE, RESULT, SAID, RecordChange, SharedResult, result_of, said_of
from adapters.server.inside import Announcement
from adapters.settings.cluster import ClusterSettings

AT_ONCE: Final = 50
"""Calls of one round trip: to write so many holds the loop for less than a frame lasts."""
_CONNECTIONS: Final = 8
_SCANNED: Final = 1_000


class RedisRecords:
    """Every method is a few round trips. RedisError, OSError: it has not come about, or nobody knows."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self.token = uuid.uuid4().hex
        self.me = f"{settings.node} {self.token}"
        """This node, as a record names it."""
        pool = BlockingConnectionPool.from_url(
            settings.url, max_connections=_CONNECTIONS, timeout=settings.deadline_s, socket_timeout=settings.deadline_s,
            socket_connect_timeout=settings.deadline_s, client_name=f"turnspec-{settings.node}",
            retry=Retry(NoBackoff(), 1),
        )  # fmt: skip
        self._redis = Redis.from_pool(pool)

    async def close(self) -> None:
        await self._redis.aclose()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def announce(self, said: Announcement) -> None:
        key = self._call(said.id)
        async with self._redis.pipeline(transaction=True) as pipe:
            self._change(pipe, key, record.announced(said), self._settings.announced_s)
            await pipe.execute()

    async def claim(self, call_id: str) -> Announcement | None:
        """The call is this node's now; what was announced stays for the next try, until there is a result."""
        key = self._call(call_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(key, SAID)
            self._change(pipe, key, record.live(self.me, None), self._settings.kept_s)
            raw, *_ = await pipe.execute()
        return said_of(call_id, raw)

    async def result(self, call_id: str) -> SharedResult | None:
        return result_of(await _answer(self._redis.hget(self._call(call_id), RESULT)))

    async def holder(self, call_id: str) -> str:
        """The name of another node that is alive; "" if there is none."""
        raw = await _answer(self._redis.hget(self._call(call_id), NODE))
        holder = _decoded(raw)
        return holder.partition(" ")[0] if holder in await self._others_alive([holder]) else ""

    async def write(self, changes: Mapping[str, RecordChange]) -> None:
        """Each by its call's id, but where another node that is alive has the call by now."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for call_id in changes:
                pipe.hget(self._call(call_id), NODE)
            holders = [_decoded(raw) for raw in await pipe.execute()]
        alive = await self._others_alive(holders)
        async with self._redis.pipeline(transaction=True) as pipe:
            for (call_id, change), holder in zip(changes.items(), holders, strict=True):
                if holder not in alive:
                    self._change(pipe, self._call(call_id), change, self._settings.kept_s)
            await pipe.execute()

    async def touch(self, call_ids: Sequence[str]) -> None:
        """Of long calls: their records live on."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for call_id in call_ids:
                pipe.expire(self._call(call_id), _seconds(self._settings.kept_s))
            await pipe.execute()

    async def _others_alive(self, holders: Sequence[str]) -> set[str]:
        """Those that are other nodes than this, and have not gone."""
        found = set()
        for holder in {each for each in holders if each and each != self.me}:
            name, _, token = holder.partition(" ")
            if _decoded(await _answer(self._redis.get(self._node(name)))) == token:
                found.add(holder)
        return found

    @staticmethod
    def _change(pipe: Any, key: str, change: RecordChange, lifetime_s: float) -> None:
        if change.drops:
            pipe.hdel(key, *sorted(change.drops))
        if change.sets:
            pipe.hset(key, mapping=dict(change.sets))
        pipe.expire(key, _seconds(lifetime_s))

    # --- nodes --------------------------------------------------------------------------------------------------------

    async def beat(self, lifetime_s: float) -> str:
        """This node is alive. The token that its name had until now; "" if none."""
        key = self._node(self._settings.node)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.get(key)
            pipe.set(key, self.token, ex=_seconds(lifetime_s))
            before, *_ = await pipe.execute()
        return _decoded(before)

    async def leave(self) -> None:
        """This node is not there any more."""
        await _answer(self._redis.delete(self._node(self._settings.node)))

    async def nodes(self) -> list[str]:
        """Those that are alive, by name."""
        prefix, found = self._node(""), set[str]()
        async for key in self._redis.scan_iter(match=f"{prefix}*", count=_SCANNED):
            found.add(_decoded(key).removeprefix(prefix))
        return sorted(found)

    # --- for those who ask how Redis itself is ------------------------------------------------------------------------

    async def about(self) -> Mapping[str, object]:
        """As its INFO says."""
        return cast("Mapping[str, object]", await _answer(self._redis.info()))

    async def ping(self) -> None:
        await _answer(self._redis.ping())

    def _call(self, call_id: str) -> str:
        return f"{self._settings.prefix}:call:{call_id}"

    def _node(self, name: str) -> str:
        return f"{self._settings.prefix}:node:{name}"


def _seconds(lifetime_s: float) -> int:
    return max(1, round(lifetime_s))


async def _answer(asked: Any) -> Any:
    """The library's types say that a command may be answered at once; of its asyncio client none ever is."""
    return await asked


def _decoded(raw: bytes | None) -> str:
    return raw.decode(errors="replace") if raw else ""
