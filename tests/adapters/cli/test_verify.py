"""`turnspec verify` as a user meets it: what is printed, exit codes, files, Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.verify.run import SearchProgress, VerifyOptions, all_searched, load_environment
from tests.fsm.verify import house

QUICK = ("--scene", "turns", "push_to_talk")
BROKEN = "specs/broken/update_before_created.yaml"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["verify", *args])


def test_a_spec_that_holds() -> None:
    result = run(*QUICK)
    assert result.exit_code == 0, result.output
    assert "push_to_talk: PASS" in result.output
    assert "no_short_commit" in result.output
    assert "every_wait_ends (10 states)" in result.output
    assert result.output.count("playout_never_stalls") == 1  # an assumption is told once
    assert "evidence: docs/facts/realtime_api.md" in result.output
    assert "How far each scene goes" in result.output


def test_what_the_type_check_refuses_runs_only_on_demand() -> None:
    refused = run("--scene", "turns", BROKEN)
    assert refused.exit_code == 2
    assert "illegal-effect" in refused.output
    allowed = run("--scene", "turns", "--allow-broken", BROKEN)
    assert allowed.exit_code == 1
    assert "update_after_created fails in scene 'turns'" in allowed.output
    assert "specs/broken/update_before_created.yaml:" in allowed.output


def test_a_counterexample_is_written_as_a_scenario_that_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    told = run("--scene", "turns", "--allow-broken", BROKEN, "--scenario", str(path))
    assert f"wrote {path}; replay it with: turnspec test --allow-broken {path}" in told.output
    refused = CliRunner().invoke(main, ["test", str(path)])
    assert refused.exit_code == 2 and "illegal-effect" in refused.output
    replayed = CliRunner().invoke(main, ["test", "--allow-broken", str(path)])
    assert replayed.exit_code == 0, replayed.output
    assert "1 hold, 0 fail" in replayed.output


def test_without_a_counterexample_there_is_nothing_to_replay(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    result = run(*QUICK, "--scenario", str(path))
    assert result.exit_code == 0
    assert "nothing to replay" in result.output and not path.exists()


def test_a_counterexample_is_drawn(tmp_path: Path) -> None:
    for name in ("run.mmd", "run.md"):
        run("--scene", "turns", "--allow-broken", BROKEN, "--diagram", str(tmp_path / name))
    bare, page = (tmp_path / "run.mmd").read_text(), (tmp_path / "run.md").read_text()
    assert bare.startswith("sequenceDiagram")
    assert "update_after_created" in bare
    assert page == f"```mermaid\n{bare}```\n"
    assert "nothing to draw" in run(*QUICK, "--diagram", str(tmp_path / "none.mmd")).output
    assert not (tmp_path / "none.mmd").exists()


def test_json_is_for_programs() -> None:
    result = run(*QUICK, "--json")
    found = json.loads(result.stdout)
    (verdict,) = found["verdicts"]
    assert (verdict["spec"], verdict["scene"], verdict["outcome"], verdict["partial"]) == (
        "push_to_talk", "turns", "PASS", False,
    )  # fmt: skip
    assert {f["status"] for f in verdict["findings"]} <= {"holds", "not applicable"}
    assert "evidence" in found["assumptions"]["playout_never_stalls"]
    assert "tool.called.new" in found["not_exercised"]["push_to_talk"]["events"]
    broken = json.loads(run("--scene", "turns", "--allow-broken", BROKEN, "--json").stdout)
    runs = [f["run"] for f in broken["verdicts"][0]["findings"] if f["run"]]
    assert runs[0]["steps"][0]["move"] == "opens"


def test_a_cell_is_explained() -> None:
    result = run("explain", "connecting", "provider.opened", *QUICK)
    assert result.exit_code == 0
    assert "first in scene 'turns' after 2 steps" in result.output
    assert "provider.opened: taken in connecting -> awaiting_session_created" in result.output
    never = run("explain", "connecting", "timer.tools_overdue", *QUICK)
    assert never.exit_code == 1
    assert "no run within the bounds" in never.output


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("--scene", "turn"), "did you mean 'turns'?"),
        (("--assume", "things_fial"), "did you mean 'things_fail'?"),
        (("--assume", "auto_create_when_busy"), "known: drops, queues"),
        (("--bound", "turns"), "a number from 0 to 9"),
        (("--bound", "truns=1"), "did you mean 'turns'?"),
        (("explain", "conecting", "provider.opened"), "did you mean 'connecting'?"),
        (("--explain", "connecting", "provider.opened"), "turnspec verify explain STATE EVENT"),
        (("--assumptions", "server_vad"), "turnspec verify assumptions"),
        (("--mutants", "--check"), "python -m tools.mutants"),
        (("server_vad", "--promela=model.pml"), "python -m tools.promela"),
        (("--readme",), "python -m tools.pages verified"),
        (("--check",), "python -m tools.mutants --check"),
        (("nowhere.yaml",), "cannot be read"),
    ],
)
def test_wrong_use_is_told_with_what_would_be_right(args: tuple[str, ...], hint: str) -> None:
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert hint in result.output


def test_an_assumption_switched_on_gets_its_budget() -> None:
    around, spec = load_environment(), house.spec("push_to_talk")
    failing = VerifyOptions(scenes=("turns",), assume={"things_fail": "yes"}).limits(spec, around.world)[0]
    assert failing.settings(around.world).bounds["faults"] == 1
    losing = VerifyOptions(scenes=("turns",), assume={"events_may_be_lost": "yes"}, bounds={"losses": 2})
    assert losing.limits(spec, around.world)[0].settings(around.world).bounds["losses"] == 2
    assert VerifyOptions(scenes=("turns",)).limits(spec, around.world)[0].settings(around.world).bounds["losses"] == 0


def test_each_assumption_can_be_switched() -> None:
    result = run("assumptions", *QUICK)
    assert result.exit_code == 0
    assert "as assumed" in result.output
    assert "old_socket_is_silent = no" in result.output and "holds, " in result.output
    assert "generation_outlasts_round_trip = no" in result.output
    assert "things_fail = yes" in result.output


def test_ctrl_c_leaves_a_partial_result() -> None:
    watch = SearchProgress(quiet=True)
    watch.stopped = True
    around, spec = load_environment(), house.spec("push_to_talk")
    assert all_searched(spec, around, VerifyOptions(scenes=("turns",)), watch) == ()


def test_help_shows_what_else_can_be_asked() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "verify [OPTIONS] [SPEC]..." in result.output
    assert "explain" in result.output and "assumptions" in result.output
    assert "verify explain [OPTIONS] STATE EVENT [SPEC]..." in run("explain", "--help").output


def test_a_command_that_has_moved_says_where_it_is() -> None:
    result = CliRunner().invoke(main, ["accept", "journal.jsonl"])
    assert result.exit_code == 2
    assert "python -m tools.acceptance" in result.output


def test_a_strict_pass_visits_every_state_and_needs_its_waivers(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("spec: mine\nextends: push_to_talk\nverify: {waive: {done_once: it may}}\n")
    assert run("--scene", "turns", str(own)).exit_code == 0
    strict = run("--scene", "turns", "--strict", str(own))
    assert strict.exit_code == 1 and "mine: PASS, of turns alone, 1 waived  (" in strict.output
    assert "done_once: it may" in strict.output and "this waiver is not needed" in strict.output
