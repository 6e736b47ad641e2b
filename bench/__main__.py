"""`python -m bench`: all that is measured, in some minutes.

Its parts: `bench.step`, `.check`, `.verify`, `.calls`, `.baseline`; `.check` and `.baseline` compare with an earlier
commit, and are left out where the clone does not have it. `bench.lines`, `bench.live` and `bench.workers` are run by
themselves.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from bench import baseline, calls, step, verify
from bench.check import BASELINE, missing
from bench.check import measure as measured_checks
from bench.check import show as show_checks
from bench.report import Progress, console, machine_lines
from bench.targets import (
    BESIDE_BASELINE,
    TARGETS,
    PromiseLine,
    baseline_lines,
    call_lines,
    check_lines,
    markdown,
    shown,
    step_lines,
    verify_lines,
)

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "docs" / "measured.md"
_PLACE = re.compile(r"(<!-- bench:[^\n]*-->\n)(.*?)(<!-- end bench -->)", re.DOTALL)
STEPS_TAKE_S = 15.0
CHECKS_TAKE_S = 30.0
SEARCHES_TAKE_S = 15.0
BASELINE_TAKES_S = 50.0


@click.command(help=__doc__)
@click.option("--write", is_flag=True, help="Write the promises and what was measured into docs/measured.md.")
@click.option("--check", is_flag=True, help="Measure nothing: has docs/measured.md every promise?")
@click.option("--rounds", default=1, show_default=True, help="Repetitions of the calls; the middle one counts.")
def main(write: bool, check: bool, rounds: int) -> None:
    if check:
        missing = absent(MEASURED.read_text(encoding="utf-8")) if MEASURED.is_file() else ["the file"]
        for what in missing:
            click.echo(f"docs/measured.md lacks {what}; write it with: python -m bench --write", err=True)
        sys.exit(bool(missing))
    if write:
        written(MEASURED, "")  # rather now than in five minutes
    out, machine, plan = console(), machine_lines(), calls.CallPlan(rounds=rounds)
    for line in machine:
        out.print(line, highlight=False)
    progress = Progress(STEPS_TAKE_S + CHECKS_TAKE_S + SEARCHES_TAKE_S + BASELINE_TAKES_S + plan.takes_s)
    progress.step("steps")
    steps = step.measure_all()
    step.show(steps)
    progress.step("checks")
    checks = list(measured_checks())
    show_checks(checks)
    progress.step("searches")
    searches = list(verify.measure())
    verify.show(searches)
    progress.step("calls beside those of the baseline")
    beside = _beside_baseline()
    found = calls.measure(plan, progress)
    calls.show(plan, found)
    promises = (
        step_lines(steps.steps, steps.held), check_lines(checks), verify_lines(searches), beside, call_lines(found),
    )  # fmt: skip
    if write:
        if any(line.busy for each in promises[-1:] for line in each):
            sys.exit("docs/measured.md is not written: other programs ran meanwhile")
        tables = "\n".join(markdown(each) for each in promises if each)
        MEASURED.write_text(written(MEASURED, f"{'; '.join(machine)}.\n\n{tables}"), encoding="utf-8")
        out.print("wrote docs/measured.md")
    sys.exit(any(line.missed for each in promises for line in each))


def _beside_baseline() -> list[PromiseLine]:
    """An ordinary call beside that of the baseline, as `bench.baseline` has it; nothing without its commit."""
    if missing():
        console().print(missing())
        return []
    beside = baseline.measure(BASELINE, "turnspec", calls=60, seconds=5.0, settle=6.0)
    lines = baseline_lines(beside, BASELINE)
    console().print(shown("An ordinary call: the promise", lines))
    return lines


def written(path: Path, tables: str) -> str:
    """The file's text with `tables` between its marks. UsageError: it has none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not _PLACE.search(text):
        raise click.UsageError(f"{path} has no place for the tables: <!-- bench: ... --> and <!-- end bench -->")
    return _PLACE.sub(lambda found: f"{found[1]}{tables}{found[3]}", text, count=1)


def absent(text: str) -> list[str]:
    """What the tables of a page lack of what is promised.

    What is promised beside the baseline: of a page that has some of it. One that has none was written without it.
    """
    place = _PLACE.search(text)
    if place is None:
        return ["the place for the tables"]
    beside = [target for target in BESIDE_BASELINE.values() if f"| {target} |" in place[2]]
    promised = [*TARGETS.values(), *(BESIDE_BASELINE.values() if beside else ())]
    return [f"the promise '{target}'" for target in promised if f"| {target} |" not in place[2]]


if __name__ == "__main__":
    main()
