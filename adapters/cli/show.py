"""`turnspec show`: what a spec that extends another comes to: what it changes, or the whole as one text."""

from __future__ import annotations

import sys

import click

from adapters.specs import display_path, fetcher, spec_hint, spec_path
from fsm.language.flat import as_yaml
from fsm.language.loader import Flat, flattened
from fsm.language.problem import Place, Problem, SpecError


@click.command()
@click.argument("spec", metavar="SPEC")
@click.option("--flat", is_flag=True, help="Print the whole spec as one text, without 'extends' and 'include'.")
def command(spec: str, flat: bool) -> None:
    """Show what SPEC (a file, or a bundled name) changes of the spec it extends, each with its line and the base's.

    With --flat, what it comes to: one YAML text with what it extends and includes, which checks, runs and draws as SPEC
    does. Vocabularies stay files of their own.

    Exit code: 0 good, 1 problems found, 2 wrong use.
    """
    try:
        found = flat_text(spec)
    except SpecError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)
    if flat:
        click.echo(as_yaml(found.root), nl=False)
        return
    for change in found.changes:
        click.echo(str(change))
    if not found.changes:
        click.echo(f"{spec} extends no other spec; --flat prints it with what it includes")


def flat_text(name: str) -> Flat:
    """A spec by name or path as one text, with what it changes. Raises SpecError."""
    path = spec_path(name)
    try:
        return flattened(path.read_text(encoding="utf-8"), display_path(path), fetcher(path.parent))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place = Place(display_path(path), 1, 1)
        raise SpecError([Problem(place, "no-file", f"the spec cannot be read: {reason}", spec_hint(name))]) from None
