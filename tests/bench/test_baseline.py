"""The comparison with an earlier commit at its smallest: it checks out, runs both and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench import baseline
from bench.calls import ROOT, SideBySide
from bench.targets import baseline_lines


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one file that its last commit does not have any more."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    (tmp_path / "old.txt").write_text("old\n")
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("commit", "-qm", "1"),
        ("rm", "-q", "old.txt"),
        ("commit", "-qm", "2"),
    ):
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_the_commits_files_are_there_for_a_while(clone: Path) -> None:
    with baseline.checkout("HEAD~1", clone) as tree:
        assert (tree / "old.txt").read_text() == "old\n"
    assert not tree.exists()
    listed = subprocess.run(["git", "worktree", "list"], cwd=clone, check=True, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == 1


@pytest.mark.parametrize("folder", ["clone", "elsewhere"])
def test_a_commit_that_is_not_there_is_reported(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, folder: str
) -> None:
    place = clone if folder == "clone" else tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(click.ClickException, match="git fetch --unshallow"), baseline.checkout("3e0935", place):
        pass
    result = CliRunner().invoke(baseline.main, ["--commit", "no_such_commit", "--calls", "1"])
    assert result.exit_code == 1 and "commit no_such_commit is not in this clone" in result.output


def test_both_trees_are_measured_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is this tree's own, so that a shallow clone has it."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True)
    if head.returncode:
        pytest.skip("this is not a clone")
    monkeypatch.setattr("bench.calls.BESIDE_WINDOWS", 1)
    found = baseline.measure("HEAD", "turnspec", 1, seconds=0.5, settle=0.5)
    assert list(found.ratio) == ["HEAD", "this tree"] and found.ratio["HEAD"] == 1.0
    assert found.ratio["this tree"] > 0


@pytest.mark.parametrize(("ratio", "holds"), [(1.1, True), (1.11, False)])
def test_ten_percent_are_promised(ratio: float, holds: bool) -> None:
    (line,) = baseline_lines(SideBySide(60, {"x": 1.0, "this tree": ratio}, {"x": 1.0, "this tree": ratio}), "x")
    assert (line.cells["x"].holds, line.cells["this tree"].holds, line.target) == (None, holds, "at most 1.1")
