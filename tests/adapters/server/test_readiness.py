"""Readiness: what calls have seen of the provider, how long that stands, and the probe that takes its place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.server import readiness
from adapters.server.inside import NotReady
from adapters.server.readiness import ProviderHealth, not_ready
from tests.tls import make_certificate


def step(variant: str, outcome: str = "taken") -> Any:
    return SimpleNamespace(variant=variant, outcome=outcome)


def seen(health: ProviderHealth, variant: str, outcome: str = "taken") -> None:
    health.stepped(step(variant, outcome), None, 0)  # type: ignore[arg-type]


async def test_what_the_last_call_has_seen_stands_for_a_while_then_the_port_is_tried() -> None:
    now = [0.0]
    health = ProviderHealth(lambda: now[0], ["ws://127.0.0.1:1/v1"])
    seen(health, "session.created")
    assert await health.complaint() == ""
    seen(health, "provider.unreachable.retryable")
    assert await health.complaint() == "the last call has got no session (provider.unreachable.retryable)"
    seen(health, "session.created", "ignored")
    seen(health, "response.done.completed")
    assert "no session" in await health.complaint()
    now[0] = readiness.RECENT_S + 1
    assert await health.complaint() == "its port cannot be reached: Connection refused"
    await health.close()


async def test_a_probe_is_shared_and_stands_for_a_while() -> None:
    now, tried = [0.0], []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.append(1)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    health = ProviderHealth(lambda: now[0], [f"ws://127.0.0.1:{port}/v1?key=secret"])
    assert await asyncio.gather(*(health.complaint() for _ in range(20))) == [""] * 20
    server.close()
    await server.wait_closed()
    now[0] = readiness.PROBED_S - 1
    assert await health.complaint() == "" and len(tried) == 1
    now[0] = readiness.PROBED_S + 1
    assert "cannot be reached" in await health.complaint()
    await health.close()


@pytest.mark.virtual_time
async def test_a_provider_that_shakes_no_hands_is_given_up_in_time() -> None:
    loop = asyncio.get_running_loop()
    held: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    health = ProviderHealth(loop.time, [f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"])
    since_s = loop.time()
    assert await health.complaint() == "its port does not answer within 3 s"
    assert loop.time() - since_s == pytest.approx(3.0, abs=0.1)
    await health.close()
    for writer in held:
        writer.close()
    server.close()


async def test_a_certificate_of_nobodys_is_named_without_the_address(tmp_path: Path) -> None:
    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=make_certificate(tmp_path).serving)
    health = ProviderHealth(lambda: 0.0, [f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"])
    said = await health.complaint()
    assert said.startswith("its port cannot be reached: TLS: CERTIFICATE_VERIFY_FAILED") and "127.0.0.1" not in said
    assert await ProviderHealth(lambda: 0.0, ["ws://no.such.invalid/v1"]).complaint() == (
        "its port cannot be reached: its name is not known"
    )
    await health.close()
    server.close()


async def test_what_was_seen_of_one_provider_says_nothing_of_another() -> None:
    health = ProviderHealth(lambda: 0.0, ["ws://127.0.0.1:1/v1"])
    health.note("broken")
    health.renew(["ws://127.0.0.1:1/v1"], system_proxy=True)
    assert await health.complaint() == "broken"
    health.renew(["ws://127.0.0.1:2/v1"], system_proxy=True)
    assert (await health.complaint()).startswith("its port cannot be reached")
    await health.close()


async def test_a_line_that_does_not_listen_and_a_drain_are_reasons_of_their_own() -> None:
    health = ProviderHealth(lambda: 0.0, ["ws://127.0.0.1:1/v1"])
    found = [NotReady("not_listening", "Twilio is not listening"), NotReady("draining", "the server is closing")]
    assert await not_ready(found, health) == found
    assert [each.reason for each in await not_ready([], health)] == ["provider_unreachable"]
    await health.close()


@pytest.mark.parametrize(
    ("url", "environment", "hop"),
    [
        ("wss://api.example.com/v1", {}, ("api.example.com", 443, True)),
        ("ws://api.example.com:8080/v1", {}, ("api.example.com", 8080, False)),
        ("wss://api.example.com/v1", {"https_proxy": "http://proxy.lan:3128"}, ("proxy.lan", 3128, False)),
        ("wss://api.example.com/v1", {"https_proxy": "https://proxy.lan"}, ("proxy.lan", 443, True)),
        (
            "wss://api.example.com/v1",
            {"https_proxy": "http://p:1", "no_proxy": "example.com"},
            ("api.example.com", 443, True),
        ),
    ],
)
def test_a_probe_goes_the_way_that_calls_go(
    url: str, environment: dict[str, str], hop: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "socks_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert readiness._first_hop(url, True) == hop
    assert readiness._first_hop(url, False) in (("api.example.com", 443, True), ("api.example.com", 8080, False))


@pytest.mark.parametrize(("urls", "is_reached"), [(2, True), (1, False)])
async def test_one_provider_that_can_be_reached_is_enough(urls: int, is_reached: bool) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    health = ProviderHealth(lambda: 0.0, ["ws://127.0.0.1:1/v1", f"ws://127.0.0.1:{port}/v1"][:urls])
    assert (await health.complaint() == "") is is_reached
    server.close()
    await server.wait_closed()
    await health.close()
