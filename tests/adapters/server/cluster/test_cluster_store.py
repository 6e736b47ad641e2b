"""What nodes share, with a real Redis between them: announced calls, who has which, results; and what if it is away."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from adapters.server.cluster import cluster_store, record
from adapters.server.cluster.cluster_store import ClusterStore
from adapters.server.inside import Announcement
from adapters.server.store import LocalStore
from adapters.settings.cluster import ClusterSettings
from tests.adapters.server.cluster.redis_server import NEEDS_REDIS, PASSWORD, RedisServer, redis_server

pytestmark = NEEDS_REDIS
DEADLINE_S = 20.0
PEER = "127.0.0.1"


@pytest.fixture(name="redis")
def _redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def node(redis: RedisServer, name: str, **settings: Any) -> AsyncIterator[ClusterStore]:
    made = ClusterSettings(
        url=redis.url, shown=f"redis://127.0.0.1:{redis.port}", node=name,
        **{"heartbeat_s": 1.0, "deadline_s": 5.0, **settings},
    )  # fmt: skip
    now_s = asyncio.get_running_loop().time
    store = ClusterStore(made, LocalStore(now_s))
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def until(is_so: Callable[[], bool | Awaitable[bool]]) -> None:
    """A deadline for what happens by itself; it is no measurement."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := is_so()) or (inspect.isawaitable(found) and not await found):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def word_of(store: ClusterStore, call_id: str) -> str:
    found = await store.result(call_id)
    return found.word if found is not None else ""


def a_call() -> str:
    return str(uuid.uuid4())


def said(call_id: str, agent: str = "night") -> Announcement:
    return Announcement(id=call_id, agent=agent, caller_id="+4930", dialled="100", variables={"tenant": "7"})


async def test_a_call_announced_at_one_node_is_known_at_another_and_used_once(redis: RedisServer) -> None:
    call_id = a_call()
    async with node(redis, "a") as a, node(redis, "b") as b:
        answer = await a.announce(said(call_id))
        assert (answer.lifetime_s, answer.why, answer.is_shared) == (120.0, "", True)
        assert (await b.claim(call_id, PEER)).announcement == said(call_id)
        await b.keep_result(call_id, "completed", {"mood": "good"})
        assert (await a.claim(call_id, PEER)).announcement is None
        assert (await b.claim(a_call(), PEER)).announcement is None


async def test_a_result_stored_at_one_node_is_read_at_another_until_a_new_call_has_the_id(redis: RedisServer) -> None:
    call_id = a_call()
    async with node(redis, "a") as a, node(redis, "b") as b:
        await a.claim(call_id, PEER)
        await a.keep_result(call_id, "transfer:sales", {"mood": "good"})
        found = await b.result(call_id)
        assert found is not None and (found.word, found.values) == ("transfer:sales", {"mood": "good"})
        await b.claim(call_id, PEER)
        assert await word_of(a, call_id) == await word_of(b, call_id) == ""


async def test_who_has_a_call_is_known_until_it_is_over(redis: RedisServer) -> None:
    call_id, broken = a_call(), a_call()
    async with node(redis, "a") as a, node(redis, "b") as b:
        assert await b.holder(call_id) == ""
        await a.claim(call_id, PEER)
        assert (await a.holder(call_id), await b.holder(call_id)) == ("", "a")
        await a.keep_result(call_id, "completed", {})
        assert await b.holder(call_id) == ""
        await b.announce(said(broken))
        a.release(broken, await a.claim(broken, PEER))
        await until(lambda: not a._unwritten)
        assert await b.holder(broken) == "" and await word_of(b, broken) == ""
        assert (await b.claim(broken, PEER)).announcement == said(broken), "the next try knows what was announced"


async def test_the_calls_of_a_node_that_vanishes_have_no_result_and_the_next_one_knows_them(
    redis: RedisServer,
) -> None:
    call_id = a_call()
    async with node(redis, "b") as b:
        async with node(redis, "a") as a:
            await a.announce(said(call_id))
            await a.claim(call_id, PEER)
            assert await b.holder(call_id) == "a"
            assert a._beating is not None
            a._beating.cancel()
            await vanished(a)

        async def is_noticed() -> bool:
            return not await b.holder(call_id)

        await until(is_noticed)
        assert await word_of(b, call_id) == ""
        assert (await b.claim(call_id, PEER)).announcement == said(call_id)


async def vanished(store: ClusterStore) -> None:
    """Nothing is told to anybody, as by kill -9."""
    await store._records.close()
    store._trouble = "killed"


async def test_a_process_that_starts_anew_under_the_same_name_has_not_what_the_old_one_had(redis: RedisServer) -> None:
    call_id = a_call()
    async with node(redis, "b") as b:
        async with node(redis, "a") as a:
            await a.claim(call_id, PEER)
            await vanished(a)
        async with node(redis, "a"):
            assert await b.holder(call_id) == ""


async def test_a_call_that_another_node_has_by_now_is_not_written_over(redis: RedisServer) -> None:
    call_id = a_call()
    async with node(redis, "a") as a, node(redis, "b") as b, node(redis, "c") as c:
        await a.claim(call_id, PEER)
        await b.claim(call_id, PEER)
        await a.keep_result(call_id, "completed", {})
        a.refuse(call_id, "limit")
        await until(lambda: not a._unwritten)
        assert await c.holder(call_id) == "b" and await word_of(c, call_id) == ""


async def test_a_refusal_is_known_everywhere_and_takes_nothing_from_who_takes_the_call(redis: RedisServer) -> None:
    call_id = a_call()
    async with node(redis, "a") as a, node(redis, "b") as b:
        await a.announce(said(call_id))
        a.refuse(call_id, "drain")
        assert await word_of(a, call_id) == "refused:drain"
        await until(lambda: not a._unwritten)
        assert await word_of(b, call_id) == "refused:drain"
        assert (await b.claim(call_id, PEER)).announcement == said(call_id)
        await b.keep_result(call_id, "completed", {})
        assert await word_of(a, call_id) == "completed", "what this node refused is older"


async def test_while_it_is_away_calls_go_on_and_what_happened_is_written_when_it_is_back(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_store, "LONGEST_BACKOFF_S", 0.2)
    live, ended, here, gone = a_call(), a_call(), a_call(), a_call()
    with capture_logs() as logs:
        async with node(redis, "a") as a, node(redis, "b") as b:
            await a.announce(said(live))
            await a.claim(live, PEER)
            await a.claim(ended, PEER)
            assert list(a.degraded()) == []
            redis.kill()
            await a.keep_result(ended, "completed", {})
            (degraded,) = a.degraded()
            assert degraded.reason == "store_unreachable" and PASSWORD not in degraded.detail
            assert await word_of(a, ended) == "completed" and await b.holder(live) == ""
            answer = await a.announce(said(here))
            assert (answer.is_shared, answer.why, answer.lifetime_s) == (False, "", 120.0)
            assert (await a.claim(here, PEER)).announcement == said(here)
            late = await a.announce(said(gone))
            assert not late.is_shared
            redis.start()
            await until(lambda: not a.degraded() and not b.degraded() and not a._unwritten)
            assert await word_of(b, ended) == "completed"
            assert await b.holder(live) == await b.holder(here) == "a"
            assert (await b.claim(gone, PEER)).announcement == said(gone)
            await a.keep_result(live, "completed", {})
            assert await word_of(b, live) == "completed"
    words = [each["event"] for each in logs]
    assert words.count("cluster_joined") == 4 and 2 <= words.count("cluster_lost") <= 6
    assert PASSWORD not in str(logs)


async def test_one_that_never_answers_costs_a_call_one_deadline_and_the_next_nothing(tmp_path: Path) -> None:
    """A port that accepts and says nothing."""
    del tmp_path
    held = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    server = RedisServer(Path())
    server.port = silent.sockets[0].getsockname()[1]
    async with node(server, "a", deadline_s=0.2) as a:
        assert "does not answer" in a.degraded()[0].detail or "Timeout" in a.degraded()[0].detail
        loop = asyncio.get_running_loop()
        a._trouble = ""
        began_s = loop.time()
        assert (await a.claim("x", PEER)).announcement is None
        assert loop.time() - began_s >= 0.1
        connections = len(held)
        for _ in range(50):
            assert (await a.claim(a_call(), PEER)).announcement is None
        assert len(held) <= connections + 2, "known to be away: it is not asked"
    for writer in held:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    silent.close()
    await silent.wait_closed()


async def test_two_nodes_of_one_name_are_told(redis: RedisServer) -> None:
    with capture_logs() as logs:
        async with node(redis, "a", heartbeat_s=0.1), node(redis, "a", heartbeat_s=0.1):
            await until(lambda: any(each["event"] == "cluster_name_twice" for each in logs))


async def test_what_is_to_be_written_is_bounded_and_the_oldest_goes(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_store, "MOST_UNWRITTEN", 3)
    with capture_logs() as logs:
        async with node(redis, "a") as a:
            redis.kill()
            for name in "abcde":
                a.refuse(name, "limit")
            await until(lambda: bool(a.degraded()))
            assert list(a._unwritten) == ["c", "d", "e"]
    assert [each["calls"] for each in logs if each["event"] == "cluster_not_all_written"] == [3]


async def test_more_calls_than_one_round_trip_holds_are_all_written(redis: RedisServer) -> None:
    names = [f"call-{number}" for number in range(120)]
    async with node(redis, "a") as a, node(redis, "b") as b:
        for name in names:
            a.refuse(name, "limit")
        await until(lambda: not a._unwritten)
        assert {await word_of(b, name) for name in names} == {"refused:limit"}


async def test_a_long_call_is_known_for_as_long_as_it_lasts_and_nothing_for_ever(redis: RedisServer) -> None:
    long, short = a_call(), a_call()
    client = Redis.from_url(redis.url)
    async with node(redis, "a", kept_s=2.0, heartbeat_s=0.1, announced_s=1.0) as a, node(redis, "b") as b:
        await a.claim(long, PEER)
        await a.announce(said(short))

        async def is_forgotten() -> bool:
            return not await client.exists(f"turnspec:call:{short}")

        await until(is_forgotten)
        await asyncio.sleep(2.5)
        assert await b.holder(long) == "a"
        assert all([await client.ttl(key) > 0 for key in await client.keys("*")])
    await client.aclose()


async def test_a_fault_of_ours_ends_neither_the_heartbeat_nor_a_call(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(redis, "a", heartbeat_s=0.1) as a:
        whole = a._keep_long_calls

        async def broken() -> None:
            raise RuntimeError("a fault")

        with capture_logs() as logs:
            monkeypatch.setattr(a, "_keep_long_calls", broken)
            await until(lambda: any(each["event"] == "cluster_failed" for each in logs))
            assert a.degraded() and (await a.claim(a_call(), PEER)).announcement is None
            monkeypatch.setattr(a, "_keep_long_calls", whole)
            await until(lambda: not a.degraded())


async def test_an_end_whose_cancellation_gets_lost_is_an_end(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a library that takes it for a timeout of its own."""
    before = asyncio.all_tasks()
    async with node(redis, "a", heartbeat_s=0.1) as a:
        whole, is_in = a._keep_long_calls, asyncio.Event()

        async def swallowing() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                is_in.set()
                await asyncio.sleep(60)
            await whole()

        monkeypatch.setattr(a, "_keep_long_calls", swallowing)
        async with asyncio.timeout(DEADLINE_S):
            await is_in.wait()
    assert asyncio.all_tasks() == before


async def test_nothing_is_left_of_a_node_that_has_ended(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with node(redis, "a"):
        pass
    assert asyncio.all_tasks() == before
    client = Redis.from_url(redis.url)
    assert await client.keys("*") == []
    await client.aclose()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b"\xff", b'{"word": 5}', b'{"agent": [], "variables": 1}'])
def test_what_somebody_else_has_written_there_is_no_error(raw: bytes) -> None:
    assert record.result_of(raw) is None
    found = record.said_of("x", raw)
    assert found is None or found == Announcement(id="x")


def test_two_changes_are_one() -> None:
    both = record.announced(said("x")).then(record.live("a t", None)).then(record.ended("completed", {}))
    assert set(both.sets) == {"result"} and both.drops == {"said", "node"}
    again = both.then(record.live("b t", said("x")))
    assert set(again.sets) == {"said", "node"} and again.drops == {"result"}
