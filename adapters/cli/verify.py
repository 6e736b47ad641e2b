"""`turnspec verify`: every run of a spec in its world, what must hold, and a shortest run where it does not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import click

from adapters.cli.diagram import report_stale, write
from adapters.specs import BUNDLED, load_spec
from adapters.verify.run import Around, Watch, Wish, all_searched, load_around, searched, switched
from fsm.language.problem import SpecError, suggestion
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.replay import Differs, replayed
from fsm.verify import verdict_text
from fsm.verify.counterexample import Counterexample
from fsm.verify.sequence_diagram import mermaid
from fsm.verify.verdict import Verdict
from fsm.verify.verify import unused_rows

README = ("<!-- verify: written by `turnspec verify --readme` -->\n", "<!-- end verify -->")

TEACHES = """
\b
What is done: the spec runs against a model of everything around it (specs/worlds/realtime.yaml: a provider, a caller,
playout, tools, deadlines, queues in which messages cross), and every state that any order of events leads to is
visited. What must hold is written beside it (properties.yaml, manners.yaml, books.yaml). The runs come in scenes: which
assumptions, how many turns, calls, losses, faults. A verdict is as good as its assumptions and bounds; both are told.

\b
  turnspec verify                                   all bundled specs, quick bounds
  turnspec verify mine.yaml                         a spec of yours
  turnspec verify mine.yaml --full                  more turns, several tools, losses, faults, reconnects
  turnspec verify --scene loss server_vad           one scene only
  turnspec verify --assume generation_outlasts_round_trip=no owned_turns
                                                    without that assumption
  turnspec verify --assume things_fail --bound faults=2 --scene turns server_vad
                                                    things may fail twice
  turnspec verify --assumptions server_vad          which assumption does the verdict rest on?
  turnspec verify --explain responding tool.called.new server_vad
                                                    how does a call get there, and what is answered?
  turnspec verify --mutants server_vad              is the net tight? breaks the spec in every way, says who notices
  turnspec verify --allow-broken specs/broken/update_before_created.yaml --diagram run.mmd
                                                    what would a spec do that the type check refuses?
  turnspec verify mine.yaml --scenario fails.yaml; turnspec test fails.yaml
                                                    a counterexample as a scenario, to keep as a test

\b
How to read a counterexample: one step a line, what moved first (the caller, the provider, a timer), `<-` what it
received, `->` what it sent; under it what the spec answered and the line that decided. `--- from here on, for ever`
begins a circle; what is above it is the shortest way there.

Exit code: 0 all hold, 1 something does not (or Ctrl-C left it open), 2 wrong use.
"""


@click.command(epilog=TEACHES)
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--full", is_flag=True, help="Full bounds (all bundled specs within two minutes) instead of quick ones.")
@click.option("--scene", "scenes", multiple=True, metavar="NAME", help="Only this scene; may be given several times.")
@click.option("--assume", multiple=True, metavar="NAME[=VALUE]",
              help="Switch an assumption in every scene (=yes if no value is given).")  # fmt: skip
@click.option(
    "--bound", multiple=True, metavar="NAME=N", help="How often something may happen: turns, calls, losses ..."
)
@click.option("--assumptions", is_flag=True, help="A scene again with each assumption switched, one at a time.")
@click.option("--explain", nargs=2, metavar="STATE EVENT", help="Show the shortest run to a cell of the table.")
@click.option("--mutants", is_flag=True, help="Break the spec in every systematic way and report who notices.")
@click.option("--allow-broken", is_flag=True, help="Run also what the type check refuses.")
@click.option("--diagram", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the first counterexample (or explanation) as a Mermaid sequence diagram.")  # fmt: skip
@click.option("--scenario", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write it as a scenario, too, that `turnspec test` replays.")  # fmt: skip
@click.option("--promela", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the model of one SPEC in one --scene for SPIN, a second opinion, and beside it the one about "
              "leads_to; no search.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON, for programs.")
@click.option("--readme", is_flag=True, help="Write the verdict table into README.md of this folder.")
@click.option("--check", is_flag=True, help="With --readme or --mutants: write nothing; exit 1 if a file is stale.")
def command(
    specs: tuple[str, ...], full: bool, scenes: tuple[str, ...], assume: tuple[str, ...], bound: tuple[str, ...],
    assumptions: bool, explain: tuple[str, str] | None, mutants: bool, allow_broken: bool, diagram: Path | None,
    as_json: bool, readme: bool, check: bool, promela: Path | None, scenario: Path | None,
) -> None:  # fmt: skip
    """Visit every run of SPEC files (or bundled names; without any, all bundled specs) and say what holds.

    A property that fails is shown with a shortest run that breaks it, each step with the line of the spec that decided.
    """
    if check and not (readme or mutants):
        raise click.UsageError("--check goes with --readme or --mutants")
    watch = Watch(quiet=as_json)
    try:
        around = load_around()
        wish = _wish(around, full, scenes, assume, bound)
        loaded = [load_spec(name, typestate=not allow_broken).spec for name in specs or BUNDLED]
        if mutants:
            from tools.mutants.run import report_mutants  # processes: only where somebody asks for them

            sys.exit(report_mutants(specs or BUNDLED, loaded, around, watch, as_json, check))
        if promela:
            sys.exit(_promela(loaded, around, wish, promela))
        if explain:
            sys.exit(_explain(loaded, around, wish, explain, watch, diagram))
        if assumptions:
            sys.exit(_assumptions(loaded, around, wish, watch))
        named = _named(specs or BUNDLED, loaded, around, wish, watch, typestate=not allow_broken)
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if as_json:
        _print_json(around, named, watch)
    else:
        _print(loaded, around, named, wish, watch)
    if diagram:
        _draw(diagram, verdict_text.failures(v for verdicts in named.values() for v in verdicts))
    if scenario:
        _replay(scenario, specs or BUNDLED, loaded, named, " --allow-broken" if allow_broken else "")
    stale = _readme(named, check) if readme and not watch.stopped else 0
    good = all(v.passed for verdicts in named.values() for v in verdicts) and not watch.stopped
    sys.exit(stale if good else 1)


def _named(
    names: Sequence[str], loaded: Sequence[Spec], around: Around, wish: Wish, watch: Watch, typestate: bool
) -> dict[str, tuple[Verdict, ...]]:  # fmt: skip
    """Full bounds are searched by several processes; quick ones are done before those have begun."""
    if wish.size == "full" and len(wish.limits(loaded[0], around.world)) > 1:
        from adapters.verify.parallel import spread  # processes: only where somebody asks for them

        return spread(names, loaded, wish, watch, typestate)
    return {spec.name: all_searched(spec, around, wish, watch) for spec in loaded}


def _wish(
    around: Around, full: bool, scenes: Sequence[str], assume: Sequence[str], bound: Sequence[str]
) -> Wish:  # fmt: skip
    """The options, checked against the world; UsageError with the nearest name."""
    world = around.world
    for name in scenes:
        _known("scene", name, world.scenes)
    assumed = {}
    for text in assume:
        name, _, value = text.partition("=")
        _known("assumption", name, world.assumptions)
        values = world.assumptions[name].values
        _known(f"value of {name}", value or "yes", values)
        assumed[name] = value or "yes"
    bounds = {}
    for text in bound:
        name, _, value = text.partition("=")
        _known("bound", name, world.bounds)
        if not value.isdigit() or int(value) > 9:
            raise click.UsageError(f"--bound {text}: a number from 0 to 9 is wanted, e.g. --bound {name}=2")
        bounds[name] = int(value)
    return Wish("full" if full else "quick", scenes, assumed, bounds)


def _known(what: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise click.UsageError(f"there is no {what} '{name}'; {suggestion(name, names)}")


# --- printing --------------------------------------------------------------------------------------------------------


def _print(
    loaded: Sequence[Spec], around: Around, named: dict[str, tuple[Verdict, ...]], wish: Wish, watch: Watch
) -> None:  # fmt: skip
    for spec in loaded:
        verdicts = named[spec.name]
        if verdicts:
            _print_one(spec, verdicts, wish.size == "full")
    everything = [v for verdicts in named.values() for v in verdicts]
    if everything:
        click.echo("Taken for granted:\n" + verdict_text.assumptions(around.world, everything))
        further = "" if wish.size == "full" else " (`--full` goes further)"
        click.echo(f"\nHow far each scene goes{further}:\n{verdict_text.bounded(everything)}\n")
    if watch.stopped:
        click.echo("Interrupted: this result is PARTIAL. What is not judged may hold or not.\n")
    for spec in loaded:
        wanted = len(wish.limits(spec, around.world))
        found = verdict_text.outcome(named[spec.name], wanted)
        seconds = sum(v.seconds for v in named[spec.name])
        states = sum(v.states for v in named[spec.name])
        click.echo(f"{spec.name}: {found}  ({states:,} states in {len(named[spec.name])} scenes, {seconds:.1f} s)")


def _print_one(spec: Spec, verdicts: Sequence[Verdict], full: bool) -> None:
    click.echo(f"{spec.name}  ({spec.file})\n\n{verdict_text.table(verdicts)}\n")
    runs = verdict_text.failures(verdicts)
    for number, (head, run) in enumerate(runs, 1):
        click.echo(f"{number}. {head}\n\n{_indented(str(run))}\n")
    for text in verdict_text.impossible(verdicts).values():
        click.echo(f"{text}\n")
    if len(verdicts) > 1:
        _print_unused(spec, verdicts, full)
    in_vain = list(dict.fromkeys(name for v in verdicts for name in v.in_vain))
    if in_vain:
        click.echo("deadlines that fire and leave the wait as it is: " + ", ".join(in_vain) + "\n")


def _print_unused(spec: Spec, verdicts: Sequence[Verdict], full: bool) -> None:
    """An `ignore` or `defer` that no run comes to is a line too many; with quick bounds few come to all of them."""
    unused = unused_rows(spec, verdicts)
    if unused and not full:
        click.echo(
            f"{len(unused)} lines with `ignore` or `defer` were not needed so far; `--full` lists what never is.\n"
        )
    elif unused:
        click.echo("\n".join(map(str, unused)) + "\n")


def _indented(text: str) -> str:
    return "\n".join("   " + line for line in text.splitlines())


def _print_json(around: Around, named: dict[str, tuple[Verdict, ...]], watch: Watch) -> None:
    found = {
        "partial": watch.stopped,
        "verdicts": [_as_json(v) for verdicts in named.values() for v in verdicts],
        "assumptions": {a.name: {"about": a.about, "evidence": a.evidence} for a in around.world.assumptions.values()},
    }
    click.echo(json.dumps(found, indent=2))


def _as_json(verdict: Verdict) -> dict[str, object]:
    findings = [
        {"property": f.name, "status": f.status, "about": f.about, "place": str(f.place), "reason": f.reason,
         "run": _run_json(f.run) if f.run else None}
        for f in verdict.findings
    ]  # fmt: skip
    return {
        "spec": verdict.spec, "scene": verdict.scene, "outcome": verdict.outcome, "partial": verdict.partial,
        "assumed": dict(verdict.assumed), "bounds": dict(verdict.bounds), "capacities": dict(verdict.capacities),
        "cut": dict(verdict.cut), "states": verdict.states, "steps": verdict.transitions, "depth": verdict.depth,
        "seconds": round(verdict.seconds, 3), "states_per_second": verdict.states_per_second,
        "bytes_per_state": verdict.bytes_per_state, "findings": findings,
        "impossible": [str(p) for p in verdict.problems], "in_vain": list(verdict.in_vain),
    }  # fmt: skip


def _run_json(run: Counterexample) -> dict[str, object]:
    steps = [
        {"number": s.number, "move": s.move, "received": s.received, "sent": s.sent, "lost": s.lost,
         "answers": [{**attrs.asdict(a, recurse=False), "place": str(a.place)} for a in s.answers]}
        for s in run.steps
    ]  # fmt: skip
    return {"steps": steps, "loop_from": run.loop, "stands_still": run.stuck, "at_the_end": run.final}


# --- the other things it does ----------------------------------------------------------------------------------------


def _promela(loaded: Sequence[Spec], around: Around, wish: Wish, path: Path) -> int:
    from tools.promela.model import to_lasting_promela, to_promela

    if len(loaded) != 1 or len(wish.scenes) != 1:
        example = f"--promela {path} --scene turns server_vad"
        raise click.UsageError(f"--promela writes one spec in one scene; name both, e.g. {example}")
    settings = wish.limits(loaded[0], around.world)[0].settings(around.world)
    given = (loaded[0], around.world, around.properties, settings)
    lasting = path.with_name(f"{path.stem}.leads_to{path.suffix}")
    path.write_text(to_promela(*given), encoding="utf-8")
    lasting.write_text(to_lasting_promela(*given)[0], encoding="utf-8")
    click.echo(f"wrote {path} and {lasting}; their first lines say how SPIN searches them", err=True)
    return 0


def _explain(
    loaded: Sequence[Spec], around: Around, wish: Wish, cell: tuple[str, str], watch: Watch, diagram: Path | None
) -> int:  # fmt: skip
    state, event = cell
    found = 0
    for spec in loaded:
        _known(f"state of {spec.name}", state, spec.states)
        _known(f"event of {spec.name}", event, spec.events)
        shortest: tuple[int, str, Counterexample] | None = None
        for limits in wish.limits(spec, around.world):
            run = searched(spec, around, limits, watch)[0].explain(state, event) if not watch.stopped else None
            if run and (shortest is None or len(run.steps) < shortest[0]):
                shortest = (len(run.steps), limits.scene, run)
        if shortest is None:
            click.echo(f"{spec.name}: no run within the bounds brings '{event}' to '{state}'" + _partly(watch))
            continue
        found += 1
        head = f"{spec.name}: '{event}' in '{state}', first in scene '{shortest[1]}' after {shortest[0]} steps:"
        click.echo(f"{head}\n\n{_indented(str(shortest[2]))}\n")
        if diagram and found == 1:
            _draw(diagram, [(head, shortest[2])])
    return 0 if found == len(loaded) else 1


def _partly(watch: Watch) -> str:
    return " (interrupted: not all were visited)" if watch.stopped else ""


def _assumptions(loaded: Sequence[Spec], around: Around, wish: Wish, watch: Watch) -> int:
    """The scene named (or `turns`), for each spec with every assumption switched."""
    for scene in wish.scenes or tuple(around.world.scenes)[:1]:
        runs = [switched(spec, around, wish, scene, watch) for spec in loaded]
        names = [name for name in runs[0] if name and all(name in found for found in runs)]
        flipped = {name: [found[name] for found in runs] for name in names}
        about = around.world.scenes[scene].about
        click.echo(f"scene '{scene}': {about} One assumption switched at a time:\n")
        click.echo(verdict_text.by_assumption([found[""] for found in runs], flipped) + "\n")
    if watch.stopped:
        click.echo("Interrupted: this table is PARTIAL.")
        return 1
    return 0


def _draw(path: Path, runs: Sequence[tuple[str, Counterexample]]) -> None:
    """A `.md` file gets the diagram in a fence, any other the bare text."""
    if not runs:
        click.echo(f"nothing to draw: {path} is not written", err=True)
        return
    head, run = runs[0]
    text = mermaid(run, head.partition("\n")[0])
    path.write_text(f"```mermaid\n{text}```\n" if path.suffix == ".md" else text, encoding="utf-8")
    click.echo(f"wrote {path}", err=True)


def _replay(
    path: Path, names: Sequence[str], loaded: Sequence[Spec], named: dict[str, tuple[Verdict, ...]], also: str
) -> None:  # fmt: skip
    """The first counterexample, if there is one, as the machine of its spec goes it."""
    for name, spec in zip(names, loaded, strict=True):
        runs = verdict_text.failures(named[spec.name])
        if not runs:
            continue
        written = name if name in BUNDLED else Path(os.path.relpath(name, path.parent)).as_posix()
        head = runs[0][0].partition("\n")[0].partition(";")[0]
        try:
            path.write_text(replayed(TurnSpecMachine(spec), runs[0][1], head, written), encoding="utf-8")
        except Differs as differs:
            raise click.ClickException(f"{path} is not written: {differs}") from None
        click.echo(f"wrote {path}; replay it with: turnspec test{also} {path}", err=True)
        return
    click.echo(f"nothing to replay: {path} is not written", err=True)


def _readme(named: dict[str, tuple[Verdict, ...]], check: bool) -> int:
    readme = Path("README.md")
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    before, found, rest = text.partition(README[0])
    _, closed, after = rest.partition(README[1])
    if not found or not closed:
        raise click.UsageError(f"README.md of this folder has no place for the table: {README[0].strip()} {README[1]}")
    wanted = {readme: f"{before}{README[0]}{verdict_text.markdown(named, tuple(_kept(named)))}\n{README[1]}{after}"}
    return report_stale(wanted, "turnspec verify --readme") if check else write(wanted)


def _kept(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """What the last whole runs of `--mutants` left, as rows."""
    from tools.mutants.run import kept_result

    kept = [kept_result(name) or {} for name in names]
    if all(kept):
        noticed = (f"{result['noticed']} of {result['mutants']}" for result in kept)
        yield ("broken versions noticed, of those that differ (the others: specs/mutants)", *noticed, "")
