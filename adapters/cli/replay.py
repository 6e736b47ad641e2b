"""`turnspec replay`: steps a journal again, through its own spec or another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import attrs
import click

from adapters.specs import load_spec
from fsm.journal.journal import JournalError, read
from fsm.journal.replay import describe, replay
from fsm.language.problem import SpecError
from fsm.machine.machine import TurnSpecMachine


@click.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--spec", help="Another spec than the journal's own: a bundled name or a file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
def command(journal: Path, spec: str | None, as_json: bool) -> None:
    """Step the events of a JOURNAL again and compare every step: state, outcome, effects, deadlines.

    With its own spec a journal matches step for step; if not, the spec has changed since. With --spec it shows what
    another spec would have done with the same call, up to the first step that differs.

    Exit code: 0 it matches, 1 it diverges or cannot be read, 2 wrong use.
    """
    try:
        with journal.open(encoding="utf-8") as lines:
            recorded = read(lines, str(journal))
        loaded = load_spec(spec or recorded.header.spec_file or recorded.header.spec)
    except (JournalError, SpecError, UnicodeDecodeError) as error:
        what = f"{journal}:1: this is no journal: {error}" if isinstance(error, UnicodeDecodeError) else str(error)
        click.echo(what, err=True)
        sys.exit(1)
    for warning in recorded.warnings:
        click.echo(str(warning), err=True)
    result = replay(recorded, TurnSpecMachine(loaded.spec))
    click.echo(json.dumps(attrs.asdict(result), indent=2, default=str) if as_json else describe(result))
    sys.exit(0 if result.matches else 1)
