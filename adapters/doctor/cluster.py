"""What stands between nodes: Redis or Valkey, and the balancer before them."""

from __future__ import annotations

import asyncio
import csv
import http.client
import io
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from adapters.doctor.finding import DoctorFinding, bad, good, warning
from adapters.server.cluster.redis_records import RedisRecords
from adapters.settings.cluster import ClusterSettings

_DEADLINE_S: Final = 5.0
_SLOW_S: Final = 0.05
"""A call waits for it once at its beginning and once at its end."""
_LEAST_MAJOR: Final = 6
_PINGS: Final = 5
_CSV_BYTES: Final = 4_000_000


async def cluster_findings(settings: ClusterSettings) -> AsyncIterator[DoctorFinding]:
    """Of `cluster:`."""
    records = RedisRecords(settings)
    try:
        async for finding in _redis(records, settings):
            yield finding
    finally:
        await records.close()
    if settings.haproxy_stats:
        async for finding in _haproxy(settings.haproxy_stats):
            yield finding


# --- Redis, Valkey ----------------------------------------------------------------------------------------------------


async def _redis(records: RedisRecords, settings: ClusterSettings) -> AsyncIterator[DoctorFinding]:
    try:
        async with asyncio.timeout(_DEADLINE_S):
            took_s = await _round_trip(records)
            about = await records.about()
            nodes = await records.nodes()
    except (RedisError, OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {_DEADLINE_S:g} s"
        cure = "cluster.url: host, port, password; calls go on without it, and nodes do not know of each other's"
        yield bad("Redis", f"{settings.shown} cannot be used: {why}", cure)
        return
    yield _version(about)
    what = f"{took_s * 1000:.1f} ms"
    slow = took_s >= min(_SLOW_S, settings.deadline_s)
    near = "one that is nearer: a call waits for it at its beginning and its end"
    yield warning("Redis round trip", what, near) if slow else good("Redis round trip", what)
    yield _eviction(about)
    others = [each for each in nodes if each != settings.node]
    yield good("nodes", f"this is {settings.node}; there now: {', '.join(nodes) or 'nobody'}")
    if settings.node in nodes:
        cure = "it is this one, running; or another has its name: cluster.node"
        yield warning("node's name", f"{settings.node} is there already, beside {len(others)} others", cure)


async def _round_trip(records: RedisRecords) -> float:
    """The median, once there is a connection."""
    await records.ping()
    found = []
    for _ in range(_PINGS):
        began_s = time.perf_counter()
        await records.ping()
        found.append(time.perf_counter() - began_s)
    return sorted(found)[_PINGS // 2]


def _version(about: Mapping[str, object]) -> DoctorFinding:
    name = "Valkey" if about.get("server_name") == "valkey" else "Redis"
    text = str(about.get("valkey_version") or about.get("redis_version") or "unknown")
    major = text.split(".")[0]
    if not major.isdecimal() or int(major) < _LEAST_MAJOR:
        return warning("Redis", f"{name} {text}", f"Redis {_LEAST_MAJOR} or newer, or Valkey")
    return good("Redis", f"{name} {text}")


def _eviction(about: Mapping[str, object]) -> DoctorFinding:
    """Every key of ours has a lifetime, so each policy but one throws away what is still wanted."""
    what, policy, most = "Redis eviction", str(about.get("maxmemory_policy", "unknown")), about.get("maxmemory")
    if most == 0:
        return good(what, f"no maxmemory, so nothing is evicted ({policy})")
    if policy == "noeviction":
        return good(what, policy)
    cure = "maxmemory-policy noeviction: a full one then says so, and calls go on"
    return warning(what, f"{policy}: results and announced calls may be thrown away before their time", cure)


# --- HAProxy ----------------------------------------------------------------------------------------------------------


async def _haproxy(url: str) -> AsyncIterator[DoctorFinding]:
    try:
        text = await asyncio.wait_for(asyncio.to_thread(_statistics, url), 2 * _DEADLINE_S)
    except (OSError, http.client.HTTPException, ValueError, TimeoutError) as error:
        cure = "cluster.haproxy_stats: the `stats uri` of deploy/haproxy.cfg, from where turnspec runs"
        yield bad("HAProxy", f"its statistics at {_place(url)} cannot be read: {error}", cure)
        return
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("# "))))
    servers = [each for each in rows if each.get("svname") not in ("FRONTEND", "BACKEND", None)]
    if not servers or "check_status" not in servers[0]:
        cure = "a backend with servers: deploy/haproxy.cfg"
        yield bad("HAProxy", f"what {_place(url)} says is no statistics of servers", cure)
        return
    for each in servers:
        yield _server(each)


def _statistics(url: str) -> str:
    with urllib.request.urlopen(f"{url.rstrip('/')};csv", timeout=_DEADLINE_S) as answer:
        text: bytes = answer.read(_CSV_BYTES)
    return text.decode(errors="replace")


def _server(row: Mapping[str, str]) -> DoctorFinding:
    what = f"HAProxy {row.get('pxname')}/{row.get('svname')}"
    status, check = row.get("status") or "", row.get("check_status") or ""
    said = f"{status}{f', check {check}' if check else ''}, {row.get('scur') or 0} connections"
    if status.startswith("no check"):
        cure = "option httpchk with /readyz, and `check port` of the door: deploy/haproxy.cfg"
        return warning(what, f"{said}: a node that drains still gets calls", cure)
    if check.startswith("L4OK"):
        cure = "option httpchk with /readyz: to AudioSocket a plain check is a connection without a call"
        return warning(what, said, cure)
    if status.startswith("UP"):
        return good(what, said)
    if status.startswith(("NOLB", "DRAIN", "MAINT")):
        return warning(what, said, "it gets no new calls: GET /readyz of that node says why")
    return bad(what, said, "GET /readyz of that node says why; HAProxy must reach its door")


def _place(url: str) -> str:
    """Without what may be a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 80}{parts.path}"
