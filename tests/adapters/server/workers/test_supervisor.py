"""Several processes as one server: real workers, real sockets. What is shared, what is told, what is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.cli.reloading import config_reader, with_workers
from adapters.server.workers.supervisor import Supervisor, WorkerStartError
from adapters.settings.config import load_settings
from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.workers.rig import CUT, GREETED, STAY, TOKEN, call, config_of, supervised, until


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", TOKEN)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def values(text: str) -> dict[str, float]:
    """By name and labels, as Prometheus' own parser reads it."""
    families = text_string_to_metric_families(text)
    return {
        " ".join([sample.name, *dict(sorted(sample.labels.items())).values()]): sample.value
        for each in families
        for sample in each.samples
    }


async def reloaded(client: httpx2.AsyncClient) -> httpx2.Response:
    """The verdict, also where it takes longer than somebody waits for it at the door."""
    answer = await client.post("/reload")

    async def is_there() -> bool:
        return (await client.post("/reload")).status_code != 202

    if answer.status_code == 202:
        await until(is_there)
        answer = await client.get("/reload")
    return answer


async def test_calls_are_shared_and_the_door_finds_each_of_them(tmp_path: Path) -> None:
    ids = sorted(uuid.uuid4() for _ in range(3))
    async with ProviderServer() as provider, supervised(config_of(tmp_path, provider.url)) as (server, client):
        port = server.addresses[0][1]
        said = {"id": str(ids[1]), "agent": "night", "variables": {"tenant": "7"}}
        assert (await client.post("/calls", json=said)).status_code == 201
        calls = [asyncio.create_task(call(port, STAY, each)) for each in ids]

        async def all_answer() -> bool:
            listed = (await client.get("/calls")).json()["calls"]
            return len([each for each in listed if each["state"] == "configured"]) == 3

        await until(all_answer)
        assert (await client.get("/readyz")).json() == {"ready": True, "reasons": [], "degraded": []}
        page = (await client.get("/calls?limit=2")).json()
        assert [each["id"] for each in page["calls"]] == [str(ids[0]), str(ids[1])] and page["more"] == 1
        shown = (await client.get(f"/calls/{ids[1]}")).json()
        assert (shown["agent"], shown["variables"]["tenant"]) == ("night", "7"), "whoever gets the call knows it"
        assert (await client.post("/calls", json=said)).json()["error"] == "live"
        assert (await client.post("/calls", json={"agent": "x"})).json()["error"] == "no_such_agent"
        measured = values((await client.get("/metrics")).text)
        assert sorted([measured["turnspec_worker_calls 0"], measured["turnspec_worker_calls 1"]]) == [1, 2]
        assert measured["turnspec_calls_live"] == 3 and measured["turnspec_calls_limit"] == 3
        assert measured["turnspec_calls_total default server_vad"] == 2 and measured["turnspec_workers_ready"] == 2
        twice, too_many = await call(port, STAY, ids[0]), await call(port, STAY)
        assert (twice.ended, too_many.ended) == ("rst", "rst"), "found in whichever process it is; the limit is for all"
        assert (await client.get(f"/calls/{too_many.call_id}/result")).text == "refused:limit"
        set_result = {"event": "application.result_given", "data": {"key": "mood", "value": "good"}}
        assert (await client.post(f"/calls/{ids[2]}/events", json=set_result)).json() == {"accepted": True}
        assert (await client.get(f"/calls/{ids[2]}/result/mood")).text == "good", "of a live call"
        assert (await client.get(f"/calls/{ids[0]}/result")).status_code == 404
        for each in ids:
            hang_up = {"event": "application.hang_up_requested"}
            assert (await client.post(f"/calls/{each}/events", json=hang_up)).json() == {"accepted": True}
        reports = await asyncio.gather(*calls)
        assert [each.ended for each in reports] == ["hangup"] * 3
        assert (await client.get(f"/calls/{ids[2]}/result")).text == "completed"

        async def is_over() -> bool:  # its line may need a moment longer
            return bool((await client.get(f"/calls/{ids[2]}")).json().get("error") == "ended")

        await until(is_over)
        assert (await client.post(f"/calls/{ids[2]}/events", json=set_result)).json()["error"] == "ended"
        assert (await client.post(f"/calls/{uuid.uuid4()}/events", json=set_result)).json()["error"] == "unknown"
        again = await call(port, GREETED, ids[0])
        assert again.agent_speech, "an id that is over may come again, to any of them"


async def test_a_worker_that_dies_is_replaced_and_its_calls_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider, supervised(config_of(tmp_path, provider.url)) as (server, client):
        port = server.addresses[0][1]
        lost = asyncio.create_task(call(port, STAY, call_id))
        await until(lambda: server.store.worker_of(str(call_id)))
        await client.get("/metrics")
        worker = server.by_number(server.store.worker_of(str(call_id)))
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert (await lost).ended in CUT
        await until(lambda: len(server.ready) == 1)
        answer = await client.get("/readyz")
        assert answer.status_code == 503 and [each["reason"] for each in answer.json()["reasons"]] == ["worker_missing"]
        assert (await client.get(f"/calls/{call_id}")).json()["error"] == "unknown"
        assert (await call(port, GREETED)).agent_speech, "the other one goes on"
        await until(lambda: len(server.ready) == 2)
        measured = values((await client.get("/metrics")).text)
        assert measured["turnspec_worker_restarts"] == 1
        assert measured["turnspec_calls_total default server_vad"] == 2, "what the dead one had counted stays"
    died = [line for line in capsys.readouterr().out.splitlines() if "worker_died" in line]
    assert len(died) == 1 and str(call_id) in died[0]


async def test_a_reload_is_for_new_calls_of_every_worker_or_of_none(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider:
        path = config_of(tmp_path, provider.url)
        async with supervised(path) as (server, client):
            port = server.addresses[0][1]
            assert (await client.get("/reload")).status_code == 404
            await client.post("/calls", json={"id": str(call_id), "agent": "night"})
            live = asyncio.create_task(call(port, STAY, call_id))
            await until(lambda: server.store.worker_of(str(call_id)))
            good = path.read_text()
            path.write_text(good.replace("night", "day") + "talk_key: '#'\nserve: {loop: asyncio}\njournal: {dir: .}\n")
            said = (await reloaded(client)).json()
            assert (said["reloaded"], said["agents"], said["needs_restart"]) == (
                True, ["default", "day"], ["journal.dir"]
            )  # fmt: skip
            assert (await client.get("/reload")).json() == said
            assert (await client.get(f"/calls/{call_id}")).json()["agent"] == "night", "a live call keeps what it has"
            for _ in range(2):  # one for each worker
                day = str(uuid.uuid4())
                assert (await client.post("/calls", json={"id": day, "agent": "day"})).status_code == 201
                new = asyncio.create_task(call(port, STAY, uuid.UUID(day)))
                await until(lambda day=day: server.store.worker_of(day))
                assert (await client.get(f"/calls/{day}")).json()["agent"] == "day"
                await client.post(f"/calls/{day}/events", json={"event": "application.hang_up_requested"})
                await new
            path.write_text("spec: nowhere.yaml\n" + good)
            refused = await reloaded(client)
            assert refused.status_code == 422 and refused.json()["error"] == "reload_refused"
            assert any("error[no-file]: the spec" in each for each in refused.json()["reasons"])
            assert (await client.post("/calls", json={"agent": "day"})).status_code == 201, "the old one stays"
            (worker, _) = server.ready
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: worker not in server.ready)
            await until(lambda: len(server.ready) == 2)  # it begins with what was good, not with what is on the disk
            await client.post(f"/calls/{call_id}/events", json={"event": "application.hang_up_requested"})
            await live


async def test_a_worker_that_cannot_take_a_configuration_leaves_all_of_them_with_the_old_one(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    async with supervised(path) as (server, client):
        before, (first, _) = server.settings, server.ready

        async def complains(what: str, deadline_s: float, **said: object) -> Any:
            assert what == "prepare" and deadline_s and said["texts"]
            return ["no"]

        first.link.ask = complains  # type: ignore[method-assign]
        refused = await reloaded(client)
        assert refused.status_code == 422 and refused.json()["reasons"] == ["no"]
        assert server.settings is before
        server.settings = with_workers(load_settings(path), 2)  # as after a reload while the second one was begun
        begun = asyncio.get_running_loop().create_future()
        second = server.ready[1]
        await server._welcome(second, begun)
        assert begun.done() and second.texts is server.settings.texts
        await server._welcome(first, begun)
        await until(lambda: first not in server.ready)  # it complains, and another one takes its place
        server._is_closing = True
        assert (await client.post("/calls", json={})).status_code == 503
        server._is_closing = False


async def test_a_supervisor_without_workers_resets_who_comes_and_ends_all_the_same(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    path.write_text(
        path.read_text().replace("listen: {", "listen: {twilio: '127.0.0.1:0', ")
        + "twilio: {public_url: 'https://a.example.com', account_sid: AC1, auth_token: '0123456789abcdef'}\n"
    )
    async with supervised(path, workers=1) as (server, client):
        assert len(server.addresses) == 2 and server._is_full() is None
        (worker,) = server.ready
        worker.is_busy = True
        assert server._is_full() == "every worker is busy"
        assert [each["reason"] for each in (await client.get("/readyz")).json()["reasons"]] == ["busy"]
        os.kill(worker.pid, signal.SIGSTOP)
        server.by_number(worker.number).is_ready = False  # type: ignore[union-attr]
        assert (await call(server.addresses[0][1], GREETED)).ended in CUT
        assert server._is_full() == "no worker takes calls"
        server._started_with = attrs.evolve(server._started_with, shutdown_s=0.0)
        server.force()


async def test_a_worker_that_cannot_begin_ends_the_start(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    settings = with_workers(load_settings(path), 2)
    server = Supervisor(attrs.evolve(settings, texts={}), path, config_reader(path))
    with pytest.raises(WorkerStartError, match="the configuration cannot be read"):
        await server.start()
    await server.close()
    stopped = asyncio.Event()
    stopped.set()
    other = Supervisor(settings, path, config_reader(path))
    await other.start(stopped)  # a signal came before the workers were there
    await other.close()


async def test_a_port_that_is_taken_ends_the_start_before_there_is_a_worker(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    port = taken.sockets[0].getsockname()[1]
    path.write_text(path.read_text().replace("listen: {", f"listen: {{chan_websocket: '127.0.0.1:{port}', "))
    server = Supervisor(with_workers(load_settings(path), 2), path, config_reader(path))
    with pytest.raises(OSError, match="in use"):
        await server.start()
    await server.close()
    taken.close()
