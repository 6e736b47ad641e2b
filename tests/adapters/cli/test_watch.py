"""`turnspec check --watch` and `verify --watch`: again after each save, until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli import main
from adapters.cli.watch import watch
from adapters.specs import source_files, spec_path


class Desk:
    """Somebody who saves files while the watch sleeps, and then has had enough."""

    def __init__(self, *saves: Callable[[], object]) -> None:
        self._saves = list(saves)
        self.looks = 0

    def pause(self, _seconds: float) -> None:
        self.looks += 1
        if not self._saves:
            raise KeyboardInterrupt
        self._saves.pop(0)()


def saved(path: Path, text: str, at_s: int) -> Callable[[], object]:
    def save() -> None:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (at_s, at_s))

    return save


def test_it_is_done_again_after_each_change_and_not_without_one(tmp_path: Path) -> None:
    file, done = tmp_path / "a.yaml", []
    desk = Desk(saved(file, "a", 1), lambda: None, saved(file, "b", 2), file.unlink, saved(file, "b", 2))
    watch(lambda: [file], lambda: done.append(file.read_text() if file.exists() else None), pause=desk.pause)
    assert done == [None, "a", "b", None, "b"]
    assert desk.looks == 6


def test_a_file_that_the_change_itself_brings_in_is_watched_from_then_on(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    saved(second, "", 1)()
    files, done = [first], []
    desk = Desk(saved(first, "", 1), saved(second, "x", 2))

    def act() -> None:
        done.append(len(files))
        files[1:] = [second]

    watch(lambda: list(files), act, pause=desk.pause)
    assert done == [1, 2, 2]


def test_a_specs_files_are_its_own_and_those_it_includes_even_if_it_is_broken(tmp_path: Path) -> None:
    text = spec_path("owned_turns").read_text(encoding="utf-8")
    mine, part = tmp_path / "mine.yaml", tmp_path / "parts" / "overlooked.yaml"
    part.parent.mkdir()
    part.write_text(
        spec_path("owned_turns").with_name("parts").joinpath("overlooked.yaml").read_text(), encoding="utf-8"
    )
    for each in (text, text.replace("to: next_floor}", "to: nowhere}")):
        mine.write_text(each, encoding="utf-8")
        found = source_files(mine)
        assert found[0] == mine and part in found
        assert any(path.name == "conversation.yaml" and tmp_path not in path.parents for path in found)
    mine.write_text("a: [", encoding="utf-8")
    assert source_files(mine) == (mine,)
    assert source_files(tmp_path / "nobody.yaml") == (tmp_path / "nobody.yaml",)


def test_the_command_shows_what_each_save_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec_path("push_to_talk").read_text(encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    saved(mine, text, 1)()
    desk = Desk(saved(mine, text.replace("to: next_floor}", "to: nowhere}", 1), 2), saved(mine, text, 3))
    monkeypatch.setattr("adapters.cli.watch.time.sleep", desk.pause)
    result = CliRunner().invoke(main, ["check", "--watch", str(mine)])
    assert result.exit_code == 0
    assert result.output.count("is sound") == 2 and result.output.count("'nowhere' is not known here") == 1
    assert result.output.count("waiting for a change, Ctrl-C ends") == 3


VERIFY = ("verify", "--watch", "--scene", "turns", "--bound", "turns=1")


def test_verify_shows_what_each_save_broke_and_that_it_holds_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = spec_path("owned_turns").read_text(encoding="utf-8")
    answers = "{do: [commits = told, owed = turn], to: next_floor}"
    assert good.count(answers) == 1
    mine = tmp_path / "mine.yaml"
    saved(mine, good, 1)()
    broken, unsound = good.replace(answers, "{do: [commits = told], to: next_floor}"), good.replace("next_floor", "nix")
    desk = Desk(saved(mine, unsound, 2), saved(mine, broken, 3), saved(mine, good, 4))
    monkeypatch.setattr("adapters.cli.watch.time.sleep", desk.pause)
    result = CliRunner().invoke(main, [*VERIFY, str(mine)])
    assert result.exit_code == 0, result.output
    rounds = result.output.split("waiting for a change")
    assert [("PASS" in each, "'nix' is not known here" in each, "FAIL" in each) for each in rounds[:4]] == [
        (True, False, False), (False, True, False), (False, False, True), (True, False, False),
    ]  # fmt: skip
    assert " fails in scene 'turns'" in rounds[2]


def test_a_save_ends_the_search_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.yaml"
    text = spec_path("owned_turns").read_text(encoding="utf-8")
    saved(mine, text, 1)()
    looks: list[None] = []

    def stale(_self: object) -> bool:
        looks.append(None)
        return len(looks) < 4

    monkeypatch.setattr("adapters.cli.verify_watch.WatchedProgress.is_stale", property(stale))
    monkeypatch.setattr("adapters.cli.watch.time.sleep", Desk(saved(mine, text, 2)).pause)
    result = CliRunner().invoke(main, ["verify", "--watch", "--scene", "turns", "--scene", "tools", str(mine)])
    assert "mine.yaml" not in result.output and "saved meanwhile; begun anew" in result.output


def test_verify_watch_goes_with_no_file_of_a_run() -> None:
    result = CliRunner().invoke(main, [*VERIFY, "--json", "owned_turns"])
    assert result.exit_code == 2 and "--watch goes with none of" in result.output
