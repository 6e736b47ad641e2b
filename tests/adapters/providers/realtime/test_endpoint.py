"""Addresses and headers; and that no secret can be seen."""

from __future__ import annotations

import pytest
import structlog

from adapters.providers.endpoint import Endpoint, EndpointError
from adapters.providers.realtime.endpoint import calls_address, endpoint_of, openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.realtime_server import RealtimeServer
from adapters.providers.realtime.session import SessionSettings

KEY = "sk-proj-VERYSECRET"


def test_openai() -> None:
    endpoint = openai_endpoint("gpt-realtime", KEY)
    assert endpoint.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime"
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    assert endpoint.dialect == "ga"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080?model=a+b%26c"),
        ("ws://[::1]:8080/rt", "ws://[::1]:8080/rt?model=a+b%26c"),
        ("wss://host/rt?tenant=7&flag=", "wss://host/rt?tenant=7&flag=&model=a+b%26c"),
        ("wss://host/rt?model=old&tenant=7", "wss://host/rt?tenant=7&model=a+b%26c"),
    ],
)
def test_the_base_url_keeps_its_query_and_our_model_wins(base: str, url: str) -> None:
    assert openai_endpoint("a b&c", KEY, base_url=base).url == url


def test_a_sideband_names_no_model_and_a_local_server_wants_no_key() -> None:
    endpoint = openai_endpoint(None, None, base_url="ws://localhost/v1/realtime?call_id=rtc_1")
    assert endpoint.url == "ws://localhost/v1/realtime?call_id=rtc_1"
    assert endpoint.headers == {}


def test_a_beta_server_gets_the_header() -> None:
    endpoint = openai_endpoint("m", KEY, dialect="beta", extra_headers={"X-Tenant": "7"})
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "realtime=v1", "X-Tenant": "7"}


def test_an_address_is_made_by_the_row_of_its_server() -> None:
    row = RealtimeServer(
        url="wss://RESOURCE.example/openai/realtime", query={"api-version": "7", "deployment": "{model}"},
        key_header="api-key", key_form="{key}", session_query="session", names="beta",
    )  # fmt: skip
    bare = endpoint_of(row, "wss://contoso.example", "d", KEY)
    assert bare.url == "wss://contoso.example/openai/realtime?api-version=7&deployment=d"
    assert (bare.headers, bare.dialect) == ({"api-key": KEY}, "beta")
    own = endpoint_of(row, "ws://127.0.0.1:1/x?api-version=8&deployment=old", "d", KEY)
    assert own.url == "ws://127.0.0.1:1/x?api-version=8&deployment=d"
    first, second = own.url_of_session(), own.url_of_session()
    assert first != second and first.startswith(f"{own.url}&session=ts_") and "session" not in own.shown


def test_a_key_from_a_file_ends_with_a_newline() -> None:
    assert openai_endpoint("m", f"{KEY}\n").headers == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://api.openai.com/v1/realtime", "must be ws or wss, not 'https'"),
        ("api.openai.com/v1/realtime", "must be ws or wss, not 'missing'"),
        ("", "must be ws or wss"),
        ("wss:///v1/realtime", "no host"),
        ("wss://user:hunter2@host/", "a user or a password"),
        ("wss://host/#x", "fragment"),
        ("wss://host:port/", "cannot be read"),
        ("wss://[host/", "cannot be read"),
        ("wss://ho st/", "printable ASCII"),
        ("wss://host/\r\nX: y", "printable ASCII"),
        ("wss://höst/", "printable ASCII"),
    ],
)
def test_only_ws_and_wss(url: str, message: str) -> None:
    with pytest.raises(EndpointError, match=message) as caught:
        openai_endpoint("m", KEY, base_url=url)
    assert "hunter2" not in str(caught.value) and KEY not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_what_cannot_be_a_key_or_a_name_is_refused_and_not_shown() -> None:
    for key in ("", "  \n", f"{KEY}\r\nX-Evil: 1", f"{KEY}\x00", f"{KEY}é"):
        with pytest.raises(EndpointError) as caught:
            openai_endpoint("m", key)
        assert KEY not in str(caught.value)
    with pytest.raises(EndpointError, match="model: is empty"):
        openai_endpoint("", KEY)
    with pytest.raises(EndpointError, match="headers: a name"):
        openai_endpoint("m", KEY, extra_headers={"X Y": "z"})


def test_no_secret_is_printed() -> None:
    endpoint = openai_endpoint("m", KEY, base_url=f"wss://host/rt?api-key={KEY}&tenant=7")
    assert endpoint.shown == "wss://host/rt?model=m"
    with structlog.testing.capture_logs() as logs:
        structlog.get_logger().info("endpoint", endpoint=endpoint, text=f"{endpoint} {endpoint!r}")
    assert KEY not in str(logs) and KEY not in repr(endpoint) and "Authorization" not in repr(endpoint)
    assert isinstance(endpoint, Endpoint)


@pytest.mark.parametrize(
    ("base_url", "url", "query"),
    [
        ("wss://api.openai.com/v1/realtime", "https://api.openai.com/v1/realtime/calls", ""),
        ("ws://127.0.0.1:9/v1/realtime/?tenant=7", "http://127.0.0.1:9/v1/realtime/calls", "tenant=7"),
    ],
)
def test_calls_are_told_of_over_http_at_the_same_server_with_the_same_key(base_url: str, url: str, query: str) -> None:
    address = calls_address(openai_endpoint("gpt-realtime", "sk-test", base_url=base_url))
    assert (address.url, address.query) == (url, query)
    assert address.headers["Authorization"] == "Bearer sk-test" and "sk-test" not in repr(address)


def test_a_call_is_accepted_with_the_session_that_it_asks_for() -> None:
    session = SessionSettings(model="m", instructions="Be kind.", turn_detection={"type": "server_vad"}, voice="marin")
    provider = RealtimeProvider(endpoint=openai_endpoint("m", "sk-test"), session=session)
    asked = provider.attached("rtc_1").encode("update_session", {"event_id": "e"})["session"]
    assert isinstance(asked, dict)
    assert provider.session_to_accept() == {**asked, "model": "m"} and asked["type"] == "realtime"
