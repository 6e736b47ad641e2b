"""The session's other side by HTTP, over real sockets: offers, telephone calls, and clients attached by id."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.cli.simulate_calls import KINDS
from adapters.lines.sideband.webhook import IncomingSipCall, SipWebhook, WebhookRefusal
from adapters.server.door.door import Door
from adapters.settings.http import HttpSettings
from adapters.simulator.providers.realtime import ProviderServer, ProviderSettings, http_front, parse_scenario
from adapters.simulator.providers.realtime.calls import PATH, CallAnswer, CallDesk
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.sdp import SdpError, answer_to
from adapters.simulator.providers.realtime.sip_calls import FLAWS, RINGS, Flaw, SipCall, delivery
from tests.adapters.server.door_rig import Told

OFFER = """v=0
o=- 4611 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=sendrecv
a=setup:actpass
a=rtpmap:111 opus/48000/2
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:1
a=setup:actpass
a=sctp-port:5000
""".replace("\n", "\r\n")
KEY = {"Authorization": "Bearer sk-1"}
SDP = {"content-type": "application/sdp"}
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@contextlib.asynccontextmanager
async def provider(**settings: Any) -> AsyncIterator[tuple[ProviderServer, httpx2.AsyncClient]]:
    async with ProviderServer(ProviderSettings(**settings)) as server:
        base = f"http://127.0.0.1:{server.port}"
        async with httpx2.AsyncClient(base_url=base, headers=KEY, timeout=10) as client:
            yield server, client


async def offered(client: httpx2.AsyncClient) -> str:
    answer = await client.post(PATH, content=OFFER, headers=SDP)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].removeprefix(f"{PATH}/")


async def attached(server: ProviderServer, call_id: str, more: str = "") -> ClientConnection:
    return await connect(f"{server.url}?call_id={call_id}{more}", additional_headers=KEY, compression=None)


async def told(client: ClientConnection, kind: str) -> Any:
    async with asyncio.timeout(10):
        while (event := json.loads(await client.recv()))["type"] != kind:
            pass
        return event


@pytest.mark.virtual_time
async def test_an_offer_is_answered_with_an_sdp_and_the_place_of_the_call() -> None:
    async with provider() as (_, client):
        answer = await client.post(f"{PATH}?model=gpt-realtime", content=OFFER, headers=SDP)
        assert answer.status_code == 201 and answer.headers["content-type"] == "application/sdp"
        assert re.fullmatch(rf"{PATH}/rtc_\w+", answer.headers["location"])
        sections = [
            line for line in answer.text.split("\r\n") if line.startswith(("m=", "a=mid", "a=setup", "a=group"))
        ]
        assert sections == [
            "a=group:BUNDLE 0 1",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=setup:active",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1", "a=setup:active",
        ]  # fmt: skip


@pytest.mark.virtual_time
async def test_an_offer_with_a_session_begins_it_configured() -> None:
    session = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}
    async with provider() as (server, client):
        form = {"sdp": (None, OFFER), "session": (None, json.dumps(session))}
        answer = await client.post(PATH, files=form)
        assert answer.status_code == 201, answer.text
        assert server.desk.asked[-1].said == session
        browser = await attached(server, answer.headers["location"].rpartition("/")[2], "&model=gpt-realtime")
        assert (await told(browser, "session.created"))["session"]["instructions"] == "Be brief."


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("v=0", SDP, 400),
        (OFFER.replace("m=audio", "m=video"), SDP, 400),
        (OFFER, {"content-type": "text/plain"}, 415),
        (OFFER, {"content-type": "multipart/form-data; boundary=x"}, 400),
        (OFFER, {**SDP, "authorization": "Bearer other"}, 401),
        ("x" * 300_000, SDP, 413),
    ],
)
async def test_what_is_no_offer_begins_no_call(body: str, headers: dict[str, str], status: int) -> None:
    async with provider(api_keys=("sk-1",)) as (server, client):
        answer = await client.post(PATH, content=body, headers=headers)
        assert answer.status_code == status and not server.calls


@pytest.mark.virtual_time
async def test_a_session_that_would_be_refused_on_the_wire_is_refused_with_the_offer() -> None:
    async with provider(models=("gpt-realtime",)) as (server, client):
        for session in ({"type": "realtime", "voice": 7}, {"type": "realtime", "model": "gpt-9"}, {}):
            answer = await client.post(PATH, files={"sdp": (None, OFFER), "session": (None, json.dumps(session))})
            assert answer.status_code == (400 if session else 201), answer.text
        assert len(server.calls) == 1


@pytest.mark.virtual_time
async def test_two_clients_of_one_session_hear_the_same_and_only_the_one_with_the_audio_of_the_beginning() -> None:
    async with provider() as (server, client):
        call_id = await offered(client)
        sideband = await attached(server, call_id)
        await sideband.send(json.dumps({"type": "session.update", "session": {"type": "realtime", "tools": []}}))
        assert json.loads(await sideband.recv())["type"] == "session.updated", "no session.created before it"
        browser = await attached(server, call_id, "&model=gpt-realtime")
        assert json.loads(await browser.recv())["type"] == "session.created"
        await sideband.send(json.dumps({"type": "response.create"}))
        seen = await asyncio.gather(
            *(told(each, kind) for each in (sideband, browser) for kind in ("output_audio_buffer.started",))
        )
        assert seen[0] == seen[1] and re.fullmatch("event_[0-9a-f]{16}", seen[0]["event_id"])
        await asyncio.gather(
            told(sideband, "output_audio_buffer.stopped"), told(browser, "output_audio_buffer.stopped")
        )


@pytest.mark.virtual_time
async def test_a_call_has_one_client_with_the_audio_and_ends_with_it() -> None:
    async with provider() as (server, client):
        call_id = await offered(client)
        browser, sideband = await attached(server, call_id, "&model=m"), await attached(server, call_id)
        with pytest.raises(InvalidStatus, match="409"):
            await attached(server, call_id, "&model=m")
        await browser.close()
        with pytest.raises(ConnectionClosed):
            await told(sideband, "none")
        assert sideband.close_code == 1000
        with pytest.raises(InvalidStatus, match="404"):
            await attached(server, call_id)


@pytest.mark.virtual_time
@pytest.mark.parametrize(("verb", "body"), [("hangup", {}), ("refer", {"target_uri": "tel:+491"})])
async def test_a_call_that_is_ended_by_http_closes_cleanly_and_is_not_there_any_more(verb: str, body: Json) -> None:
    async with provider() as (server, client):
        call_id = await offered(client)
        sideband = await attached(server, call_id)
        assert (await client.post(f"{PATH}/{call_id}/{verb}", json=body)).status_code == 200
        with pytest.raises(ConnectionClosed):
            await told(sideband, "none")
        assert sideband.close_code == 1000
        assert (await client.post(f"{PATH}/{call_id}/{verb}", json=body)).status_code == 404
        assert [(each.verb, each.status) for each in server.desk.asked[1:]] == [(verb, 200), (verb, 404)]


@pytest.mark.virtual_time
async def test_what_an_unattended_call_is_asked_has_its_order() -> None:
    async with provider() as (server, client):
        call_id = server.desk.ring()
        with pytest.raises(InvalidStatus, match="404"):
            await attached(server, call_id)
        session = {"type": "realtime", "model": "gpt-realtime"}
        answers = [
            await client.post(f"{PATH}/{each}", json=body)
            for each, body in (
                (f"{call_id}/hangup", {}), (f"{call_id}/accept", {"type": "transcription"}),
                (f"{call_id}/accept", session), (f"{call_id}/accept", session), (f"{call_id}/refer", {}),
                (f"{call_id}/hangup", {}), ("rtc_none/accept", session), (f"{call_id}/dance", {}),
            )
        ]  # fmt: skip
        assert [each.status_code for each in answers] == [404, 400, 200, 409, 400, 200, 404, 404]
        refused = server.desk.ring()
        assert (await client.post(f"{PATH}/{refused}/reject", json={"status_code": 12})).status_code == 400
        assert (await client.post(f"{PATH}/{refused}/reject")).status_code == 200
        assert (await client.post(f"{PATH}/{refused}/accept", json=session)).status_code == 404


@pytest.mark.virtual_time
async def test_what_a_caller_says_and_hears_by_the_media_is_audio() -> None:
    async with provider() as (server, client):
        browser = await attached(server, await offered(client), "&model=m&media=pcm")
        await browser.send("key 5")
        pressed = await told(browser, "input_audio_buffer.dtmf_event_received")
        assert pressed["event"] == "5" and "event_id" not in pressed
        await browser.send(json.dumps({"type": "response.create"}))
        heard = 0
        async with asyncio.timeout(20):
            while True:
                frame = await browser.recv()
                if isinstance(frame, bytes):
                    assert len(frame) <= 960
                    heard += len(frame)
                elif json.loads(frame)["type"] == "output_audio_buffer.stopped":
                    break
        assert heard > 48_000, "a second of 24 kHz PCM at least"
        for _ in range(50):
            await browser.send(bytes(960))
            await asyncio.sleep(0.02)
        assert server.sessions[0].stats.audio_ms == pytest.approx(1_000, abs=40)


@pytest.mark.virtual_time
async def test_nobody_attaches_without_a_key() -> None:
    async with provider(api_keys=("sk-1",)) as (server, client):
        call_id = await offered(client)
        for more in ("", "&model=m"):
            with pytest.raises(InvalidStatus, match="401"):
                await connect(f"{server.url}?call_id={call_id}{more}", compression=None)


@pytest.mark.virtual_time
async def test_a_scenario_refuses_the_call_of_a_number() -> None:
    script = parse_scenario("faults: [{fault: http_status, status: 429, connection: 2}]", Path("s.yaml"))
    async with ProviderServer(scenario=script) as server, httpx2.AsyncClient(headers=KEY) as client:
        url = f"http://127.0.0.1:{server.port}{PATH}"
        statuses = [(await client.post(url, content=OFFER, headers=SDP)).status_code for _ in range(3)]
        assert statuses == [201, 429, 201] and len(server.calls) == 2


@pytest.mark.virtual_time
async def test_without_the_library_for_http_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: ProviderServer) -> object:
        raise ImportError("No module named 'starlette'")

    monkeypatch.setattr(ProviderServer, "_calls_app", missing)
    async with provider() as (server, client):
        answer = await client.post(PATH, content=OFFER, headers=SDP)
        assert (answer.status_code, answer.text) == (501, "HTTP here needs: pip install turnspec[http]\n")
        sideband = await connect(f"{server.url}?model=m", additional_headers=KEY, compression=None)
        assert json.loads(await sideband.recv())["type"] == "session.created", "WebSockets are as they were"


@pytest.mark.virtual_time
async def test_a_browser_may_ask_and_see_where_its_call_is() -> None:
    async with provider() as (_, client):
        asked = await client.request("OPTIONS", PATH, headers={"origin": "https://page.example"})
        assert asked.status_code == 204 and asked.headers["access-control-allow-origin"] == "*"
        assert (await client.get(PATH, headers={"connection": "close"})).status_code == 405
    async with provider() as (_, client):
        assert (await client.get(PATH)).status_code == 426, "who begins with GET is to speak WebSocket"


@pytest.mark.virtual_time
async def test_who_connects_and_says_nothing_is_left_and_a_server_closes_with_all_of_them() -> None:
    async with provider() as (server, client):
        reader, silent = await asyncio.open_connection("127.0.0.1", server.port)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), http_front.FIRST_BYTES_S + 1) == b""
        _, newcomer = await asyncio.open_connection("127.0.0.1", server.port)
        await offered(client)
    for each in (silent, newcomer):
        each.close()
        with contextlib.suppress(ConnectionResetError):
            await each.wait_closed()
    assert not server.calls and server.sessions[0].core.closing is not None


def test_an_answer_is_the_same_again_and_bounded() -> None:
    assert answer_to(OFFER, "a") == answer_to(OFFER, "a") != answer_to(OFFER, "b")
    for broken in ("", "v=0", OFFER + "a=x\r\n" * 20_000, "v=0\r\n" + "m=audio 9 x 0\r\n" * 9):
        with pytest.raises(SdpError):
            answer_to(broken, "a")


@pytest.mark.parametrize(
    ("flaw", "taken"),
    [
        ("", IncomingSipCall("rtc_1", {"from": "sip:+491@example.com"})),
        ("unsigned", WebhookRefusal.UNSIGNED),
        ("forged", WebhookRefusal.BAD_SIGNATURE),
        ("late", WebhookRefusal.LATE),
    ],
)
def test_a_delivery_is_what_the_bridge_takes_or_refuses(flaw: Flaw, taken: object) -> None:
    hook = SipWebhook(SECRET, lambda: 1_790_000_000.0)
    call = SipCall(call_id="rtc_1", headers=[("From", "sip:+491@example.com")])
    sent = delivery(call, SECRET, 1_790_000_000.0, flaw=flaw)
    assert hook.take(sent.headers, sent.body) == taken
    if not flaw:
        assert hook.take(sent.headers, sent.body) is WebhookRefusal.REPEATED


def test_the_command_offers_every_delivery_that_is_not_the_usual_one() -> None:
    assert (*FLAWS[1:], *RINGS[1:]) == KINDS


@pytest.mark.parametrize("name", RINGS[1:])
def test_a_call_of_another_protocol_is_told_by_its_names(name: str) -> None:
    hook = SipWebhook(SECRET, time.time)
    sent = delivery(SipCall(call_id="rtc_1"), SECRET, time.time(), name=name)
    assert hook.take(sent.headers, sent.body) is WebhookRefusal.OTHER_PROTOCOL


@pytest.mark.virtual_time
async def test_a_telephone_call_rings_until_its_webhook_has_it_accepted() -> None:
    hook, seen = SipWebhook(SECRET, time.time), list[object]()

    async def endpoint(request: Request) -> Response:
        seen.append(taken := hook.take(dict(request.headers), await request.body()))
        return Response(status_code=200 if isinstance(taken, IncomingSipCall) else 400)

    door = Door(HttpSettings(port=0), Told(), [Route("/sip", endpoint, methods=["POST"])])
    await door.open()
    try:
        url = f"http://127.0.0.1:{door.addresses[0][1]}/sip"
        async with provider() as (server, client):
            call_id, statuses = await server.ring(url, SECRET)
            assert statuses == [200] and seen[0].call_id == call_id  # type: ignore[attr-defined]
            assert (await server.ring(url, SECRET, flaw="repeated"))[1] == [200, 400]
            assert (await server.ring(url, SECRET, flaw="late"))[1] == [400]
            assert hook.refused == {WebhookRefusal.REPEATED: 1, WebhookRefusal.LATE: 1}
            assert (await server.ring("http://127.0.0.1:1/sip", SECRET))[1] == [0]
            accepted = await client.post(f"{PATH}/{call_id}/accept", json={"type": "realtime", "model": "gpt-realtime"})
            assert accepted.status_code == 200
            phone = await attached(server, call_id, "&model=gpt-realtime&media=pcm")
            assert (await told(phone, "session.created"))["session"]["type"] == "realtime"
    finally:
        await door.close(1.0)


class Nowhere:
    """A host whose sessions nobody sees."""

    def __init__(self) -> None:
        self.calls: dict[str, object] = {}

    def begin_call(self, call_id: str, model: str, session: Json) -> None:
        del model, session
        self.calls[call_id] = None

    def end_call(self, call_id: str) -> None:
        del self.calls[call_id]


@given(
    st.sampled_from(["POST", "GET", "PUT"]),
    st.sampled_from([PATH, f"{PATH}/", f"{PATH}/rtc_1/accept", f"{PATH}/x/reject", f"{PATH}x", "/"]) | st.text(),
    st.text(max_size=30),
    st.sampled_from(["application/sdp", "multipart/form-data; boundary=x", "multipart/form-data"]) | st.text(),
    st.binary() | st.just(b'--x\r\ncontent-disposition: form-data; name="sdp"\r\n\r\nv=0\r\n--x--') | st.just(b"[1]"),
)
def test_whatever_is_asked_has_an_answer(method: str, path: str, query: str, kind: str, body: bytes) -> None:
    desk = CallDesk(ProviderSettings(), Nowhere(), lambda: 0.0)
    desk.ringing.add("rtc_1")
    answer = desk.answer(method, path, query, {"authorization": "Bearer k", "content-type": kind}, body)
    assert isinstance(answer, CallAnswer) and 200 <= answer.status < 500
