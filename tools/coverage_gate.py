"""`python -m tools.coverage_gate REPORT.json`: has each package the line and branch coverage that it must have?

The minimum of each package is data, in pyproject.toml ([tool.turnspec.coverage]). The longest path that fits a file
counts; a file that no path fits is an error, so a new package gets its minimum. REPORT is coverage's JSON report.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

ROOT = Path(__file__).resolve().parents[1]


@attrs.define
class Covered:
    """Lines and branches of a package, and those of them that ran."""

    total: int = 0
    ran: int = 0

    def add(self, summary: Mapping[str, int]) -> None:
        self.total += summary["num_statements"] + summary.get("num_branches", 0)
        self.ran += summary["covered_lines"] + summary.get("covered_branches", 0)

    @property
    def percent(self) -> float:
        return 100 * self.ran / self.total if self.total else 100.0


def minimums(root: Path = ROOT) -> dict[str, int]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, int] = project["tool"]["turnspec"]["coverage"]
    return found


def package_of(file: str, packages: Iterable[str]) -> str | None:
    """The longest of the paths that a file is, or lies in."""
    fitting = [package for package in packages if file == package or file.startswith(f"{package}/")]
    return max(fitting, key=len, default=None)


def by_package(report: Mapping[str, Any], packages: Iterable[str]) -> tuple[dict[str, Covered], list[str]]:
    """What is covered of each package; files that belong to none."""
    found: defaultdict[str, Covered] = defaultdict(Covered)
    strangers = []
    for file, entry in report["files"].items():
        package = package_of(file, packages)
        if package is None:
            strangers.append(file)
        else:
            found[package].add(entry["summary"])
    return dict(found), strangers


def shortfalls(covered: Mapping[str, Covered], wanted: Mapping[str, int]) -> list[str]:
    """One sentence for each package that is below its minimum, or of which nothing was measured."""
    missing = [f"{package}: nothing was measured" for package in wanted if package not in covered]
    low = [
        f"{package}: {found.percent:.1f} % is below {wanted[package]} %"
        for package, found in covered.items()
        if found.percent < wanted[package]
    ]
    return missing + low


@click.command(help=__doc__)
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(report: Path) -> None:
    wanted = minimums()
    covered, strangers = by_package(json.loads(report.read_text(encoding="utf-8")), wanted)
    for package in sorted(covered):
        click.echo(f"{covered[package].percent:6.1f} %  (at least {wanted[package]})  {package}")
    problems = shortfalls(covered, wanted)
    problems += [f"{file}: its package has no minimum in [tool.turnspec.coverage]" for file in strangers]
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
