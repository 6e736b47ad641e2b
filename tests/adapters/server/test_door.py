"""The door over real sockets: routes, tokens, bounds, deadlines, and what is said to whoever is refused."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx2
import jsonschema
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import logs
from adapters.logs import LogSettings
from adapters.server.inside import Announced, Announcement, CallInside, CallOutcome, Degraded, NotReady, RequestVerdict
from tests.adapters.server.door_rig import ID, TOKEN, Told, live, open_door, raw
from tests.tls import make_certificate

WORDS = {"error", "cause", "cure"}


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure(LogSettings(), (), stream)
    yield stream
    structlog.reset_defaults()


def inside_of(call_id: str = ID) -> CallInside:
    return CallInside(
        call=live(call_id), slots={"response": "active"}, context={"owed": "none"}, deadlines=["quiet_overdue"],
        variables={"tenant": "7"}, result="", results={"mood": "good"},
    )  # fmt: skip


def refused(answer: httpx2.Response, status: int, error: str) -> dict[str, Any]:
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["error"]) == (status, error), said
    assert said.keys() >= WORDS and said["cause"], said
    assert answer.headers["content-type"] == "application/json"
    return said


# --- routes -----------------------------------------------------------------------------------------------------------


async def test_it_is_alive_and_ready_for_whoever_asks() -> None:
    async with open_door() as (_, client):
        for path, said in (("/livez", {"alive": True}), ("/readyz", {"ready": True, "reasons": [], "degraded": []})):
            answer = await client.get(path, headers={"authorization": ""})
            assert (answer.status_code, answer.json()) == (200, said)
            assert answer.headers["date"] and answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers


async def test_each_reason_not_to_be_ready_has_its_name() -> None:
    reasons = [NotReady("draining", "the server is closing"), NotReady("provider_unreachable", "no route")]
    async with open_door(Told(reasons=reasons)) as (_, client):
        said = refused(await client.get("/readyz"), 503, "not_ready")
        assert refused(await client.get("/readyz?otherwise=404"), 404, "not_ready") == said
    assert said["reasons"] == [attrs.asdict(each) for each in reasons]
    assert said["cause"] == "draining: the server is closing; provider_unreachable: no route"


async def test_what_does_not_work_while_calls_go_on_leaves_it_ready() -> None:
    told = Told(worse=[Degraded("store_unreachable", "Connection refused")])
    async with open_door(told) as (_, client):
        answer = await client.get("/readyz")
        assert answer.status_code == 200 and answer.json()["ready"] is True
        assert answer.json()["degraded"] == [{"reason": "store_unreachable", "detail": "Connection refused"}]


async def test_a_call_of_another_node_is_said_to_be_there() -> None:
    told = Told(elsewhere={ID: "node-b"}, outcomes={ID: CallOutcome("completed")})
    async with open_door(told) as (_, client):
        assert refused(await client.get(f"/calls/{ID}"), 421, "elsewhere")["cause"] == "node node-b has this call"


async def test_the_live_calls_and_one_of_them() -> None:
    told = Told(live={each: inside_of(each) for each in ("a", "b", "c", ID)})
    async with open_door(told) as (_, client):
        page = (await client.get("/calls", params={"limit": "2", "after": "a"})).json()
        assert [each["id"] for each in page["calls"]] == ["b", "c"] and page["more"] == 0
        assert (await client.get("/calls?limit=1")).json()["more"] == 3
        one = (await client.get(f"/calls/{ID.upper()}")).json()
        assert one["state"] == "responding" and one["slots"] == {"response": "active"}
        assert one["results"] == {"mood": "good"} and one["deadlines"] == ["quiet_overdue"]
        refused(await client.get("/calls/nobody"), 404, "unknown")
        refused(await client.get("/calls/no%20body"), 404, "unknown")
        for limit in ("0", "501", "x", "-1", "9" * 30):
            refused(await client.get("/calls", params={"limit": limit}), 422, "wrong_field")
        told.outcomes["gone"] = CallOutcome("completed")
        refused(await client.get("/calls/gone"), 410, "ended")


async def test_a_call_is_announced() -> None:
    told = Told()
    async with open_door(told) as (_, client):
        body = {"id": ID.upper(), "agent": "night", "caller_id": "Jürgen", "dialled": "1", "variables": {"tenant": "7"}}
        answer = await client.post("/calls", json=body)
        assert (answer.status_code, answer.json()) == (201, {"id": ID, "lifetime_s": 120.0})
        assert told.asked == [Announcement(**{**body, "id": ID})]  # type: ignore[arg-type]
        made = (await client.post("/calls", json={})).json()["id"]
        assert len(made) == 36 and made != ID
        told.announced = Announced(120.0, is_shared=False)
        assert (await client.post("/calls", json=body)).json() == {"id": ID, "lifetime_s": 120.0, "shared": False}
        for why, status in (("live", 409), ("no_such_agent", 422), ("full", 503), ("draining", 503)):
            told.announced = Announced(why=why, cause="because")  # type: ignore[arg-type]
            assert refused(await client.post("/calls", json=body), status, why)["cause"] == "because"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": "x"}, "id: a UUID is expected"),
        ({"id": 5}, "id: a UUID is expected"),
        ({"agent": 5}, "agent: a text is expected, this is a number"),
        ({"caller_id": "a\nb"}, "caller_id: it has control characters"),
        ({"caller_id": "a" * 1001}, "caller_id: it has more than 1000 characters"),
        ({"variables": []}, "variables: an object is expected, this is a list"),
        ({"variables": {"a b": "c"}}, "variables: a name has 1 to 64 letters"),
        ({"variables": {"a": True}}, "variables.a: a text is expected, this is true or false"),
        ({"variables": {f"v{n}": "" for n in range(65)}}, "variables: there are more than 64"),
        ({"uuid": ID}, "uuid: is not a field of this"),
    ],
)
async def test_what_is_wrong_in_an_announcement_is_named(body: object, words: str) -> None:
    async with open_door(told := Told()) as (_, client):
        assert words in refused(await client.post("/calls", json=body), 422, "wrong_field")["cause"]
    assert told.asked == []


async def test_a_request_is_accepted_or_refused_with_the_reason() -> None:
    told = Told()
    async with open_door(told) as (_, client):
        body = {"event": "application.say_requested", "data": {"text": "hello"}}
        answer = await client.post(f"/calls/{ID}/events", json=body)
        assert (answer.status_code, answer.json()) == (200, {"accepted": True})
        assert told.asked == [(ID, "application.say_requested", {"text": "hello"})]
        for why, status in (
            ("unknown", 404), ("ended", 410), ("elsewhere", 421), ("refused", 409), ("untyped", 422),
            ("no_such_request", 422), ("overdue", 504), ("busy", 429),
        ):  # fmt: skip
            told.verdict = RequestVerdict(why, "the call is ending")  # type: ignore[arg-type]
            said = refused(await client.post(f"/calls/{ID}/events", json=body), status, why)
            assert said["cause"] == "the call is ending" and said["cure"]
        for wrong in ({}, {"event": 5}, {"event": "x", "data": 5}, {"event": "x", "more": 1}, {"event": "x" * 121}):
            refused(await client.post(f"/calls/{ID}/events", json=wrong), 422, "wrong_field")


async def test_a_result_is_plain_text_and_its_absence_is_nothing() -> None:
    """A quote in a variable would break the dialplan's expressions."""
    outcomes = {
        ID: CallOutcome("transfer:sales", {"mood": 'he said "no\\yes"'}), "live": CallOutcome("", {}, is_live=True)
    }  # fmt: skip
    async with open_door(Told(outcomes=outcomes)) as (_, client):
        answer = await client.get(f"/calls/{ID}/result")
        assert (answer.status_code, answer.text) == (200, "transfer:sales")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await client.get(f"/calls/{ID}/result/mood")).text == "he said 'no/yes'"
        for path in (f"/calls/{ID}/result/x", "/calls/live/result", "/calls/nobody/result"):
            answer = await client.get(path)
            assert (answer.status_code, answer.content, answer.headers["x-turnspec-error"]) == (404, b"", "no_result")
        answer = await client.get(f"/calls/{ID}/result", headers={"authorization": "Bearer wrong"})
        assert (answer.status_code, answer.content) == (401, b"")


async def test_the_document_lists_every_route_and_what_may_be_asked() -> None:
    async with open_door() as (door, client):
        document = (await client.get("/openapi.json")).json()
        routes = {route.path for route in door._config.loaded_app._app.routes}
    assert set(document["paths"]) == routes
    (form,) = document["components"]["schemas"]["Event"]["oneOf"]
    assert form["properties"]["event"] == {"const": "application.say_requested"}
    assert form["properties"]["data"]["required"] == ["text"]
    assert form["properties"]["data"]["properties"]["urgent"] == {"type": "boolean"}
    names = set(document["components"]["schemas"])
    assert {each.rsplit("/", 1)[1] for each in _references(document)} <= names
    assert document["security"] == [{"token": []}]


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


async def test_answers_are_what_the_document_says() -> None:
    told = Told(live={ID: inside_of()}, reasons=[NotReady("draining", "closing")])
    async with open_door(told) as (_, client):
        document = (await client.get("/openapi.json")).json()
        say = {"event": "application.say_requested", "data": {"text": "a"}}
        asked: list[tuple[str, str, str, object]] = [
            ("GET", "/livez", "/livez", None), ("GET", "/readyz", "/readyz", None), ("GET", "/calls", "/calls", None),
            ("GET", f"/calls/{ID}", "/calls/{id}", None), ("GET", "/calls/x", "/calls/{id}", None),
            ("POST", "/calls", "/calls", {"agent": "night"}), ("POST", "/calls", "/calls", {"agent": 5}),
            ("POST", f"/calls/{ID}/events", "/calls/{id}/events", say),
            ("GET", "/calls/x/result", "/calls/{id}/result", None),
        ]  # fmt: skip
        for method, path, route, body in asked:
            answer = await client.request(method, path, json=body) if body else await client.request(method, path)
            said = document["paths"][route][method.lower()]["responses"][str(answer.status_code)]
            if "content" not in said:
                assert answer.content == b"", path
                continue
            schema = said["content"]["application/json"]["schema"] | {"components": document["components"]}
            jsonschema.Draft202012Validator(schema).validate(answer.json())
        schema = document["components"]["schemas"]["Event"]
        validator = jsonschema.Draft202012Validator(schema)
        assert validator.is_valid(say) and not validator.is_valid({**say, "data": {"text": 1}})


async def test_what_is_no_route_says_so() -> None:
    async with open_door() as (_, client):
        refused(await client.get("/nothing"), 404, "not_found")
        refused(await client.get("/calls/"), 404, "not_found")
        answer = await client.delete("/calls")
        assert "not answered here" in refused(answer, 405, "method_not_allowed")["cause"]
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
        refused(await client.get("/audio", headers=upgrade), 404, "not_found")
        head = await client.head("/calls")
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "line", ["CONNECT a.example:443", "OPTIONS *", "GET http://a.example/calls", "GET //calls", "BREW /"]
)
async def test_odd_requests_get_an_answer_and_the_connection_goes_on(line: str) -> None:
    odd = f"{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode()
    async with open_door() as (door, _):
        reader, writer = await raw(door, odd)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        said = await reader.read()
        assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405")) and said.endswith(b'{"alive":true}')
        writer.close()


# --- who may come in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN])
async def test_without_the_token_nothing_is_shown(header: str) -> None:
    async with open_door() as (_, client):
        for path in ("/calls", "/openapi.json", "/nothing", f"/calls/{ID}"):
            answer = await client.get(path, headers={"authorization": header})
            refused(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_that_comes_twice_is_one() -> None:
    """A dialplan's CURLOPT(httpheader) adds a header to those of the channel's earlier requests."""
    async with open_door() as (_, client):
        twice = [("authorization", f"Bearer {TOKEN}")] * 2
        assert (await client.get("/calls", headers=twice)).status_code == 200


async def test_without_a_token_the_door_is_for_this_machine() -> None:
    """A page in a browser that was given another name for 127.0.0.1 is not this machine's."""
    async with open_door(token=None) as (_, client):
        assert (await client.get("/calls")).status_code == 200
        for host in ("evil.example", "127.0.0.1.evil.example", ""):
            refused(await client.get("/calls", headers={"host": host}), 403, "other_host")
        for host in ("localhost:80", "[::1]:9", "127.0.0.1"):
            assert (await client.get("/calls", headers={"host": host})).status_code == 200
        answer = await client.post("/calls", content=b"{}", headers={"content-type": "text/plain"})
        refused(answer, 415, "no_json")  # what a browser sends without asking first


async def test_over_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with open_door(tls=certificate.serving) as (door, _):
        base = f"https://127.0.0.1:{door.addresses[0][1]}"
        async with httpx2.AsyncClient(base_url=base, verify=certificate.trusting, trust_env=False) as client:
            assert (await client.get("/livez")).json() == {"alive": True}
            refused(await client.get("/calls"), 401, "unauthorized")
        reader, writer = await raw(door, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"alive" not in await reader.read()
        writer.close()


async def test_over_tls_a_connection_counts_before_its_handshake(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with open_door(tls=certificate.serving, connections=3, receive_s=1.0) as (door, _):
        base = f"https://127.0.0.1:{door.addresses[0][1]}"
        held = [await raw(door, b"") for _ in range(3)]
        while door._handshakes is None or not door._handshakes.is_full():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reader, writer = await raw(door, b"")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert door.counts.turned_away == {"too_many_connections": 1}
        for reader, writer in held:  # those that shake no hands are gone after their deadline
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        assert door.counts.turned_away["no_handshake"] == 3
        async with httpx2.AsyncClient(base_url=base, verify=certificate.trusting, trust_env=False) as client:
            assert (await client.get("/livez")).json() == {"alive": True}
        _, late = await raw(door, b"\x16\x03\x01")  # the end does not wait for one
    late.close()


@pytest.mark.virtual_time
async def test_over_tls_an_address_may_shake_hands_so_often(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with open_door(tls=certificate.serving, requests_per_s=2.0) as (door, _):
        for _ in range(6):
            _, writer = await raw(door, b"")
            await asyncio.sleep(0.001)
            writer.close()
        assert door.counts.turned_away["too_many_handshakes"] == 2


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_a_body_is_bounded_whether_it_says_its_length_or_not() -> None:
    async with open_door(body_bytes=2_000) as (_, client):
        large = b'{"agent": "' + b"a" * 3_000 + b'"}'
        kind = {"content-type": "application/json"}

        async def parts() -> Any:
            for start in range(0, len(large), 100):
                yield large[start : start + 100]

        for content in (large, parts()):
            said = refused(await client.post("/calls", content=content, headers=kind), 413, "too_long")
            assert "2000 bytes" in said["cause"] and "http.body_bytes" in said["cure"]
        assert (await client.get("/livez")).status_code == 200


async def test_a_head_is_bounded() -> None:
    async with open_door() as (door, _):
        reader, writer = await raw(door, HEAD + b"x: " + b"y" * 20_000)
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 400") and b"no_http" in said
        writer.close()


@pytest.mark.virtual_time
async def test_an_address_may_ask_so_often_and_again_a_little_later(logged: io.StringIO) -> None:
    async with open_door(requests_per_s=5.0) as (door, client):
        answers = [await client.get("/calls") for _ in range(12)]
        assert [each.status_code for each in answers] == [200] * 10 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        refused(answers[-1], 429, "too_many_requests")
        assert (await client.get("/livez")).status_code == 200
        await asyncio.sleep(1.0)
        assert (await client.get("/calls")).status_code == 200
        assert door.counts.turned_away == {"too_many_requests": 2}
    assert logged.getvalue().count("door_turned_away") == 2


async def test_connections_are_bounded() -> None:
    async with open_door(connections=3) as (door, _):
        held = [await raw(door, b"") for _ in range(3)]
        await asyncio.sleep(0)
        reader, writer = await raw(door, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 503") and b"too_many_connections" in said and b"http.connections" in said
        writer.close()
        for _, each in held:
            each.close()
            await each.wait_closed()
        reader, writer = await raw(door, b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


# --- who is slow ------------------------------------------------------------------------------------------------------

HEAD = b"POST /calls HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer " + TOKEN.encode() + b"\r\n"
BODY = HEAD + b"content-type: application/json\r\ncontent-length: 100\r\n\r\n"


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "begun", [b"", b"GET", HEAD, BODY, BODY + b"{"], ids=["nothing", "a word", "a head", "no body", "a body"]
)
async def test_who_sends_a_byte_a_second_is_cut_off_in_time(begun: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with open_door() as (door, _):
        reader, writer = await raw(door, begun)
        since_s, said = loop.time(), b""
        for _ in range(30):
            writer.write(b" " if begun.endswith(b"{") else b"x" if begun else b"")
            try:
                said = await asyncio.wait_for(reader.read(), 1.0)
                break
            except TimeoutError:
                continue
        assert 9.0 < loop.time() - since_s < 11.5
        assert said.startswith(b"HTTP/1.1 4") and (b"too_slow" in said or b"no_http" in said)
        writer.close()
        assert not door._state.connections


@pytest.mark.virtual_time
async def test_a_second_request_has_its_own_deadline_and_silence_ends_the_connection() -> None:
    loop = asyncio.get_running_loop()
    async with open_door() as (door, _):
        request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
        reader, writer = await raw(door, request)
        assert b"alive" in await reader.read(1_000)
        await asyncio.sleep(4)
        writer.write(request[:10])
        since_s = loop.time()
        for byte in request[10:20]:
            await asyncio.sleep(1.0)
            writer.write(bytes([byte]))
        assert b"too_slow" in await reader.read()
        assert loop.time() - since_s == pytest.approx(10.0, abs=0.2)
        writer.close()
        reader, writer = await raw(door, request)
        assert b"alive" in await reader.read(1_000)
        since_s = loop.time()
        assert await reader.read() == b""
        assert loop.time() - since_s == pytest.approx(5.0, abs=0.2)
        writer.close()


@pytest.mark.virtual_time
async def test_who_reads_no_answer_is_cut_off() -> None:
    told = Told(live={f"{n:04}": inside_of(f"{n:04}") for n in range(500)})
    request = b"GET /calls?limit=500 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
    async with open_door(told) as (door, _):
        _, writer = await raw(door, request * 400)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        assert len(door._state.connections) == 1
        await asyncio.sleep(30)
        assert not door._state.connections and not door._state.tasks
        writer.transport.abort()


async def test_requests_in_one_packet_are_answered_in_order() -> None:
    async with open_door() as (door, _):
        reader, writer = await raw(door, b"".join(
            b"GET /%s HTTP/1.1\r\nhost: x\r\n%s\r\n" % (path, close)
            for path, close in ((b"livez", b""), (b"readyz", b""), (b"livez", b"connection: close\r\n"))
        ))  # fmt: skip
        said = await reader.read()
        assert said.count(b"HTTP/1.1 200") == 3
        assert said.index(b"alive") < said.index(b"ready") < said.rindex(b"alive")
        writer.close()


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_fault_is_an_answer_and_a_line_of_the_log(logged: io.StringIO) -> None:
    async with open_door(Told(fails=True)) as (_, client):
        said = refused(await client.get("/calls"), 500, "broken")
        assert "secret" not in json.dumps(said)
        assert (await client.get("/livez")).status_code == 200
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (failed,) = [line for line in lines if line["event"] == "door_failed"]
    assert failed["route"] == "/calls" and "sk-secret" not in logged.getvalue()


@pytest.mark.virtual_time
async def test_the_end_waits_for_who_is_answered_but_not_for_ever() -> None:
    told = Told(wait=asyncio.Event())
    async with open_door(told) as (door, client):
        asked = [asyncio.ensure_future(client.get("/readyz")) for _ in range(2)]
        await asyncio.sleep(0.1)
        closing = asyncio.ensure_future(door.close(1.0))
        await asyncio.sleep(0.5)
        told.wait.set()  # type: ignore[union-attr]
        assert [(await each).status_code for each in asked] == [200, 200]
        await closing
        assert not door._state.tasks
    told = Told(wait=asyncio.Event())
    async with open_door(told) as (door, client):
        stuck = asyncio.ensure_future(client.get("/readyz"))
        await asyncio.sleep(0.1)
        await door.close(1.0)
        assert (await stuck).status_code == 500
        assert not door._state.tasks and not door._state.connections


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["id", "agent", "caller_id", "dialled", "variables", "event", "data", "text"])
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda each: json.dumps(each).encode())
    | st.dictionaries(FIELDS, JSON).map(lambda each: json.dumps(each).encode())
)


@settings(max_examples=60)
@given(bodies=st.lists(BODIES, max_size=8))
def test_whatever_a_body_is_the_answer_is_a_refusal_or_a_success(bodies: list[bytes]) -> None:
    async def ask() -> None:
        async with open_door(Told(), body_bytes=1_024) as (door, client):
            for body in (*bodies, b"[" * 1_000, b'{"a":' * 200, b'{"id": "\xff"}'):
                for path in ("/calls", f"/calls/{ID}/events"):
                    answer = await client.post(path, content=body, headers={"content-type": "application/json"})
                    assert answer.status_code in (200, 201, 400, 413, 422), answer.text
                    assert answer.status_code < 300 or answer.json().keys() >= WORDS
            assert "broken" not in door.counts.turned_away

    asyncio.run(ask())


@settings(max_examples=60)
@given(sent=st.binary(max_size=300) | st.binary(max_size=50).map(lambda each: HEAD + each + b"\r\n\r\n"))
def test_whatever_comes_in_the_door_stays_open(sent: bytes) -> None:
    async def ask() -> None:
        async with open_door() as (door, client):
            reader, writer = await raw(door, sent)
            writer.write_eof()
            said = await reader.read()
            assert said == b"" or said.startswith(b"HTTP/1.1 ")
            writer.close()
            assert (await client.get("/livez")).status_code == 200

    asyncio.run(ask())
