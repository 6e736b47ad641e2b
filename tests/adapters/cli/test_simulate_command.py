"""`turnspec simulate`: the simulators alone, as somebody else's bridge would meet them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from websockets.asyncio.client import connect

from adapters.audio.tick import Ticker
from adapters.cli import main
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings

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


def test_the_provider_stops_after_a_time_and_says_that_nobody_came() -> None:
    result = run("provider", "--port", "0", "--for", "0.05")
    assert result.exit_code == 0 and "nobody connected" in result.output


def test_a_scenario_that_is_wrong_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("faults: [{fault: lose, typ: x}]")
    result = run("provider", "--scenario", str(tmp_path / "bad.yaml"))
    assert result.exit_code == 2 and "faults[0]" in result.output


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
        connection.play_from(lambda: b"\x00\x40\x00\xc0" * 80)

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
    assert os.environ.get("HOME", "/nowhere") not in text or os.environ["HOME"] == "/"
