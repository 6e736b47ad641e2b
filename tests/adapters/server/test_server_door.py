"""Whole calls with the door open, in virtual time: announced, looked at, asked, refused, ended and asked about."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.lines.line import CallData
from adapters.lines.twilio.signature import signature
from adapters.server import announcements, results
from adapters.server.announcements import Announcements, joined
from adapters.server.inside import Announcement
from adapters.server.results import Results
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings, load_settings
from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.test_server import GREETED, LISTEN, ONE_TURN, Ends, call, serving, settings_for

pytestmark = pytest.mark.virtual_time

TOKEN = "t0ken-0123456789abcdef"
HTTP = "http: {listen: '127.0.0.1:0', token_env: DOOR_TOKEN, requests_per_s: 1000}\n"
NIGHT = "agents: {night: {greeting: Good night.}}\n"
STAY = {
    "steps": ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}, {"until_hung_up": {"within_ms": 60000}}]
}


def with_door(folder: Path, url: str, more: str = "") -> Settings:
    return settings_for(folder, url, HTTP + more, DOOR_TOKEN=TOKEN)


@contextlib.asynccontextmanager
async def client_of(server: TurnspecServer) -> AsyncIterator[httpx2.AsyncClient]:
    assert server.door is not None
    host, port = server.door.addresses[0]
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", headers=headers, trust_env=False) as client:
        yield client


@contextlib.asynccontextmanager
async def open_house(folder: Path, more: str, ends: Ends) -> AsyncIterator[tuple[TurnspecServer, httpx2.AsyncClient]]:
    async with (
        ProviderServer() as provider,
        serving(with_door(folder, provider.url, more), ends) as server,
        client_of(server) as client,
    ):
        yield server, client


async def ask(client: httpx2.AsyncClient, call_id: uuid.UUID, name: str, /, **data: object) -> httpx2.Response:
    return await client.post(f"/calls/{call_id}/events", json={"event": f"application.{name}", "data": data})


async def state(client: httpx2.AsyncClient, call_id: uuid.UUID) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = (await client.get(f"/calls/{call_id}")).json()
    return shown


async def test_a_call_is_announced_looked_at_asked_and_its_result_read(tmp_path: Path) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    async with open_house(tmp_path, NIGHT, ends) as (server, client):
        said = {
            "id": str(call_id),
            "agent": "night",
            "caller_id": "+4930",
            "variables": {"tenant": "7", "pin_token": "x9"},
        }
        assert (await client.post("/calls", json=said)).status_code == 201
        assert (await client.get(f"/calls/{call_id}/result")).status_code == 404
        live = asyncio.create_task(call(server, STAY, call_id))
        await asyncio.sleep(4)
        (listed,) = (await client.get("/calls")).json()["calls"]
        assert (listed["id"], listed["agent"], listed["caller_id"]) == (str(call_id), "night", "+4930")
        assert 0 < listed["state_age_s"] < listed["age_s"] < 5
        shown = await state(client, call_id)
        assert shown["variables"] == {"tenant": "7", "pin_token": "***", "agent": "night"}
        spec = server.settings.spec
        assert set(shown["slots"]) == {each.name for each in spec.slots}
        assert set(shown["context"]) == {each.name for each in spec.context} and shown["result"] == ""
        assert (await client.get(f"/calls/{call_id}/result")).content == b""
        assert (await ask(client, call_id, "result_given", key="mood", value="good")).json() == {"accepted": True}
        assert (await client.get(f"/calls/{call_id}/result/mood")).text == "good"
        assert (await client.post("/calls", json=said)).status_code == 409
        assert (await ask(client, call_id, "hang_up_requested")).json() == {"accepted": True}
        report = await live
        answer = await client.get(f"/calls/{call_id}/result")
        assert (answer.status_code, answer.text) == (200, "completed")
        late = await ask(client, call_id, "say_requested", text="hello")
        assert (late.status_code, late.json()["cause"]) == (410, "the call is over")
    assert report.dialplan_continues and ends.summaries[str(call_id)].agent == "night"
    assert ends.summaries[str(call_id)].data.caller_id == "+4930"


async def test_what_calls_did_is_measured(tmp_path: Path) -> None:
    async with open_house(tmp_path, NIGHT, Ends()) as (server, client):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(4)
        assert "turnspec_calls_live 1.0" in (await client.get("/metrics")).text
        await ask(client, call_id, "hang_up_requested")
        await live
        server.refused(str(uuid.uuid4()), "limit")
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = {
            (each.name, *sorted(each.labels.items())): each.value
            for family in text_string_to_metric_families(answer.text)
            for each in family.samples
        }
    spec = ("spec", "server_vad")
    assert found["turnspec_calls_live",] == 0
    assert found["turnspec_calls_total", ("agent", "default"), spec] == 1
    assert found["turnspec_calls_refused_total", ("reason", "limit")] == 1
    assert found["turnspec_greeting_latency_seconds_count", spec] == 1
    assert 0 < found["turnspec_greeting_latency_seconds_sum", spec] < 4
    request = ("request", "application.hang_up_requested")
    assert found["turnspec_requests_total", ("outcome", "taken"), request, spec] == 1
    assert found["turnspec_creates_total", ("cause", "greeting"), spec] == 1


async def test_a_request_is_refused_with_the_specs_own_reason(tmp_path: Path) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    async with open_house(tmp_path, "", ends) as (server, client):
        live = asyncio.create_task(call(server, ONE_TURN, call_id))
        await ends.reached("user_speaking")
        wrong: tuple[tuple[str, dict[str, object], int, str], ...] = (
            ("say_requested", {}, 422, "data.text is missing: a text"),
            ("say_requested", {"text": 5}, 422, "data.text is not a text"),
            ("say_requested", {"text": "a", "name": "b"}, 422, "data.name is not a field of this request"),
            ("no_such", {}, 422, "this is not a request that server_vad knows"),
            ("transfer_requested", {"key": ""}, 409, "it does not say to whom"),
            ("transfer_requested", {"key": "sales"}, 409, "the caller is speaking"),
            ("hang_up_requested", {}, 409, "the caller is speaking"),
        )
        for name, data, status, words in wrong:
            answer = await ask(client, call_id, name, **data)
            assert (answer.status_code, words in answer.json()["cause"]) == (status, True), answer.text
        assert (await live).notes == ()
    assert ends.summaries[str(call_id)].violations == 0


async def test_a_flood_of_requests_does_not_fill_a_mailbox(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with open_house(tmp_path, "", Ends()) as (server, client):
        live = asyncio.create_task(call(server, GREETED, call_id))
        await asyncio.sleep(2)
        inside, data = server.inside, {"key": "a", "value": "b"}
        verdicts = await asyncio.gather(
            *(inside.request(str(call_id), "application.result_given", data) for _ in range(200))
        )
        assert sum(not each.why for each in verdicts) == 16 and {each.why for each in verdicts} == {"", "busy"}
        assert (await ask(client, call_id, "result_given", **data)).status_code == 200
        assert (await live).notes == ()


async def test_a_hostile_door_costs_a_call_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage, half requests, a flood, a fault in what the door shows: no frame is late, no turn lost."""
    ends, call_id = Ends(), uuid.uuid4()
    async with open_house(tmp_path, "", ends) as (server, client):
        assert server.door is not None
        host, port = server.door.addresses[0]
        monkeypatch.setattr(server.inside, "calls", lambda _after, _most: 1 / 0)
        live = asyncio.create_task(call(server, ONE_TURN, call_id))
        held: list[asyncio.StreamWriter] = []
        answers: list[int] = []
        while not live.done():
            _, writer = await asyncio.open_connection(host, port)
            writer.write((b"\x00\xff" * 500, b"POST /calls HTTP/1.1\r\ncontent-length: 9\r\n\r\n", b"")[len(held) % 3])
            held.append(writer)
            answers.append((await client.get("/calls")).status_code)
            answers.append((await client.post(f"/calls/{call_id}/events", content=b"[" * 60_000)).status_code)
            await asyncio.sleep(0.4)
        report = await live
        for writer in held:
            writer.close()
    assert set(answers) <= {500, 415, 429} and 500 in answers and len(held) > 10
    assert report.notes == () and len(report.agent_speech) == 2
    numbers = ends.summaries[str(call_id)].as_json()
    assert (numbers["turns"], numbers["answers"], numbers["violations"]) == (1, 1, 0)
    assert (numbers["frames_unsent"], numbers["underruns"], numbers["mailbox_dropped"]) == (0, 0, 0)


async def test_a_call_that_broke_here_has_no_result(tmp_path: Path) -> None:
    """The dialplan then knows that we did not end it, and tries again."""

    class Broken(Ends):
        def of(self, call_id: str) -> list[Any]:
            raise RuntimeError(f"no observers for {call_id}")

    call_id = uuid.uuid4()
    async with open_house(tmp_path, "", Broken()) as (server, client):
        server.refused(str(call_id), "limit")
        await call(server, LISTEN, call_id)
        answer = await client.get(f"/calls/{call_id}/result")
        assert (answer.status_code, answer.content) == (404, b"")


async def test_who_is_refused_can_read_why(tmp_path: Path) -> None:
    """And a transfer of the dialplan's own is one."""
    ids = [uuid.uuid4() for _ in range(3)]
    more = NIGHT + "transfers: {sales: {}}\n"
    async with open_house(tmp_path, more, Ends()) as (server, client):
        assert (await server.store.announce(Announcement(id=str(ids[0]), agent="nobody"))).why == ""
        refused = await client.post("/calls", json={"agent": "nobody"})
        assert refused.json()["cause"] == "there is no such agent (known: default, night)"
        await call(server, LISTEN, ids[0])
        assert (await client.get(f"/calls/{ids[0]}/result")).text == "refused:unknown_agent"
        server.refused(str(ids[1]), "limit")
        assert (await client.get(f"/calls/{ids[1]}/result")).text == "refused:limit"
        live = asyncio.create_task(call(server, STAY, ids[2]))
        await asyncio.sleep(4)
        server.refused(str(ids[2]), "live_call")
        assert (await client.get(f"/calls/{ids[2]}/result")).content == b""
        assert (await ask(client, ids[2], "transfer_requested", key="sales")).status_code == 200
        await live
        assert (await client.get(f"/calls/{ids[2]}/result")).text == "transfer:sales"


async def test_a_lost_provider_is_a_result_and_a_reason_not_to_be_ready(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider:
        settings = with_door(tmp_path, provider.url)
    async with serving(settings, Ends()) as server, client_of(server) as client:  # nobody is there any more
        said = (await client.get("/readyz")).json()
        assert [each["reason"] for each in said["reasons"]] == ["provider_unreachable"]
        await call(server, LISTEN, call_id)
        assert (await client.get(f"/calls/{call_id}/result")).text == "provider_failed"
        detail = (await client.get("/readyz")).json()["reasons"][0]["detail"]
        assert "the last call has got no session (provider.unreachable" in detail


async def test_during_a_drain_the_door_says_so_and_results_are_read_to_the_end(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider:
        server = TurnspecServer(with_door(tmp_path, provider.url))
        await server.start()
        async with client_of(server) as client:
            assert (await client.get("/readyz")).json() == {"ready": True, "reasons": [], "degraded": []}
            live = asyncio.create_task(call(server, STAY, call_id))
            await asyncio.sleep(1.2)
            closing = asyncio.create_task(server.close(30.0))
            await asyncio.sleep(0.05)
            said = (await client.get("/readyz")).json()
            assert [each["reason"] for each in said["reasons"]] == ["draining"]
            assert (await client.post("/calls", json={})).json()["error"] == "draining"
            assert (await client.get("/livez")).status_code == 200
            await live
            assert (await client.get(f"/calls/{call_id}/result")).text == "completed"
            await closing
            with pytest.raises(httpx2.TransportError):
                await client.get("/livez")


async def test_without_a_section_there_is_no_door(tmp_path: Path) -> None:
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        assert server.door is None


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_results_are_kept_for_a_while_and_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    kept = Results(lambda: now[0])
    monkeypatch.setattr(results, "MOST_RESULTS", 3)
    for name in "abcd":
        kept.keep(name, "completed", {})
        now[0] += 1
    assert kept.of("a") is None and len(kept) == 3 and not kept.all_read.is_set()
    now[0] = results.KEPT_S + 1.5
    assert kept.of("b") is None and kept.of("c") is not None
    kept.refuse("d", "a\nlong   story")
    found = kept.of("d")
    assert found is not None and found.word == "refused:a long story" and kept.all_read.is_set()
    kept.forget("d")
    assert kept.of("d") is None


def test_announcements_are_kept_for_a_while_and_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    waiting = Announcements(lambda: now[0])
    monkeypatch.setattr(announcements, "MOST_ANNOUNCED", 2)
    assert waiting.keep(Announcement(id="a", caller_id="1")) and waiting.keep(Announcement(id="b"))
    assert not waiting.keep(Announcement(id="c")) and waiting.keep(Announcement(id="a", caller_id="2"))
    line = CallData(caller_id="9", dialled="100", variables={"x": "1"})
    data = joined(line, waiting.take("a"))
    assert (data.caller_id, data.dialled, data.variables) == ("2", "100", {"x": "1"})
    assert joined(line, waiting.take("a")) == line
    now[0] = announcements.LIFETIME_S + 1
    assert waiting.take("b") is None and len(waiting) == 0


async def test_twilio_asks_at_the_door_with_its_signature_and_without_a_token(tmp_path: Path) -> None:
    path = tmp_path / "turnspec.yaml"
    path.write_text(
        "listen: {audiosocket: '127.0.0.1:0', twilio: '127.0.0.1:0'}\nprovider: {url: 'ws://127.0.0.1:1/'}\n"
        "twilio: {public_url: 'https://a.example.com', account_sid: AC1, auth_token: '0123456789abcdef'}\n" + HTTP
    )
    settings = load_settings(path, {"OPENAI_API_KEY": "sk-1", "DOOR_TOKEN": TOKEN})
    form = [("CallSid", "CA1"), ("AccountSid", "AC1"), ("From", "+49301")]
    signed = signature("0123456789abcdef", "https://a.example.com/twiml?agent=night", form)
    async with serving(settings) as server, client_of(server) as client:
        headers = {"authorization": "", "host": "a.example.com", "x-twilio-signature": signed}
        answer = await client.post("/twiml?agent=night", data=dict(form), headers=headers)
        assert (answer.status_code, "<Stream" in answer.text) == (200, True), answer.text
        answer = await client.post("/twiml?agent=day", data=dict(form), headers=headers)
        assert answer.status_code == 403 and set(answer.json()) == {"error", "cause", "cure"}
        answer = await client.get("/calls", headers={"authorization": "", "x-twilio-signature": signed})
        assert answer.status_code == 401
