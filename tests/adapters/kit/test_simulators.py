"""The kit's two simulators as tests use them: plain and async, over every line, with what is said where it is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from adapters.audio.tick import Ticker
from adapters.kit.bridge_process import is_listening
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.chan_websocket.connection import ChannelLeg
from adapters.lines.chan_websocket.server import ChanWebSocketServer
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from tests.adapters.lines.sources import Frames
from turnspec import (
    BridgeProcess,
    BridgeStartError,
    KitUseError,
    PhoneSimulator,
    RealtimeSimulator,
    ScenarioError,
    free_port,
)

GREETED = {"steps": [{"wait_agent_speaking": 3000}, {"wait_ms": 200}, "hang_up"]}
UPDATE = {"type": "session.update", "session": {"type": "realtime"}}


@pytest.fixture
def provider() -> Iterator[RealtimeSimulator]:
    with RealtimeSimulator() as simulator:
        yield simulator


@pytest.fixture
def phones() -> Iterator[PhoneSimulator]:
    with PhoneSimulator() as simulator:
        yield simulator


async def ask(url: str, *events: dict[str, Any], until: str = "response.done", **options: Any) -> list[str]:
    """The types of what is said to a client that sends these."""
    heard: list[str] = []
    options.setdefault("additional_headers", {"Authorization": "Bearer k"})
    async with connect(f"{url}?model=m", **options) as ws:
        for event in events:
            await ws.send(json.dumps(event))
        while not heard or heard[-1] != until:
            heard.append(json.loads(await asyncio.wait_for(ws.recv(), 10))["type"])
    return heard


class Listener:
    """A bridge that says something loud."""

    def __call__(self, connection: Connection | ChannelLeg) -> None:
        connection.listen(self)
        connection.play_from(Frames(lambda: b"\x00\x40\x00\xc0" * 80))

    def on_audio(self, pcm: bytes, rate_hz: int) -> None: ...

    def on_key(self, digit: str) -> None: ...

    def on_gone(self, reason: str) -> None: ...


def test_the_provider_is_asked_afterwards_what_it_saw(provider: RealtimeSimulator, tmp_path: Path) -> None:
    provider.play({"responses": [{"output": [{"say": "Hello."}]}]})
    asyncio.run(ask(provider.url, UPDATE, {"type": "session.nonsense"}, {"type": "response.create"}))
    assert provider.base_url.endswith("/v1") and provider.ca_file is None
    assert provider.summary["creates"] == 1 and provider.summary["sessions"] == 1
    assert [event["type"] for event in provider.received] == ["session.update", "session.nonsense", "response.create"]
    assert provider.sent[0]["type"] == "session.created"
    with pytest.raises(AssertionError, match=r"rejected: 1 x invalid_value"):
        provider.assert_good()
    provider.assert_good(but=["careless", "rejected"], audit=False)
    assert any("1 < session.update" in line for line in provider.story())
    assert provider.write_wire_log(tmp_path / "wire.jsonl").stat().st_size > 500


def test_a_provider_that_nobody_came_to_says_so(provider: RealtimeSimulator) -> None:
    with pytest.raises(AssertionError, match="nobody-came: no client connected"):
        provider.assert_good()
    provider.assert_good(but=["nobody-came"])
    provider.play("expect: {summary: {sessions: 0}}")
    assert [each.kind for each in provider.faults()] == ["nobody-came"]


def test_a_scenario_that_is_wrong_is_said_before_the_call(provider: RealtimeSimulator, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"expect\.summary: there is no 'createz'; did you mean 'creates'"):
        provider.play("expect: {summary: {createz: 1}}")
    with pytest.raises(KitUseError, match=r"a file is given as Path\('x\.yaml'\)"):
        provider.play("x.yaml")
    (tmp_path / "x.yaml").write_text("user_turns: [Hello.]")
    assert provider.play(tmp_path / "x.yaml") is provider


async def test_what_would_block_an_async_test_is_refused(phones: PhoneSimulator) -> None:
    with pytest.raises(KitUseError, match=r"await phone\.call_async"):
        phones.call("127.0.0.1:1", GREETED)
    with pytest.raises(KitUseError, match=r"await phone\.call_twilio_async"):
        phones.call_twilio("ws://127.0.0.1:1/media", GREETED)


async def test_in_an_async_test_the_provider_answers_at_once(provider: RealtimeSimulator) -> None:
    await ask(provider.url, UPDATE, {"type": "response.create"})
    assert provider.summary["creates"] == 1


async def on_line(server: Any, call: Callable[[], Awaitable[Any]]) -> Any:
    await server.start()
    try:
        return await call()
    finally:
        await server.close()


async def test_a_call_over_audiosocket(phones: PhoneSimulator, tmp_path: Path) -> None:
    ticker = Ticker()
    server = AudioSocketServer(AudioSocketSettings(port=0), ticker, Listener())
    played = await on_line(server, lambda: phones.call_async(f"127.0.0.1:{server.port}", GREETED))
    ticker.close()
    played.assert_good()
    assert phones.calls == [played] and played.heard == ()
    assert played.summary["steps_done"] == 3 and "heard agent" in "\n".join(played.story())
    with wave.open(str(played.save(tmp_path / "heard.wav"))) as file:
        assert file.getnframes() > 1000


async def test_a_call_over_chan_websocket(phones: PhoneSimulator) -> None:
    ticker = Ticker()
    server = ChanWebSocketServer(ChanWebSocketSettings(port=0), ticker, Listener())
    played = await on_line(server, lambda: phones.call_async(f"ws://127.0.0.1:{server.port}/media", GREETED))
    ticker.close()
    played.assert_good()


async def test_a_call_that_nobody_takes_fails_with_that_name(phones: PhoneSimulator) -> None:
    played = await phones.call_async("127.0.0.1:1", GREETED)
    with pytest.raises(AssertionError, match="not-connected"):
        played.assert_good()
    played.assert_good(but=["not-connected"])
    twilio = await phones.call_twilio_async("ws://127.0.0.1:1/media", GREETED, token="a&b")
    assert [each.kind for each in twilio.faults()] == ["not-connected"]


@pytest.mark.parametrize(
    ("address", "words"),
    [("nowhere", "neither HOST:PORT"), ("127.0.0.1:x", "neither HOST:PORT"), (":9", "neither HOST:PORT")],
)
def test_an_address_that_is_none_is_said(phones: PhoneSimulator, address: str, words: str) -> None:
    with pytest.raises(KitUseError, match=words):
        phones.call(address, GREETED)


def test_what_is_wrong_with_a_call_by_twilio_is_said(phones: PhoneSimulator) -> None:
    with pytest.raises(KitUseError, match="neither a stream"):
        phones.call_twilio("127.0.0.1:9", GREETED)
    with pytest.raises(KitUseError, match="TwiML says the parameters"):
        phones.call_twilio("http://127.0.0.1:9/twiml", GREETED, token="x")


def test_without_the_extra_a_webhook_cannot_be_asked(phones: PhoneSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(KitUseError, match=r"extra 'twilio': pip install 'turnspec\[kit,twilio\]'"):
        phones.call_twilio("http://127.0.0.1:1/twiml", GREETED)


def test_a_script_may_be_a_file_and_what_is_wrong_with_one_is_said(phones: PhoneSimulator, tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text("steps: [hang_up]")
    assert phones.call("127.0.0.1:1", tmp_path / "script.yaml").report.ended == "dropped"
    with pytest.raises(KitUseError, match="a file is given as Path"):
        phones.call("127.0.0.1:1", "script.yaml")
    with pytest.raises(ValueError, match=r"steps\[0\]"):
        phones.call("127.0.0.1:1", "steps: [jump]")
    with pytest.raises(ValueError, match=r"nothing but `steps` and `expect`"):
        phones.call("127.0.0.1:1", {"steps": [], "expects": 1})


def test_a_provider_whose_port_is_taken_leaves_no_thread(provider: RealtimeSimulator) -> None:
    import threading

    port = int(provider.url.split(":")[2].split("/")[0])
    before = threading.active_count()
    with pytest.raises(OSError, match="address already in use"), RealtimeSimulator(port=port):
        pass
    assert threading.active_count() == before


# --- keys and certificates as browsers and Node have them -------------------------------------------------------------


async def test_a_key_may_be_said_as_a_subprotocol() -> None:
    with RealtimeSimulator(api_keys=["sk-1"]) as provider:
        said = ["realtime", "openai-insecure-api-key.sk-1"]
        heard = await ask(provider.url, until="session.created", subprotocols=said, additional_headers={})
        assert heard == ["session.created"]
        wrong = ["realtime", "openai-insecure-api-key.sk-2"]
        await ask(provider.url, until="error", subprotocols=wrong, additional_headers={})
        beta = [*said, "openai-beta.realtime-v1"]
        await ask(provider.url, until="error", subprotocols=beta, additional_headers={})
    assert sorted(each.kind for each in provider.faults(audit=False)) == ["refused", "refused", "rejected", "rejected"]


async def test_over_tls_who_trusts_the_authority_connects() -> None:
    with RealtimeSimulator(tls=True) as provider:
        ca = provider.ca_file
        assert provider.url.startswith("wss://") and ca is not None
        trusting = ssl.create_default_context(cafile=str(ca))
        assert await ask(provider.url, until="session.created", ssl=trusting) == ["session.created"]
    assert not ca.exists()


NODE = """
const ws = new WebSocket(process.argv[1], ["realtime", "openai-insecure-api-key.sk-1"])
ws.onmessage = (m) => { console.log(ws.protocol, JSON.parse(m.data).type); ws.close() }
ws.onerror = (e) => { console.log("error", e.message); process.exit(1) }
"""


def test_a_client_in_node_connects_as_a_browser_does() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO node COMMAND: a client in JavaScript was not tried")
    has_socket = subprocess.run([node, "-p", "typeof WebSocket"], capture_output=True, text=True, check=True)
    flags = [] if has_socket.stdout.strip() == "function" else ["--experimental-websocket"]
    if flags and subprocess.run([node, *flags, "-p", "typeof WebSocket"], capture_output=True, check=False).returncode:
        pytest.skip("THIS node HAS NO WebSocket: a client in JavaScript was not tried")
    with RealtimeSimulator(api_keys=["sk-1"], tls=True) as provider:
        done = subprocess.run(
            [node, *flags, "-e", NODE, f"{provider.url}?model=m"],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(provider.ca_file)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.stdout.split() == ["realtime", "session.created"], done.stdout + done.stderr


# --- bridges as processes ---------------------------------------------------------------------------------------------

LISTENS = "import socket,sys,time; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); print('up',flush=True); "


def test_a_bridge_is_waited_for_and_ended_with_its_children() -> None:
    port = free_port()
    child = "import subprocess; s.set_inheritable(True); subprocess.Popen(['sleep','99'], close_fds=False); "
    command = [sys.executable, "-c", LISTENS + child + "print(s.accept()); time.sleep(99)", str(port)]
    with BridgeProcess(command, port=port, env={"X": "1"}) as bridge:
        assert bridge.address == f"127.0.0.1:{port}" and "up" in bridge.output
        assert is_listening("127.0.0.1", port)
    assert bridge.output == ""
    until_s = time.monotonic() + 20
    while is_listening("127.0.0.1", port) and time.monotonic() < until_s:  # the child has the socket, too
        time.sleep(0.05)
    assert not is_listening("127.0.0.1", port)


def test_nobody_calls_a_bridge_to_see_whether_it_listens() -> None:
    port = free_port()
    command = [sys.executable, "-c", LISTENS + "s.settimeout(1); s.accept(); print('CALLED',flush=True)", str(port)]
    with BridgeProcess(command, port=port) as bridge:
        bridge._process.wait(30)
        assert "CALLED" not in bridge.output


@pytest.mark.parametrize(
    ("command", "within_s", "words"),
    [
        ([sys.executable, "-c", "raise SystemExit('no key')"], 20.0, r"(?s)the bridge ended with 1:.*no key"),
        ([sys.executable, "-c", "import time; time.sleep(99)"], 0.2, "nobody listens on"),
        (["/nowhere/bridge"], 1.0, "/nowhere/bridge: No such file"),
    ],
)
def test_a_bridge_that_does_not_come_up_says_why(command: list[str], within_s: float, words: str) -> None:
    with pytest.raises(BridgeStartError, match=words):
        BridgeProcess(command, port=free_port(), starts_within_s=within_s)
