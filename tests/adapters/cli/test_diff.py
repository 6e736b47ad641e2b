"""`turnspec diff` as a user runs it: files, git revisions, recorded calls, formats, exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

from adapters.cli.diff import command
from adapters.specs import specs_folder
from fsm.journal.journal import encode
from tests.fsm.bundle import machine
from tests.fsm.journal.test_replay import record

WAIT = ("answer_overdue: {after_ms: 4000,", "answer_overdue: {after_ms: 4500,")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, timeout=20)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose last commit lets a deadline wait longer, and whose part differs in the first."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(specs_folder(), tmp_path / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "-q", "-b", "main")
    git("add", "specs")
    git("commit", "-q", "-m", "first")
    edit(tmp_path / "specs/server_vad.yaml", *WAIT)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_same_is_0_and_different_is_1(here: Path) -> None:
    same = run("HEAD:specs/server_vad.yaml", "HEAD:server_vad", "--scene", "turns")
    assert same.exit_code == 0 and "Behaviour: equivalent within quick bounds" in same.output
    different = run("HEAD", here / "specs/server_vad.yaml", "--structure")
    assert different.exit_code == 1
    assert "after: 4000 ms  →  4500 ms" in different.output
    assert "HEAD:specs/server_vad.yaml  →  specs/server_vad.yaml" in different.output


def test_parts_come_from_the_revision_too(here: Path) -> None:
    edit(
        here / "specs/parts/conversation/session.yaml", "session.created:", "session.created :"
    )  # so that a mix would show
    (here / "specs/parts/conversation/session.yaml").write_text("not a part\n", encoding="utf-8")
    assert run("HEAD", "HEAD", "--spec", "server_vad", "--structure").exit_code == 0
    assert run("HEAD", "specs/server_vad.yaml", "--structure").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere:specs/server_vad.yaml", "server_vad"), "nowhere"),
        (("HEAD:specs/none.yaml", "server_vad"), "specs/none.yaml"),
        (("HEAD:--output=x", "server_vad"), "cannot be read"),
        (("--", "--output=x", "server_vad"), "is not a revision"),
        (("server_vad",), "compare 'server_vad' with what?"),
        (("server_vad", "server_vad", "--scene", "turn"), "did you mean 'turns'?"),
        (("server_vad", "server_vad", "--json", "--markdown"), "not both"),
    ],
)
def test_wrong_use_is_2_and_says_what_is_wrong(here: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and says in result.output
    assert not (here / "x").exists()


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    result = run("HEAD:specs/server_vad.yaml", "server_vad")
    assert (result.exit_code == 2 and "no revision" in result.output) or "not a git repository" in result.output


def test_a_comment_with_recorded_calls(here: Path) -> None:
    journal = attrs.evolve(record(machine("server_vad")))
    (here / "calls").mkdir()
    lines = [encode(line) + "\n" for line in (journal.header, *journal.lines)]
    (here / "calls/a.jsonl").write_text("".join(lines), encoding="utf-8")
    (here / "calls/other.jsonl").write_text('{"type": "session.created"}\n', encoding="utf-8")
    result = run("HEAD", "specs/server_vad.yaml", "--calls", "calls", "--scene", "turns", "--markdown")
    assert result.exit_code == 1
    assert result.output.startswith("<!-- turnspec diff -->\n## turnspec diff\n")
    assert "1 of 1 recorded call would have gone differently" in result.output
    assert "1 × no journal" in result.output
    assert result.output.count("```") % 2 == 0 and result.output.count("<details>") == result.output.count("</details>")
    assert len(result.output) < 65_536


def test_json_and_the_overlay(here: Path) -> None:
    result = run("HEAD", "specs/server_vad.yaml", "--structure", "--json", "--overlay", "o.mmd")
    found = json.loads(result.stdout)
    assert [c["name"] for c in found[0]["structure"]] == ["answer_overdue"]
    assert found[0]["same"] is False and found[0]["behaviour"] is None
    assert "answer_overdue: 4000 ms to 4500 ms" in (here / "o.mmd").read_text(encoding="utf-8")


def own(here: Path, name: str, *changes: tuple[str, str]) -> None:
    """A spec of the repository's own, beside the bundled ones."""
    text = (here / "specs/server_vad.yaml").read_text(encoding="utf-8").replace("spec: server_vad", f"spec: {name}")
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (here / f"specs/{name}.yaml").write_text(text, encoding="utf-8")


def test_a_bundled_name_is_this_repositorys_spec(here: Path) -> None:
    """Not the one of the installation that runs."""
    assert (here / "specs/server_vad.yaml").is_file()
    result = run("HEAD", "server_vad", "--structure")
    assert result.exit_code == 1 and "4000 ms  →  4500 ms" in result.output
    assert run("server_vad", "HEAD", "--structure").exit_code == 1


def test_every_spec_of_the_repository_is_compared(here: Path) -> None:
    own(here, "mine")
    git("add", "specs")
    git("commit", "-q", "-m", "mine")
    own(here, "mine", ("answer_overdue: {after_ms: 4500,", "answer_overdue: {after_ms: 2999,"))
    result = run("HEAD", "--structure")
    assert result.exit_code == 1
    assert "HEAD:specs/mine.yaml  →  specs/mine.yaml" in result.output and "2999 ms" in result.output
    (here / "specs/worlds/odd.yaml").write_text("spec: no\n", encoding="utf-8")
    (here / "specs/notes.yaml").write_text("a: b\n", encoding="utf-8")
    assert "notes" not in run("HEAD", "--structure").output


def test_a_spec_that_only_one_side_has_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(here, "mine")
    monkeypatch.chdir(here / "specs")
    result = run("HEAD", "--structure", "--markdown")
    assert result.exit_code == 1
    assert "- **specs/mine.yaml**: new: there is nothing to compare it with" in result.output
    git("add", ".")
    git("commit", "-q", "-m", "mine")
    (here / "specs/mine.yaml").unlink()
    assert "- specs/mine.yaml: removed" in run("HEAD", "--structure").output
    assert json.loads(run("HEAD", "--structure", "--json").stdout)[-1] == {
        "spec": "specs/mine.yaml",
        "same": False,
        "status": "removed",
    }


def test_a_new_spec_must_be_sound(here: Path) -> None:
    own(here, "mine", ("initial: connecting", "initial: conecting"))
    result = run("HEAD", "--structure")
    assert result.exit_code == 2 and "did you mean 'connecting'" in result.output


def test_between_two_revisions_the_folder_does_not_matter(here: Path) -> None:
    own(here, "mine")
    git("add", "specs")
    git("commit", "-q", "-m", "mine")
    shutil.rmtree(here / "specs")
    result = run("HEAD~1", "HEAD", "--structure")
    assert result.exit_code == 1 and "+ specs/mine.yaml: new" in result.output
