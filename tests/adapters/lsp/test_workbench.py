"""Which spec a text belongs to, and what is known of it while it is being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.lsp import workbench as module
from adapters.lsp.workbench import SpecWorkbench, is_ours
from adapters.specs import BUNDLED, display_path, specs_folder

DERIVED = "spec: mine\nextends: server_vad\ninclude: [own/part.yaml]\n"
PART = "context: {news_of_mine: {values: [no, yes]}}\n"
OVERLOOKED = specs_folder() / "parts" / "overlooked.yaml"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a spec that includes a part."""
    (tmp_path / "own").mkdir()
    (tmp_path / "mine.yaml").write_text(DERIVED, encoding="utf-8")
    (tmp_path / "own" / "part.yaml").write_text(PART, encoding="utf-8")
    return tmp_path.resolve()


def test_a_part_belongs_to_the_spec_that_includes_it(desk: Path) -> None:
    part = desk / "own" / "part.yaml"
    found = SpecWorkbench({str(part): PART}).read(part)
    assert found is not None and found.root == desk / "mine.yaml"
    assert part in found.files.values() and not found.problems


def test_a_bundled_part_belongs_to_a_bundled_spec() -> None:
    path = OVERLOOKED.resolve()
    found = SpecWorkbench({str(path): path.read_text(encoding="utf-8")}).read(path)
    assert found is not None and found.root.stem in BUNDLED and found.root.parent == specs_folder().resolve()


def test_what_is_typed_counts_before_it_is_saved(desk: Path) -> None:
    spec, part = desk / "mine.yaml", desk / "own" / "part.yaml"
    bench = SpecWorkbench(
        {str(spec): DERIVED, str(part): PART + "deadlines: {late: {after_ms: soon, while: line == up}}\n"}
    )
    found = bench.read(part)
    assert found is not None
    (problem,) = found.problems
    assert (problem.place.file, problem.place.line) == (display_path(part), 2)
    bench.opened[str(part)] = PART
    again = bench.read(part)
    assert again is not None and not again.problems


def test_a_text_that_is_not_yaml_is_explained_by_what_was_known_of_it(desk: Path) -> None:
    spec = desk / "mine.yaml"
    bench = SpecWorkbench({str(spec): DERIVED})
    good = bench.read(spec)
    assert good is not None and good.assistant is not None
    bench.opened[str(spec)] = DERIVED + "add: {[\n"
    broken = bench.read(spec)
    assert broken is not None and broken.assistant is good.assistant
    assert [problem.code for problem in broken.problems] == ["yaml"]
    assert bench.known(desk / "own" / "part.yaml") is broken


def test_the_type_check_is_asked_once_for_the_same_texts(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = desk / "mine.yaml"
    bench = SpecWorkbench({str(spec): DERIVED})
    found = bench.read(spec)
    assert found is not None
    assert bench.checked(found).complete and len(bench.verdicts) == 1
    monkeypatch.setattr("fsm.language.loader.Typestate", None)
    assert bench.checked(found).complete


def test_the_type_check_is_not_asked_where_something_else_is_wrong(desk: Path) -> None:
    spec = desk / "mine.yaml"
    bench = SpecWorkbench({str(spec): "spec: mine\nextends: server_vad\nadd: {nothing: 1}\n"})
    found = bench.read(spec)
    assert found is not None and found.problems
    checked = bench.checked(found)
    assert checked.complete and checked.problems == found.problems and not bench.verdicts


def test_a_spec_that_went_bad_or_away_since_it_was_read_is_told_by_the_type_check(desk: Path) -> None:
    spec, other = desk / "mine.yaml", desk / "other.yaml"
    bench = SpecWorkbench({str(spec): DERIVED, str(other): "spec: other\nextends: server_vad\n"})
    found, beside = bench.read(spec), bench.read(other)
    assert found is not None and beside is not None
    bench.opened[str(spec)] = "spec: mine\nextends: nothing_of_the_kind\n"
    assert [problem.severity for problem in bench.checked(found).problems] == ["error"]
    del bench.opened[str(other)]
    assert [problem.code for problem in bench.checked(beside).problems] == ["no-file"]


def test_a_text_of_nobody_and_a_neighbour_that_cannot_be_read(desk: Path) -> None:
    stray = desk / "own" / "stray.yaml"
    (desk / "noise.yaml").write_bytes(b"\xff\xfe spec: x")
    bench = SpecWorkbench({str(stray): PART, str(desk / "turnspec.yaml"): "provider: {}\n"})
    assert bench.read(desk / "turnspec.yaml") is None
    assert bench.read(stray) is None and not bench.desks


def test_only_so_many_verdicts_are_kept(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    spec = desk / "mine.yaml"
    bench = SpecWorkbench({str(spec): DERIVED})
    for _ in range(2):
        found = bench.read(spec)
        assert found is not None and bench.checked(found).complete
        bench.opened[str(spec)] += "# another\n"
    assert len(bench.verdicts) == 1


def test_what_is_too_long_or_not_there_is_a_problem_of_its_own(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = desk / "mine.yaml"
    monkeypatch.setattr(module, "MOST_CHARACTERS", 10)
    found = SpecWorkbench({str(spec): DERIVED}).read(spec)
    assert found is not None and "more than 10 characters" in found.problems[0].message
    monkeypatch.undo()
    gone = SpecWorkbench({str(spec): "spec: mine\nextends: nowhere.yaml\n"}).read(spec)
    assert gone is not None and gone.problems[0].code == "no-file"


def test_only_so_many_specs_are_kept(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    texts = {str(desk / f"{name}.yaml"): f"spec: {name}\nextends: {name}.yaml\n" for name in "abc"}
    bench = SpecWorkbench(texts)
    for path in texts:
        bench.read(Path(path))
    assert [desk.root.stem for desk in bench.desks.values()] == ["c"]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (DERIVED, True), (PART, True), ("states: {}\n", True), ("events: {}\n", True), ("", False),
        ("spec: server_vad\nscenarios:\n  x: {}\n", False), ("provider: {}\nactions: 1\n", False),
    ],
)  # fmt: skip
def test_configurations_and_scenarios_are_left_alone(text: str, ours: bool) -> None:
    assert is_ours(text) is ours
