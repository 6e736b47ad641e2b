"""`python -m bench`: all that is measured, in some minutes. Its parts: `bench.step`, `.check`, `.verify`, `.calls`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench import calls, check, step, verify
from bench.report import Progress, console, machine_lines
from bench.targets import call_lines, check_lines, markdown, step_lines, verify_lines

README = ("<!-- bench: written by `python -m bench --readme` -->\n", "<!-- end bench -->")
STEPS_TAKE_S = 15.0
CHECKS_TAKE_S = 30.0
SEARCHES_TAKE_S = 15.0


@click.command(help=__doc__)
@click.option("--readme", is_flag=True, help="Write the promises and what was measured into README.md of this folder.")
@click.option("--rounds", default=1, show_default=True, help="Repetitions of the calls; the middle one counts.")
def main(readme: bool, rounds: int) -> None:
    path = Path("README.md")
    if readme:
        _written(path, "")  # rather now than in five minutes
    out, machine, plan = console(), machine_lines(), calls.Plan(rounds=rounds)
    for line in machine:
        out.print(line, highlight=False)
    progress = Progress(STEPS_TAKE_S + CHECKS_TAKE_S + SEARCHES_TAKE_S + plan.takes_s)
    progress.step("steps")
    steps = step.measure_all()
    step.show(steps)
    progress.step("checks")
    checks = list(check.measure())
    check.show(checks)
    progress.step("searches")
    searches = list(verify.measure())
    verify.show(searches)
    found = calls.measure(plan, progress)
    calls.show(plan, found)
    lines = step_lines(steps.steps, steps.held), check_lines(checks), verify_lines(searches), call_lines(found)
    if readme:
        if any(line.busy for line in lines[-1]):
            sys.exit("README.md is not written: other programs ran meanwhile")
        tables = "\n".join(markdown(each) for each in lines if each)
        path.write_text(_written(path, f"{'; '.join(machine)}.\n\n{tables}"), encoding="utf-8")
        out.print(f"wrote {path}")
    sys.exit(any(line.missed for each in lines for line in each))


def _written(path: Path, new: str) -> str:
    """The file's text with `new` between the marks."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, found, rest = text.partition(README[0])
    _, closed, after = rest.partition(README[1])
    if not found or not closed:
        raise click.UsageError(f"README.md of this folder has no place for the tables: {README[0].strip()} {README[1]}")
    return f"{before}{README[0]}{new}{README[1]}{after}"


if __name__ == "__main__":
    main()
