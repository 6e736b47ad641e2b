"""`turnspec serve` as a command: the shipped example, exit codes, what it prints, signals."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result

from adapters.audio.prompt import FOLDER as PROMPTS
from adapters.cli import main, serve
from adapters.kit.realtime_simulator import RealtimeSimulator
from tests.adapters.settings.test_example import COMMENTED_KEY
from tests.tls import Certificate

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "turnspec.example.yaml"
KEY = "sk-proj-COMMAND0123456789"


def turnspec(*args: str, **environment: str | None) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("OPENAI_")}
    return CliRunner().invoke(main, ["serve", *args], env={**clean, **environment})


def test_a_webhook_of_telephones_is_of_one_process(tmp_path: Path) -> None:
    path, secret = tmp_path / "turnspec.yaml", "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
    path.write_text("http: {listen: 9080}\nsideband: {webhook: {}}\n")
    result = turnspec(str(path), "--check", "--workers", "2", OPENAI_API_KEY=KEY, OPENAI_WEBHOOK_SECRET=secret)
    assert result.exit_code == 2 and "with sideband.webhook one process has the calls" in result.output
    result = turnspec(str(path), "--check", OPENAI_API_KEY=KEY, OPENAI_WEBHOOK_SECRET=secret)
    assert result.exit_code == 0 and "or announced at /openai" in result.output and secret not in result.output


def test_the_shipped_example_works_as_it_is() -> None:
    result = turnspec(str(EXAMPLE), "--check", OPENAI_API_KEY=KEY)
    assert result.exit_code == 0, result.output
    assert "wss://api.openai.com/v1/realtime?model=gpt-realtime" in result.output
    assert "server_vad" in result.output and "current_time (20 s)" in result.output
    assert KEY not in result.output and "warning[" not in result.output


def test_a_probe_opens_a_session_with_each_provider_and_says_what_came_back(tmp_path: Path) -> None:
    path = tmp_path / "turnspec.yaml"
    refuses = "faults: [{fault: http_status, status: 401}]"
    with RealtimeSimulator() as provider, RealtimeSimulator(scenario=refuses) as other:
        path.write_text(f"provider: [{{url: '{provider.url}'}}, {{url: '{other.url}', api_key: {KEY}}}]\n")
        result = turnspec(str(path), "--check", "--probe", OPENAI_API_KEY=KEY)
        said = turnspec(str(path), "--check", "--probe", "--json", OPENAI_API_KEY=KEY).stdout
        as_json, _ = json.JSONDecoder().raw_decode(said[said.index("{\n") :])  # the simulators log beside it
    assert result.exit_code == 1 and KEY not in result.output
    assert "session: good: created by" in result.output and "audio format: good: pcmu at 8000 Hz" in result.output
    assert "session: bad: http 401" in result.output
    assert not as_json["ok"] and {each["status"] for each in as_json["probe"]} >= {"good", "bad"}
    assert turnspec(str(path), "--probe").exit_code == 2


def test_the_example_without_a_key_says_which_is_missing() -> None:
    result = turnspec(str(EXAMPLE), "--check")
    assert result.exit_code == 1
    assert "turnspec.example.yaml:" in result.output and "OPENAI_API_KEY is not set" in result.output


def test_everything_that_is_commented_out_in_the_example_is_understood(
    tmp_path: Path, certificate: Certificate
) -> None:
    for name in ("media.pem", "asterisk.pem", "door.pem"):
        shutil.copy(certificate.path, tmp_path / name)
    for name in ("media.key", "door.key"):
        shutil.copy(certificate.key, tmp_path / name)
    (tmp_path / "shop.py").write_text("def order_status(order): return 'on its way'\n")
    for name in ("apology", "one_moment", "opening"):
        shutil.copy(PROMPTS / "apology.wav", tmp_path / f"{name}.wav")
    path = tmp_path / "full.yaml"
    of_realtime = re.sub(r"(?m)^  # (delegation|spec): .*\n", "", EXAMPLE.read_text())  # of other protocols
    path.write_text(COMMENTED_KEY.sub(r"\1\2", of_realtime))
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "0123456789abcdef", "MEDIA_TOKEN": "fedcba9876543210"}
    account["TURNSPEC_TOKEN"] = "d00r-0123456789abcdef"
    account["OPENAI_WEBHOOK_SECRET"] = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
    result = turnspec(str(path), "--check", "--json", OPENAI_API_KEY=KEY, AMI_SECRET="ami-s3cret", **account)
    assert result.exit_code == 0, result.output
    assert account["TWILIO_AUTH_TOKEN"] not in result.output and account["MEDIA_TOKEN"] not in result.output
    assert account["TURNSPEC_TOKEN"] not in result.output
    facts = json.loads(result.output)
    assert facts["chan_websocket"] == "wss://127.0.0.1:9020/media, with a token, and dials Asterisk"
    assert facts["twilio"] == "127.0.0.1:9021, wss://agent.example.com/audio"
    assert facts["sideband"].endswith("posted to the door, or announced at /openai")
    assert account["OPENAI_WEBHOOK_SECRET"] not in result.output
    assert facts["http"] == "https://127.0.0.1:9080, with a token"
    assert facts["control"] == "AMI at 127.0.0.1:5038, as turnspec" and "ami-s3cret" not in result.output
    assert facts["ok"] and facts["recording"].endswith("recordings") and len(facts["tools"]) == 4
    assert facts["turn_detection"] == {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500}
    assert facts["noise_reduction"] == {"type": "far_field"} and facts["half_duplex"] == "no"
    assert facts["turns"] == {"on_silent_answer": "ask"}
    assert facts["agents"] == ["night (server_vad, +4930123456)"]


def test_problems_are_listed_and_counted_by_the_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("spce: x\nlimits: {calls: x}\nprovider: {model: '${NOPE}'}\n")
    result = turnspec(str(path), OPENAI_API_KEY=KEY)
    assert result.exit_code == 1 and result.output.count("error[") == 3
    result = turnspec(str(path), "--check", "--json", OPENAI_API_KEY=KEY)
    found: dict[str, Any] = json.loads(result.output)
    assert result.exit_code == 1 and not found["ok"]
    assert [(each["line"], each["code"]) for each in found["problems"]] == [
        (1, "unknown-key"),
        (2, "type"),
        (3, "environment"),
    ]


def test_what_a_tool_prints_on_import_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "prints_of_test_server_command.py").write_text("print('hello')\ndef f(): return 1\n")
    path = tmp_path / "t.yaml"
    path.write_text("tools: [{name: a, function: 'prints_of_test_server_command:f'}]\n")
    result = turnspec(str(path), "--check", "--json", OPENAI_API_KEY=KEY)
    assert json.loads(result.stdout)["ok"] and "hello" in result.stderr


def test_a_folder_that_cannot_be_written_to_is_told_without_a_traceback() -> None:
    result = CliRunner().invoke(main, ["diagram", "server_vad", "--out", "/proc/self/x"])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert result.stderr == "turnspec: /proc/self/x: No such file or directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_told_without_a_traceback() -> None:
    program = "from adapters.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, "serve", "--check", str(EXAMPLE)],
            cwd=ROOT,
            env={**os.environ, "OPENAI_API_KEY": KEY},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "turnspec: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("args", [(), ("no-such-file.yaml",), (str(EXAMPLE), "--json"), (str(EXAMPLE), "--nope")])
def test_wrong_use_is_2(args: tuple[str, ...]) -> None:
    assert turnspec(*args, OPENAI_API_KEY=KEY).exit_code == 2


def test_help_teaches() -> None:
    text = turnspec("--help").output
    for word in ("turnspec.example.yaml", "AudioSocket(", "${NAME:-default}", "SIGTERM", "Exit code", "--check"):
        assert word in text


def config(folder: Path, port: int, shutdown_s: int = 0) -> Path:
    path = folder / "serve.yaml"
    path.write_text(
        f"listen: {{audiosocket: '127.0.0.1:{port}'}}\nprovider: {{url: 'ws://127.0.0.1:1/'}}\njournal: {{dir: j}}\n"
        f"limits: {{hang_up_s: 0.2, shutdown_s: {shutdown_s}}}\n"
    )
    return path


def started(path: Path) -> subprocess.Popen[str]:
    program = "from adapters.cli import main; main()"
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    return subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(path)],
        cwd=ROOT,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("shutdown_s", "signals"), [(0, [signal.SIGTERM]), (0, [signal.SIGINT]), (3600, [signal.SIGTERM, signal.SIGINT])]
)
def test_a_signal_ends_it_in_order_and_a_second_one_at_once(
    tmp_path: Path, shutdown_s: int, signals: list[signal.Signals]
) -> None:
    with started(config(tmp_path, 0, shutdown_s)) as process:
        assert process.stderr is not None
        lines = read_to(process.stderr, "ready")
        port = json.loads(lines[-1])["addresses"][0][1]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line_of_a_caller:
            line_of_a_caller.sendall(b"\x01\x00\x10" + bytes(15) + b"\x01")
            assert line_of_a_caller.recv(3) == b"\x10\x01\x40"
            lines += read_to(process.stderr, "call_began")
            for number in signals:
                process.send_signal(number)
                lines += read_to(process.stderr, "closing") if number is signals[0] else []
            heard = b""
            while received := line_of_a_caller.recv(65_536):
                heard += received
            assert heard.endswith(b"\0\0\0"), "the dialplan goes on"
        rest = process.stderr.read()
        assert process.wait(20) == 0
    assert '"event":"closed"' in rest and '"call_ended"' in rest
    assert KEY not in "".join(lines) + rest
    assert len(list(tmp_path.glob("j/*.jsonl"))) == 1


def test_with_a_door_a_signal_ends_it_all_the_same_and_the_last_result_is_read(tmp_path: Path) -> None:
    """uvicorn has no hand in signals; the door answers until the last call's dialplan has asked."""
    path = config(tmp_path, 0)
    path.write_text(path.read_text() + "http: {listen: '127.0.0.1:0'}\n")
    call_id = "01000000-0000-0000-0000-000000000000"
    with started(path) as process:
        assert process.stderr is not None
        lines = read_to(process.stderr, "ready")
        ((host, door),) = [json.loads(line)["addresses"][0] for line in lines if '"door_open"' in line]
        port = json.loads(lines[-1])["addresses"][0][1]

        def get(route: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(host, door, timeout=10)
            connection.request("GET", route)
            answer = connection.getresponse()
            with contextlib.closing(connection):
                return answer.status, answer.read()

        assert get("/livez") == (200, b'{"alive":true}')
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line_of_a_caller:
            line_of_a_caller.sendall(b"\x01\x00\x10\x01" + bytes(15))
            read_to(process.stderr, "call_began")
            assert get(f"/calls/{call_id}")[0] == 200
            process.send_signal(signal.SIGTERM)
            while line_of_a_caller.recv(65_536):
                pass
            status, result = get(f"/calls/{call_id}/result")
        assert (status, result) in ((200, b"completed"), (200, b"provider_failed"))
        rest = process.stderr.read()
        assert process.wait(20) == 0
    assert '"event":"closed"' in rest


def read_to(stream: IO[str], event: str) -> list[str]:
    """Lines up to the one of this event."""
    lines = []
    for line in stream:
        lines.append(line)
        if f'"event":"{event}"' in line:
            break
    return lines


def test_a_port_that_is_taken_is_told_at_its_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started(config(tmp_path, taken.getsockname()[1])) as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "serve.yaml:1:23: error[listen]: cannot serve on 127.0.0.1:" in told and "in use" in told


def test_a_tool_that_never_returns_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)
    assert serve._ended(0) == 0 and ends == []
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="tool_0", daemon=True)
    thread.start()
    serve._ended(1)
    release.set()
    thread.join(5)
    assert ends == [1]


def test_the_number_of_workers_is_that_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("greeting: Hello.\nserve: {workers: 3}\n")
    facts = [
        json.loads(turnspec(str(path), "--check", "--json", *more, OPENAI_API_KEY=KEY).output)["workers"]
        for more in ((), ("--workers", "2"), ("--workers", "1"), ("--workers", "cores"))
    ]
    assert facts[:3] == [
        "3 processes that share the calls, on asyncio", "2 processes that share the calls, on asyncio",
        "none: this process has the calls, on asyncio",
    ]  # fmt: skip
    for wrong in ("0", "257", "many", "-1"):
        result = turnspec(str(path), "--check", "--workers", wrong)
        assert result.exit_code == 2 and "a number from 1 to 256 or 'cores' is expected" in result.output
