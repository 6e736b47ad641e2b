"""The webhook of a telephone call: what is unsigned, late, repeated or odd begins no call, and is counted."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import InvalidWebhookSignatureError, OpenAI
from structlog.testing import capture_logs

from adapters.lines.sideband import webhook
from adapters.lines.sideband.webhook import IncomingSipCall, SipWebhook, WebhookRefusal

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW_S = 1_790_000_000
DATA = {"call_id": "rtc_1", "sip_headers": [{"name": "From", "value": "sip:+491@example.com"}]}


def event(kind: str = webhook.INCOMING, data: object = DATA) -> bytes:
    return orjson.dumps({"object": "event", "id": "evt_1", "type": kind, "data": data})


def signed(body: bytes, identity: str = "wh_1", at_s: int = NOW_S, key: bytes = KEY) -> dict[str, str]:
    mac = hmac.new(key, f"{identity}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def hook(now_s: float = NOW_S) -> SipWebhook:
    return SipWebhook(SECRET, lambda: now_s)


def test_a_signed_delivery_is_a_call_with_the_headers_of_the_caller() -> None:
    taken = hook().take(signed(event()), event())
    assert taken == IncomingSipCall("rtc_1", {"from": "sip:+491@example.com"})


def test_the_providers_own_library_takes_and_refuses_the_same() -> None:
    client, body, now_s = OpenAI(api_key="sk-test", webhook_secret=SECRET), event(), int(time.time())
    for headers, is_good in ((signed(body, at_s=now_s), True), (signed(body, at_s=now_s, key=b"x" * 32), False)):
        assert isinstance(hook(now_s).take(headers, body), IncomingSipCall) is is_good
        with contextlib.nullcontext() if is_good else pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.verify_signature(body, headers)
    assert client.webhooks.unwrap(body, signed(body, at_s=now_s)).type == webhook.INCOMING


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    headers = signed(event())
    headers["webhook-signature"] = f"v1,bm90IGl0 v1a,xyz {headers['webhook-signature']}"
    assert isinstance(hook().take(headers, event()), IncomingSipCall)


def test_a_delivery_of_either_secret_counts_while_it_is_changed() -> None:
    new = b"fedcba9876543210"
    gate = SipWebhook([SECRET, "whsec_" + base64.b64encode(new).decode()], lambda: NOW_S)
    for identity, key in (("wh_1", KEY), ("wh_2", new)):
        assert isinstance(gate.take(signed(event(), identity, key=key), event()), IncomingSipCall)
    assert gate.take(signed(event(), "wh_3", key=b"x" * 16), event()) is WebhookRefusal.BAD_SIGNATURE


def test_who_knocks_often_is_logged_seldom() -> None:
    gate = hook()
    with capture_logs() as logs:
        for _ in range(9):
            gate.take({}, event())
    assert [each["count"] for each in logs] == [1, 2, 4, 8] and gate.refused[WebhookRefusal.UNSIGNED] == 9


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        ({}, event(), WebhookRefusal.UNSIGNED),
        (signed(event(), "w" * 300), event(), WebhookRefusal.UNSIGNED),
        (signed(event()) | {"webhook-timestamp": "soon"}, event(), WebhookRefusal.UNSIGNED),
        (signed(event()) | {"webhook-timestamp": "²"}, event(), WebhookRefusal.UNSIGNED),
        (signed(event(), key=b"x" * 32), event(), WebhookRefusal.BAD_SIGNATURE),
        (signed(event()) | {"webhook-id": "wh_2"}, event(), WebhookRefusal.BAD_SIGNATURE),
        (signed(event()), event() + b" ", WebhookRefusal.BAD_SIGNATURE),
        (signed(event()) | {"webhook-signature": "v2,eA=="}, event(), WebhookRefusal.BAD_SIGNATURE),
        (signed(event(), at_s=NOW_S - 301), event(), WebhookRefusal.LATE),
        (signed(event(), at_s=NOW_S + 301), event(), WebhookRefusal.LATE),
        (signed(b"{"), b"{", WebhookRefusal.BAD_BODY),
        (signed(b"[]"), b"[]", WebhookRefusal.BAD_BODY),
        (signed(event(data=7)), event(data=7), WebhookRefusal.BAD_BODY),
        (signed(event(data={"call_id": "../x"})), event(data={"call_id": "../x"}), WebhookRefusal.BAD_BODY),
        (signed(b"x" * 70_000), b"x" * 70_000, WebhookRefusal.BAD_BODY),
        (signed(event("response.completed")), event("response.completed"), WebhookRefusal.OTHER_EVENT),
        *((signed(event(kind)), event(kind), WebhookRefusal.OTHER_PROTOCOL) for kind in sorted(webhook.FOREIGN)),
    ],
)
def test_what_is_not_a_call_of_ours_is_refused_and_counted(
    headers: dict[str, str], body: bytes, why: WebhookRefusal
) -> None:
    gate = hook()
    assert gate.take(headers, body) is why
    assert gate.refused == {why: 1}


def test_a_delivery_that_comes_again_is_no_second_call() -> None:
    gate = hook()
    assert isinstance(gate.take(signed(event()), event()), IncomingSipCall)
    later = signed(event(), at_s=NOW_S + 5)
    assert gate.take(later, event()) is WebhookRefusal.REPEATED
    assert gate.refused == {WebhookRefusal.REPEATED: 1}


def test_ids_are_kept_as_long_as_they_could_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [float(NOW_S)]
    gate = SipWebhook([SECRET], lambda: now_s[0])
    gate.take(signed(event()), event())
    now_s[0] += 2 * webhook.TOLERANCE_S + 1
    assert isinstance(gate.take(signed(event(), at_s=int(now_s[0])), event()), IncomingSipCall)
    monkeypatch.setattr(webhook, "IDS_KEPT", 3)
    for number in range(10):
        gate.take(signed(event(), f"n{number}", int(now_s[0])), event())
    assert len(gate._seen) == 3


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64", "sk-x"])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^webhook_secret: is not") as caught:
        SipWebhook([SECRET, secret], lambda: NOW_S)
    assert secret == "" or secret.removeprefix("whsec_") == "" or secret not in str(caught.value)


def test_headers_are_bounded_and_printable() -> None:
    said: list[Any] = [{"name": "X-A", "value": "a\r\nb" + "x" * 2_000}, {"name": "X-A", "value": "second"}, 7, {}]
    said += [{"name": "bad name", "value": "x"}, {"name": "X-B", "value": 7}]
    body = event(data={"call_id": "rtc_1", "sip_headers": said})
    taken = hook().take(signed(body), body)
    assert isinstance(taken, IncomingSipCall)
    assert list(taken.headers) == ["x-a"] and taken.headers["x-a"].startswith("abxx")
    assert len(taken.headers["x-a"]) <= 1_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_that_is_signed_raises(data: object, headers: object) -> None:
    for body in (orjson.dumps(data), event(data=data), event(data={"call_id": "rtc_1", "sip_headers": headers})):
        assert isinstance(hook().take(signed(body), body), IncomingSipCall | WebhookRefusal)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_nothing_unsigned_raises_or_passes(headers: dict[str, str], body: bytes) -> None:
    assert isinstance(hook().take(headers, body), WebhookRefusal)
