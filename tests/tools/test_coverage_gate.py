"""The coverage gate: packages by the longest path, a shortfall is named, a package without a minimum is an error."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tools import coverage_gate

ROOT = Path(__file__).resolve().parents[2]
WANTED = {"fsm/machine": 90, "fsm": 50}


def report(**files: tuple[int, int]) -> dict[str, object]:
    """Files with (lines, lines that ran), and two branches of which one was taken."""
    return {
        "files": {
            name: {"summary": {"num_statements": n, "covered_lines": ran, "num_branches": 2, "covered_branches": 1}}
            for name, (n, ran) in files.items()
        }
    }


def test_lines_and_branches_count_by_package() -> None:
    found, strangers = coverage_gate.by_package(
        report(**{"fsm/machine/step.py": (98, 97), "fsm/draw/dot.py": (8, 4), "setup.py": (1, 1)}), WANTED
    )
    assert (found["fsm/machine"].percent, found["fsm"].percent) == (98.0, 50.0)
    assert strangers == ["setup.py"]


def test_a_package_below_its_minimum_is_named() -> None:
    found, _ = coverage_gate.by_package(report(**{"fsm/machine/step.py": (98, 80)}), WANTED)
    assert coverage_gate.shortfalls(found, WANTED) == [
        "fsm: nothing was measured",
        "fsm/machine: 81.0 % is below 90 %",
    ]


def test_a_file_of_no_package_fails_the_gate(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report(**{"elsewhere/x.py": (1, 1)})), encoding="utf-8")
    result = CliRunner().invoke(coverage_gate.main, [str(file)])
    assert result.exit_code == 1
    assert "elsewhere/x.py: its package has no minimum" in result.output


def test_every_package_of_the_product_has_a_minimum() -> None:
    files = [path.relative_to(ROOT).as_posix() for room in ("fsm", "adapters") for path in (ROOT / room).rglob("*.py")]
    packages = coverage_gate.minimums()
    assert [file for file in files if coverage_gate.package_of(file, packages) is None] == []
    assert [package for package in packages if not (ROOT / package).exists()] == []
