"""What the doctor finds between nodes: a real Redis, HAProxy's statistics as it prints them, each with the cure."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.doctor import cluster
from adapters.doctor.cluster import cluster_findings
from adapters.doctor.finding import DoctorFinding
from adapters.settings.cluster import ClusterSettings
from tests.adapters.server.cluster.redis_server import NEEDS_REDIS, PASSWORD, RedisServer, free_port, redis_server

HEAD = "# pxname,svname,scur,status,check_status\n"


@pytest.fixture(name="redis")
def _redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


async def found(url: str, stats: str = "") -> dict[str, DoctorFinding]:
    settings = ClusterSettings(url=url, shown="redis://here", node="a", deadline_s=2.0, haproxy_stats=stats)
    return {each.what: each async for each in cluster_findings(settings)}


@contextlib.asynccontextmanager
async def statistics(text: str) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /stats;csv ")
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/stats"


@NEEDS_REDIS
async def test_a_redis_that_is_well(redis: RedisServer) -> None:
    all_found = await found(redis.url)
    assert set(all_found) == {"Redis", "Redis round trip", "Redis eviction", "nodes"}
    assert all_found["Redis"].status == all_found["Redis eviction"].status == "good"
    assert all_found["nodes"].detail == "this is a; there now: nobody"


@NEEDS_REDIS
async def test_what_is_to_be_looked_at_of_a_redis(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.asyncio import Redis

    monkeypatch.setattr(cluster, "_SLOW_S", 0.0)
    client = Redis.from_url(redis.url)
    await client.config_set("maxmemory", "100mb")
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.set("turnspec:node:a", "another")
    await client.aclose()
    all_found = await found(redis.url)
    assert all(all_found[name].status == "warning" for name in ("Redis round trip", "Redis eviction", "node's name"))
    assert "noeviction" in all_found["Redis eviction"].cure and "cluster.node" in all_found["node's name"].cure


@pytest.mark.parametrize(
    ("about", "status", "words"),
    [
        ({"redis_version": "7.0.15"}, "good", "Redis 7.0.15"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"}, "good", "Valkey 8.0.1"),
        ({"redis_version": "5.0.1"}, "warning", "Redis 5.0.1"),
        ({}, "warning", "unknown"),
    ],
)
def test_versions(about: dict[str, object], status: str, words: str) -> None:
    finding = cluster._version(about)
    assert finding.status == status and words in finding.detail


def test_with_a_bound_only_one_policy_is_good() -> None:
    assert cluster._eviction({"maxmemory": 1, "maxmemory_policy": "noeviction"}).status == "good"
    assert cluster._eviction({"maxmemory": 1, "maxmemory_policy": "volatile-ttl"}).status == "warning"


async def test_a_redis_that_is_not_there_is_bad_and_its_password_is_not_shown() -> None:
    (finding,) = (await found(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")).values()
    assert finding.status == "bad" and "cluster.url" in finding.cure and PASSWORD not in finding.detail


@NEEDS_REDIS
async def test_a_wrong_password_is_told(redis: RedisServer) -> None:
    (finding,) = (await found(f"redis://:wrong@127.0.0.1:{redis.port}/0")).values()
    assert finding.status == "bad" and "wrong" not in finding.detail.replace("wrong number", "")


@pytest.mark.parametrize(
    ("row", "status", "words"),
    [
        ("nodes,a,3,UP,L7OK", "good", "UP, check L7OK, 3 connections"),
        ("nodes,a,0,UP,L4OK", "warning", "L4OK"),
        ("nodes,a,0,no check,", "warning", "no check"),
        ("nodes,a,2,NOLB,L7OKC", "warning", "NOLB"),
        ("nodes,a,0,DOWN,L7TOUT", "bad", "DOWN, check L7TOUT"),
    ],
)
async def test_what_haproxy_thinks_of_a_node(row: str, status: str, words: str) -> None:
    text = f"{HEAD}nodes,FRONTEND,1,OPEN,\n{row}\nnodes,BACKEND,1,UP,\n"
    async with statistics(text) as url:
        all_found = {each.what: each async for each in cluster._haproxy(url)}
    assert set(all_found) == {"HAProxy nodes/a"}
    finding = all_found["HAProxy nodes/a"]
    assert finding.status == status and words in finding.detail and bool(finding.cure) == (status != "good")


@pytest.mark.parametrize("text", ["", "<html>", f"{HEAD}nodes,FRONTEND,1,OPEN,\n"])
async def test_what_is_no_statistics_is_bad(text: str) -> None:
    async with statistics(text) as url:
        (finding,) = [each async for each in cluster._haproxy(url)]
    assert finding.status == "bad" and "deploy/haproxy.cfg" in finding.cure


@NEEDS_REDIS
async def test_a_haproxy_that_is_not_there_is_bad_and_shows_no_password(redis: RedisServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    all_found = await found(redis.url, f"http://admin:s3cret@127.0.0.1:{port}/stats")
    assert all_found["HAProxy"].status == "bad" and "s3cret" not in all_found["HAProxy"].detail
