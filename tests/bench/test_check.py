"""The check's benchmark at its smallest: it finds the old code and runs both, or says why not."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

from bench import check
from bench.check import Checked, main, measure, missing
from bench.targets import check_lines


def test_both_are_run() -> None:
    if missing():
        pytest.skip(missing())
    (found,) = measure(1, ("owned_turns",))
    assert min(found.typestate_s, found.old_typestate_s, found.command_s, found.old_command_s, found.kept_s) > 0


def test_without_the_old_commit_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "BASELINE", "0" * 40)
    result = CliRunner().invoke(main)
    assert result.exit_code == 0
    assert f"skipped: {'0' * 40} is not in this clone" in result.output


def test_without_git_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert missing().startswith("skipped: without git")
    assert list(measure()) == []


def test_the_type_check_is_judged() -> None:
    found = [Checked("fast", 0.1, 0.61, 0.2, 0.8, 0.1), Checked("slow", 0.1, 0.59, 0.2, 0.8, 0.1)]
    typestate, command, kept = check_lines(found)
    assert (typestate.cells["fast"].holds, typestate.cells["slow"].holds) == (True, False)
    assert typestate.cells["fast"].text == "100 of 610 (6.1)"
    assert (command.cells["fast"].text, kept.cells["fast"].text) == ("200 of 800 (4.0)", "100 of 800 (8.0)")
    assert not command.missed and not kept.missed
    assert check_lines([]) == []
