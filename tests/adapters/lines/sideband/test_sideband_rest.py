"""What the provider is told of its calls, over real HTTP, against a server that says what a test tells it to."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from adapters.lines.sideband.control import SidebandControlError
from adapters.lines.sideband.rest import SidebandRest, SidebandRestSettings
from tests.adapters.lines.scripted_api import Answer, ScriptedApi, scripted_api

KEY = "sk-proj-0123456789abcdef"
SESSION = {"type": "realtime", "model": "gpt-realtime", "instructions": "Grüße."}
DONE = (200, b"")
GONE = (404, {"error": {"message": "No session found for call_id", "code": "call_id_not_found"}})


def parsed(body: bytes) -> Any:
    return orjson.loads(body) if body else None


def settings_at(port: int, **more: Any) -> SidebandRestSettings:
    given = {"headers": {"Authorization": f"Bearer {KEY}"}, "again_s": 0.01, "system_proxy": False, **more}
    return SidebandRestSettings(**{"calls_url": f"http://127.0.0.1:{port}/v1/realtime/calls", **given})


@contextlib.asynccontextmanager
async def api(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[SidebandRest, ScriptedApi]]:
    async with scripted_api(*answers, parse=parsed) as provider:
        rest = SidebandRest(settings_at(provider.port, **settings))
        try:
            yield rest, provider
        finally:
            await rest.close()


async def test_each_verb_is_a_post_of_its_own() -> None:
    async with api(DONE, query="api-version=1") as (rest, provider):
        await rest.accept("rtc_1", SESSION)
        await rest.reject("rtc_1", 486)
        await rest.refer("rtc_1", "tel:+49301")
        await rest.hang_up("rtc_1")
    lines = [line.split()[:2] for line, _, _ in provider.requests]
    path = "/v1/realtime/calls/rtc_1"
    assert lines == [["POST", f"{path}/{verb}?api-version=1"] for verb in ("accept", "reject", "refer", "hangup")]
    assert [body for _, _, body in provider.requests] == [
        SESSION, {"status_code": 486}, {"target_uri": "tel:+49301"}, None
    ]  # fmt: skip
    assert {headers["authorization"] for _, headers, _ in provider.requests} == {f"Bearer {KEY}"}
    assert provider.requests[0][1]["content-type"] == "application/json"


async def test_a_new_key_is_used_from_then_on() -> None:
    async with api(DONE) as (rest, provider):
        rest.renew(settings_at(provider.port, headers={"Authorization": "Bearer new"}))
        await rest.hang_up("rtc_1")
    assert provider.requests[0][1]["authorization"] == "Bearer new"


async def test_an_end_or_a_rejection_of_a_call_that_is_over_is_fine() -> None:
    async with api(GONE) as (rest, _):
        await rest.hang_up("rtc_1")
        await rest.reject("rtc_1", 603)


@pytest.mark.parametrize(
    ("answer", "said", "is_over", "is_unknown"),
    [
        (GONE, "the provider says 404 (call_id_not_found): No session found for call_id", True, False),
        ((401, {"error": {"message": "Incorrect API key"}}), "must be one of the project", False, False),
        ((403, b"<html>"), "the provider says 403", False, False),
        ((400, {"error": {"message": "y" * 900, "code": 7}}), "the provider says 400: " + "y" * 200, False, False),
        ((400, {"error": {"message": "a\r\n\x1bb"}}), "the provider says 400: a b", False, False),
        ((400, {"error": [1]}), "the provider says 400", False, False),
        ((400, [1]), "the provider says 400", False, False),
        ((400, b"x" * 100_000), "the provider says 400", False, False),
        ((302, b""), "the provider says 302", False, False),
        ((503, b""), "the provider says 503", False, True),
        (lambda writer: writer.close(), "the connection failed", False, True),
        (lambda writer: writer.write(b"SMTP\r\n\r\n"), "the connection failed", False, True),
    ],
)  # fmt: skip
async def test_what_is_not_done_says_why_and_is_not_tried_again(
    answer: Answer, said: str, is_over: bool, is_unknown: bool
) -> None:
    calls: tuple[tuple[str, Callable[[SidebandRest], Awaitable[None]]], ...] = (
        ("accept", lambda rest: rest.accept("rtc_1", SESSION)),
        ("refer", lambda rest: rest.refer("rtc_1", "tel:+49301")),
    )
    for verb, tell in calls:
        async with api(answer) as (rest, provider):
            with pytest.raises(SidebandControlError) as caught:
                await tell(rest)
        assert said in str(caught.value) and str(caught.value).startswith(f"{verb}: ")
        assert len(str(caught.value)) < 400
        assert (caught.value.is_over, caught.value.is_unknown) == (is_over, is_unknown)
        assert len(provider.requests) == 1


async def test_it_is_tried_again_where_the_provider_has_not_acted() -> None:
    async with api((429, b""), (429, b""), DONE) as (rest, provider):
        await rest.accept("rtc_1", SESSION)
        assert len(provider.requests) == 3
    async with api((429, {"error": {"message": "Slow down"}})) as (rest, provider):
        with pytest.raises(SidebandControlError, match="429: Slow down"):
            await rest.refer("rtc_1", "sip:desk@example.com")
        assert len(provider.requests) == 3


async def test_an_end_is_tried_again_whatever_went_wrong() -> None:
    async with api((503, b""), lambda writer: writer.close(), DONE) as (rest, provider):
        await rest.hang_up("rtc_1")
        assert len(provider.requests) == 3


async def test_a_server_that_is_not_there_is_named() -> None:
    async with api(DONE) as (_, provider):
        port = provider.port
    rest = SidebandRest(settings_at(port))
    with capture_logs() as logs, pytest.raises(SidebandControlError, match="accept: cannot connect") as caught:
        await rest.accept("rtc_1", SESSION)
    assert [each["event"] for each in logs] == ["sideband_request_again"] * 2 and not caught.value.is_unknown
    await rest.close()


async def test_a_server_that_does_not_answer_costs_the_deadline_and_no_more() -> None:
    async with api(lambda _: None, deadline_s=0.05) as (rest, _):
        with pytest.raises(SidebandControlError, match=r"no answer within 0\.05 s") as caught:
            await rest.accept("rtc_1", SESSION)
        assert caught.value.is_unknown


@pytest.mark.parametrize(
    "target", ["+4930", "https://example.com", "tel:", "sip:a b", "sip:a\r\nX: 1", "tel:" + "1" * 300]
)
async def test_a_target_that_is_no_address_reaches_no_server(target: str) -> None:
    async with api(DONE) as (rest, provider):
        with pytest.raises(SidebandControlError, match="refer: the target is not a URI"):
            await rest.refer("rtc_1", target)
    assert not provider.requests


async def test_an_id_that_is_none_reaches_no_server() -> None:
    async with api(DONE) as (rest, provider):
        for identity in ("../sessions", "", "a/b", "a" * 65):
            with pytest.raises(SidebandControlError, match="not the id of a call"):
                await rest.hang_up(identity)
    assert not provider.requests


async def test_the_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        async with api((401, b"")) as (rest, _):
            assert KEY not in repr(rest._settings)
            with pytest.raises(SidebandControlError) as caught:
                await rest.accept("rtc_1", SESSION)
    for text in (caplog.text, repr(logs), repr(caught.value)):
        assert KEY not in text


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "adapters.lines.sideband.rest")
    with pytest.raises(ImportError, match=r"pip install 'turnspec\[sideband\]'"):
        importlib.import_module("adapters.lines.sideband.rest")
