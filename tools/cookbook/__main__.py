"""`python -m tools.cookbook [PART]...`: what goes together, searched within quick bounds, and kept."""

from __future__ import annotations

import os
import sys

import click

from adapters.specs import BUNDLED
from adapters.verify.run import SearchProgress
from tools.cookbook.verdicts import COMMAND, PASS, Case, cases, keep, kept, searched, stale

NICENESS = 10


@click.command()
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option("--base", "only", type=click.Choice(BUNDLED), help="Only with this spec.")
@click.option("--alone", is_flag=True, help="Each part alone and each example, no pairs.")
@click.option(
    "--check", is_flag=True, help="Search nothing; exit 1 if a verdict is not PASS, or not of what is there now."
)
def command(parts: tuple[str, ...], only: str | None, alone: bool, check: bool) -> None:
    """Verify the cookbook within quick bounds: each PART (without any, all) alone and with each other part, with each
    spec that they go with, and the examples. What is known of the same texts is not searched again.

    Exit code: 0 all hold, 1 something does not, or is stale (--check).
    """
    wanted = [case for case in cases() if _is_meant(case, parts, only, alone)]
    found = kept()
    left = stale(wanted, found)
    if check:
        for case in left:
            click.echo(f"{case}: not searched as it is now; run `{COMMAND}`", err=True)
    else:
        os.nice(NICENESS)
        for case, each in searched(left, SearchProgress()):
            click.echo(f"{case}: {each.outcome}, {each.states:,} states")
            keep(kept() | {str(case): each})
    known = {str(case) for case in cases()}
    found = kept()
    if not check and found.keys() - known:
        keep({name: each for name, each in found.items() if name in known})
    bad = [
        f"{case}: {found[str(case)].outcome}"
        for case in wanted
        if str(case) in found and found[str(case)].outcome != PASS
    ]
    click.echo("\n".join(bad) or f"{len(wanted) - len(left if check else stale(wanted, found))} of {len(wanted)} hold")
    sys.exit(bool(bad or (check and left)))


def _is_meant(case: Case, parts: tuple[str, ...], only: str | None, alone: bool) -> bool:
    if parts and not {case.base, *case.parts} & set(parts):
        return False
    return only in (None, case.base) and not (alone and len(case.parts) > 1)


if __name__ == "__main__":
    command()
