"""`turnspec check`: type-checks specs and reports every problem."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from adapters.specs import BUNDLED, load_spec, source_files
from fsm.language.problem import Problem, SpecError
from fsm.language.spec import Spec


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON list, for programs.")
@click.option("--strict", is_flag=True, help="Count warnings as problems.")
@click.option(
    "--watch", "stays", is_flag=True, help="Check again whenever a file of these specs is saved, until Ctrl-C."
)
def command(specs: tuple[str, ...], as_json: bool, strict: bool, stays: bool) -> None:
    """Type-check SPEC files (or bundled names; without any, all bundled specs).

    Every problem is reported at once as FILE:LINE:COL: error[CODE]: what is wrong, with what would be right and how the
    slots got there. An effect that its slot forbids, a state reached with slots it does not admit, an event without an
    answer or with two, a wait without a deadline: each is an error here, not in a call. What is said in vain is a
    warning: a guard that never holds, a name that is not used, a variable that is set and never reset.

    The verdict on a spec is kept in your cache folder (turnspec/ in XDG_CACHE_HOME, else in ~/.cache or what the system
    has for it). It counts as long as no text of the spec, and nothing of turnspec or Python, has changed.
    TURNSPEC_CACHE=off turns that off.

    Exit code: 0 no problem, 1 problems found, 2 wrong use; 0 of --watch.
    """
    names = specs or BUNDLED
    if stays:
        from adapters.cli.watch import watch

        watch(lambda: [path for name in names for path in source_files(name)], lambda: _checked(names, as_json, strict))
        return
    sys.exit(1 if _checked(names, as_json, strict) else 0)


def _checked(names: Sequence[str], as_json: bool, strict: bool) -> list[Problem]:
    """Printed; the problems that count."""
    found: list[Problem] = []
    for name in names:
        problems = _check(name, as_json)
        found += [p for p in problems if strict or p.severity == "error"]
        if as_json:
            continue
        for problem in problems:
            click.echo(str(problem))
    if as_json:
        click.echo(json.dumps([p.as_json() for p in found], indent=2))
    return found


def _check(name: str, quiet: bool) -> tuple[Problem, ...]:
    try:
        loaded = load_spec(name)
    except SpecError as error:
        return error.problems
    spec = loaded.spec
    from adapters.settings.words import unsaid  # audio: not for the help of a command

    if found := (*unsaid(spec), *_verification(spec)):
        return (*found, *loaded.warnings)
    if not quiet:
        click.echo(
            f"{spec.file}: {spec.name} is sound: {len(spec.states)} states, {len(spec.events)} events, "
            f"{len(spec.cells)} answered cells, {len(spec.deadlines)} deadlines, {loaded.situations} slot situations"
        )
    return loaded.warnings


def _verification(spec: Spec) -> tuple[Problem, ...]:
    """What is wrong with what it says about its own verification; nothing is searched."""
    if spec.verify is None:
        return ()
    from adapters.verify.run import load_environment  # the world: only where a spec says something of it

    try:
        load_environment(spec)
    except SpecError as error:
        return error.problems
    return ()
