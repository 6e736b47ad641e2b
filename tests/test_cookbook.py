"""docs/cookbook: its examples are specs that check and calls that run; its table says what the parts say of one another."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from adapters.scenario.files import Suite, read_files
from adapters.scenario.wire import play_scenario
from adapters.specs import BUNDLED, load_spec, specs_folder
from fsm.language.problem import SpecError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cookbook.md"
PAGES = sorted((PAGE.parent / "cookbook").glob("*.md"))
PARTS = tuple(page.stem for page in PAGES)
BLOCK = re.compile(r"<!-- (spec|scenario) -->\n```yaml\n(.*?)```\n", re.DOTALL)
LONGEST = 40
EXAMPLES = specs_folder() / "cookbook"


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def including(folder: Path, base: str, *parts: str) -> Path:
    """A spec that includes parts and says nothing else."""
    path = folder / f"{base}_{'_'.join(parts)}.yaml"
    names = ", ".join(f"parts/{name}.yaml" for name in parts)
    path.write_text(f"spec: {path.stem}\nextends: {base}\ninclude: [{names}]\n", encoding="utf-8")
    return path


def conflicts(name: str) -> dict[str, str]:
    text = (specs_folder() / "parts" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.BaseLoader).get("conflicts") or {}


def failures(suite: Suite, over_wire: bool = True) -> list[str]:
    found = suite.run_all(suite.cases(), play_scenario if over_wire else None)
    assert found
    return [f"{result.name}: {result.failure}" for _, result in found if result.failure]


@pytest.mark.parametrize("page", PAGES, ids=PARTS)
def test_an_example_is_a_short_spec_that_checks_and_a_call_that_runs(page: Path, tmp_path: Path) -> None:
    (spec,) = [text for kind, text in blocks(page) if kind == "spec"]
    assert len(spec.splitlines()) < LONGEST
    path = tmp_path / "mine.yaml"
    path.write_text(spec, encoding="utf-8")
    assert load_spec(path).spec.name
    scenarios = [text for kind, text in blocks(page) if kind == "scenario"]
    for number, text in enumerate(scenarios):
        (tmp_path / f"scenarios{number}.yaml").write_text(f"spec: mine.yaml\n{text}", encoding="utf-8")
    assert scenarios, "a page has a call, too"
    assert failures(Suite(read_files(sorted(tmp_path.glob("scenarios*.yaml"))))) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_of_a_part_is_short_and_its_scenarios_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST
    assert load_spec(path).spec.name
    scenarios = EXAMPLES / "scenarios" / path.name
    if scenarios.exists():
        assert failures(Suite(read_files([scenarios]))) == []


@pytest.mark.parametrize("base", BUNDLED)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_goes_with_each_spec_that_it_does_not_refuse(part: str, base: str, tmp_path: Path) -> None:
    path = including(tmp_path, base, part)
    if base in conflicts(part):
        with pytest.raises(SpecError, match="does not go with"):
            load_spec(path)
    else:
        assert load_spec(path).spec.deadlines


@pytest.mark.parametrize("pair", list(combinations(PARTS, 2)), ids="+".join)
def test_a_pair_goes_together_or_says_why_not_as_the_table_has_it(pair: tuple[str, str], tmp_path: Path) -> None:
    one, other = pair
    reason = conflicts(one).get(other) or conflicts(other).get(one)
    base = next(name for name in BUNDLED if name not in {**conflicts(one), **conflicts(other)})
    path = including(tmp_path, base, one, other)
    if reason is None:
        assert load_spec(path, typestate=False).spec.deadlines
    else:
        with pytest.raises(SpecError, match="does not go with") as caught:
            load_spec(path)
        assert reason in str(caught.value)
    assert (reason is not None) == (f"| {one} | {other} |" in PAGE.read_text(encoding="utf-8")), "in the table"
