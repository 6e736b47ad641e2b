"""docs/threats.md: every threat has something that stops it and a test that shows it, and the test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:60])
def test_a_threat_has_what_stops_it_and_a_test_that_exists(row: str) -> None:
    threat, stopped, shown = (cell.strip() for cell in row.strip("| ").split(" | "))
    assert threat and stopped
    named = NAMED.findall(shown)
    assert named, "no test shows it"
    assert NAMED.sub("", shown).strip(", ") == "", "what is not a test's name stands there"
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, f"{file} has no {name}"


def test_there_are_threats() -> None:
    assert len(ROWS) > 20
