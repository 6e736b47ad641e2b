"""Telephone calls that the provider announces, by the door of a whole server: accepted, held, referred, ended, refused.

The provider's HTTP answers as a test tells it to; its session is the simulated one, with a client that has the audio.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx2
import orjson
import pytest
from websockets.asyncio.client import connect

from adapters.providers.provider import CallsAddress
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.server.incoming import without_audio
from adapters.server.server import TurnspecServer
from adapters.simulator.providers.realtime import ProviderServer, ProviderSettings
from adapters.specs import BUNDLED, load_spec
from tests.adapters.lines.scripted_api import Answer, ScriptedApi, scripted_api
from tests.adapters.lines.sideband.rig import Browser
from tests.adapters.lines.sideband.test_webhook import SECRET, event, signed
from tests.adapters.server.test_server import serving, settings_for
from tests.adapters.server.test_server_door import HTTP, TOKEN, client_of

pytestmark = pytest.mark.virtual_time

RTC = "rtc_1"
DONE = (200, b"")
GONE = (404, {"error": {"message": "No session found"}})
CONFIG = (
    "sideband: {webhook: {agent_header: X-Agent}}\n"
    "transfers: {sales: {dial: '+4930123'}, desk: {}}\n"
    "agents: {night: {numbers: ['+49800'], instructions: 'You talk to {caller_id} of {call.sip.x-tenant}.'}}\n"
)


@attrs.frozen
class Telephone:
    """The provider's side: its webhook, its REST, and the client that has the caller's audio."""

    server: TurnspecServer
    client: httpx2.AsyncClient
    api: ScriptedApi
    browser: Browser | None

    async def announce(self, call_id: str = RTC, *, delivery: str = "wh_1", **headers: str) -> httpx2.Response:
        said = {"From": "sip:+491@example.com", "To": "sip:+49100@example.com", **headers}
        data = {"call_id": call_id, "sip_headers": [{"name": key, "value": value} for key, value in said.items()]}
        body = event(data=data)
        return await self.client.post("/openai", content=body, headers=_json(signed(body, delivery, int(time.time()))))

    async def told(self, verb: str, count: int = 1) -> list[Any]:
        """Bodies of such requests, once there are so many."""
        async with asyncio.timeout(30):
            while len(found := self.bodies(verb)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    def bodies(self, verb: str) -> list[Any]:
        return [body for line, _, body in self.api.requests if line.split()[1].endswith(f"/{verb}")]

    async def over(self, call_id: str = RTC) -> str:
        """How it ended."""
        async with asyncio.timeout(30):
            while call_id in self.server.calls or not (said := await self.result(call_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return said

    async def result(self, call_id: str = RTC) -> str:
        return (await self.client.get(f"/calls/{call_id}/result")).text

    async def ask(self, name: str, **data: str) -> int:
        body = {"event": f"application.{name}", "data": data}
        return (await self.client.post(f"/calls/{RTC}/events", json=body)).status_code

    async def spoken(self) -> Browser:
        """Once the agent has greeted."""
        assert self.browser is not None
        await self.browser.until("output_audio_buffer.stopped")
        return self.browser

    async def measured(self) -> str:
        return (await self.client.get("/metrics")).text


def _json(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "content-type": "application/json", "authorization": ""}


@contextlib.asynccontextmanager
async def telephone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer, more: str = "", rings_here: bool = True
) -> AsyncIterator[Telephone]:
    async with (
        ProviderServer(ProviderSettings(plays_audio=True)) as provider,
        scripted_api(*(answers or (DONE,)), parse=lambda body: orjson.loads(body) if body else None) as api,
    ):
        address = CallsAddress(f"http://127.0.0.1:{api.port}/v1/realtime/calls", {"Authorization": "Bearer k"})
        monkeypatch.setattr(RealtimeProvider, "calls_address", lambda _self: address)
        browser = None
        if rings_here:
            url = f"{provider.url}?model=gpt-realtime&call_id={RTC}"
            browser = Browser(await connect(url, additional_headers={"Authorization": "Bearer ek"}, compression=None))
        config = HTTP + CONFIG + more
        settings = settings_for(folder, provider.url, config, DOOR_TOKEN=TOKEN, OPENAI_WEBHOOK_SECRET=SECRET)
        async with serving(settings) as server, client_of(server) as client:
            yield Telephone(server, client, api, browser)
            if browser is not None:
                await browser.close()


async def test_an_announced_call_is_accepted_held_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"To": '"Night" <sip:+49800@example.com>', "X-Tenant": "seven {agent}"}
    async with telephone(tmp_path, monkeypatch) as phone:
        answer = await phone.announce(**headers)
        assert (answer.status_code, answer.json()) == (200, {"taken": True}), answer.text
        browser = await phone.spoken()
        (session,) = phone.bodies("accept")
        assert session["instructions"] == "You talk to +491 of seven {agent}." and session["model"] == "gpt-realtime"
        updated = await browser.until("session.updated")
        assert updated["session"]["instructions"] == session["instructions"], (
            "it is asked for what it was accepted with"
        )
        shown = (await phone.client.get(f"/calls/{RTC}")).json()
        assert (shown["agent"], shown["caller_id"], shown["dialled"]) == ("night", "+491", "+49800")
        assert shown["variables"]["sip.x-tenant"] == "seven {agent}"
        assert await phone.ask("hang_up_requested") == 200
        assert await phone.over() == "completed"
        assert phone.bodies("hangup") == [None] and not phone.bodies("reject")


async def test_the_callers_hang_up_ends_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telephone(tmp_path, monkeypatch, DONE, GONE) as phone:
        await phone.announce()
        await (await phone.spoken()).close()
        async with asyncio.timeout(30):
            while RTC in phone.server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(phone.bodies("hangup")) <= 1 and phone.server.live_calls == 0


async def test_a_caller_is_referred_and_the_call_leaves_him(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telephone(tmp_path, monkeypatch) as phone:
        await phone.announce()
        await phone.spoken()
        assert await phone.ask("transfer_requested", key="sales") == 200
        assert await phone.told("refer") == [{"target_uri": "tel:+4930123"}]
        assert await phone.over() == "transfer:sales"
        assert not phone.bodies("hangup"), "his telephone is on its way"


@pytest.mark.parametrize("key", ["sales", "desk"])
async def test_a_refer_that_fails_is_said_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    refused = (400, {"error": {"message": "Not a SIP call"}})
    async with telephone(tmp_path, monkeypatch, DONE, refused, DONE) as phone:
        await phone.announce()
        browser = await phone.spoken()
        assert await phone.ask("transfer_requested", key=key) == 200
        await browser.until("output_audio_buffer.stopped", 2)
        assert RTC in phone.server.calls and not await phone.result()
        assert len(phone.bodies("refer")) == (key == "sales")


@pytest.mark.parametrize(
    ("answers", "then"),
    [
        ((GONE,), ("refused:not_accepted", [], [])),
        (((401, b""), DONE), ("refused:not_accepted", [{"status_code": 480}], [])),
        (((503, b""), DONE), ("refused:not_accepted", [], [None])),
    ],
    ids=["over", "not", "unknown"],
)
async def test_a_call_that_is_not_let_in_begins_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer, ...], then: tuple[str, list[Any], list[Any]]
) -> None:
    async with telephone(tmp_path, monkeypatch, *answers, rings_here=False) as phone:
        assert (await phone.announce()).status_code == 200
        said = await phone.over()
        await asyncio.sleep(1)
        assert (said, phone.bodies("reject"), phone.bodies("hangup")) == then
        assert 'turnspec_calls_refused_total{reason="not_accepted"} 1.0' in await phone.measured()


@pytest.mark.parametrize("spec", ["guarded_turns", "push_to_talk"])
async def test_a_spec_that_decides_by_audio_on_the_line_takes_no_call_that_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    async with telephone(tmp_path, monkeypatch, more=f"spec: {spec}\n", rings_here=False) as phone:
        await phone.announce()
        assert await phone.over() == "refused:spec_unfit"
        assert await phone.told("reject") == [{"status_code": 480}]
        assert phone.bodies("accept") == []


@pytest.mark.parametrize("name", [*BUNDLED, "specs/cookbook/barge_in.yaml"])
def test_which_specs_can_do_without_audio(name: str) -> None:
    unfit = {"guarded_turns", "push_to_talk", "barge_in"}
    spec = load_spec(name).spec
    assert (spec.name in without_audio(spec)) == (spec.name in unfit)


async def test_an_agent_is_named_by_a_header_and_one_that_is_not_there_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telephone(tmp_path, monkeypatch) as phone:
        await phone.announce("rtc_2", **{"X-Agent": "nobody"})
        assert await phone.over("rtc_2") == "refused:unknown_agent"
        assert await phone.told("reject") == [{"status_code": 404}]
        await phone.announce(delivery="wh_2", Agent="nobody", **{"X-Agent": "night"})
        await phone.spoken()
        assert (await phone.client.get(f"/calls/{RTC}")).json()["agent"] == "night"


async def test_at_the_limit_a_caller_hears_that_it_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telephone(tmp_path, monkeypatch, more="limits: {calls: 1}\n") as phone:
        await phone.announce()
        await phone.spoken()
        assert (await phone.announce("rtc_2", delivery="wh_2")).json() == {"taken": True}
        assert await phone.told("reject") == [{"status_code": 486}]
        assert await phone.result("rtc_2") == "refused:limit"
        again = await phone.announce(delivery="wh_3")
        assert again.json() == {"taken": False, "why": "repeated"} and RTC in phone.server.calls
        assert 'turnspec_calls_refused_total{reason="limit"} 1.0' in await phone.measured()


async def test_a_delivery_that_comes_again_to_another_node_leaves_its_call_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telephone(tmp_path, monkeypatch, rings_here=False) as phone:

        async def holder(call_id: str) -> str:
            return "b" if call_id == RTC else ""

        monkeypatch.setattr(phone.server.store, "holder", holder)
        assert (await phone.announce()).status_code == 200
        await asyncio.sleep(1)
        assert not phone.api.requests and not phone.server.calls
        assert 'turnspec_calls_refused_total{reason="live_call"} 1.0' in await phone.measured()


async def test_in_a_drain_a_call_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telephone(tmp_path, monkeypatch) as phone:
        await phone.announce()
        await phone.spoken()
        closing = asyncio.create_task(phone.server.close())
        await asyncio.sleep(0)
        assert (await phone.announce("rtc_2", delivery="wh_2")).status_code == 200
        assert await phone.told("reject") == [{"status_code": 503}]
        await closing
        assert phone.bodies("hangup") == [None]


async def test_a_call_that_still_rings_at_the_end_of_a_server_is_not_left_ringing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its accept is never answered: nobody knows whether the caller is in, so the call is ended."""
    async with telephone(tmp_path, monkeypatch, lambda _writer: None, DONE, rings_here=False) as phone:
        await phone.announce()
        await phone.told("accept")
        await phone.server.close()
        assert len(phone.bodies("hangup")) + len(phone.bodies("reject")) == 1 and not phone.server.calls


async def test_what_is_not_a_good_delivery_is_refused_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    foreign, other, bad = event("live.transport.incoming"), event("response.completed"), b"{}"
    async with telephone(tmp_path, monkeypatch, rings_here=False) as phone:
        sent: list[tuple[dict[str, str], bytes, int, str]] = [
            ({}, event(), 403, "refused"),
            (signed(event(), key=b"x" * 32, at_s=now), event(), 403, "refused"),
            (signed(event(), at_s=now - 4_000), event(), 403, "refused"),
            (signed(bad, at_s=now), bad, 400, "bad_request"),
            ({}, b"x" * 70_000, 413, "too_long"),
            (signed(other, at_s=now), other, 200, "other_event"),
            (signed(foreign, at_s=now), foreign, 200, "other_protocol"),
        ]
        for headers, body, status, word in sent:
            answer = await phone.client.post("/openai", content=body, headers=_json(headers))
            said = answer.json()
            assert (answer.status_code, said.get("error") or said["why"]) == (status, word), answer.text
        assert (await phone.client.get("/openai")).status_code == 405
        text = await phone.measured()
        document = (await phone.client.get("/openapi.json")).json()
    for reason in ("unsigned", "bad_signature", "late", "other_event", "other_protocol"):
        assert f'turnspec_webhook_deliveries_refused_total{{reason="{reason}"}} 1.0' in text
    assert 'turnspec_webhook_deliveries_refused_total{reason="bad_body"} 2.0' in text
    assert document["paths"]["/openai"]["post"]["security"] == [] and not phone.api.requests


async def test_a_call_that_was_posted_by_its_id_is_not_accepted_and_is_ended_by_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telephone(tmp_path, monkeypatch) as phone:
        assert (await phone.client.post("/calls", json={"call_id": RTC})).status_code == 201
        await phone.spoken()
        assert await phone.ask("hang_up_requested") == 200
        assert await phone.over() == "completed"
        assert [line.split()[1].rsplit("/", 1)[1] for line, _, _ in phone.api.requests] == ["hangup"]
