"""`make clients`: how a call is judged, and what is said where a client's packages cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tools.clients.__main__ as command
from adapters.simulator.providers.realtime import load_scenario
from adapters.simulator.providers.realtime.session_context import Seen, SessionStats
from tools.clients import environment
from tools.clients.environment import NoEnvironmentError, python_of
from tools.clients.judge import complaints

OUTPUT = {"type": "conversation.item.create", "item": {"type": "function_call_output"}}
TRUNCATE = {"type": "conversation.item.truncate"}


def seen(at_s: float, event: dict[str, Any]) -> Seen:
    return Seen(at_s, event["type"], event)


def done(at_s: float, status: str = "completed") -> Seen:
    return seen(at_s, {"type": "response.done", "response": {"status": status}})


def held(**changed: Any) -> SessionStats:
    """A session that a client held as it should."""
    stats = SessionStats(1, user_turns=3)
    stats.sent = [done(1), done(3), done(6), done(8, "cancelled"), done(10)]
    stats.received = [seen(4, OUTPUT), seen(4.1, OUTPUT), seen(8, TRUNCATE)]
    for name, value in changed.items():
        setattr(stats, name, value)
    return stats


def test_a_call_that_was_held_has_no_complaints() -> None:
    assert list(complaints(held())) == []
    assert list(complaints(held(rejections={"response_cancel_not_active": 2}))) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sent": []}, "greeting"),
        ({"sent": [done(1, "failed"), done(10)]}, "greeting"),
        ({"user_turns": 2}, "2 turns of the caller, not 3"),
        ({"received": [seen(4, OUTPUT), seen(8, TRUNCATE)]}, "1 outputs of 2 calls"),
        ({"sent": [done(1), done(3)]}, "no answer after the outputs"),
        ({"sent": [done(1), done(10)], "received": [seen(4, OUTPUT), seen(4, OUTPUT)]}, "cut nothing"),
        ({"sent": [done(1), done(9), done(10, "cancelled")]}, "the last answer is not whole"),
        ({"rejections": {"invalid_value": 1}}, "rejected 1 x invalid_value"),
        ({"notes": ["the script calls 'weather'"]}, "the script calls 'weather'"),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, Any], words: str) -> None:
    assert any(words in complaint for complaint in complaints(held(**changed)))


def test_the_script_of_the_call_is_one() -> None:
    scenario = load_scenario(command.HERE / "call.yaml")
    assert len(scenario.user_turns) == 3
    assert command.client_names() == ["livekit_agents", "openai_sdk"]
    assert all((command.CALLS / f"{name}.txt").is_file() for name in command.client_names())


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def run(arguments: list[str]) -> None:
        made.append(arguments)
        (tmp_path / "x").mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "_run", run)
    wanted = tmp_path / "x.txt"
    wanted.write_text("some-package")
    assert python_of(wanted, tmp_path) == tmp_path / "x" / "bin" / "python"
    assert len(made) == 2
    python_of(wanted, tmp_path)
    assert len(made) == 2
    wanted.write_text("some-package>=2")
    python_of(wanted, tmp_path)
    assert len(made) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no matching distribution')"], "no matching distribution"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "it said nothing"),
        (["/nowhere/python"], "No such file"),
    ],
)
def test_why_an_environment_cannot_be_made_is_said(arguments: list[str], words: str) -> None:
    with pytest.raises(NoEnvironmentError, match=words):
        environment._run(arguments)


def test_a_client_that_cannot_be_had_is_skipped_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_requirements: Path) -> Path:
        raise NoEnvironmentError("no network")

    monkeypatch.setattr(command, "python_of", nothing)
    result = CliRunner().invoke(command.main, ["openai_sdk"])
    assert result.exit_code == 0
    assert result.output == "SKIPPED, NOT TRIED: openai_sdk: its packages cannot be had here: no network\n"


def test_an_unknown_client_is_wrong_use_and_the_known_ones_are_named() -> None:
    result = CliRunner().invoke(command.main, ["pipecat"])
    assert result.exit_code == 2 and "there are: livekit_agents, openai_sdk" in result.output


def test_a_client_that_does_not_connect_has_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text("print('I have nothing to say'); raise SystemExit(4)")
    monkeypatch.setattr(command, "CALLS", tmp_path)
    monkeypatch.setattr(command, "python_of", lambda _requirements: Path(sys.executable))
    result = CliRunner().invoke(command.main, ["mute"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "FAILED  mute",
        "          it ended with exit code 4",
        "          it never connected",
        "          I have nothing to say",
    ]
