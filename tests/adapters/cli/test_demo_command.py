"""`turnspec demo` as a person and a program use it, in virtual time over real sockets."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.cli.demo import LINES, _program
from adapters.demo import lines
from adapters.demo.plan import read_spec
from adapters.virtual_time import VirtualTimeLoop
from tests.fsm.language import mini

KEYS = ("turns", "answers", "creates", "rejections", "barge_ins", "underruns")


_read_once = functools.cache(read_spec)  # problems are raised, and never kept


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("adapters.cli.demo.LOOP_FACTORY", VirtualTimeLoop)
    monkeypatch.setattr("adapters.demo.plan.read_spec", _read_once)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["demo", *args])


def test_it_shows_a_call_and_leaves_a_folder(here: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "about 33 s" in result.output.splitlines()[1]
    for words in ("Hello, where is my order?", "Berlin is sunny", "keypad   4 2", "barge-in", "user_speaking ›"):
        assert words in result.output
    assert "6 turns · 6 answers · 0 rejections · 1 barge-in ·" in result.output
    assert "Healthy" in result.output
    assert max(map(len, result.output.splitlines())) <= 85
    [folder] = here.glob("demo-*")
    assert {path.name for path in folder.iterdir()} == {"journal.jsonl", "recording.wav", "summary.json", "log.jsonl"}
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any(line["event"] == "call_ended" for line in lines)


def test_json_is_the_summary_and_nothing_else(here: Path) -> None:
    result = run("--json", "--out", "there")
    summary: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == 0
    assert all(isinstance(summary[key], int) for key in KEYS)
    assert summary["turns"] == summary["answers"] and summary["rejections"] == summary["underruns"] == 0
    assert json.loads((here / "there" / "summary.json").read_text(encoding="utf-8")) == summary


def test_naive_is_shown_and_both_are_compared_and_left(here: Path) -> None:
    result = run("--naive", "--out", "there")
    assert result.exit_code == 0, result.output
    assert "the same call, twice" in result.output and "REJECTED" in result.output
    summary = json.loads((here / "there" / "summary.json").read_text(encoding="utf-8"))
    assert summary["rejections"] > 0 and summary["turnspec"]["rejections"] == 0
    assert all(isinstance(summary[key], int) and isinstance(summary["turnspec"][key], int) for key in KEYS)


def test_a_call_that_is_not_healthy_exits_with_1_and_says_why(here: Path) -> None:
    (here / "crossed.yaml").write_text("faults: [{fault: cross_create, nth: 1}]\n", encoding="utf-8")
    result = run("--scenario", "crossed.yaml")
    assert result.exit_code == 1
    assert "NOT HEALTHY: rejected by the provider: 1 create_rejected" in result.output


SCRIPT = """
steps:
  - wait_agent_speaking
  - wait_agent_silent
  - say: caller_returns
  - {interrupt: {file: caller_interrupt, after_ms: 700}}
  - hang_up
"""


def test_a_caller_and_a_provider_of_ones_own_are_heard(here: Path) -> None:
    """Who hangs up on an answer is a caller, and the call is healthy."""
    (here / "caller.yaml").write_text(SCRIPT, encoding="utf-8")
    said = "responses: [{when: {heard: return}, output: [{say: Thirty days.}]}]\nuser_turns: [How to return it]\n"
    (here / "model.yaml").write_text(said, encoding="utf-8")
    result = run("--caller", "caller.yaml", "--out", "there")
    assert result.exit_code == 0, result.output
    assert "as long as its caller stays" in result.output and "How do I return my order?" in result.output
    assert "Let me explain how" in result.output and "Healthy" in result.output
    result = run("--caller", "caller.yaml", "--provider-scenario", "model.yaml", "--out", "there")
    assert "How to return it" in result.output and "Thirty days." in result.output


def test_who_waits_in_vain_is_reported(here: Path) -> None:
    (here / "caller.yaml").write_text("steps: [wait_agent_speaking, {until_hung_up: 9000}]\n", encoding="utf-8")
    result = run("--caller", "caller.yaml")
    assert result.exit_code == 1
    assert "NOT HEALTHY: the caller waited in vain: step 2, UntilHungUp: not within 9000 ms" in result.output


def test_the_talk_key_is_shown() -> None:
    result = run("--spec", "push_to_talk")
    assert result.exit_code == 0, result.output
    assert "* (the talk key)" in result.output


def test_a_spec_with_problems_is_told_as_check_tells_it(here: Path) -> None:
    text = (Path(__file__).parents[3] / "specs" / "server_vad.yaml").read_text(encoding="utf-8")
    (here / "mine.yaml").write_text(text.replace("to: next_floor}", "to: nowhere}", 1), encoding="utf-8")
    demo, check = run("--spec", "mine.yaml"), CliRunner().invoke(main, ["check", "mine.yaml"])
    assert demo.exit_code == check.exit_code == 1
    assert demo.output == check.output and "mine.yaml:" in demo.output
    assert not list(here.glob("demo-*"))
    as_json = run("--spec", "mine.yaml", "--json")
    assert as_json.exit_code == 1 and as_json.stdout == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--provider", "openai"], "OPENAI_API_KEY"),
        (["--scenario", "nothing_like_it"], "nothing_like_it"),
        (["--format", "opus"], "opus"),
        (["--provider", "azure"], "azure"),
        (["--sed", "3"], "--seed"),
        (["--line", "isdn"], "isdn"),
        (["--caller", "nobody.yaml"], "nobody.yaml"),
        (["--caller", "/dev/null"], "/dev/null"),
        (["--line", "sideband", "--protocol", "live"], "--line sideband has its caller at the simulated Realtime"),
        (["--line", "sideband", "--provider", "openai"], "--line sideband has its caller at the simulated Realtime"),
        (["--line", "twilio", "--naive"], "--naive takes its call over AudioSocket"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what(args: list[str], words: str, here: Path) -> None:
    result = run(*args)
    assert result.exit_code == 2 and words in result.output
    assert not list(here.iterdir())


def test_the_lines_of_the_command_are_those_that_there_are() -> None:
    assert set(LINES) == set(lines.LINES)


def test_a_spec_that_is_not_there(here: Path) -> None:
    result = run("--spec", "nowhere.yaml")
    assert result.exit_code == 1 and "cannot be read" in result.output
    assert not list(here.iterdir())


def test_logging_is_put_back() -> None:
    import structlog

    before = structlog.get_config()
    run("--json")
    assert structlog.get_config() == before


def test_a_stdout_without_utf_8_is_no_traceback(here: Path) -> None:
    program = (
        "from adapters.virtual_time import VirtualTimeLoop\n"
        "import adapters.cli.demo as demo\n"
        "demo.LOOP_FACTORY = VirtualTimeLoop\n"
        "demo.command(['--out', 'there'])\n"
    )
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, cwd=here, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Healthy" in done.stdout and b"Traceback" not in done.stderr


def test_ctrl_c_hangs_up_politely(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    class Interrupted(VirtualTimeLoop):
        def __init__(self) -> None:
            super().__init__()
            self.call_later(9.0, os.kill, os.getpid(), signal.SIGINT)

    monkeypatch.setattr("adapters.cli.demo.LOOP_FACTORY", Interrupted)
    result = run("--out", "there")
    assert result.exit_code == 1
    assert "Ctrl-C: hanging up" in result.output and "Not judged: the call was ended" in result.output
    assert json.loads((here / "there" / "summary.json").read_text(encoding="utf-8"))["duration_s"] < 15


def test_a_second_ctrl_c_cuts(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    class Interrupted(VirtualTimeLoop):
        def __init__(self) -> None:
            super().__init__()
            for at_s in (16.9, 17.0):
                self.call_later(at_s, os.kill, os.getpid(), signal.SIGINT)

    monkeypatch.setattr("adapters.cli.demo.LOOP_FACTORY", Interrupted)
    result = run("--out", "there")
    assert result.exit_code == 1 and "The call was cut." in result.output
    assert (here / "there" / "journal.jsonl").stat().st_size > 1000
    assert (here / "there" / "recording.wav").stat().st_size > 100_000


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom adapters.cli import main\n"
        "try:\n    main(['demo', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'rich', 'numpy', 'jsonschema', 'websockets', 'transitions'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_to_is_wrong_use(here: Path) -> None:
    (here / "file").touch()
    for folder in ("/proc/self", "/proc/self/x", "file", "file/x"):
        result = run("--out", folder)
        assert result.exit_code == 2 and not isinstance(result.exception, OSError), result.output


@pytest.mark.parametrize(
    ("called", "on_path", "named"),
    [
        ("/venv/bin/turnspec", "/venv/bin/turnspec", "turnspec"),
        (".venv/bin/turnspec", None, ".venv/bin/turnspec"),
        (".venv/bin/turnspec", "/usr/bin/turnspec", ".venv/bin/turnspec"),
        ("./turnspec", None, "./turnspec"),
        ("-c", None, "turnspec"),
    ],
)
def test_what_is_to_be_tried_next_can_be_called_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, called: str, on_path: str | None, named: str
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    assert _program() == named


def test_a_spec_that_can_serve_no_call_is_a_problem(here: Path) -> None:
    (here / "words.yaml").write_text(mini.WORDS)
    (here / "house.yaml").write_text(mini.HOUSE)
    result = run("--spec", "house.yaml")
    assert result.exit_code == 1
    assert "house.yaml:1:1: error[spec-fit]: spec house: its vocabulary has no event 'caller.hung_up'" in result.output
