"""`turnspec check`, `diagram` and `schema` as commands: what they print, where they write, how they exit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters import cli
from adapters.cli import COMMANDS, main
from adapters.specs import BUNDLED, specs_folder


def turnspec(*args: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in args])


def copy(folder: Path, old: str = "", new: str = "", name: str = "mine.yaml") -> Path:
    """The default spec under a name of one's own, with a change."""
    text = (specs_folder() / "server_vad.yaml").read_text()
    assert old in text
    path = folder / name
    path.write_text(text.replace(old, new, 1))
    return path


def line_of(path: Path, words: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if words in line)


ILLEGAL = ("listen: [open_uplink]", "listen: [open_uplink, update_session]")
TYPO = ("turn == committing\n", "turn == comitting\n")


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_one_error_with_the_name_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "spec: mine\nextends: server_vat\ninclude: [parts/no_imput.yaml]\noverride: {figures: {nudges: 1}}\n"
    )
    assert [line for line in turnspec("check", path).output.splitlines() if "error" in line] == [
        f"{path}:2:10: error[no-file]: 'server_vat.yaml' cannot be read: No such file or directory; did you mean"
        " 'server_vad.yaml'?",
        f"{path}:3:11: error[no-file]: 'parts/no_imput.yaml' cannot be read: No such file or directory; did you mean"
        " 'parts/no_input.yaml'?",
    ]


def test_without_a_name_every_bundled_spec_is_checked_and_sound() -> None:
    result = turnspec("check")
    assert result.exit_code == 0
    assert [line.split(" is sound: ")[0].split()[-1] for line in result.output.splitlines()] == list(BUNDLED)


def test_a_check_imports_nothing_that_only_calls_need() -> None:
    program = (
        "import sys\nfrom adapters.cli import main\n"
        "try:\n    main(['check', 'push_to_talk'])\nexcept SystemExit as end:\n    assert not end.code, end\n"
        "heavy = {'rich', 'numpy', 'jsonschema', 'websockets', 'transitions', 'structlog'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_problem_is_told_with_its_place_what_would_be_right_and_how_the_slots_got_there(tmp_path: Path) -> None:
    path = copy(tmp_path, *ILLEGAL)
    result = turnspec("check", path)
    assert result.exit_code == 1
    assert f"{path}:{line_of(path, 'listen:')}:" in result.output
    for words in (
        "error[illegal-effect]: 'update_session' while session is",
        "it needs session: created",
        "-> session",
    ):
        assert words in result.output, result.output


def test_the_readme_shows_what_is_printed(tmp_path: Path) -> None:
    """Its example asks for an answer that the provider owes by itself."""
    old = "caller.silent:                         {to: next_floor}"
    path = copy(tmp_path, old, old.replace("{to:", "{do: [create_response(turn)], to:"))
    told = turnspec("check", path).output.replace(str(path), "specs/mine.yaml")
    assert "error[illegal-effect]" in told
    assert f"```\n{told}```" in (specs_folder().parent / "README.md").read_text()


def test_a_word_that_is_none_is_told_with_those_there_are(tmp_path: Path) -> None:
    path = copy(tmp_path, *TYPO)
    result = turnspec("check", path)
    assert result.exit_code == 1
    assert f"{path}:{line_of(path, 'comitting')}:" in result.output
    assert "'comitting' is neither a value nor a variable\n    values here: quiet, open, committing" in result.output


def test_json_is_a_list_of_problems_and_nothing_else(tmp_path: Path) -> None:
    path = copy(tmp_path, *TYPO)
    result = turnspec("check", "--json", "server_vad", path)
    (found, *_) = json.loads(result.output)
    assert result.exit_code == 1
    assert (found["file"], found["line"], found["severity"]) == (str(path), line_of(path, "comitting"), "error")
    assert found["code"] and found["column"] > 1 and "comitting" in found["message"]
    sound = turnspec("check", "--json", "server_vad")
    assert (sound.exit_code, json.loads(sound.output)) == (0, [])


def test_a_warning_is_told_and_counts_only_where_it_is_asked_to(tmp_path: Path) -> None:
    never = (
        "  answer_overdue:",
        "  never_runs: {after_ms: 1000, while: turn == open and turn == quiet}\n  answer_overdue:",
    )
    text = "\n      timer.never_runs: {do: []}\n      timer.answer_overdue:"
    path = copy(tmp_path, *never)
    path.write_text(path.read_text().replace("\n      timer.answer_overdue:", text, 1))
    assert turnspec("check", path).exit_code == 0
    assert "warning[" in turnspec("check", path).output
    assert turnspec("check", "--strict", path).exit_code == 1


@pytest.mark.parametrize("args", [("--nope",), ("--json=1",)])
def test_wrong_use_of_check_is_2(args: tuple[str, ...]) -> None:
    assert turnspec("check", *args).exit_code == 2


def test_a_spec_that_is_not_there_is_a_problem_with_a_place(tmp_path: Path) -> None:
    result = turnspec("check", tmp_path / "none.yaml")
    assert result.exit_code == 1
    assert f"{tmp_path / 'none.yaml'}:1:1: error[no-file]: the spec cannot be read" in result.output


# --- diagram and schema -----------------------------------------------------------------------------------------------


def test_diagrams_are_written_and_fresh_until_the_spec_changes(tmp_path: Path) -> None:
    path, out = copy(tmp_path), tmp_path / "out"
    missing = turnspec("diagram", path, "--out", out, "--check")
    assert missing.exit_code == 1 and "stale; run `turnspec diagram`" in missing.stderr and not out.exists()
    assert turnspec("diagram", path, "--out", out).exit_code == 0
    assert sorted(each.name for each in out.iterdir()) == ["mine.md", "mine.mmd"]
    assert turnspec("diagram", path, "--out", out, "--check").exit_code == 0
    copy(tmp_path, "answer_overdue: {after_ms: 4000", "answer_overdue: {after_ms: 4100")
    assert turnspec("diagram", path, "--out", out, "--check").exit_code == 1
    (out / "mine.mmd").unlink()
    assert turnspec("diagram", path, "--out", out, "--check").stderr.count("stale") == 2


def test_a_spec_with_problems_is_not_drawn(tmp_path: Path) -> None:
    result = turnspec("diagram", copy(tmp_path, *TYPO), "--out", tmp_path / "out")
    assert result.exit_code == 1 and "error[" in result.stderr and not (tmp_path / "out").exists()


def test_pictures_are_not_compared() -> None:
    assert turnspec("diagram", "--check", "--svg").exit_code == 2


def test_schemas_are_fresh_and_found_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert turnspec("schema", "--check").exit_code == 0
    folder = tmp_path / "specs"
    shutil.copytree(specs_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("adapters.cli.schema.specs_folder", lambda: folder)
    assert turnspec("schema", "--check").exit_code == 0
    schema = folder / "vocabularies" / "vocabulary.schema.json"
    schema.write_text(schema.read_text().replace("slots", "slotz", 1))
    stale = turnspec("schema", "--check")
    assert stale.exit_code == 1 and "vocabulary.schema.json: stale; run `turnspec schema`" in stale.stderr
    assert turnspec("schema").exit_code == 0 and turnspec("schema", "--check").exit_code == 0


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "serve", "check", "diagram", "schema", "replay", "simulate provider",
                                  "simulate caller", "verify", "test", "audit", "diff"])  # fmt: skip
def test_every_command_teaches_its_use_and_its_exit_codes(name: str) -> None:
    result = turnspec(*name.split(), "--help")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "Exit code" in text and "2 wrong use" in text, text


def test_the_command_by_itself_lists_what_there_is_and_an_unknown_one_is_wrong_use() -> None:
    text = turnspec("--help").output
    for name in ("demo", "serve", "check", "diagram", "replay", "simulate"):
        assert f"  {name} " in text
    assert "Start with `turnspec demo`" in text
    modules = {each.stem for each in Path(cli.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(COMMANDS) == {name for name in modules if hasattr(import_module(f"adapters.cli.{name}"), "command")}
    unknown = turnspec("chekc")
    assert unknown.exit_code == 2 and "there is no command 'chekc'; did you mean 'check'?" in unknown.stderr
    assert "there are: demo, serve, doctor" in turnspec("xyz").stderr
    assert ", version " in turnspec("--version").output
