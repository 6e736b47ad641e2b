"""`turnspec check`: type-checks specs and reports every problem."""

from __future__ import annotations

import json
import sys

import click

from adapters.specs import BUNDLED, load_spec
from fsm.language.problem import Problem, SpecError


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON list, for programs.")
@click.option("--strict", is_flag=True, help="Count warnings as problems.")
def command(specs: tuple[str, ...], as_json: bool, strict: bool) -> None:
    """Type-check SPEC files (or bundled names; without any, all bundled specs).

    Every problem is reported at once as FILE:LINE:COL: error[CODE]: what is wrong, with what would be right and how the
    slots got there. An effect that its slot forbids, a state reached with slots it does not admit, an event without an
    answer or with two, a wait without a deadline: each is an error here, not in a call.

    The verdict on a spec is kept in your cache folder (turnspec/ in XDG_CACHE_HOME, else in ~/.cache or what the system
    has for it). It counts as long as no text of the spec, and nothing of turnspec or Python, has changed.
    TURNSPEC_CACHE=off turns that off.

    Exit code: 0 no problem, 1 problems found, 2 wrong use.
    """
    found: list[Problem] = []
    for name in specs or BUNDLED:
        problems = _check(name, as_json)
        found += [p for p in problems if strict or p.severity == "error"]
        if as_json:
            continue
        for problem in problems:
            click.echo(str(problem))
    if as_json:
        click.echo(json.dumps([p.as_json() for p in found], indent=2))
    sys.exit(1 if found else 0)


def _check(name: str, quiet: bool) -> tuple[Problem, ...]:
    try:
        loaded = load_spec(name)
    except SpecError as error:
        return error.problems
    spec = loaded.spec
    if not quiet:
        click.echo(
            f"{spec.file}: {spec.name} is sound: {len(spec.states)} states, {len(spec.events)} events, "
            f"{len(spec.cells)} answered cells, {len(spec.deadlines)} deadlines, {loaded.situations} slot situations"
        )
    return loaded.warnings
