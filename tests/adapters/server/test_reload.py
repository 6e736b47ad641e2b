"""Reading the configuration again while calls go on: what new calls begin with, what is refused, what others keep."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.cli import reloading
from adapters.cli.reloading import config_reader, not_held, with_workers
from adapters.server import reload
from adapters.server.inside import ReloadVerdict
from adapters.server.reload import ConfigReader, ReloadRefusedError, Reloads, merged_secrets
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings, load_settings
from adapters.simulator.providers.realtime import ProviderServer
from adapters.specs import specs_folder
from tests.adapters.server.door_rig import Told, open_door
from tests.adapters.server.test_server import GREETED, LISTEN, call, settings_for
from tests.adapters.server.test_server_door import HTTP, TOKEN, client_of

ENVIRONMENT = {"OPENAI_API_KEY": "sk-1", "DOOR_TOKEN": TOKEN}
NIGHT = "agents: {night: {greeting: Good night.}}\n"


@pytest.fixture
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time does not wait for threads."""

    async def inline(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", inline)


async def holds(read: Settings, running: Settings) -> Sequence[str]:
    del read, running
    return []


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_new_calls_begin_with_what_was_read_and_live_ones_keep_what_they_have(tmp_path: Path) -> None:
    path, ids = tmp_path / "turnspec.yaml", [uuid.uuid4() for _ in range(2)]
    async with ProviderServer() as provider:
        settings = settings_for(tmp_path, provider.url, HTTP + NIGHT, DOOR_TOKEN=TOKEN)
        seen: list[Settings] = []
        reader = ConfigReader(lambda: load_settings(path, ENVIRONMENT), holds, seen.append)
        server = TurnspecServer(settings, config=reader)
        await server.start()
        async with client_of(server) as client:
            await client.post("/calls", json={"id": str(ids[0]), "agent": "night"})
            live = asyncio.create_task(call(server, LISTEN, ids[0]))
            await asyncio.sleep(1.0)
            before = server._generation
            path.write_text(path.read_text().replace("night", "day") + "limits: {calls: 7, shutdown_s: 1}\n")
            said = (await client.post("/reload")).json()
            assert said == {
                "reloaded": True, "agents": ["default", "day"], "warnings": [],
                "needs_restart": ["listen and limits", "limits.shutdown_s"],
            }  # fmt: skip
            assert (await client.get("/reload")).json() == said and seen[0].secrets == server.secrets
            assert (await client.get(f"/calls/{ids[0]}")).json()["agent"] == "night"
            assert (await client.post("/calls", json={"agent": "night"})).status_code == 422
            await client.post("/calls", json={"id": str(ids[1]), "agent": "day"})
            new = await call(server, GREETED, ids[1])
            assert new.agent_speech and not before.is_over
            path.write_text("spce: x\n")
            refused = await client.post("/reload")
            assert (refused.status_code, refused.json()["error"]) == (422, "reload_refused")
            assert any("error[unknown-key]" in each for each in refused.json()["reasons"])
            assert (await client.get("/reload")).status_code == 422
            assert (await client.post("/calls", json={"agent": "day"})).status_code == 201
            await client.post(f"/calls/{ids[0]}/events", json={"event": "application.hang_up_requested"})
            await live
            await asyncio.sleep(0.5)
            assert before.is_over, "what nobody has any more is given up"
        await server.close()


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_what_calls_need_and_is_not_there_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path, "ws://127.0.0.1:1/")
    server = TurnspecServer(settings, config=ConfigReader(lambda: settings, holds))
    await server.start()

    async def failing(_settings: Settings) -> Any:
        raise OSError(2, "gone", "opening.wav")

    monkeypatch.setattr(server, "prepared", failing)
    verdict = await server.inside.reload()
    assert verdict.why == "refused" and "gone: 'opening.wav'" in verdict.cause
    assert server.inside.reloaded() == verdict
    await server.close()


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_one_at_a_time_and_none_for_ever() -> None:
    waits = asyncio.Event()

    async def apply() -> ReloadVerdict:
        await waits.wait()
        return ReloadVerdict(agents=["a"], problems=["a warning"])

    reloads = Reloads(apply)
    began_s = asyncio.get_running_loop().time()
    assert (await reloads.ask()).why == "under_way"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(reload.ANSWER_S)
    reloads.begin()  # a signal meanwhile changes nothing
    assert (await reloads.ask()).why == "under_way"
    waits.set()
    assert (await reloads.ask()).agents == ["a"]
    waits.clear()
    reloads.begin()
    await asyncio.sleep(reload.RELOAD_S + 1)
    assert reloads.last is not None and "not verified within 180 s" in reloads.last.cause
    reloads.begin()
    await asyncio.sleep(0.1)
    await reloads.close()
    await Reloads(None).close()


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_one_that_fails_or_has_no_file_is_refused() -> None:
    async def apply() -> ReloadVerdict:
        raise RuntimeError("broken")

    assert "reload_failed" in (await Reloads(apply).ask()).cause
    nothing = Reloads(None)
    nothing.begin()
    assert (await nothing.ask()).why == "unavailable"


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_a_spec_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "ws://127.0.0.1:1/")

    async def fails(read: Settings, running: Settings) -> Sequence[str]:
        assert read is running
        return ["no"]

    with pytest.raises(ReloadRefusedError) as refused:
        await ConfigReader(lambda: settings, fails).read(settings)
    assert refused.value.problems == ("no",)


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.virtual_time
async def test_the_door_says_what_came_of_it() -> None:
    inside = Told()
    async with open_door(inside) as (_, client):
        assert (await client.get("/reload")).json()["error"] == "no_reload"
        for verdict, status in (
            (ReloadVerdict(why="under_way"), 202),
            (ReloadVerdict(why="unavailable", cause="no file"), 503),
            (ReloadVerdict(agents=["a"]), 200),
        ):
            inside.reload_verdict = verdict
            assert (await client.post("/reload")).status_code == status
        assert (await client.get("/openapi.json")).json()["paths"]["/reload"]["post"]["responses"]["202"]


# --- what is verified -------------------------------------------------------------------------------------------------


def with_spec(folder: Path, name: str) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(f"spec: {name}\nprovider: {{url: 'ws://127.0.0.1:1/'}}\n")
    return load_settings(path, ENVIRONMENT)


def changed(path: Path) -> None:
    path.write_text(path.read_text() + "# mine\n")


async def test_a_bundled_spec_and_one_that_runs_already_are_not_verified_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def noted(agent: Any) -> list[str]:
        asked.append(agent.spec.name)
        return [] if len(asked) > 1 else ["no"]

    monkeypatch.setattr(reloading, "not_held", noted)
    reader = config_reader(tmp_path / "turnspec.yaml")
    bundled = with_spec(tmp_path, "push_to_talk")
    assert await reader.verify(bundled, bundled) == []
    shutil.copy(specs_folder() / "push_to_talk.yaml", tmp_path / "mine.yaml")
    changed(tmp_path / "mine.yaml")
    mine = with_spec(tmp_path, "mine.yaml")
    assert await reader.verify(mine, mine) == [] and asked == []
    assert await reader.verify(mine, bundled) == ["no"]
    assert await reader.verify(mine, bundled) == [] and await reader.verify(mine, bundled) == []
    assert asked == ["push_to_talk"] * 2, "what was good once is good"


async def test_a_spec_is_verified_in_a_process_of_its_own(tmp_path: Path) -> None:
    name = specs_folder() / "broken" / "cancel_and_create.yaml"
    settings = with_spec(tmp_path, "push_to_talk")
    (agent,) = settings.agents
    broken = attrs.evolve(agent, spec=attrs.evolve(agent.spec, file=str(name)))
    (said,) = await not_held(broken)
    assert "it cannot be verified: " in said and str(name) in said


def test_what_was_found_is_a_line_each() -> None:
    class Spec:
        name, file = "mine", "mine.yaml"

    class Agent:
        spec = Spec

    def verdict(outcome: str, impossible: Sequence[str] = (), *findings: Any) -> dict[str, Any]:
        return {"scene": "turns", "outcome": outcome, "impossible": impossible, "findings": findings}

    finding = {"property": "p", "about": "It ends.", "run": {}}
    verdicts = [
        verdict("PASS"), verdict("FAIL", ["x happens"], finding, {**finding, "run": None}), verdict("OPEN"),
        verdict("OPEN"),
    ]  # fmt: skip
    assert reloading._broken(Agent, {"verdicts": verdicts}) == [  # type: ignore[arg-type]
        "mine, scene turns: x happens", "mine, scene turns: p: It ends.", "mine, scene turns: OPEN"
    ]  # fmt: skip


async def test_a_spec_that_was_changed_meanwhile_was_not_verified(tmp_path: Path) -> None:
    shutil.copy(specs_folder() / "push_to_talk.yaml", tmp_path / "mine.yaml")
    (agent,) = with_spec(tmp_path, "mine.yaml").agents
    assert reloading._is_unchanged(agent)
    changed(tmp_path / "mine.yaml")
    assert not reloading._is_unchanged(agent)
    (tmp_path / "mine.yaml").unlink()
    assert not reloading._is_unchanged(agent)


def test_a_secret_of_a_live_call_stays_one() -> None:
    assert merged_secrets(("sk-1", "sk-long"), ("sk-1", "sk-2x")) == ("sk-long", "sk-2x", "sk-1")


def test_the_command_line_says_how_many_workers_there_are(tmp_path: Path) -> None:
    settings = with_spec(tmp_path, "push_to_talk")
    assert with_workers(settings, None) is settings and with_workers(settings, 3).serve.workers == 3
