"""`python -m tools.pages PAGE`: pages that are made from what the product finds out about itself.

Never here: docs/measured.md, which `python -m bench` writes: what was measured cannot be compared with a second run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from adapters.cli.diagram import report_stale, write
from adapters.specs import BUNDLED, load_spec
from adapters.verify.run import SearchProgress, VerifyOptions, all_searched, load_environment
from fsm.draw.page import pages
from fsm.verify.exercise import not_exercised
from fsm.verify.verdict import Finding, SceneVerdict
from tools.cookbook.goes_with import table
from tools.cookbook.verdicts import kept, searched_pairs
from tools.mutants.run import Kept, kept_result
from tools.servers_page import servers_page

VERIFIED: Final = """\
# Verified

Written by `python -m tools.pages verified`; `make drift` checks that it is fresh. Every run of the bundled specs in the
model of everything around a call ([specs/worlds](../specs/worlds)), within the quick bounds of `turnspec verify`;
`turnspec verify --full` searches further. What was assumed, with its evidence, is printed with every verdict.

"""


def verified(names: Sequence[str] = BUNDLED, scenes: Sequence[str] = ()) -> str:
    """What must hold, by spec. Raises SpecError; KeyboardInterrupt where Ctrl-C left something open."""
    progress, options, specs = SearchProgress(), VerifyOptions(scenes=scenes), [load_spec(name).spec for name in names]
    found = {
        name: all_searched(spec, load_environment(spec), options, progress)
        for name, spec in zip(names, specs, strict=True)
    }
    if progress.stopped:
        raise KeyboardInterrupt
    return VERIFIED + "\n".join("| " + " | ".join(row) + " |" for row in _table(found, names)) + "\n"


Judged = Mapping[str, Sequence[tuple[str, Finding]]]
"""The findings about one property, with their scenes, by spec."""


def _table(found: Mapping[str, Sequence[SceneVerdict]], names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Property by spec over all scenes, under which conditions it holds, what was visited."""
    judged: dict[str, dict[str, list[tuple[str, Finding]]]] = {}
    for spec, verdicts in found.items():
        for verdict in verdicts:
            for finding in verdict.findings:
                by_spec = judged.setdefault(finding.name.partition("[")[0], {name: [] for name in found})
                by_spec[spec].append((verdict.scene, finding))
    kinds = {need for by_spec in judged.values() for each in by_spec.values() for need in _never_given(each)}
    yield ["what must hold", *found, "only where"]
    yield ["---"] * (len(found) + 2)
    for name, by_spec in judged.items():
        about = next(finding.about for each in by_spec.values() for _, finding in each)
        yield [about or name, *(_overall(by_spec[spec]) for spec in found), _conditions(by_spec, kinds)]
    held = ("FAILS" if any(v.problems for v in verdicts) else "holds" for verdicts in found.values())
    yield ["No cell that a spec calls impossible is reached.", *held, ""]
    yield ["scenes", *(str(len(verdicts)) for verdicts in found.values()), ""]
    yield ["states visited", *(f"{sum(v.states for v in verdicts):,}" for verdicts in found.values()), ""]
    exercised = (not_exercised(load_spec(name, typestate=False).spec, found[name]) for name in found)
    rows = [f"{each.of['rows'] - len(each.rows)} of {each.of['rows']}" for each in exercised]
    yield ["rows exercised", *rows, ""]
    yield from _kept(names)


def _overall(findings: Sequence[tuple[str, Finding]]) -> str:
    """One word for all scenes."""
    bad = dict.fromkeys(scene for scene, finding in findings if finding.status == "violated")
    if bad:
        return f"FAILS ({', '.join(bad)})"
    statuses = {finding.status for _, finding in findings}
    if "waived" in statuses:
        return "waived"
    return "not judged" if "unjudged" in statuses else "holds" if "holds" in statuses else "-"


def _conditions(by_spec: Judged, kinds: Collection[str]) -> str:
    """What a property needs, in the scenes that lack it; that a spec is of another kind says the column of the spec."""
    needs = dict.fromkeys(need for each in by_spec.values() for _, finding in each for need in _needs(finding))
    return ", ".join(n.replace("not ", "unless ").replace("_", " ") for n in needs if n not in kinds)


def _needs(finding: Finding) -> Sequence[str]:
    return finding.reason.removeprefix("needs ").split(", ") if finding.status == "not applicable" else ()


def _never_given(findings: Sequence[tuple[str, Finding]]) -> Collection[str]:
    """What a property needs and no scene of a spec gives."""
    needs = [set(_needs(finding)) for _, finding in findings]
    return set.intersection(*needs) if needs and all(needs) else set()


def _kept(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What the last runs of `python -m tools.mutants` left, as rows."""
    kept = [result for result in map(kept_result, names) if result is not None]
    if len(kept) == len(names):
        tried = "all were tried" if kept[0].every == 1 else f"1 in {kept[0].every} was tried"
        yield (f"broken versions noticed, of those that differ ({tried})", *map(_noticed, kept), "")


def _noticed(kept: Kept) -> str:
    return f"{kept.noticed} of {kept.judged - kept.alike}"


def readme(name: str = "server_vad") -> str:
    """The README of this folder with its picture of a spec as it should be."""
    picture = pages(load_spec(name), "../")[f"{name}.mmd"].rstrip()
    return _replaced(README, f"diagram {name}", f"picture of {name}", "readme", f"```mermaid\n{picture}\n```")


def cookbook() -> str:
    """The cookbook's page with its table of what goes with what as it should be."""
    return _replaced(COOKBOOK, "table", "table", "cookbook", table(searched_pairs(kept())))


def _replaced(page: Path, what: str, called: str, command: str, text: str) -> str:
    """The page with this text between its two marks."""
    begin, end = f"<!-- {what}: written by `python -m tools.pages {command}` -->\n", f"<!-- end {what.split()[0]} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise click.UsageError(f"{page} has no place for the {called}: {begin.strip()} {end}")
    return f"{before}{begin}{text}\n{end}{after}"


COOKBOOK: Final = Path("docs/cookbook.md")
README: Final = Path("README.md")
PAGES: Final[dict[str, tuple[Path, Callable[[], str]]]] = {
    "verified": (Path("docs/verified.md"), verified),
    "readme": (README, readme),
    "servers": (Path("docs/servers.md"), servers_page),
    "cookbook": (COOKBOOK, cookbook),
}


@click.command()
@click.argument("page", type=click.Choice(list(PAGES)))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the page is not what would be written.")
def command(page: str, check: bool) -> None:
    """Write a page: docs/verified.md, docs/servers.md, the cookbook's table, the README's picture of server_vad."""
    path, text = PAGES[page]
    wanted = {path: text()}
    sys.exit(report_stale(wanted, f"python -m tools.pages {page}") if check else write(wanted))


if __name__ == "__main__":
    command()
