"""The simulated Gemini Live over a socket, with our own end of it."""

from __future__ import annotations

import pytest

from adapters.providers.connection import ConnectionLimits
from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings
from adapters.simulator.providers.gemini import GeminiFault, GeminiScenario, GeminiServer
from tests.adapters.providers.realtime.scripted_server import Recorder, resources

pytestmark = pytest.mark.virtual_time
GREETING = {"cause": "greeting", "instructions": None, "added": "Hello! How can I help you?"}


def provider(server: GeminiServer, key: str | None = "k", path: str = "") -> GeminiProvider:
    return GeminiProvider(
        endpoint=gemini_endpoint(server.url + path, key),
        session=GeminiSettings(model="gemini-3.8-live"),
        limits=ConnectionLimits(system_proxy=False),
    )


@pytest.mark.parametrize("binary", [True, False])
async def test_an_answer_is_heard_and_the_connection_ends_after_its_warning(binary: bool) -> None:
    before = resources()
    scenario = GeminiScenario(binary=binary, warns_ms=2000, faults=(GeminiFault(kind="go_away", at_ms=20_000),))
    async with GeminiServer(scenario) as server:
        heard = Recorder()
        ours = provider(server)
        connection = ours.connection(heard)
        connection.open()
        await heard.until("event", "session.welcomed")
        control = connection.take_control()
        assert control.send_control(ours.encode("start_session", {}))
        await heard.until("event", "setupComplete")
        assert control.send_control(ours.encode("request_speech", GREETING))
        await heard.until("event", "turnComplete")
        await heard.until("event", "goAway")
        await heard.end()
        await connection.close()
        assert server.stats[0].utterances == ["Hello! How can I help you?"]
    kinds = [fact[1] for fact in heard.facts if fact[0] == "event"]
    assert kinds.index("voice.began") < kinds.index("voice.ended") < kinds.index("turnComplete")
    pieces = [fact[2] for fact in heard.facts if fact[0] == "audio"]
    assert len(b"".join(piece for piece in pieces if isinstance(piece, bytes))) > 24_000
    assert heard.ends == [("closed", 1011, "Deadline expired", False)]
    assert resources() == before


@pytest.mark.parametrize(("key", "path", "reason"), [(None, "", "http 403"), ("k", "x", "http 404")])
async def test_a_key_and_a_path_are_demanded(key: str | None, path: str, reason: str) -> None:
    async with GeminiServer() as server:
        heard = Recorder()
        connection = provider(server, key, path).connection(heard)
        connection.open()
        await heard.end()
        await connection.close()
    assert heard.ends == [("unreachable", reason, True)]
