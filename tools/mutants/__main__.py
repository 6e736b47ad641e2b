"""`python -m tools.mutants [SPEC]...`: is the net tight? Specs are broken in every systematic way; who notices?"""

from __future__ import annotations

import os
import sys

import click

from adapters.specs import BUNDLED, load_spec
from adapters.verify.run import SearchProgress
from fsm.language.problem import SpecError
from tools.mutants.run import EVERY, all_fresh, report_mutants

NICENESS = 10


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--check", is_flag=True, help="Break nothing; exit 1 if a kept result is not of what is there now.")
@click.option(
    "--every", type=click.IntRange(1), default=EVERY, show_default=True, help="Judge one mutant in N; 1: all of them."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(specs: tuple[str, ...], check: bool, every: int, as_json: bool) -> None:
    """Break SPEC files (or bundled names; without any, all bundled specs) and report who notices, over all processors.

    The result is kept beside the explanations of survivors, in specs/mutants, unless it is of a thinner sample than
    the default. A run that was ended (Ctrl-C prints what there is) goes on where it was.

    Exit code: 0 enough is noticed and every survivor is explained (or: the kept results are fresh), 1 not, 2 wrong use.
    """
    names = specs or BUNDLED
    try:
        if check:
            sys.exit(0 if all_fresh(names) else 1)
        loaded = [load_spec(name).spec for name in names]
        os.nice(NICENESS)
        sys.exit(report_mutants(names, loaded, SearchProgress(quiet=as_json), as_json, every))
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    command()
