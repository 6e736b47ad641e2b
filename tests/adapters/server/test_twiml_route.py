"""Twilio's webhook over the HTTP application: what a form, a query and a header become, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import httpx2
import pytest
from starlette.applications import Starlette

from adapters.lines.twilio.gate import Gate
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import signature
from adapters.lines.twilio.webhook import Webhook
from adapters.server.twiml_route import twiml_route

SECRET = "0123456789abcdef"
SETTINGS = TwilioSettings(public_url="https://agent.example.com/x", account_sid="AC1", auth_token=SECRET)
FORM = [("CallSid", "CA1"), ("AccountSid", "AC1"), ("From", "+4930 1"), ("CallerName", "Jürgen & Söhne")]
FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


async def ask(method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> httpx2.Response:
    app = Starlette(routes=[twiml_route(Webhook(SETTINGS, Gate(SETTINGS)))])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.1:8080") as client:
        return await client.request(method, url, content=body, headers=dict(headers or {}))


def signed(url: str, form: list[tuple[str, str]] | None = None) -> dict[str, str]:
    return {"X-Twilio-Signature": signature(SECRET, "https://agent.example.com/x" + url, form or [])}


async def test_a_post_behind_a_proxy_is_answered_with_twiml() -> None:
    url = "/twiml?agent=sales%20team&n=%2B1"
    headers = {"content-type": FORM_TYPE, **signed(url, FORM)}
    answer = await ask("POST", url, urlencode(FORM).encode(), headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert '<Stream url="wss://agent.example.com/x/audio">' in answer.text
    assert '<Parameter name="agent" value="sales team" />' in answer.text
    assert '<Parameter name="CallerName" value="Jürgen &amp; Söhne" />' in answer.text


async def test_a_get_is_answered_with_twiml() -> None:
    url = "/twiml?" + urlencode(FORM)
    answer = await ask("GET", url, headers=signed(url))
    assert answer.status_code == 200 and "<Stream" in answer.text


async def test_what_is_not_signed_is_refused() -> None:
    answer = await ask("POST", "/twiml", urlencode(FORM).encode(), {"content-type": FORM_TYPE})
    assert answer.status_code == 403
    assert set(answer.json()) == {"error", "cause", "cure"}


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"a=" + b"b" * 70_000, FORM_TYPE, "more than 65536 bytes"),
        (b"a=b&" * 300, FORM_TYPE, "Max number of fields"),
        (b"{}", "application/json", "a form is expected"),
    ],
)
async def test_a_body_that_is_no_form_of_twilios_is_refused(body: bytes, content_type: str, words: str) -> None:
    answer = await ask("POST", "/twiml", body, {"content-type": content_type})
    assert answer.status_code == 400 and words in answer.json()["cause"]


async def test_another_method_is_refused() -> None:
    assert (await ask("PUT", "/twiml")).status_code == 405
