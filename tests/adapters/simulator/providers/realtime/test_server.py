"""The simulated provider over real loopback sockets: the openai SDK as its client, gates, drops, many sessions."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.simulator.providers.realtime import ProviderServer, ProviderSettings
from adapters.simulator.speech import read_samples, wav_path
from tests.adapters.simulator.providers.realtime.driver import encode, scenario, silence

pytestmark = pytest.mark.virtual_time

CALL = """
user_turns: ["Hello, what is the status of my order?", "Wait, stop. Tell me the opening hours instead."]
responses:
  - when: {after: nothing}
    output: [{say: "Hello, thank you for calling. How can I help you today?"}]
  - when: {heard: status of my order}
    output:
      - {say: "One moment, let me look that up.", phase: commentary}
      - {call: order_status, arguments: {order: 42}}
  - when: {after: tools}
    output: [{say: long, speech: agent_long_story}]
    pace: 1.5
  - when: {heard: opening hours}
    output: [{say: "We are open from nine in the morning until six in the evening, Monday to Friday."}]
"""
KEY = {"Authorization": "Bearer test"}


class Client:
    """The openai SDK's realtime connection with a microphone; every event it parsed is kept."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection
        self.events: list[Any] = []

    async def until(self, kind: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                event = await self._connection.recv()
                self.events.append(event)
                if event.type == kind:
                    return event

    async def speak(self, name: str, *, pause_ms: int = 900) -> None:
        """Say a recorded line and then nothing, in 20 ms frames of mu-law, on the loop's clock."""
        loop = asyncio.get_running_loop()
        samples = np.concatenate([read_samples(wav_path(name), 8000), silence(pause_ms, 8000)])
        due_s = loop.time()
        for start in range(0, len(samples), 160):
            await self._connection.input_audio_buffer.append(audio=encode(samples[start : start + 160], "audio/pcmu"))
            due_s += 0.02
            await asyncio.sleep(due_s - loop.time())

    def types(self) -> list[str]:
        return [event.type for event in self.events]


def session(**more: Any) -> Any:
    wire_format = {"type": "audio/pcmu"}
    detection = {"type": "server_vad", "silence_duration_ms": 500}
    return {
        "type": "realtime",
        "audio": {
            "input": {
                "format": wire_format,
                "turn_detection": detection,
                "transcription": {"model": "gpt-realtime-whisper"},
            },
            "output": {"format": wire_format},
        },
        "tools": [{"type": "function", "name": "order_status", "parameters": {"type": "object"}}],
    } | more


async def test_a_whole_call_with_the_openai_client() -> None:
    settings = ProviderSettings(api_keys=("test",), models=("gpt-realtime",))
    async with ProviderServer(settings, scenario(CALL)) as provider:
        base = provider.url.removesuffix("/realtime")
        async with (
            openai.AsyncOpenAI(api_key="test", websocket_base_url=base) as sdk,
            sdk.realtime.connect(model="gpt-realtime") as connection,
        ):
            client = Client(connection)
            await client.until("session.created")
            await connection.session.update(session=session())
            assert (await client.until("session.updated")).session.audio.input.format.type == "audio/pcmu"

            await connection.response.create(event_id="greet", response={"metadata": {"turnspec": "greet"}})
            assert (await client.until("response.created")).response.metadata == {"turnspec": "greet"}
            assert (await client.until("response.done")).response.status == "completed"

            speaking = asyncio.create_task(client.speak("caller_order_status"))
            assert (await client.until("response.created")).response.metadata is None
            call = await client.until("response.function_call_arguments.done")
            assert json.loads(call.arguments) == {"order": 42}
            await client.until("response.done")
            await speaking
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": call.call_id, "output": "shipped"}
            )
            await connection.response.create(event_id="tools")

            heard = await client.until("response.output_audio.delta")
            speaking = asyncio.create_task(client.speak("caller_interrupt"))
            await client.until("input_audio_buffer.speech_started")
            await connection.conversation.item.truncate(item_id=heard.item_id, content_index=0, audio_end_ms=100)
            cut = await client.until("response.done")
            assert cut.response.status_details.reason == "turn_detected"
            said = await client.until("response.output_audio_transcript.done")
            assert said.transcript.startswith("We are open")
            await client.until("rate_limits.updated")
            await speaking

            await connection.response.cancel(event_id="late", response_id="resp_none")
            refused = await client.until("error")
            assert (refused.error.code, refused.error.event_id) == ("response_cancel_not_active", "late")
    assert "conversation.item.truncated" in client.types()
    (stats,) = provider.stats
    assert stats.creates == 2 and stats.responses == 4 and stats.user_turns == 2
    assert stats.rejections == {"response_cancel_not_active": 1}
    assert stats.violations == ["response_cancel_not_active"]
    assert all(isinstance(event, RealtimeServerEvent.__args__[0].__args__) for event in client.events)  # type: ignore[attr-defined]


async def receive_all(connection: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    try:
        while True:
            yield json.loads(await connection.recv())
    except ConnectionClosed:
        return


@pytest.mark.parametrize(
    ("query", "headers", "code", "close"),
    [
        ("?model=m", {}, "invalid_api_key", 3000),
        ("?model=m", {"Authorization": "Bearer wrong"}, "invalid_api_key", 3000),
        ("?model=m", {"api-key": "wrong"}, "invalid_api_key", 3000),
        ("", KEY, "missing_model", 4000),
        ("?model=other", KEY, "invalid_model", 4000),
        ("?model=m", KEY | {"OpenAI-Beta": "realtime=v1"}, "beta_api_shape_disabled", 4000),
    ],
)
async def test_who_is_not_let_in(query: str, headers: dict[str, str], code: str, close: int) -> None:
    settings = ProviderSettings(api_keys=("test",), models=("m",))
    async with (
        ProviderServer(settings) as provider,
        connect(provider.url + query, additional_headers=headers) as connection,
    ):
        events = [event async for event in receive_all(connection)]
        assert [event["error"]["code"] for event in events] == [code]
        assert (connection.close_code, connection.close_reason) == (close, f"invalid_request_error.{code}")


@pytest.mark.parametrize("headers", [KEY, {"api-key": "test"}])
async def test_who_is_let_in(headers: dict[str, str]) -> None:
    settings = ProviderSettings(api_keys=("test",), models=("m",))
    async with (
        ProviderServer(settings) as provider,
        connect(provider.url + "?model=m", additional_headers=headers) as connection,
    ):
        assert json.loads(await connection.recv())["session"]["model"] == "m"
        pong = await connection.ping()
        await pong


async def test_the_upgrade_can_fail_and_the_next_one_succeed() -> None:
    faults = "faults: [{fault: http_status, status: 503, connection: 1}, {fault: slow_upgrade, by_s: 3, connection: 2}]"
    async with ProviderServer(scenario=scenario(faults)) as provider:
        url = provider.url + "?model=m"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers=KEY)
        assert refused.value.response.status_code == 503
        began_s = asyncio.get_running_loop().time()
        async with connect(url, additional_headers=KEY) as connection:
            assert asyncio.get_running_loop().time() - began_s == pytest.approx(3, abs=0.1)
            await connection.recv()
        assert [stats.connection for stats in provider.stats] == [2]


@pytest.mark.parametrize(("code", "seen"), [(1011, 1011), (1001, 1001), (1006, 1006)])
async def test_it_closes_or_drops_the_connection(code: int, seen: int) -> None:
    faults = f"faults: [{{fault: close, after: session.created, code: {code}, reason: gone}}]"
    async with (
        ProviderServer(scenario=scenario(faults)) as provider,
        connect(provider.url + "?model=m", additional_headers=KEY) as connection,
    ):
        events = [event["type"] async for event in receive_all(connection)]
        assert events in (["session.created"], [])
        assert connection.close_code == seen
    assert provider.stats[0].close_code == code


async def test_a_silent_ping() -> None:
    async with ProviderServer(scenario=scenario("faults: [{fault: silent_ping}]")) as provider:
        url = provider.url + "?model=m"
        async with connect(url, additional_headers=KEY, ping_interval=2, ping_timeout=2) as connection:
            assert [event["type"] async for event in receive_all(connection)] == ["session.created"]
            assert connection.protocol.close_sent and connection.protocol.close_sent.code == 1011


async def test_malformed_frames_leave_the_session_open() -> None:
    async with (
        ProviderServer() as provider,
        connect(provider.url + "?model=m", additional_headers=KEY, compression=None) as connection,
    ):
        await connection.recv()
        for frame in ("{", b"\x00", json.dumps({"type": "x"}), json.dumps({"audio": "A" * 17_000_000})):
            await connection.send(frame)
            assert json.loads(await connection.recv())["type"] == "error"
        append = {"type": "input_audio_buffer.append", "audio": "A" * 16_000_000}
        await connection.send(json.dumps(append))
        assert json.loads(await connection.recv())["error"]["code"] == "string_above_max_length"


async def test_many_sessions_at_once_and_a_client_that_goes_away() -> None:
    async def call(provider: ProviderServer) -> str:
        async with connect(provider.url + "?model=m", additional_headers=KEY) as connection:
            created = json.loads(await connection.recv())
            await connection.send(json.dumps({"type": "response.create"}))
            audio = b""
            async for event in receive_all(connection):
                if event["type"] == "response.output_audio.delta":
                    audio += base64.b64decode(event["delta"])
                if event["type"] == "response.done":
                    break
            assert audio == read_samples(wav_path("agent_greeting"), 24000).tobytes()
            return str(created["session"]["id"])

    async with ProviderServer() as provider:
        ids = await asyncio.gather(*(call(provider) for _ in range(20)))
        assert len(set(ids)) == 20
        connection = await connect(provider.url + "?model=m", additional_headers=KEY)
        connection.transport.abort()
        await asyncio.sleep(1)
        assert provider.stats[-1].close_code == 1006
    assert len(provider.stats) == 21


async def test_a_session_can_be_closed_by_a_test() -> None:
    async with (
        ProviderServer() as provider,
        connect(provider.url + "?model=m", additional_headers=KEY) as connection,
    ):
        await connection.recv()
        await provider.sessions[0].close(1012, "restart")
        assert [event async for event in receive_all(connection)] == []
        assert connection.close_code == 1012


def has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6_loopback(), reason="NO IPv6 LOOPBACK: an address of that kind was not tried")
async def test_an_ipv6_address_is_written_as_a_url_wants_it() -> None:
    async with ProviderServer(host="::1") as provider:
        assert provider.url == f"ws://[::1]:{provider.port}/v1/realtime"
        async with connect(f"{provider.url}?model=m", additional_headers={"Authorization": "Bearer sk-x"}) as client:
            assert json.loads(await client.recv())["type"] == "session.created"
