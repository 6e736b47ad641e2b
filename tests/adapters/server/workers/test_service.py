"""`turnspec serve --workers 2` as a process: signals, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import uuid
from pathlib import Path

import pytest

from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.workers.rig import CUT, GREETED, STAY, Service, call, config_of, is_alive, serving, until


def pids_of(lines: list[dict[str, int]]) -> list[int]:
    return [line["pid"] for line in lines]


async def test_a_reload_by_signal_and_a_drain_that_lets_callers_go_on(tmp_path: Path) -> None:
    async with ProviderServer() as provider:
        path = config_of(tmp_path, provider.url)
        async with serving(path) as (service, port, client):
            workers = pids_of(service.lines("worker_ready"))
            assert len(workers) == 2
            path.write_text(path.read_text().replace("night", "day"))
            os.kill(service.process.pid, signal.SIGHUP)
            assert (await service.logged("reloaded"))["agents"] == ["default", "day"]
            path.write_text("limits: {calls: x}\nprovider: {api_key: ''}\n")
            os.kill(service.process.pid, signal.SIGHUP)
            assert ":1:17: error[type]" in str((await service.logged("reload_refused"))["problems"])
            first, second = uuid.uuid4(), uuid.uuid4()
            calls = [asyncio.create_task(call(port, STAY, each)) for each in (first, second)]
            await until(lambda: len(service.lines("call_began")) == 2)
            assert {line["worker"] for line in service.lines("call_began")} == {0, 1}
            os.kill(service.process.pid, signal.SIGTERM)
            await service.logged("closing")
            reasons = (await client.get("/readyz")).json()["reasons"]
            assert "draining" in [each["reason"] for each in reasons]
            late = await call(port, STAY)
            assert late.ended in CUT
            reports = await asyncio.gather(*calls)
            assert [(each.ended, each.dialplan_continues) for each in reports] == [("hangup", True)] * 2
            assert (await client.get(f"/calls/{first}/result")).text == "completed", "until the last moment"
            assert await service.ended() == 0
        assert not any(map(is_alive, workers))


async def test_no_worker_outlives_its_supervisor(tmp_path: Path) -> None:
    async with ProviderServer() as provider, serving(config_of(tmp_path, provider.url)) as (service, port, _):
        workers = pids_of(service.lines("worker_ready"))
        live = asyncio.create_task(call(port, STAY))
        await service.logged("call_began")
        os.kill(workers[0], signal.SIGTERM)  # as systemd and a terminal signal all of them: the supervisor decides
        os.kill(workers[1], signal.SIGSTOP)  # what a tool that holds the loop is like
        os.kill(service.process.pid, signal.SIGKILL)
        await until(lambda: not any(map(is_alive, workers)))
        assert (await live).ended in CUT


async def test_a_worker_that_does_not_end_is_killed_after_the_drain(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    path.write_text(path.read_text().replace("shutdown_s: 3", "shutdown_s: 0"))
    async with serving(path) as (service, _, _):
        stuck = pids_of(service.lines("worker_ready"))[0]
        os.kill(stuck, signal.SIGSTOP)
        os.kill(service.process.pid, signal.SIGTERM)
        assert await service.ended() == 0
        assert (await service.logged("worker_killed"))["why"] == "it did not end in time"
        assert not is_alive(stuck)


async def test_a_second_signal_does_not_wait_for_the_calls(tmp_path: Path) -> None:
    async with ProviderServer() as provider:
        path = config_of(tmp_path, provider.url)
        path.write_text(path.read_text().replace("shutdown_s: 3", "shutdown_s: 600"))
        async with serving(path) as (service, port, _):
            live = asyncio.create_task(call(port, {"steps": [{"until_hung_up": {"within_ms": 60000}}]}))
            await service.logged("call_began")
            os.kill(service.process.pid, signal.SIGTERM)
            await service.logged("closing")
            os.kill(service.process.pid, signal.SIGTERM)
            assert await service.ended() == 0
            assert (await live).ended == "hangup"


async def test_a_port_that_is_taken_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    path.write_text(path.read_text().replace('audiosocket: "127.0.0.1:0"', f'audiosocket: "127.0.0.1:{port}"'))
    service = Service(path)
    try:
        assert await service.ended() == 1
        assert f"error[listen]: cannot serve on 127.0.0.1:{port}" in service.text
    finally:
        service.end()
        taken.close()


async def test_calls_on_uvloop_are_calls(tmp_path: Path) -> None:
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("NO uvloop (turnspec[fast]): serve.loop was not tried")
    async with ProviderServer() as provider:
        path = config_of(tmp_path, provider.url, "serve: {loop: uvloop}\n")
        async with serving(path) as (service, port, client):
            report = await call(port, GREETED)
            assert report.notes == () and len(report.agent_speech) == 1
            assert (await client.get("/livez")).json() == {"alive": True}
            os.kill(service.process.pid, signal.SIGTERM)
            assert await service.ended() == 0
