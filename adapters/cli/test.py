"""`turnspec test`: runs scenarios, shows what a spec does instead of what was expected, and what nobody tested."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from adapters.scenario.files import Play, ScenarioCase, Suite, bundled_scenarios, found_files, read_files
from fsm.language.problem import SpecError
from fsm.scenario.coverage import Coverage
from fsm.scenario.report import coverage_json, coverage_text, failure_json, failure_text
from fsm.scenario.runner import Result

Ran = list[tuple[ScenarioCase, Result]]

TEACHES = """
\b
A scenario file:
  spec: server_vad                      # a bundled name, a path, or a list of them
  setups:
    configured: [provider.opened, session.created, session.updated]
  scenarios:
    the greeting is asked for at once:
      given: [configured]               # setups and events, whose results are not checked
      steps:
        - {state: response_pending}
        - {event: response.created.ours, state: responding, slots: {response: active}}
        - {event: playout.started.current, effects: []}
        - {event: caller.hung_up, state: closed, effects: [close_provider]}

\b
A step does one thing, or none:
  event: NAME      a variant (response.created.ours: its ids are made up), or a machine event and its data in `with`
  wire: TYPE       an event of the provider's wire; `with` holds its fields by dotted path: {response.id: resp_a}
  after_ms: N      time passes; deadlines that come due fire in order
  within_ms: N     time passes until `state`, `effects` or `includes` has come, at most N
  event: timer.X   lets one armed deadline pass at once

\b
and looks at the result:
  state, outcome (taken, stayed, deferred, ignored, refused, impossible), variant, slots, context
  effects          all of them in order; create_response, create_response(turn), create_response: {cause: turn}
  includes         these, in this order, others may stand between
  never            from here to the end none of these (also beside `steps`, for the whole scenario)
In `with` and in arguments `$create_response` is the event id of the last such effect, `$create_response~1` of the one
before, `$run_tool.call_id` another argument.

\b
Over the wire, through both simulators, in virtual time:
    a turn is answered:
      over: wire
      caller:
        steps: [wait_agent_speaking, {wait_agent_silent: 800}, {say: caller_order_status}, wait_agent_speaking,
                {wait_ms: 500}, hang_up]
      provider: {faults: [{fault: delay, type: session.updated, by_s: 0.5}]}
      expect:
        states_in_order: [configured, user_speaking, responding]    # or states: all of them
        summary: {turns: 1, answers: 1, longest_silence_ms: "< 3000"}
        deadlines: [{of: input_audio_buffer.committed, comes: response.created, within_ms: 500}]

\b
A tool answers, and may say something to the call before and after; an effect for the application is bound to nothing
unless it is said what comes of it:
        tools: {look_up: {requests: {application.order_found: {number: A7}}, after_ms: 800, then: application.done,
                          output: It is sent.}}
        effects: {notify_crm: {returns: {ticket: T1}, after_ms: 300}}   # or raises: TEXT; deadline_ms: N

\b
What no run can reach is claimed with a reason; a scenario that reaches it refutes the claim:
  unreachable:
    "configured / tool.returned.pending": a call with a tool under way is in 'tool_call'

Exit code: 0 all hold, 1 a scenario fails (with --coverage: or something is not covered), 2 wrong use.
"""


@click.command(epilog=TEACHES)
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path(path_type=Path))
@click.option("--spec", metavar="SPEC", help="Run with this spec (file or bundled name) instead of the named ones.")
@click.option("-k", "name_part", default="", metavar="NAME", help="Only scenarios whose name contains NAME.")
@click.option("--coverage", "with_coverage", is_flag=True, help="Show what no scenario reaches; exit 1 if anything.")
@click.option("--allow-broken", is_flag=True, help="Run also what the type check or `serve` refuses.")
@click.option("--no-wire", is_flag=True, help="Leave out the scenarios over the wire.")
@click.option(
    "--listen",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the recording of each scenario over the wire, as DIR/<spec>-<name>.wav: caller left, agent right.",
)
@click.option(
    "--generate",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write short scenarios for what is not covered to DIR/<spec>.yaml.",
)
@click.option("--check", is_flag=True, help="With --generate: write nothing; exit 1 if a file is stale.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, for programs.")
def command(
    paths: tuple[Path, ...],
    spec: str | None,
    name_part: str,
    with_coverage: bool,
    no_wire: bool,
    listen: Path | None,
    generate: Path | None,
    check: bool,
    as_json: bool,
    allow_broken: bool,
) -> None:
    """Run scenarios: given events, expected states, effects and deadlines. Without a FILE: the bundled ones."""
    if check and generate is None:
        raise click.UsageError("--check goes with --generate DIR")
    if listen is not None and (no_wire or generate is not None):
        raise click.UsageError("--listen goes with neither --no-wire nor --generate")
    if allow_broken and (with_coverage or generate is not None):
        raise click.UsageError("what is covered is known only of specs that pass the type check")
    try:
        suite = Suite(read_files(found_files(paths or (bundled_scenarios(),))), spec, typestate=not allow_broken)
        if generate is not None:
            from adapters.scenario.generate import generate_into

            sys.exit(generate_into(suite, generate, check))
        cases = suite.cases(name_part)
        if not cases:
            raise click.UsageError(
                f"no scenario has '{name_part}' in its name" if name_part else "there are no scenarios"
            )
        ran = suite.run_all(cases, None if no_wire else _player(cases, listen))
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    coverages = list(suite.coverages(ran).values()) if with_coverage else []
    (_print_json if as_json else _print)(ran, coverages, len(cases) - len(ran))
    failed = any(result.failure for _, result in ran)
    sys.exit(1 if failed or not all(each.is_complete for each in coverages) else 0)


def _player(cases: Sequence[ScenarioCase], listen: Path | None) -> Play | None:
    if not any(case.scenario.play for case in cases):
        if listen is not None:
            raise click.UsageError("--listen: none of these scenarios is over the wire")
        return None
    import logging

    import structlog

    from adapters.scenario.wire import play_scenario  # sockets, audio: only where somebody plays
    from adapters.settings.folders import unusable

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if listen is None:
        return play_scenario
    if complaint := unusable(listen):
        raise click.UsageError(f"--listen {listen}: {complaint}")
    listen.mkdir(parents=True, exist_ok=True)
    return partial(play_scenario, listen=listen)


def _print(ran: Ran, coverages: Sequence[Coverage], left_out: int) -> None:
    for _, result in ran:
        if result.failure:
            click.echo(failure_text(result) + "\n")
    for each in coverages:
        click.echo(coverage_text(each))
    failed = sum(result.failure is not None for _, result in ran)
    rest = f", {left_out} over the wire left out" if left_out else ""
    click.echo(f"{len(ran)} scenarios: {len(ran) - failed} hold, {failed} fail{rest}")


def _print_json(ran: Ran, coverages: Sequence[Coverage], left_out: int) -> None:
    scenarios = [
        {"name": result.scenario.name, "spec": result.spec, "file": case.scenario.place.file,
         "line": case.scenario.place.line, "holds": result.failure is None,
         "failure": failure_json(result.failure) if result.failure else None}
        for case, result in ran
    ]  # fmt: skip
    found = {"scenarios": scenarios, "left_out": left_out, "coverage": [coverage_json(each) for each in coverages]}
    click.echo(json.dumps(found, indent=2))
