"""`turnspec diff`: what changes between two versions of a spec: its text, what it does, what recorded calls become."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.git_specs import GitError, here, load_named, names_at
from adapters.specs import BUNDLED, load_spec
from adapters.verify.run import SearchProgress, load_environment
from fsm.diff import report
from fsm.diff.behaviour import MAX_STATES, Behaviour, SearchBound, behaviour
from fsm.diff.markdown import markdown
from fsm.diff.overlay import overlay
from fsm.diff.shared import wider
from fsm.diff.structure import structure
from fsm.diff.traffic import Aside, traffic
from fsm.journal.journal import Journal, JournalError, read
from fsm.language.loader import Loaded
from fsm.language.problem import Place, Problem, SpecError, suggestion

TEACHES = """
\b
OLD and NEW may be
  server_vad                         a bundled spec (this repository's, if it has one)
  mine.yaml                          a file
  HEAD~1:specs/server_vad.yaml       a file at a git revision (path from the root of the repository)
  main:server_vad                    a bundled spec at a git revision
  main                               a git revision: the spec is NEW's, or --spec's, or each in the folder specs

\b
  turnspec diff main                                      every spec in the folder specs, as it is here, against main
  turnspec diff main server_vad --calls recordings/       and what becomes of recorded calls
  turnspec diff main HEAD --spec push_to_talk --markdown  a comment for a pull request
  turnspec diff server_vad mine.yaml --states --full      states count, too; wider bounds

\b
Behaviour: both specs get the same events in the model of everything around them (specs/worlds/realtime.yaml), in
every order within the bounds, and the first effects that differ end a run: the shortest such run is shown. Without one
the two are equivalent within the bounds and assumptions that are printed. Waits are compared as figures: the search
knows the order of events, not their time.

\b
Exit code: 0 the same, 1 different, 2 wrong use (also: a spec has problems, a revision or file is not there).
"""


@attrs.frozen(kw_only=True)
class DiffOptions:
    """The arguments and options of the command, by their names."""

    old: str
    new: str | None
    spec: str | None
    calls: tuple[Path, ...]
    states: bool
    full: bool
    scene: tuple[str, ...]
    max_states: int
    structure: bool
    allow_broken: bool
    overlay: Path | None
    markdown: bool
    json: bool


@click.command(epilog=TEACHES)
@click.argument("old", metavar="OLD")
@click.argument("new", required=False, metavar="[NEW]")
@click.option(
    "--spec", metavar="SPEC", help="The spec to compare where OLD or NEW is a revision alone: a bundled name or a file."
)
@click.option(
    "--calls",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="Recorded journals (*.jsonl, also below DIR) to step through both specs.",
)
@click.option("--states", is_flag=True, help="Reaching states of other names counts as a difference, too.")
@click.option("--full", is_flag=True, help="Full bounds instead of quick ones.")
@click.option("--scene", multiple=True, metavar="NAME", help="Only this scene; may be given several times.")
@click.option(
    "--max-states",
    type=click.IntRange(1),
    metavar="N",
    default=MAX_STATES,
    show_default=True,
    help="How many states of each scene to visit before it is left undecided.",
)
@click.option("--structure", is_flag=True, help="Compare only what is written.")
@click.option("--allow-broken", is_flag=True, help="Compare also what the type check refuses.")
@click.option(
    "--overlay",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the picture of what was added, removed and changed as Mermaid.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown, ready to be a pull-request comment.")
@click.option("--json", is_flag=True, help="Print the result as JSON, for programs.")
def command(**given: Any) -> None:
    """Compare two versions of a spec: structure, behaviour, and recorded calls.

    Without NEW, what is here is compared with the revision OLD.
    """
    options = DiffOptions(**given)
    if options.json and options.markdown:
        raise click.UsageError("--json or --markdown, not both")
    bound = SearchBound(options.scene, "full" if options.full else "quick", options.max_states, options.states)
    progress = SearchProgress(quiet=options.json or options.markdown)
    try:
        compare = None if options.structure else _comparer(bound, progress)
        pairs, lone = _pairs(options.old, options.new, options.spec, not options.allow_broken)
        diffs = [_diff(before, after, compare, options) for before, after in pairs]
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if options.overlay is not None and diffs:
        options.overlay.write_text(overlay(diffs[0].old, diffs[0].new, diffs[0].changes), encoding="utf-8")
        click.echo(f"wrote {options.overlay}", err=True)
    if options.json:
        found = [*(report.as_json(d) for d in diffs), *map(report.lone_json, lone)]
        click.echo(json.dumps(found, indent=2, default=str))
    elif options.markdown:
        click.echo(markdown(diffs, lone), nl=False)
    else:
        click.echo("\n".join([*map(report.text, diffs), *map(report.lone_text, lone)]), nl=False)
    sys.exit(0 if all(d.is_same for d in diffs) and not lone else 1)


def _is_revision(name: str) -> bool:
    return name not in BUNDLED and ":" not in name and not Path(name).is_file()


def _pairs(
    old: str, new: str | None, spec: str | None, typestate: bool
) -> tuple[Sequence[tuple[Loaded, Loaded]], Sequence[report.Lone]]:
    """The specs to compare, each pair old before new, and those that only one side has. Raises SpecError."""
    if new is None and not _is_revision(old):
        raise click.UsageError(f"compare '{old}' with what? Name NEW, or a revision first: turnspec diff main {old}")
    sides: tuple[Sequence[str], Sequence[str]]
    if spec is not None:
        sides = ((spec,), (spec,))
    elif new is not None and not (_is_revision(old) and _is_revision(new)):
        name = new if _is_revision(old) else old
        sides = ((name,), (name,))
    else:
        sides = _every(old, new)
    both = [name for name in sides[1] if name in sides[0]]
    added = [_lone(new, name, typestate) for name in sides[1] if name not in both]
    removed = [report.Lone(name, "removed") for name in sides[0] if name not in both]
    return [(_loaded(old, name, typestate), _loaded(new, name, typestate)) for name in both], [*added, *removed]


def _every(old: str, new: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The specs of both sides; where a folder has none, the bundled ones."""
    try:
        return names_at(old) or BUNDLED, names_at(new) or BUNDLED
    except GitError as error:
        what = f"'{old}' is not a file, not a bundled spec ({', '.join(BUNDLED)}), and not found by git: {error}"
        raise SpecError([Problem(Place(old, 1, 1), "no-file", what)]) from None


def _lone(new: str | None, name: str, typestate: bool) -> report.Lone:
    """A spec that is new; it must be sound, too."""
    _loaded(new, name, typestate)
    return report.Lone(name, "added")


def _loaded(name: str | None, spec: str, typestate: bool) -> Loaded:
    """One side; a revision alone stands for `spec` at it, None for `spec` as it is here."""
    if name is None:
        return load_spec(here(spec), typestate)
    return load_named(name, spec.rpartition(":")[2], typestate)


Comparer = Callable[[Loaded, Loaded], Behaviour]


def _comparer(bound: SearchBound, progress: SearchProgress) -> Comparer:
    """Compares what two specs do; UsageError for a scene that is not there."""
    world = load_environment().world
    for name in bound.scenes:
        if name not in world.scenes:
            raise click.UsageError(f"there is no scene '{name}'; {suggestion(name, world.scenes)}")

    def compare(old: Loaded, new: Loaded) -> Behaviour:
        around = load_environment(wider(old.spec, new.spec)).world
        with progress.searching(f"{old.spec.name} in lock-step") as tick:
            return behaviour(old.spec, new.spec, around, bound, tick)

    return compare


def _diff(old: Loaded, new: Loaded, compare: Comparer | None, options: DiffOptions) -> report.Diff:
    calls = options.calls
    found = traffic(_journals(calls), old.spec, new.spec, options.states) if calls else None
    acts = compare(old, new) if compare is not None else None
    return report.Diff(old, new, structure(old.spec, new.spec), acts, found)


def _journals(folders: Sequence[Path]) -> Iterator[Journal | Aside]:
    """Every journal, one at a time; a file that is none is set aside with the reason."""
    files = [f for folder in folders for f in ([folder] if folder.is_file() else sorted(folder.rglob("*.jsonl")))]
    for file in dict.fromkeys(files):
        try:
            with file.open(encoding="utf-8") as lines:
                first = next(lines, "")
                if '"header"' not in first:
                    yield Aside(str(file), "it is not a journal")
                    continue
                yield from read(chain((first,), lines), str(file)).parts
        except (JournalError, OSError, UnicodeDecodeError) as error:
            yield Aside(str(file), str(error), "damaged")
