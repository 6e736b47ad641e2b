"""The store of one process, and a server whose store is slow, at its end, or away; and the notice before a drain."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import attrs
import pytest

from adapters.lines.line import CallData
from adapters.server.announcements import joined
from adapters.server.inside import Announcement
from adapters.server.server import TurnspecServer
from adapters.server.service import HEARD_S, give_notice
from adapters.server.store import CallClaim, LocalStore
from adapters.settings.config import Settings
from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.test_server import LISTEN, call, settings_for

pytestmark = pytest.mark.virtual_time


async def test_a_process_alone_knows_its_own_calls() -> None:
    store = LocalStore(lambda: 0.0)
    await store.start()
    said = Announcement(id="x", agent="night", variables={"tenant": "7"})
    assert (await store.announce(said)).is_shared
    claim = await store.claim("x", "127.0.0.1")
    assert claim.announcement == said and claim.refusal is None
    assert (await store.claim("x", "127.0.0.1")).announcement is None
    await store.keep_result("x", "completed", {"mood": "good"})
    found = await store.result("x")
    assert found is not None and (found.word, found.values) == ("completed", {"mood": "good"})
    store.release("x", claim)
    assert await store.holder("x") == "" and list(store.degraded()) == []
    await store.claim("x", "127.0.0.1")
    assert await store.result("x") is None
    store.refuse("x", "limit")
    found = await store.result("x")
    assert found is not None and found.word == "refused:limit"
    await store.close()
    assert joined(CallData(caller_id="1"), None).caller_id == "1"


def leaving(folder: Path, url: str, notice_s: float) -> Settings:
    return attrs.evolve(settings_for(folder, url), notice_s=notice_s)


async def leave(server: TurnspecServer) -> None:
    """As `run` does after SIGTERM."""
    server.is_leaving = True
    await give_notice(server.settings.notice_s, lambda: server.live_calls, server.forced)


async def test_with_a_notice_calls_go_on_and_come_until_there_is_none(tmp_path: Path) -> None:
    async with ProviderServer() as provider:
        server = TurnspecServer(leaving(tmp_path, provider.url, 600.0))
        await server.start()
        loop = asyncio.get_running_loop()
        live = asyncio.create_task(call(server, LISTEN, uuid.uuid4()))
        await asyncio.sleep(0.5)
        noticing = asyncio.create_task(leave(server))
        await asyncio.sleep(0.1)
        assert [each.reason for each in await server.inside.not_ready()] == ["draining"]
        assert (await server.inside.announce(Announcement(id=str(uuid.uuid4())))).why == "", "still taken"
        late = await call(server, LISTEN, uuid.uuid4())
        assert late.agent_speech, "one that comes in the meantime is served"
        await live
        over_s = loop.time()
        await noticing
        assert HEARD_S - 0.5 <= loop.time() - over_s <= HEARD_S + 0.5
        await server.close()


@pytest.mark.parametrize("is_forced", [False, True])
async def test_a_notice_ends_in_time_or_with_a_second_signal(tmp_path: Path, is_forced: bool) -> None:
    async with ProviderServer() as provider:
        server = TurnspecServer(leaving(tmp_path, provider.url, 1.0))
        await server.start()
        loop = asyncio.get_running_loop()
        live = asyncio.create_task(call(server, LISTEN, uuid.uuid4()))
        await asyncio.sleep(0.5)
        began_s = loop.time()
        if is_forced:
            loop.call_later(0.3, server.force)
        await leave(server)
        assert loop.time() - began_s <= (0.5 if is_forced else 1.2)
        await server.close()
        await live


async def test_a_call_that_waited_for_the_store_while_the_server_closed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was announced is given back for the next node."""
    call_id = uuid.uuid4()
    async with ProviderServer() as provider:
        server = TurnspecServer(settings_for(tmp_path, provider.url))
        await server.start()
        released: list[str] = []
        whole = server.store.claim

        async def slow(claimed: str, peer: str) -> CallClaim:
            await asyncio.sleep(1.0)
            return await whole(claimed, peer)

        def release(given_back: str, _claim: CallClaim) -> None:
            released.append(given_back)

        monkeypatch.setattr(server.store, "claim", slow)
        monkeypatch.setattr(server.store, "release", release)
        calling = asyncio.create_task(call(server, LISTEN, call_id))
        await asyncio.sleep(0.3)
        closing = asyncio.create_task(server.close(2.0))
        report = await calling
        await closing
        outcome = await server.inside.result(str(call_id))
        assert report.agent_speech == () or not report.agent_speech
        assert set(released) == {str(call_id)} and outcome is not None and outcome.word == "refused:drain"
