"""`turnspec replay`: steps a journal again, through its own spec or another."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.specs import BUNDLED, load_spec
from fsm.journal.journal import Header, Journal, JournalError, read
from fsm.journal.replay import Replay, describe, replay
from fsm.language.problem import Problems, SpecError
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine


@click.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--spec", metavar="SPEC", help="Another spec than the journal's own: a bundled name or a file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
def command(journal: Path, spec: str | None, as_json: bool) -> None:
    """Step the events of a JOURNAL again and compare every step: state, outcome, effects, deadlines.

    With its own spec a journal matches step for step; if not, the spec has changed since. With --spec it shows what
    another spec would have done with the same call, up to the first step that differs.

    A call that went on under another spec is replayed in its parts, each through its own; --spec takes the place of the
    one that is for the same protocol.

    Lines that cannot be read are reported as FILE:LINE:COL: error[line]: what is wrong, and skipped; the others are
    replayed.

    Exit code: 0 it matches, 1 it diverges or has lines that cannot be read, 2 wrong use.
    """
    damage = Problems()
    try:
        with journal.open(encoding="utf-8", errors="surrogateescape") as lines:
            recorded = read(lines, str(journal), damage)
        results = _replayed(recorded.parts, load_spec(spec).spec if spec else None)
    except (JournalError, SpecError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(results, recorded, damage), indent=2, default=str))
    else:
        for problem in (*damage, *recorded.warnings):
            click.echo(str(problem), err=True)
        for name, result in results:
            click.echo(describe(result) if len(results) == 1 else f"under {name}: {describe(result)}")
    sys.exit(0 if all(each.matches for _, each in results) and not damage.errors else 1)


def _replayed(parts: Sequence[Journal], chosen: Spec | None) -> list[tuple[str, Replay]]:
    """Each part with the name of its spec. Of several parts, the chosen one is for those of its protocol."""
    found = []
    for part in parts:
        spec = chosen if chosen is not None and len(parts) == 1 else load_spec(_own_spec(part.header)).spec
        if chosen is not None and chosen.vocabulary.ledger.name == spec.vocabulary.ledger.name:
            spec = chosen
        found.append((part.header.spec, replay(part, TurnSpecMachine(spec))))
    return found


def _own_spec(header: Header) -> str:
    """The file that the header names; on another machine, the bundled spec of that name."""
    if header.spec_file and (Path(header.spec_file).is_file() or header.spec not in BUNDLED):
        return header.spec_file
    return header.spec


def _as_json(results: Sequence[tuple[str, Replay]], recorded: Journal, damage: Problems) -> dict[str, Any]:
    """One result, or those of the parts."""
    found = [*damage, *recorded.warnings]
    problems = [
        {"line": each.place.line, "severity": each.severity, "code": each.code, "message": each.message}
        for each in found
    ]
    if len(results) == 1:
        ((_, result),) = results
        return {"matches": result.matches, **attrs.asdict(result), "problems": problems}
    parts = [{"spec": name, "matches": each.matches, **attrs.asdict(each)} for name, each in results]
    return {"matches": all(each.matches for _, each in results), "parts": parts, "problems": problems}
