"""`turnspec schema`: writes the JSON Schemas by which editors complete and check specs, or checks them."""

from __future__ import annotations

import sys

import click

from adapters.cli.diagram import report_stale, write
from adapters.specs import BUNDLED, load_spec, specs_folder
from fsm.language.schema import spec_schema, vocabulary_schema
from fsm.machine.ledgers import LEDGERS


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is missing or not what would be written.")
def command(check: bool) -> None:
    """Write the JSON Schemas of spec and vocabulary files into the folder of specs, from the code that reads them.

    The first line of a spec names its schema; an editor with YAML support then completes keys, events and effects.

    Exit code: 0 written (or fresh), 1 a file is stale, 2 wrong use.
    """
    folder = specs_folder()
    wanted = {
        folder / "spec.schema.json": spec_schema(load_spec(name).spec for name in BUNDLED),
        folder / "vocabularies" / "vocabulary.schema.json": vocabulary_schema(LEDGERS),
    }
    sys.exit(report_stale(wanted, "turnspec schema") if check else write(wanted))
