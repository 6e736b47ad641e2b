"""`turnspec simulate`: the simulators alone, as somebody else's bridge would meet them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from click.testing import CliRunner, Result
from websockets.asyncio.client import connect

from adapters.audio.tick import Ticker
from adapters.cli import main
from adapters.cli.simulate_live import live_report
from adapters.demo.plan import fault_names
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.lines.chan_websocket.connection import ChannelLeg
from adapters.lines.chan_websocket.server import ChanWebSocketServer
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.twilio.connection import TwilioConnection as StreamConnection
from adapters.lines.twilio.gate import Gate
from adapters.lines.twilio.server import TwilioServer
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.webhook import HttpRequest, Webhook, form_of
from adapters.simulator.providers.live.core import LiveStats
from tests.adapters.lines.sources import Frames

TWILIO = {"TWILIO_AUTH_TOKEN": "0123456789abcdef", "TWILIO_ACCOUNT_SID": "AC1"}
ROOT = Path(__file__).parents[3]


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *args])


async def started(*args: str) -> tuple[asyncio.subprocess.Process, str]:
    """The command in a process of its own, and the line in which it says that it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from adapters.cli import main; main()", "simulate", "provider", "--port", "0", *args,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    stream = process.stderr if "--json" in args else process.stdout
    assert stream is not None
    return process, (await asyncio.wait_for(stream.readline(), 30)).decode()


def url_of(line: str) -> str:
    return line.split()[2].replace("...", "gpt-realtime")


async def talk(url: str, *events: dict[str, Any]) -> list[str]:
    """The types of what the provider says to a client that sends these."""
    heard: list[str] = []
    async with connect(url, additional_headers={"Authorization": "Bearer sk-x"}) as ws:
        for event in events[:1]:
            await ws.send(json.dumps(event))
        while not heard or heard[-1] != "response.done":
            heard.append(json.loads(await asyncio.wait_for(ws.recv(), 10))["type"])
            for event in events[1:] if heard[-1] == "session.updated" else ():
                await ws.send(json.dumps(event))
    return heard


async def test_the_provider_answers_and_reports_as_json() -> None:
    process, line = await started("--sessions", "1", "--json")
    create = {"type": "response.create"}
    heard = await talk(url_of(line), {"type": "session.update", "session": {"type": "realtime"}}, create, create)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    [session] = json.loads(out)
    assert heard[0] == "session.created" and "error" in heard
    assert (session["creates"], session["responses"]) == (2, 1)
    assert session["rejections"] == {"conversation_already_has_active_response": 1}
    assert process.returncode == 1


async def test_the_provider_shows_events_and_ends_politely_at_ctrl_c() -> None:
    process, line = await started()
    await talk(url_of(line), {"type": "session.update", "session": {"type": "realtime"}}, {"type": "response.create"})
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, error = await asyncio.wait_for(process.communicate(), 30)
    text = out.decode()
    assert "1 < response.create" in text and "1 > response.done completed" in text
    assert "session 1: 0 turns, 1 responses, 1 response.create" in text
    assert text.count("response.output_audio_transcript.delta") < 5
    assert process.returncode == 0 and error == b""


def test_the_provider_stops_after_a_time_and_nobody_who_came_is_a_fault() -> None:
    result = run("provider", "--port", "0", "--for", "0.05")
    assert result.exit_code == 1 and "fault: nobody-came: no client connected" in result.output
    allowed = run("provider", "--port", "0", "--for", "0.05", "--fail-on", "rejected,create-while-active")
    assert allowed.exit_code == 0 and "note: nobody-came" in allowed.output


def test_a_scenario_that_is_wrong_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("faults: [{fault: lose, typ: x}]")
    result = run("provider", "--scenario", str(tmp_path / "bad.yaml"))
    assert result.exit_code == 2 and "faults[0]" in result.output


@pytest.mark.parametrize("name", fault_names())
def test_a_scenario_that_the_demo_knows_is_known_by_its_name(name: str) -> None:
    result = run("provider", "--port", "0", "--for", "0.1", "--scenario", name, "--fail-on", "none")
    assert result.exit_code == 0, result.output


def test_a_name_that_is_none_is_wrong_use_and_the_bundled_ones_are_named() -> None:
    result = run("provider", "--scenario", "crossin")
    assert result.exit_code == 2
    assert "no scenario and no file is called 'crossin'; bundled: closed_in_mid_call, crossing" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--like", "xia"], "did you mean 'xai'"), (["--like", "vllm"], "no call can be held with vLLM"),
        (["--but", "metadata=refused"], "--but goes with --like"),
        (["--like", "xai", "--but", "metdata=refused"], "'metdata' is not a column of a server"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_be_played_is_wrong_use(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["simulate", "provider", *options])
    assert result.exit_code == 2 and said in result.output


async def test_a_port_that_is_taken_is_said() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await asyncio.to_thread(run, "provider", "--port", str(port))
    assert result.exit_code == 1 and f"cannot listen on 127.0.0.1:{port}" in result.output


class Tone:
    """A bridge that says a loud something as soon as it is called."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, connection: Connection) -> None:
        connection.listen(self)
        connection.play_from(Frames(lambda: b"\x00\x40\x00\xc0" * 80))

    def on_audio(self, pcm: bytes, rate_hz: int) -> None: ...

    def on_key(self, digit: str) -> None:
        self.keys.append(digit)

    def on_gone(self, reason: str) -> None: ...


async def call(tmp_path: Path, script: str, *args: str) -> tuple[Result, Tone]:
    (tmp_path / "script.yaml").write_text(script)
    tone, ticker = Tone(), Ticker()
    server = AudioSocketServer(AudioSocketSettings(port=0), ticker, tone)
    await server.start()
    try:
        address = f"127.0.0.1:{server.port}"
        result = await asyncio.to_thread(run, "caller", address, "--script", str(tmp_path / "script.yaml"), *args)
    finally:
        await server.close()
        ticker.close()
    return result, tone


async def test_the_caller_follows_its_script_and_reports(tmp_path: Path) -> None:
    script = "steps: [{wait_agent_speaking: 3000}, {press: '5'}, {wait_ms: 100}, hang_up]"
    result, tone = await call(tmp_path, script, "--save", str(tmp_path / "heard.wav"), "--echo", "-20,80")
    assert result.exit_code == 0, result.output
    assert tone.keys == ["5"]
    assert "pressed 5" in result.output and "the agent spoke 1 times" in result.output
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert file.getframerate() == 8000 and file.getnframes() > 800


async def test_the_callers_report_as_json_and_a_wait_in_vain_is_1(tmp_path: Path) -> None:
    script = "steps: [{wait_agent_speaking: 3000}, {wait_agent_silent: {for_ms: 100, within_ms: 100}}]"
    result, _ = await call(tmp_path, script, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["ended"] == "caller" and "WaitAgentSilent" in report["notes"][0]["text"]
    assert report["agent_speech"] and "heard" not in report


async def test_a_call_that_dies_in_mid_script_is_1_and_says_how_far_it_came(tmp_path: Path) -> None:
    def hangs_up(connection: Connection) -> None:
        Tone()(connection)
        asyncio.get_running_loop().call_later(0.6, lambda: asyncio.ensure_future(connection.hang_up()))

    (tmp_path / "script.yaml").write_text("steps: [wait_agent_speaking, {wait_ms: 9000}, {press: '5'}, hang_up]")
    ticker = Ticker()
    server = AudioSocketServer(AudioSocketSettings(port=0), ticker, hangs_up)
    await server.start()
    args = (f"127.0.0.1:{server.port}", "--script", str(tmp_path / "script.yaml"), "--junit", str(tmp_path / "x.xml"))
    try:
        result = await asyncio.to_thread(run, "caller", *args)
    finally:
        await server.close()
        ticker.close()
    assert result.exit_code == 1, result.output
    assert "fault: call-died: " in result.output and "hung up after 1 of 4 steps, in WaitMs" in result.output
    [suite] = ElementTree.parse(tmp_path / "x.xml").getroot()
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["call-died"]


async def test_what_the_callers_script_expects_is_checked(tmp_path: Path) -> None:
    script = (
        "steps: [{wait_agent_speaking: 3000}, {wait_ms: 100}, hang_up]\n"
        "expect: {summary: {answers: 1, steps_done: 3, greeting_ms: '< 3000'}}"
    )
    result, _ = await call(tmp_path, script, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(each["kind"], each["text"], each["fails"]) for each in report["faults"]] == [
        ("not-as-expected", "answers: expected 1, actual 0", True)
    ]
    assert (report["steps"], report["summary"]["steps_done"]) == (3, 3)
    allowed, _ = await call(tmp_path, script, "--fail-on", "call-died, agent-silent")
    assert allowed.exit_code == 0 and "note: not-as-expected" in allowed.output


async def test_the_wire_is_logged_for_the_audit_and_judged(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("expect: {summary: {creates: 1}}")
    process, line = await started(
        "--sessions", "1", "--scenario", str(tmp_path / "s.yaml"), "--wire-log", str(tmp_path / "wire.jsonl"),
        "--fail-on", "all", "--junit", str(tmp_path / "x.xml"),
    )  # fmt: skip
    create = {"type": "response.create"}
    await talk(url_of(line), {"type": "session.update", "session": {"type": "realtime"}}, create, create)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    text = out.decode()
    assert process.returncode == 1
    assert "fault: not-as-expected: creates: expected 1, actual 2" in text and "fault: create-twice: " in text
    audit = CliRunner().invoke(main, ["audit", str(tmp_path / "wire.jsonl"), "--json"])
    assert audit.exit_code == 1 and "create-twice" in audit.output
    [suite] = ElementTree.parse(tmp_path / "x.xml").getroot()
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {"rejected", "not-as-expected", "create-twice"} <= failed


async def test_the_provider_serves_over_tls(tmp_path: Path) -> None:
    process, trusted = await started("--sessions", "1", "--tls", "--tls-ca", str(tmp_path / "ca.pem"), "--quiet")
    assert trusted.startswith(f"clients must trust {tmp_path / 'ca.pem'}")
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    headers = {"Authorization": "Bearer sk-x"}
    async with connect(url_of(line), additional_headers=headers, ssl=context) as ws:
        assert json.loads(await ws.recv())["type"] == "session.created"
    await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--fail-on", "rejectd"], "--fail-on: there is no fault 'rejectd'; did you mean 'rejected'?"),
        (["--tls-cert", "x.pem"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "x.pem", "--tls-key", "y.pem"], "x.pem, y.pem: No such file"),
        (["--tls-ca", "x.pem"], "--tls-ca goes with --tls"),
        (["--wire-log", "/nowhere/wire.jsonl"], "--wire-log: /nowhere: there is no such folder"),
        (["--junit", "/nowhere/x.xml"], "--junit: /nowhere: there is no such folder"),
        (["--ring-as", "late"], "--ring-as goes with --ring"),
        (["--ring", "sip:me"], "--ring: is not an http:// or https:// address"),
        (["--ring", "http://127.0.0.1:1"], "--ring signs with OPENAI_WEBHOOK_SECRET of the environment"),
    ],
)
def test_wrong_use_of_the_provider_is_2(args: list[str], words: str) -> None:
    result = run("provider", "--port", "0", "--for", "0.05", *args)
    assert result.exit_code == 2 and words in result.output, result.output


async def test_the_provider_shows_a_call_that_rings_and_what_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZg==")
    process, line = await started("--for", "0.6", "--ring", "http://127.0.0.1:1/", "--fail-on", "none")
    asked = url_of(line).replace("ws://", "http://").replace("?model=gpt-realtime", "/calls/rtc_1/hangup")
    async with httpx2.AsyncClient() as client:
        assert (await client.post(asked, headers={"Authorization": "Bearer sk-x"})).status_code == 404
    out, error = await asyncio.wait_for(process.communicate(), 30)
    text = out.decode()
    assert "realtime.call.incoming of call rtc_" in text and text.count("no answer") == 1, text
    assert "HTTP hangup rtc_1: 404" in text and error == b"" and process.returncode == 0


def test_a_secret_of_webhooks_that_is_none_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_short")
    result = run("provider", "--ring", "http://127.0.0.1:1/")
    assert result.exit_code == 2 and "OPENAI_WEBHOOK_SECRET: is not whsec_" in result.output
    assert "whsec_short" not in result.output


def test_nobody_there_is_1() -> None:
    result = run("caller", "127.0.0.1:1")
    assert result.exit_code == 1 and "cannot connect" in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "HOST:PORT is missing"),
        (["nowhere"], "not of the form HOST:PORT"),
        (["127.0.0.1:9", "--echo", "loud"], "loud"),
        (["127.0.0.1:9", "--echo", "-20,soon"], "--echo: GAIN_DB or GAIN_DB,DELAY_MS is expected"),
        (["127.0.0.1:9", "--rate", "11025"], "'11025' is not one of '8000'"),
        (["127.0.0.1:9", "--speech", "no_such_line"], "--speech: no_such_line: neither a file nor a bundled line"),
        (["127.0.0.1:9", "--speech", __file__], "not a PCM WAV file"),
        (["127.0.0.1:9", "--speech", "/dev/null"], "neither a file"),
        (["127.0.0.1:9", "--save", "/proc/self/heard.wav"], "--save: /proc/self: nothing can be written"),
        (["127.0.0.1:9", "--save", "/nowhere/heard.wav"], "--save: /nowhere: there is no such folder"),
        (["127.0.0.1:9", "--script", "nowhere.yaml"], "nowhere.yaml"),
        (["127.0.0.1:9", "--fail-on", "x"], "--fail-on: there is no fault 'x'"),
        (["127.0.0.1:9", "--junit", "/nowhere/x.xml"], "--junit: /nowhere: there is no such folder"),
    ],
)
def test_wrong_use_of_the_caller_is_2(args: list[str], words: str) -> None:
    result = run("caller", *args)
    assert result.exit_code == 2 and words in result.output, result.output


def test_a_script_that_is_wrong_names_the_step(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("steps: [{press: x}]")
    result = run("caller", "127.0.0.1:9", "--script", str(tmp_path / "bad.yaml"))
    assert result.exit_code == 2 and "bad.yaml: steps[0].press" in result.output


def test_the_bundled_lines_are_listed() -> None:
    result = run("caller", "--list-speech")
    assert result.exit_code == 0 and "caller_returns" in result.output


def test_help_teaches() -> None:
    text = run("--help").output + run("provider", "--help").output + run("caller", "--help").output
    assert "point the bridge at ws://" in text and "faults:" in text and "interrupt:" in text
    assert "POST /v1/realtime/calls" in text and "--ring URL" in text
    assert os.environ.get("HOME", "/nowhere") not in text or os.environ["HOME"] == "/"


@pytest.mark.parametrize("more", [(), ("--codec", "ulaw", "--control", "plain"), ("--rate", "24000")])
async def test_a_channel_of_asterisks_is_called_by_its_address(tmp_path: Path, more: tuple[str, ...]) -> None:
    legs: list[ChannelLeg] = []

    def on_call(leg: ChannelLeg) -> None:
        legs.append(leg)
        leg.play_from(Frames(lambda: b"\x00\x40\x00\xc0" * (leg.rate_hz // 100)))

    ticker = Ticker()
    server = ChanWebSocketServer(ChanWebSocketSettings(port=0, token="0123456789"), ticker, on_call)
    await server.start()
    script = tmp_path / "script.yaml"
    script.write_text("steps: [wait_agent_speaking, {wait_ms: 300}]")
    arguments = ("caller", f"ws://127.0.0.1:{server.port}/media", "--script", str(script), "--json", *more)
    result = await asyncio.to_thread(run, *arguments, "--var", "token=0123456789", "--var", "caller_id=+49 30")
    turned_away = await asyncio.to_thread(run, *arguments)
    await server.close()
    ticker.close()
    assert result.exit_code == 0, result.output
    assert [leg.data.caller_id for leg in legs] == ["+49 30"]
    assert turned_away.exit_code == 1 and "401" in turned_away.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("ws://127.0.0.1:9/media", "--rate", "48000"), "--rate 48000: chan_websocket's slin has 8000"),
        (("ws://127.0.0.1:9/media", "--codec", "slin16"), "--rate 8000: chan_websocket's slin16 has 16000"),
        (("ws://127.0.0.1:9/media", "--var", "token"), "--var: NAME=VALUE is expected, not 'token'"),
        (("127.0.0.1:9", "--codec", "ulaw"), "--codec and --var go with ws://"),
        (("ws://", "--list"), "No such option"),
    ],
)
def test_wrong_use_of_a_channel_is_said(args: tuple[str, ...], words: str) -> None:
    result = run("caller", *args)
    assert result.exit_code == 2 and words in result.output


async def test_a_caller_of_twilios_asks_the_webhook_and_opens_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TWILIO.items():
        monkeypatch.setenv(name, value)
    settings = TwilioSettings(
        port=0, public_url="https://agent.example.com", account_sid="AC1", auth_token=TWILIO["TWILIO_AUTH_TOKEN"]
    )
    tone = bytes([0, 16, 0, 240] * 80)
    gate, ticker, called = Gate(settings), Ticker(), list[StreamConnection]()

    def on_call(connection: StreamConnection) -> None:
        called.append(connection)
        connection.play_from(Frames(lambda: tone))

    server = TwilioServer(settings, ticker, gate, on_call)
    await server.start()
    webhook = Webhook(settings, gate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        form = form_of(await reader.readexactly(int(headers["content-length"])))
        method, url, _ = head[0].split(" ")
        answer = webhook.answer(HttpRequest(method=method, url=url, headers=headers, form=form))
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n" % (answer.status, len(answer.body)))
        writer.write(b"connection: close\r\n\r\n" + answer.body)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as http:
        at = f"http://127.0.0.1:{http.sockets[0].getsockname()[1]}"
        arguments = ("caller", f"127.0.0.1:{server.port}", "--twilio", "https://agent.example.com/twiml?agent=a")
        script = tmp_path / "script.yaml"
        script.write_text("steps: [wait_agent_speaking, {wait_ms: 300}]")
        result = await asyncio.to_thread(run, *arguments, "--ask-at", at, "--script", str(script), "--json")
    await server.close()
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert (report["ended"], report["notes"], len(report["agent_speech"])) == ("caller", [], 1)
    assert [each.data.variables["agent"] for each in called] == ["a"]


@pytest.mark.parametrize(
    ("args", "environment", "words"),
    [
        (("--twilio", "https://a.example/twiml"), {}, "set TWILIO_AUTH_TOKEN"),
        (("--twilio", "a.example"), TWILIO, "is no URL"),
        (("127.0.0.1:9", "--ask-at", "http://x"), TWILIO, "goes with --twilio"),
        (("--twilio", "https://a.example/twiml", "--rate", "16000"), TWILIO, "8000 Hz, not 16000"),
    ],
)
def test_wrong_use_of_twilio_is_said(
    args: tuple[str, ...], environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in TWILIO:
        monkeypatch.setenv(name, environment.get(name, ""))
    result = run("caller", *args)
    assert result.exit_code == 2 and words in result.output


async def test_gpt_live_is_simulated_and_reports(tmp_path: Path) -> None:
    scenario = tmp_path / "live.yaml"
    scenario.write_text("otherwise: Good day.\n")
    process, line = await started("--protocol", "live", "--sessions", "1", "--json", "--scenario", str(scenario))
    assert "/v1/live/sessions (live)" in line
    async with connect(line.split()[2], additional_headers={"Authorization": "Bearer sk-x"}) as ws:
        await ws.send(json.dumps({"type": "session.start", "session": {"model": "gpt-live-1"}}))
        assert json.loads(await asyncio.wait_for(ws.recv(), 10))["type"] == "session.started"
        await ws.send(json.dumps({"type": "response.create"}))
        assert json.loads(await asyncio.wait_for(ws.recv(), 10))["type"] == "error"
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    [session] = json.loads(out)
    assert process.returncode == 1 and len(session["rejections"]) == 1


def test_gpt_live_ends_after_a_time() -> None:
    result = run("provider", "--protocol", "live", "--port", "0", "--for", "0.05")
    assert result.exit_code == 0 and "listening on ws://127.0.0.1:" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--like", "xai"], "--like does not go with --protocol live"),
        (["--scenario", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_what_means_nothing_to_gpt_live_is_wrong_use(options: list[str], said: str) -> None:
    result = run("provider", "--protocol", "live", *options)
    assert result.exit_code == 2 and said in result.output


def test_a_report_of_gpt_live_as_text() -> None:
    stats = LiveStats(turns=2, input_ms=3_200, close_reason="expired")
    assert live_report([stats], as_json=False) == (
        "session 1: 2 turns, 3.2 s of the caller, closed: expired; refused: nothing"
    )
