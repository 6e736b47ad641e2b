"""`python -m tools.acceptance` as it is used: what it prints, JSON, exit codes, wrong use."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.tools.acceptance.logs import SAMPLES, at, sample, without
from tools.acceptance.answers import AnswersOfLog
from tools.acceptance.command import command
from tools.acceptance.projection import Projection
from tools.acceptance.read import bundled_projections

GOOD = str(SAMPLES / "ga_barge_in.jsonl")
STOPPED = "input_audio_buffer.speech_stopped"


@cache
def _projections() -> tuple[Projection, ...]:
    return bundled_projections()


@pytest.fixture(autouse=True)
def _projection_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.acceptance.command.bundled_projections", _projections)


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in without(sample("ga_barge_in"), STOPPED)))
    return str(path)


def accept(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_run_of_the_world() -> None:
    result = accept(GOOD)
    assert result.exit_code == 0, result.output
    assert "ga_barge_in.jsonl: accepted (ga; " in result.output


def test_the_first_impossible_event_with_its_line(damaged: str) -> None:
    result = accept(GOOD, damaged)
    line = at(without(sample("ga_barge_in"), STOPPED), "input_audio_buffer.committed") + 1
    assert result.exit_code == 1
    assert "ga_barge_in.jsonl: accepted" in result.output
    assert f"damaged.jsonl:{line}: input_audio_buffer.committed is impossible here" in result.output
    assert "it would be committed or committed_new of realtime" in result.output
    assert "what could have come: input_audio_buffer.speech_stopped (stopped)" in result.output


def test_what_had_to_be_assumed_is_printed() -> None:
    result = accept(str(SAMPLES / "ga_no_interrupt.jsonl"))
    assert result.exit_code == 0
    assert "only with: auto_create_when_busy=drops (What becomes of the provider's own answer" in result.output
    assert accept("--strict", str(SAMPLES / "ga_no_interrupt.jsonl")).exit_code == 1


def test_losses_and_assumptions_are_the_users_to_say(damaged: str) -> None:
    result = accept("--lose", "1", damaged)
    assert result.exit_code == 0
    assert "assumed: events_may_be_lost=yes" in result.output
    assert accept("--assume", "events_may_come_twice", damaged).exit_code == 1


def test_json_for_programs(damaged: str) -> None:
    result = accept("--json", GOOD, damaged)
    good, bad = json.loads(result.output)
    assert result.exit_code == 1
    assert (good["outcome"], good["dialect"], good["impossible"], good["relaxed"]) == ("accepted", "ga", None, {})
    assert (bad["outcome"], bad["impossible"]["type"]) == ("refused", "input_audio_buffer.committed")
    assert bad["impossible"]["instead"] == ["stopped"]
    assert good["events"] + sum(good["say_nothing"].values()) == len(sample("ga_barge_in"))


def test_an_unknown_event_is_named(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text(Path(GOOD).read_text() + '{"dir": "server", "event": {"type": "response.telepathy.delta"}}\n')
    result = accept(str(path))
    assert result.exit_code == 1
    assert "response.telepathy.delta is unknown" in result.output


def test_a_dialect_may_be_named() -> None:
    path = str(SAMPLES / "sideband_text.jsonl")
    assert accept(path).exit_code == accept("--dialect", "sideband", path).exit_code == 0
    assert accept("--dialect", "ga", path).exit_code == 1
    listed = accept("--dialects")
    assert listed.exit_code == 0
    assert all(f"\n{name} " in f"\n{listed.output}" for each in _projections() for name in each.dialects)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which LOG?"),
        (["nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["--dialect", "siteband", GOOD], "did you mean 'sideband'?"),
        (["--assume", "things_fall", GOOD], "did you mean 'things_fail'?"),
        (["--assume", "things_fail=maybe", GOOD], "there is no value of things_fail 'maybe'"),
        (["--lose", "12", GOOD], "--lose"),
    ],
)
def test_wrong_use(arguments: list[str], said: str) -> None:
    result = accept(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_file_without_events_is_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of interest\n")
    result = accept(str(path))
    assert result.exit_code == 2
    assert "no event of a conversation" in result.output


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    empty = tmp_path / "a\x1b[2J.txt"
    empty.write_text("nothing of interest\n")
    result = accept("nowhere.jsonl", GOOD, str(empty))
    assert result.exit_code == 2
    assert "ga_barge_in.jsonl: accepted" in result.stdout
    assert "nowhere.jsonl cannot be read" in result.stderr and "a\\x1b[2J.txt: no event" in result.stderr


def test_the_option_that_would_accept_a_log_is_named(damaged: str) -> None:
    refused = accept(damaged)
    assert refused.exit_code == 1 and "would be accepted with: --lose 1" in refused.output
    assert accept("--lose 1".replace(" ", "="), damaged).exit_code == 0
    wrong = accept("--dialect", "xai", GOOD)
    assert wrong.exit_code == 0 or "would be accepted with: --dialect ga" in wrong.output
    assert "--lose 1" in json.loads(accept("--json", damaged).output)[0]["accepted_with"]


def test_help_teaches() -> None:
    result = accept("--help")
    assert result.exit_code == 0
    assert "python -m tools.acceptance --lose 1" in result.output and "Exit code" in result.output


def test_what_the_responses_were_worth_is_said_where_the_log_tells_it() -> None:
    """Heard, cut, silent: the first that the playout tells of a response counts. A log without one says nothing."""
    told: list[tuple[str, object]] = [
        ("playout.heard", {"response_id": "r1"}),
        ("playout.flushed", {"items": [{"response_id": "r1"}, {"response_id": "r2"}, {"response_id": 7}, None]}),
        ("playout.silent", {"response_id": "r3"}),
        ("playout.silent", {}),
        ("playout.flushed", {"items": None}),
        ("playout.heard", None),
    ]
    answers = AnswersOfLog()
    for event, data in told:
        answers.tell(event, data)
    assert answers.counts == {"heard": 1, "cut": 1, "silent": 1}
    assert json.loads(accept(GOOD, "--json").output)[0]["answers"] == {}
