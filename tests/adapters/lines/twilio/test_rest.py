"""The REST client over real HTTP, against a server that says what a test tells it to."""

from __future__ import annotations

import base64
import contextlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from structlog.testing import capture_logs

from adapters.lines.twilio.rest import RestSettings, TwilioRest, TwilioRestError
from adapters.lines.twilio.twiml import DialTarget
from tests.adapters.lines.scripted_api import Answer, ScriptedApi, scripted_api

SECRET = "0123456789abcdef"
TARGET = DialTarget(address="+49303")
DONE = (200, {"sid": "CA1", "status": "in-progress"})


@contextlib.asynccontextmanager
async def api(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[TwilioRest, ScriptedApi]]:
    async with scripted_api(*answers, parse=lambda body: parse_qs(body.decode())) as twilio:
        given = {"account_sid": "AC1", "auth_token": SECRET, "again_s": 0.01, **settings}
        rest = TwilioRest(RestSettings(**{"base_url": f"http://127.0.0.1:{twilio.port}", **given}))
        try:
            yield rest, twilio
        finally:
            await rest.close()


async def test_a_transfer_gives_the_call_new_instructions() -> None:
    async with api(DONE) as (rest, twilio):
        await rest.transfer("CA1", TARGET)
    [(line, headers, form)] = twilio.requests
    assert line == "POST /2010-04-01/Accounts/AC1/Calls/CA1.json HTTP/1.1"
    assert headers["authorization"] == "Basic " + base64.b64encode(f"AC1:{SECRET}".encode()).decode()
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    [text] = form.pop("Twiml")
    assert "<Dial" in text and "<Number>+49303</Number>" in text
    assert not form


async def test_a_hang_up_completes_the_call_and_one_that_is_over_is_fine() -> None:
    over = (400, {"code": 21220, "message": "Call is not in-progress. Cannot redirect.", "status": 400})
    async with api(DONE, over, (404, {"code": 20404})) as (rest, twilio):
        for _ in range(3):
            await rest.hang_up("CA1")
    assert [form for _, _, form in twilio.requests] == [{"Status": ["completed"]}] * 3


@pytest.mark.parametrize(
    ("answer", "said", "is_over"),
    [
        ((400, {"code": 21220, "message": "Not in progress."}), "Twilio says 400 (code 21220): Not in progress.", True),
        ((401, {"code": 20003, "message": "Authenticate"}), "TWILIO_AUTH_TOKEN must be those of the console", False),
        ((404, {"code": 20404, "message": "not found"}), "the account has no such call", True),
        ((403, b"<html>"), "Twilio says 403", False),
        ((400, b"x" * 100_000), "Twilio says 400", False),
        ((400, {"message": "y" * 900, "code": "z"}), "Twilio says 400: " + "y" * 200, False),
        ((400, [1]), "Twilio says 400", False),
        ((302, b""), "Twilio says 302", False),
        ((500, b""), "Twilio says 500", False),
        (lambda writer: writer.close(), "the connection failed", False),
        (lambda writer: writer.write(b"SMTP\r\n\r\n"), "the connection failed", False),
    ],
)  # fmt: skip
async def test_a_transfer_that_fails_says_why_and_is_not_tried_again(answer: Answer, said: str, is_over: bool) -> None:
    async with api(answer) as (rest, twilio):
        with pytest.raises(TwilioRestError) as caught:
            await rest.transfer("CA1", TARGET)
    assert said in str(caught.value)
    assert str(caught.value).startswith("transfer: ")
    assert len(str(caught.value)) < 400
    assert caught.value.is_over is is_over
    assert len(twilio.requests) == 1


async def test_a_transfer_is_tried_again_where_twilio_has_not_acted() -> None:
    async with api((429, {"code": 20429}), (429, b""), DONE) as (rest, twilio):
        await rest.transfer("CA1", TARGET)
        assert len(twilio.requests) == 3
    async with api((429, {"code": 20429, "message": "Too many requests"})) as (rest, twilio):
        with pytest.raises(TwilioRestError, match="429"):
            await rest.transfer("CA1", TARGET)
        assert len(twilio.requests) == 3


async def test_a_server_that_is_not_there_is_tried_again_and_named() -> None:
    async with api(DONE) as (_, twilio):
        port = twilio.port
    rest = TwilioRest(
        RestSettings(account_sid="AC1", auth_token=SECRET, base_url=f"http://127.0.0.1:{port}", again_s=0.01)
    )
    with capture_logs() as logs, pytest.raises(TwilioRestError, match="transfer: cannot connect"):
        await rest.transfer("CA1", TARGET)
    assert [each["event"] for each in logs] == ["twilio_request_again"] * 2
    await rest.close()


async def test_an_end_is_tried_again_whatever_went_wrong() -> None:
    async with api((503, b""), lambda writer: writer.close(), DONE) as (rest, twilio):
        await rest.hang_up("CA1")
        assert len(twilio.requests) == 3


async def test_an_end_that_fails_says_why() -> None:
    async with api((401, {"code": 20003})) as (rest, _):
        with pytest.raises(TwilioRestError, match="hang-up: Twilio says 401"):
            await rest.hang_up("CA1")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "adapters.lines.twilio.rest")
    with pytest.raises(ImportError, match=r"pip install 'turnspec\[twilio\]'"):
        importlib.import_module("adapters.lines.twilio.rest")


async def test_a_server_that_does_not_answer_costs_the_deadline_and_no_more() -> None:
    async with api(lambda _: None, deadline_s=0.05) as (rest, _):
        with pytest.raises(TwilioRestError, match=r"no answer within 0\.05 s; whether it was done is not known"):
            await rest.transfer("CA1", TARGET)


async def test_an_id_that_is_none_reaches_no_server() -> None:
    async with api(DONE) as (rest, twilio):
        with pytest.raises(TwilioRestError, match="not the id of a call"):
            await rest.transfer("../Recordings", TARGET)
    assert not twilio.requests


async def test_the_secret_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    encoded = base64.b64encode(f"AC1:{SECRET}".encode()).decode()
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        async with api((401, b""), (401, b"")) as (rest, _):
            assert SECRET not in repr(rest._settings)
            with pytest.raises(TwilioRestError) as caught:
                await rest.transfer("CA1", TARGET)
    for text in (caplog.text, repr(logs), repr(caught.value)):
        assert SECRET not in text and encoded not in text
