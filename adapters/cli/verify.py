"""`turnspec verify`: every run of a spec in its world, what must hold, and a shortest run where it does not.

Without a sub-command it searches; `explain` and `assumptions` ask other questions of the same search, with the same
options. What only maintainers use of it (mutants, SPIN, the table of docs/verified.md) is in `tools/`.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click

from adapters.cli.search_request import SearchRequest, known, search_options
from adapters.specs import BUNDLED
from adapters.verify.run import (
    searched,
    switched,
)
from fsm.language.spec import Spec
from fsm.verify import verdict_text
from fsm.verify.counterexample import Counterexample
from fsm.verify.exercise import NotExercised, not_exercised
from fsm.verify.property import Waiver
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import unused_rows

Verdicts = Mapping[str, Sequence[SceneVerdict]]
"""The verdicts of each spec, by its name."""
MOVED: Final = {
    "--explain": "turnspec verify explain STATE EVENT [SPEC]...",
    "--assumptions": "turnspec verify assumptions [SPEC]...",
    "--mutants": "python -m tools.mutants [SPEC]..., in a checkout",
    "--promela": "python -m tools.promela FILE --scene NAME SPEC, in a checkout",
    "--readme": "python -m tools.pages verified, in a checkout (it writes docs/verified.md)",
    "--check": "python -m tools.pages verified --check and python -m tools.mutants --check, in a checkout",
}
TEACHES = """
\b
What is done: the spec runs against a model of everything around it (specs/worlds/realtime.yaml: a provider, a caller,
playout, tools, deadlines, queues in which messages cross), and every state that any order of events leads to is
visited. What must hold is written beside it (properties.yaml, conduct.yaml, bookkeeping.yaml). The runs come in scenes:
which assumptions, how many turns, calls, losses, faults. A verdict is as good as its assumptions and bounds; both are
printed with it.

\b
  turnspec verify                                   all bundled specs, quick bounds
  turnspec verify mine.yaml                         a spec of yours
  turnspec verify mine.yaml --full                  more turns, several tools, losses, faults, reconnects
  turnspec verify --scene loss server_vad           one scene only
  turnspec verify --assume generation_outlasts_round_trip=no owned_turns
                                                    without that assumption
  turnspec verify --assume things_fail --bound faults=2 --scene turns server_vad
                                                    things may fail twice
  turnspec verify assumptions server_vad            which assumption does the verdict rest on?
  turnspec verify explain responding tool.called.new server_vad
                                                    how does a call get there, and what is answered?
  turnspec verify --allow-broken specs/broken/update_before_created.yaml --diagram run.mmd
                                                    what would a spec do that the type check refuses?
  turnspec verify mine.yaml --scenario fails.yaml; turnspec test fails.yaml
                                                    a counterexample as a scenario, to keep as a test

\b
What is a spec's own stands in it, under `verify:` (docs/language.md): properties, ghosts, a world, what its words are
meant as, and properties that it does not keep to, each with the reason. PASS is followed by what was waived and by what
no run came to.

\b
How to read a counterexample: one step a line, what moved first (the caller, the provider, a timer), `<-` what it
received, `->` what it sent; under it what the spec answered and the line that decided. `--- from here on, again and
again` begins a cycle; what is above it is the shortest way there.

Exit code: 0 all hold, 1 something does not (or Ctrl-C left it open), 2 wrong use.
"""


# --- the commands ----------------------------------------------------------------------------------------------------

_DIAGRAM = click.option("--diagram", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                        help="Write the first run that is shown as a Mermaid sequence diagram.")  # fmt: skip


class VerifyCommand(click.Command):
    """A command of its own, and the parent of those that ask something else: their names come first or not at all."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in COMMANDS:
            return COMMANDS[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        for arg in args:
            flag = arg.partition("=")[0]
            if flag in MOVED:
                raise click.UsageError(f"{flag} has moved: {MOVED[flag]}")
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section("Commands, with a --help of their own"):
            formatter.write_dl([(name, each.get_short_help_str(90)) for name, each in COMMANDS.items()])


@click.command(cls=VerifyCommand, epilog=TEACHES)
@search_options
@_DIAGRAM
@click.option(
    "--scenario",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it as a scenario, too, that `turnspec test` replays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON, for programs.")
@click.option("--strict", is_flag=True, help="Exit 1 also where a state is never visited or a waiver is not needed.")
def command(request: SearchRequest, diagram: Path | None, scenario: Path | None, as_json: bool, strict: bool) -> int:
    """Visit every run of SPEC files (or bundled names; without any, all bundled specs) and report what holds.

    A property that fails is shown with a shortest run that breaks it, each step with the line of the spec that decided.
    """
    found = request.searched()
    if as_json:
        _print_json(request, found)
    else:
        _print(request, found)
    if diagram:
        _draw(diagram, verdict_text.failures(v for verdicts in found.values() for v in verdicts))
    if scenario:
        _replay(scenario, request, found)
    passed = all(v.passed for verdicts in found.values() for v in verdicts) and not request.progress.stopped
    idle = strict and any(_is_idle(spec, found[spec.name], request) for spec in request.specs)
    return 0 if passed and not idle else 1


def _is_idle(spec: Spec, verdicts: Sequence[SceneVerdict], request: SearchRequest) -> bool:
    """Does it have a state that no run comes to, or waive what it keeps to?"""
    needed = {name for v in verdicts for f in v.waived for name in (f.name, f.name.partition("[")[0])}
    unneeded = request.around(spec).properties.waived.keys() - needed
    return bool(not_exercised(spec, verdicts).states or unneeded)


@click.command(short_help="Show the shortest run that brings EVENT to STATE.")
@click.argument("state")
@click.argument("event")
@search_options
@_DIAGRAM
def explain(request: SearchRequest, state: str, event: str, diagram: Path | None) -> int:
    """Show the shortest run to a cell of the table: to EVENT (a variant, e.g. tool.called.new) in STATE.

    Exit code: 0 a run was found for every spec, 1 not, 2 wrong use.
    """
    found = 0
    for spec in request.specs:
        known(f"state of {spec.name}", state, spec.states)
        known(f"event of {spec.name}", event, spec.events)
        scene, run = _shortest(request, spec, state, event)
        if run is None:
            partly = " (interrupted: not all were visited)" if request.progress.stopped else ""
            click.echo(f"{spec.name}: no run within the bounds brings '{event}' to '{state}'{partly}")
            continue
        found += 1
        head = f"{spec.name}: '{event}' in '{state}', first in scene '{scene}' after {len(run.steps)} steps:"
        click.echo(f"{head}\n\n{_indented(str(run))}\n")
        if diagram and found == 1:
            _draw(diagram, [(head, run)])
    return 0 if found == len(request.specs) else 1


def _shortest(request: SearchRequest, spec: Spec, state: str, event: str) -> tuple[str, Counterexample | None]:
    """The scene with the shortest run to a cell, and that run."""
    shortest: tuple[str, Counterexample | None] = "", None
    for limits in request.limits(spec):
        if request.progress.stopped:
            break
        run = searched(spec, request.around(spec), limits, request.progress)[0].explain(state, event)
        if run and (shortest[1] is None or len(run.steps) < len(shortest[1].steps)):
            shortest = limits.scene, run
    return shortest


@click.command(short_help="Search a scene again with each assumption switched.")
@search_options
def assumptions(request: SearchRequest) -> int:
    """Search a scene (`turns`, or each --scene) again with each assumption switched, one at a time.

    Exit code: 0 everything was searched, 1 interrupted, 2 wrong use.
    """
    world = request.around(request.specs[0]).world
    for scene in request.options.scenes or tuple(world.scenes)[:1]:
        runs = [
            switched(spec, request.around(spec), request.options, scene, request.progress) for spec in request.specs
        ]
        names = [name for name in runs[0] if name and all(name in found for found in runs)]
        flipped = {name: [found[name] for found in runs] for name in names}
        click.echo(f"scene '{scene}': {world.scenes[scene].about} One assumption switched at a time:\n")
        click.echo(verdict_text.by_assumption([found[""] for found in runs], flipped) + "\n")
    if request.progress.stopped:
        click.echo("Interrupted: this table is PARTIAL.")
        return 1
    return 0


COMMANDS: Final[dict[str, click.Command]] = {"explain": explain, "assumptions": assumptions}


# --- printing --------------------------------------------------------------------------------------------------------


def _print(request: SearchRequest, found: Verdicts) -> None:
    options = request.options
    for spec in request.specs:
        if found[spec.name]:
            _print_one(spec, found[spec.name], options.size == "full")
            _print_waived(request.around(spec).properties.waived, found[spec.name])
    everything = [v for verdicts in found.values() for v in verdicts]
    if everything:
        known = {a.name: a for spec in request.specs for a in request.around(spec).world.assumptions.values()}
        click.echo("Taken for granted:\n" + verdict_text.assumptions(known.values(), everything))
        further = "" if options.size == "full" else " (`--full` searches further)"
        click.echo(f"\nHow far each scene goes{further}:\n{verdict_text.bounded(everything)}\n")
    if request.progress.stopped:
        click.echo("Interrupted: this result is PARTIAL. What is not judged may hold or not.\n")
    for spec in request.specs:
        verdicts = found[spec.name]
        outcome = verdict_text.outcome(verdicts, len(request.limits(spec)))
        states, seconds = sum(v.states for v in verdicts), sum(v.seconds for v in verdicts)
        said = _said(spec, verdicts, request)
        click.echo(f"{spec.name}: {outcome}{said}  ({states:,} states in {len(verdicts)} scenes, {seconds:.1f} s)")


def _said(spec: Spec, verdicts: Sequence[SceneVerdict], request: SearchRequest) -> str:
    """What the word of a verdict says nothing of; of chosen scenes nobody expects to exercise all."""
    waivers = request.around(spec).properties.waived
    waived = [f"{len(waivers)} waived"] if waivers else []
    chosen = [f"of {', '.join(request.options.scenes)} alone"] if request.options.scenes else []
    missing = str(not_exercised(spec, verdicts)) if verdicts and not chosen else ""
    return "".join(f", {each}" for each in [*chosen, *waived, *([missing] if missing else [])])


def _print_one(spec: Spec, verdicts: Sequence[SceneVerdict], full: bool) -> None:
    click.echo(f"{spec.name}  ({spec.file})\n\n{verdict_text.table(verdicts)}\n")
    runs = verdict_text.failures(verdicts)
    for number, (head, run) in enumerate(runs, 1):
        click.echo(f"{number}. {head}\n\n{_indented(str(run))}\n")
    for text in verdict_text.impossible(verdicts).values():
        click.echo(f"{text}\n")
    if len(verdicts) > 1:
        _print_unused(spec, verdicts, full)
        _print_not_exercised(not_exercised(spec, verdicts), full)
    in_vain = list(dict.fromkeys(name for v in verdicts for name in v.in_vain))
    if in_vain:
        click.echo("deadlines that fire and leave the wait as it is: " + ", ".join(in_vain) + "\n")


def _print_waived(waived: Mapping[str, Waiver], verdicts: Sequence[SceneVerdict]) -> None:
    if waived:
        click.echo(f"Waived, as the spec says:\n{verdict_text.waivers(waived, verdicts)}\n")


def _print_not_exercised(found: NotExercised, full: bool) -> None:
    if found.count:
        click.echo(f"Not exercised: the verdict says nothing of these{'' if full else '; `--full` goes further'}")
        for kind, names in found.named():
            click.echo(textwrap.fill(f"{kind} {names}", 118, initial_indent="  ", subsequent_indent="    "))
        click.echo()


def _print_unused(spec: Spec, verdicts: Sequence[SceneVerdict], full: bool) -> None:
    """An `ignore` or `defer` that no run reaches is a line too many; with quick bounds few runs reach all of them."""
    unused = unused_rows(spec, verdicts)
    if unused and not full:
        click.echo(
            f"{len(unused)} lines with `ignore` or `defer` were not needed so far; `--full` lists what never is.\n"
        )
    elif unused:
        click.echo("\n".join(map(str, unused)) + "\n")


def _indented(text: str) -> str:
    return "\n".join("   " + line for line in text.splitlines())


def _print_json(request: SearchRequest, found: Verdicts) -> None:
    assumptions = {a.name: a for spec in request.specs for a in request.around(spec).world.assumptions.values()}
    printed = {
        "partial": request.progress.stopped,
        "verdicts": [_as_json(v) for verdicts in found.values() for v in verdicts],
        "not_exercised": {spec.name: _not_exercised_json(spec, found[spec.name]) for spec in request.specs},
        "waived": {spec.name: _waived_json(request.around(spec).properties.waived) for spec in request.specs},
        "assumptions": {a.name: {"about": a.about, "evidence": a.evidence} for a in assumptions.values()},
    }
    click.echo(json.dumps(printed, indent=2))


def _not_exercised_json(spec: Spec, verdicts: Sequence[SceneVerdict]) -> dict[str, object]:
    found = not_exercised(spec, verdicts)
    named = {kind: list(getattr(found, kind)) for kind in ("states", "events", "effects")}
    rows = [{"place": str(row.place), "row": row.name} for row in found.rows]
    return {**named, "rows": rows, "of": dict(found.of)}


def _waived_json(waived: Mapping[str, Waiver]) -> dict[str, dict[str, str]]:
    return {name: {"reason": each.reason, "place": str(each.place)} for name, each in waived.items()}


def _as_json(verdict: SceneVerdict) -> dict[str, object]:
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


# --- files -----------------------------------------------------------------------------------------------------------


def _draw(path: Path, runs: Sequence[tuple[str, Counterexample]]) -> None:
    """A `.md` file gets the diagram in a fence, any other the bare text."""
    from fsm.verify.sequence_diagram import mermaid

    if not runs:
        click.echo(f"nothing to draw: {path} is not written", err=True)
        return
    head, run = runs[0]
    text = mermaid(run, head.partition("\n")[0])
    path.write_text(f"```mermaid\n{text}```\n" if path.suffix == ".md" else text, encoding="utf-8")
    click.echo(f"wrote {path}", err=True)


def _replay(path: Path, request: SearchRequest, found: Verdicts) -> None:
    """The first counterexample, if there is one, as the machine of its spec runs it."""
    from fsm.machine.machine import TurnSpecMachine
    from fsm.scenario.writer import RunDiffersError, replayed

    for name, spec in zip(request.names, request.specs, strict=True):
        runs = verdict_text.failures(found[spec.name])
        if not runs:
            continue
        written = name if name in BUNDLED else Path(os.path.relpath(name, path.parent)).as_posix()
        head = runs[0][0].partition("\n")[0].partition(";")[0]
        try:
            path.write_text(replayed(TurnSpecMachine(spec), runs[0][1], head, written), encoding="utf-8")
        except RunDiffersError as differs:
            raise click.ClickException(f"{path} is not written: {differs}") from None
        also = "" if request.typestate else " --allow-broken"
        click.echo(f"wrote {path}; replay it with: turnspec test{also} {path}", err=True)
        return
    click.echo(f"nothing to replay: {path} is not written", err=True)
