"""`turnspec verify` as a user meets it: what is printed, exit codes, files, Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.verify.run import Watch, Wish, all_searched, load_around
from fsm.language.problem import NOWHERE
from tests.fsm.verify import house
from tools.mutants.known import Reason
from tools.mutants.mutation import Notice
from tools.mutants.run import Trial, digest, summed_up

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
    broken = json.loads(run("--scene", "turns", "--allow-broken", BROKEN, "--json").stdout)
    runs = [f["run"] for f in broken["verdicts"][0]["findings"] if f["run"]]
    assert runs[0]["steps"][0]["move"] == "opens"


def test_a_cell_is_explained() -> None:
    result = run(*QUICK, "--explain", "connecting", "provider.opened")
    assert result.exit_code == 0
    assert "first in scene 'turns' after 2 steps" in result.output
    assert "provider.opened: taken in connecting -> awaiting_session_created" in result.output
    never = run(*QUICK, "--explain", "connecting", "timer.tools_overdue")
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
        (("--explain", "conecting", "provider.opened"), "did you mean 'connecting'?"),
        (("--check",), "--check goes with"),
        (("nowhere.yaml",), "cannot be read"),
    ],
)
def test_wrong_use_is_told_with_what_would_be_right(args: tuple[str, ...], hint: str) -> None:
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert hint in result.output


def test_an_assumption_switched_on_gets_its_budget() -> None:
    around, spec = load_around(), house.spec("push_to_talk")
    failing = Wish(scenes=("turns",), assume={"things_fail": "yes"}).limits(spec, around.world)[0]
    assert failing.settings(around.world).bounds["faults"] == 1
    losing = Wish(scenes=("turns",), assume={"events_may_be_lost": "yes"}, bounds={"losses": 2})
    assert losing.limits(spec, around.world)[0].settings(around.world).bounds["losses"] == 2
    assert Wish(scenes=("turns",)).limits(spec, around.world)[0].settings(around.world).bounds["losses"] == 0


def test_each_assumption_can_be_switched() -> None:
    result = run(*QUICK, "--assumptions")
    assert result.exit_code == 0
    assert "as assumed" in result.output
    assert "old_socket_is_silent = no" in result.output and "holds, " in result.output
    assert "generation_outlasts_round_trip = no" in result.output
    assert "things_fail = yes" in result.output


def test_ctrl_c_leaves_a_partial_result() -> None:
    watch = Watch(quiet=True)
    watch.stopped = True
    around, spec = load_around(), house.spec("push_to_talk")
    assert all_searched(spec, around, Wish(scenes=("turns",)), watch) == ()


def test_the_readme_has_a_place_for_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text(
        "before\n<!-- verify: written by `turnspec verify --readme` -->\nold\n<!-- end verify -->\nafter\n"
    )
    assert run(*QUICK, "--readme", "--check").exit_code == 1
    assert run(*QUICK, "--readme").exit_code == 0
    text = (tmp_path / "README.md").read_text()
    assert "| No session.update before session.created. | holds |" in text
    assert text.startswith("before\n") and text.endswith("after\n")
    assert run(*QUICK, "--readme", "--check").exit_code == 0
    (tmp_path / "README.md").write_text("no place\n")
    assert run(*QUICK, "--readme").exit_code == 2


def test_mutants_are_told_by_kind_and_survivors_with_their_reason() -> None:
    notices = (
        Notice("timer removed: a", "timer removed", NOWHERE, "typestate"),
        Notice("timer removed: b", "timer removed", NOWHERE, "", "3 scenes come to it"),
        Notice("timer removed: c", "timer removed", NOWHERE, "", "no scene comes to it"),
    )
    text = summed_up(Trial("toy", notices, {"timer removed: b": Reason("it is never seen", NOWHERE)}))
    assert "1 of 3 (33.3 %)" in text
    assert "equivalent: it is never seen" in text
    assert "1 survive and nobody says why" in text
    assert "timer removed: c  (no scene comes to it)" in text


def test_a_result_is_of_the_texts_it_was_made_from() -> None:
    assert digest("server_vad") == digest("server_vad") != digest("owned_turns")
