"""`turnspec test --generate`: files of short scenarios for what nobody wrote by hand, one for each spec.

Never here: the search (fsm.scenario.search), the text (fsm.scenario.writer).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from adapters.scenario.files import Suite, found_files, read_files
from adapters.specs import BUNDLED, display_path
from fsm.scenario.search import NoveltySearch
from fsm.scenario.writer import Draft, drafts_in, drafts_of, needed, rendered


def generate_into(suite: Suite, folder: Path, check: bool) -> int:
    """Writes the files, or reports with `check` which are stale. Returns the exit code."""
    stale = 0
    for path, text in generated(suite, folder, search=not check):
        known = path.read_text(encoding="utf-8") if path.is_file() else ""
        if known == text:
            continue
        stale += 1
        if check:
            click.echo(f"{display_path(path)} is stale; write it with: turnspec test --generate {display_path(folder)}")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(f"wrote {display_path(path)}")
    return 1 if check and stale else 0


def generated(suite: Suite, folder: Path, search: bool = True) -> Iterator[tuple[Path, str]]:
    """Each file and what is to stand in it. Scenarios of the suite that lie in `folder` do not count as by hand.

    Without `search`, what is there is only played anew: enough to see that a file is stale, or that nothing is missing.
    """
    by_hand = Suite([(p, f) for p, f in suite.files if folder.resolve() not in p.resolve().parents], suite.only)
    ran = by_hand.run_all(by_hand.cases(), None)
    for name, coverage in by_hand.coverages(ran).items():
        machine = by_hand.machine(name)
        path = folder / f"{coverage.spec}.yaml"
        wanted = {missing.target for missing in coverage.uncovered}
        drafts, left = needed(machine, _known(path), wanted)
        if left and search:
            click.echo(f"{coverage.spec}: looking for short runs to {len(left)} targets ...", err=True)
            drafts, left = needed(machine, [*drafts, *drafts_of(NoveltySearch(machine).ways(left))], wanted)
        for target in sorted(left, key=str):
            click.echo(f"{target.place}: no run found to '{target}'", err=True)
        written = name if name in BUNDLED else Path(os.path.relpath(name, folder)).as_posix()
        yield path, rendered(machine, drafts, written)


def _known(path: Path) -> list[Draft]:
    if not path.is_file():
        return []
    return [draft for _, file in read_files(found_files([path])) for draft in drafts_in(file.scenarios)]
