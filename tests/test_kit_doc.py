"""docs/kit.md is true: each example is played or read, each table is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from adapters.kit.faults import CALLER_FAULTS, CERTAIN, PROVIDER_FAULTS
from adapters.settings.config import load_settings
from adapters.simulator.caller.script import EVENTS, STEPS, WORDS, load_script
from adapters.simulator.providers.realtime import parse_scenario
from adapters.simulator.providers.realtime.faults import KINDS
from adapters.simulator.providers.realtime.provider_words import WORDS as PROVIDER_WORDS
from turnspec import free_port

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/kit.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- ([\w. ]+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> dict[str, str]:
    """The code blocks in a language, by what stands before them, else by their first words."""
    return {name or code.split(maxsplit=1)[0]: code for name, kind, code in BLOCK.findall(TEXT) if kind == language}


def table(title: str) -> list[list[str]]:
    """The cells of the rows after a comment."""
    _, _, rest = TEXT.partition(f"<!-- {title} -->\n")
    rows = rest.split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def names(rows: Iterable[list[str]]) -> list[str]:
    return [row[0].split("`")[1] for row in rows]


def test_the_script_is_one_and_has_every_step() -> None:
    document = yaml.safe_load(blocks("yaml")["steps:"])
    assert load_script(document).expect is not None
    used = {step if isinstance(step, str) else next(iter(step)) for step in document["steps"]}
    assert used | {"hang_up", "reset"} == set(STEPS)
    assert all(f"`{event}`" in TEXT for event in EVENTS)


def test_the_scenario_is_one() -> None:
    scenario = parse_scenario(blocks("yaml")["description:"], ROOT / "docs/kit.md")
    assert len(scenario.responses) == 3 and scenario.faults and scenario.expect is not None


@pytest.mark.parametrize(
    ("title", "known"), [("caller words", WORDS), ("provider words", PROVIDER_WORDS)], ids=["caller", "provider"]
)
def test_the_words_of_expect_are_in_its_table(title: str, known: Mapping[str, str]) -> None:
    assert {name: row[1].strip(" |") for name, row in zip(names(table(title)), table(title), strict=True)} == dict(
        known
    )


@pytest.mark.parametrize(("title", "known"), [("caller faults", CALLER_FAULTS), ("provider faults", PROVIDER_FAULTS)])
def test_the_faults_are_in_their_table_and_those_that_count_have_a_star(title: str, known: Mapping[str, str]) -> None:
    rows = table(title)
    assert names(rows) == list(known)
    assert [name for name, row in zip(names(rows), rows, strict=True) if "*" in row[0]] == [
        name for name in known if name in CERTAIN
    ]
    assert all(row[1].strip(" |").startswith(known[name]) for name, row in zip(names(rows), rows, strict=True))


def test_every_kind_of_fault_has_an_example_that_is_one() -> None:
    rows = table("kinds of faults")
    assert names(rows) == list(KINDS)
    for name, row in zip(names(rows), rows, strict=True):
        scenario = parse_scenario(f"faults: [{row[1].strip('`')}]", Path("kit.md"))
        assert type(scenario.faults[0]) is KINDS[name]


def test_the_configuration_for_both_simulators_is_one(tmp_path: Path) -> None:
    (tmp_path / "try.yaml").write_text(blocks("yaml")["try.yaml"])
    assert load_settings(tmp_path / "try.yaml").agents


def test_the_ten_lines_test_a_bridge(tmp_path: Path) -> None:
    code = blocks("python")["ten lines"]
    body = code.partition("bridge_process):\n")[2].splitlines()
    assert len(body) + 1 <= 10
    (tmp_path / "test_ten_lines.py").write_text(code.replace("9319", str(free_port())))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_python_of_the_page_compiles() -> None:
    for code in blocks("python").values():
        compile(code, "docs/kit.md", "exec")
