"""A worker in this process, in virtual time: what its supervisor tells it, asks it and hands it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.server.workers.handover import hand_over, pair
from adapters.server.workers.link import Link, LinkError, Said
from adapters.server.workers.worker import Worker
from adapters.settings.config import load_settings
from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.workers.rig import GREETED, ROOT, STAY, TOKEN, call, config_of

pytestmark = pytest.mark.virtual_time


@attrs.define
class Foreman:
    """A supervisor of one worker, which takes every call."""

    path: Path
    through: socket.socket
    told: list[tuple[str, Said]] = attrs.field(factory=list)
    asked: list[tuple[str, Said]] = attrs.field(factory=list)
    ready: asyncio.Event = attrs.field(factory=asyncio.Event)
    claimed: asyncio.Event = attrs.field(factory=asyncio.Event)
    refuses: str | None = None
    link: Link = attrs.field(init=False)
    port: int = 0

    def __attrs_post_init__(self) -> None:
        self.link = Link(self.hears, self.answers)

    def hears(self, what: str, said: Said) -> None:
        self.told.append((what, said))
        if what in ("ready", "failed"):
            self.ready.set()

    async def answers(self, what: str, said: Said) -> object:
        self.asked.append((what, said))
        self.claimed.set()
        return {"refusal": self.refuses, "announcement": None, "ticket": 1}

    def begin(self, texts: dict[str, str] | None = None) -> None:
        texts = dict(load_settings(self.path).texts) if texts is None else texts
        self.link.tell("begin", config=str(self.path), texts=texts, worker=0, deletes_old_files=True)

    def words(self) -> list[str]:
        return [what for what, _ in self.told]


@contextlib.asynccontextmanager
async def employed(path: Path) -> AsyncIterator[tuple[Foreman, asyncio.Task[int]]]:
    ours, theirs = socket.socketpair()
    gives, takes = pair()
    foreman = Foreman(path, gives)
    await foreman.link.open(ours)
    running = asyncio.create_task(Worker(theirs, takes).run())

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    loop.add_reader(listener, lambda: hand_over(gives, "audiosocket", listener.accept()[0]))
    foreman.port = listener.getsockname()[1]
    try:
        yield foreman, running
    finally:
        loop.remove_reader(listener)
        listener.close()
        foreman.link.close()
        await running
        gives.close()
        if takes.fileno() >= 0:
            takes.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", TOKEN)

    async def inline(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", inline)  # virtual time does not wait for threads


async def test_it_serves_what_it_is_handed_and_answers_for_it(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider, employed(config_of(tmp_path, provider.url)) as (foreman, running):
        with pytest.raises(LinkError, match="has not begun"):
            await foreman.link.ask("measured", 5.0)
        foreman.begin()
        await foreman.ready.wait()
        live = asyncio.create_task(call(foreman.port, STAY, call_id))
        await foreman.claimed.wait()
        await asyncio.sleep(2.0)
        listed, more = await foreman.link.ask("calls", 5.0, after="", at_most=5)
        assert [each["id"] for each in listed] == [str(call_id)] and more == 0
        assert (await foreman.link.ask("call", 5.0, id=str(call_id)))["call"]["agent"] == "default"
        assert await foreman.link.ask("call", 5.0, id="x") is None
        assert await foreman.link.ask("outcome", 5.0, id=str(call_id)) == {"word": "", "values": {}}
        assert await foreman.link.ask("outcome", 5.0, id="x") is None
        assert "turnspec_calls_live 1.0" in await foreman.link.ask("measured", 5.0)
        with pytest.raises(LinkError, match="NoSuchQuestionError: who"):
            await foreman.link.ask("who", 5.0)
        asked = {"id": str(call_id), "name": "application.hang_up_requested", "data": {}}
        assert (await foreman.link.ask("request", 5.0, **asked))["why"] == ""
        assert (await live).ended == "hangup"
        await asyncio.sleep(0.5)
        assert [what for what, _ in foreman.asked] == ["claim", "ended"]
        assert foreman.words()[:2] == ["ready", "taken"] and "release" in foreman.words()
        assert ("seen", {"complaint": ""}) in foreman.told
        foreman.refuses = "limit"
        assert (await call(foreman.port, GREETED)).ended == "rst"
        assert foreman.told[-2][1].get("reason") == "limit" or ("refused" in foreman.words())
        foreman.link.tell("stop", drain_s=1.0)
        assert await running == 0


async def test_a_connection_of_every_line_is_served(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    path.write_text(
        path.read_text().replace("listen: {", "listen: {chan_websocket: '127.0.0.1:0', twilio: '127.0.0.1:0', ")
        + "twilio: {public_url: 'https://a.example.com', account_sid: AC1, auth_token: '0123456789abcdef'}\n"
    )
    async with employed(path) as (foreman, running):
        foreman.begin()
        await foreman.ready.wait()
        for line, path_of_line, status in (("chan_websocket", "/media", b"101"), ("twilio", "/audio", b"403")):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                assert hand_over(foreman.through, line, listener.accept()[0])
            writer.write(
                f"GET {path_of_line} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: media\r\n\r\n".encode()
            )
            assert status in await reader.readuntil(b"\r\n"), line
            writer.close()
        foreman.link.tell("stop", drain_s=0.0)
        assert await running == 0


async def test_it_takes_another_configuration_in_two_steps(tmp_path: Path) -> None:
    path = config_of(tmp_path, "ws://127.0.0.1:1/")
    async with employed(path) as (foreman, running):
        foreman.begin()
        await foreman.ready.wait()
        good = dict(load_settings(path).texts)
        key = str(path.resolve())
        bad = await foreman.link.ask("prepare", 30.0, texts={**good, key: "spec: nowhere.yaml\n" + good[key]})
        assert any("it was not there when the configuration was read" in each for each in bad)
        assert await foreman.link.ask("commit", 5.0) is False
        assert await foreman.link.ask("prepare", 30.0, texts=good) == []
        foreman.link.tell("abandon")
        assert await foreman.link.ask("commit", 5.0) is False
        assert await foreman.link.ask("prepare", 30.0, texts=good) == []
        assert await foreman.link.ask("commit", 5.0) is True
        foreman.link.tell("force")
        foreman.link.tell("stop", drain_s=600.0)
        assert await running == 0


async def test_one_that_cannot_begin_says_why(tmp_path: Path) -> None:
    async with employed(config_of(tmp_path, "ws://127.0.0.1:1/")) as (foreman, running):
        foreman.begin(texts={})
        await foreman.ready.wait()
        assert await running == 1
        assert "the configuration cannot be read" in foreman.told[0][1]["problems"][0]


async def test_without_its_supervisor_it_ends_also_before_it_has_begun(tmp_path: Path) -> None:
    async with employed(config_of(tmp_path, "ws://127.0.0.1:1/")) as (foreman, running):
        foreman.link.close()
        assert await running == 1


async def test_without_its_supervisor_its_calls_end_at_once(tmp_path: Path) -> None:
    async with ProviderServer() as provider, employed(config_of(tmp_path, provider.url)) as (foreman, running):
        foreman.begin()
        await foreman.ready.wait()
        live = asyncio.create_task(call(foreman.port, STAY))
        await foreman.claimed.wait()
        await asyncio.sleep(1.0)
        foreman.link.close()
        assert await running == 0
        assert (await live).ended == "hangup"


def test_a_process_whose_parent_is_another_one_ends_before_it_has_begun() -> None:
    ours, theirs = socket.socketpair()
    done = subprocess.run(
        [sys.executable, "-m", "adapters.server.workers.worker", str(theirs.fileno()), "0", "asyncio", "1"],
        pass_fds=[theirs.fileno()], cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    ours.close()
    theirs.close()
