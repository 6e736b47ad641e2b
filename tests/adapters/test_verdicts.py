"""Verdicts of the type check by content: what counts, what is odd and does not, and that no oddity is an error."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import fsm.language
from adapters import verdicts
from adapters.cli.check import command
from adapters.specs import load_file, load_spec, specs_folder
from adapters.verdicts import KeptVerdict, cache_folder
from fsm.language import loader
from fsm.language.loader import Verdict
from fsm.language.problem import Place, Problem, SpecError
from fsm.language.typestate import Flow, Typestate

WARNS = Verdict((Problem(Place("a.yaml", 3, 5), "dead-cell", "m", "h", ("one", "two"), "warning"),), 7)
TEXTS = [("a.yaml", "spec: a"), ("b.yaml", "slots: {}")]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("TURNSPEC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "turnspec"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the specs that were type-checked."""
    found: list[str] = []

    class Counted(Typestate):
        def check(self) -> Flow:
            found.append(self.spec.name)
            return super().check()

    monkeypatch.setattr(loader, "Typestate", Counted)
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A spec of one's own."""
    return Path(shutil.copy(specs_folder() / "owned_turns.yaml", tmp_path / "mine.yaml"))


def entry(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_the_same_spec_is_checked_once_and_read_each_time(folder: Path, checks: list[str], copy: Path) -> None:
    first, second = load_spec(copy), load_spec(copy)
    assert checks == ["owned_turns"]
    assert (first.situations, first.warnings, first.spec) == (second.situations, second.warnings, second.spec)
    assert first.situations == sum(map(len, second.flow.reached.values()))
    assert load_file(copy)[1][0] == copy.read_text(encoding="utf-8")
    assert entry(folder).parent == folder


def test_a_changed_text_is_checked_and_its_problems_are_its_own(folder: Path, checks: list[str], copy: Path) -> None:
    load_spec(copy)
    copy.write_text(copy.read_text("utf-8").replace("create == sent or turn", "turn"), "utf-8")
    problems = []
    for _ in range(2):
        with pytest.raises(SpecError) as error:
            load_spec(copy)
        problems.append(error.value.problems)
    assert checks == ["owned_turns", "owned_turns"]
    assert problems[0] == problems[1]
    assert problems[0][0].trail and problems[0][0].place.line
    assert len(list(folder.iterdir())) == 2


def test_a_changed_part_is_another_text(folder: Path, checks: list[str], copy: Path) -> None:
    load_spec(copy)
    (copy.parent / "parts").mkdir()
    part = Path(shutil.copy(specs_folder() / "parts" / "conversation.yaml", copy.parent / "parts"))
    load_spec(copy)
    part.write_text(part.read_text("utf-8") + "# \n", "utf-8")
    load_spec(copy)
    assert len(checks) == 3
    assert len(list(folder.iterdir())) == 3


def test_the_same_text_under_another_name_has_problems_in_another_file(folder: Path, copy: Path) -> None:
    copy.write_text(copy.read_text("utf-8").replace("create == sent or turn", "turn"), "utf-8")
    other = Path(shutil.copy(copy, copy.parent / "other.yaml"))
    for path in (copy, other):
        assert path.name in CliRunner().invoke(command, [str(path)]).output
    assert len(list(folder.iterdir())) == 2


def test_other_code_or_another_python_is_another_verdict(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    assert KeptVerdict(TEXTS).get() == WARNS
    for change in ("sources", "python"):
        with monkeypatch.context() as patch:
            if change == "python":
                patch.setattr(sys, "version", "4.0")
            else:
                patch.setattr(fsm.language, "__file__", str(specs_folder().parent / "fsm/world/__init__.py"))
            verdicts._code.cache_clear()
            assert KeptVerdict(TEXTS).get() is None, change
        verdicts._code.cache_clear()
    assert KeptVerdict(TEXTS).get() == WARNS
    assert folder.is_dir()


def test_without_sources_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fsm.language, "__file__", str(tmp_path / "__init__.pyc"))
    verdicts._code.cache_clear()
    KeptVerdict(TEXTS).put(WARNS)
    assert KeptVerdict(TEXTS).get() is None
    verdicts._code.cache_clear()
    assert not folder.exists()


def test_where_one_text_ends_and_the_next_begins_counts(folder: Path) -> None:
    KeptVerdict([("a", "bc")]).put(WARNS)
    assert KeptVerdict([("ab", "c")]).get() is None
    assert folder.is_dir()


def test_what_is_not_to_be_checked_is_not_looked_up(folder: Path, checks: list[str], copy: Path) -> None:
    load_spec(copy, typestate=False)
    assert not checks
    assert not folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"{}", b"0\n{}", b"[" * 100_000, b"x" * (verdicts.LARGEST + 1),
        verdicts._entry(WARNS).replace("dead-cell", "dead-deal").encode(),
        verdicts._entry(WARNS)[:-9].encode(),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_checked_anew_and_mended(
    folder: Path, checks: list[str], copy: Path, content: bytes
) -> None:
    load_spec(copy)
    sound = entry(folder).read_bytes()
    entry(folder).write_bytes(content)
    assert load_spec(copy).warnings == ()
    assert len(checks) == 2
    assert entry(folder).read_bytes() == sound


@pytest.mark.parametrize("kept", [[], {}, {"problems": [[1]], "situations": 1}, {"problems": 3, "situations": 1}, None])
def test_an_entry_that_is_whole_but_no_verdict_is_none(folder: Path, kept: object) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    body = json.dumps(kept)
    entry(folder).write_text(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}", "utf-8")
    assert KeptVerdict(TEXTS).get() is None


posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners of files")


@posix
def test_only_the_user_can_read_it(folder: Path) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(folder).stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("which", ["folder", "entry"])
def test_what_others_may_write_is_not_trusted(folder: Path, which: str) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    (folder if which == "folder" else entry(folder)).chmod(0o777)
    assert KeptVerdict(TEXTS).get() is None


@posix
def test_what_is_another_users_is_not_trusted_and_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert KeptVerdict(TEXTS).get() is None
    KeptVerdict(TEXTS[:1]).put(WARNS)
    assert len(list(folder.iterdir())) == 1


@posix
@pytest.mark.parametrize("which", ["folder", "entry"])
def test_a_link_is_not_followed(folder: Path, which: str, tmp_path: Path) -> None:
    KeptVerdict(TEXTS).put(WARNS)
    linked = folder if which == "folder" else entry(folder)
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    assert KeptVerdict(TEXTS).get() is None


@pytest.mark.parametrize("cache", ["a file", "a file above", "read-only"])
def test_a_folder_that_cannot_be_written_is_done_without(
    folder: Path, checks: list[str], copy: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cache == "read-only":
        monkeypatch.setattr(os, "open", _refused)
    else:
        blocked = folder if cache == "a file" else folder.parent
        blocked.parent.mkdir(exist_ok=True)
        blocked.write_text("", "utf-8")
    assert load_spec(copy).warnings == load_spec(copy).warnings == ()
    assert len(checks) == 2


def _refused(path: Path, _flags: int, _mode: int = 0o777) -> int:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_disk_that_is_full_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    KeptVerdict(TEXTS).put(WARNS)
    assert list(folder.iterdir()) == []


def test_the_oldest_entries_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST_ENTRIES", 3)
    for number in range(5):
        KeptVerdict([("a", str(number))]).put(WARNS)
        for path in folder.iterdir():
            os.utime(path, (path.stat().st_mtime - 100,) * 2)
    assert [KeptVerdict([("a", str(n))]).get() is not None for n in range(5)] == [False, False, True, True, True]


def test_several_at_once_leave_one_whole_entry(folder: Path) -> None:
    threads = [threading.Thread(target=KeptVerdict(TEXTS).put, args=(WARNS,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert KeptVerdict(TEXTS).get() == WARNS
    assert entry(folder).suffix == ".json"


@pytest.mark.parametrize("word", ["off", "OFF", "no", "0"])
def test_it_can_be_turned_off(
    folder: Path, checks: list[str], copy: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("TURNSPEC_CACHE", word)
    load_spec(copy)
    load_spec(copy)
    assert len(checks) == 2
    assert not folder.exists()


def test_where_the_folder_is(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    for relative in ("", "somewhere"):  # a relative one does not count
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache_folder() == tmp_path / ".cache" / "turnspec"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "turnspec"


def test_without_a_home_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder() is None
    KeptVerdict(TEXTS).put(WARNS)
    assert KeptVerdict(TEXTS).get() is None
    assert not folder.exists()


def test_help_says_so() -> None:
    assert "TURNSPEC_CACHE=off" in CliRunner().invoke(command, ["--help"]).output
