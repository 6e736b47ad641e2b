"""Scenarios made by a machine, as YAML that a person reads: what nobody wrote by hand, and what the verifier found.

What is there already is kept as long as it works and is needed, and what comes of it is played anew: so a changed spec
gives a small diff, and a file that is fresh is found fresh without a search. A run of the verifier says in roles what a
scenario says with ids made up by role, and each state has to be the one the verifier came to; so a counterexample is
seen twice, and stays as a test. Never here: files, the search itself, finding runs (fsm.verify).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

from fsm.errors import LocalError
from fsm.machine.machine import Step, TurnSpecMachine
from fsm.scenario.coverage import Target, reached
from fsm.scenario.runner import Runner, shown_effect
from fsm.scenario.scenario import Scenario, ScenarioStep
from fsm.scenario.search import WayThere
from fsm.verify.counterexample import Counterexample

TALK_KEY = "*"
WIDTH = 120


@attrs.frozen(order=True)
class Draft:
    """Events by name: what leads there, and what then comes line by line."""

    given: tuple[str, ...]
    events: tuple[str, ...]


@attrs.frozen
class DraftLine:
    """What came of an event."""

    event: str
    before: str
    steps: tuple[Step, ...]
    state: str


def drafts_of(ways: Iterable[WayThere]) -> list[Draft]:
    """A scenario for each way; those that start alike and change nothing become one."""
    staying: dict[tuple[str, ...], list[str]] = {}
    found: list[Draft] = []
    for way in ways:
        if not way.stays:
            found.append(Draft(way.given, (way.last,)))
        elif way.last not in staying.setdefault(way.given, []):
            staying[way.given].append(way.last)
    return [*dict.fromkeys(found), *(Draft(given, tuple(events)) for given, events in staying.items())]


def drafts_in(scenarios: Iterable[Scenario]) -> list[Draft]:
    """The drafts behind scenarios that were written by `rendered`."""
    names = [(scenario.given, tuple(step.name for step in scenario.steps)) for scenario in scenarios]
    return [Draft(steps[:given], steps[given:]) for given, steps in names]


def played(machine: TurnSpecMachine, draft: Draft) -> tuple[list[DraftLine], tuple[Step, ...]] | None:
    """The lines as they go now, and all steps; None where the draft does not work any more."""
    runner = Runner(machine, Scenario("", (), talk_key=TALK_KEY))
    lines: list[DraftLine] = []
    for number, event in enumerate((*draft.given, *draft.events)):
        before, known = runner.snapshot.state, len(runner.steps)
        if not runner.play(ScenarioStep("event", event)):
            return None
        if number >= len(draft.given):
            lines.append(DraftLine(event, before, tuple(runner.steps[known:]), runner.snapshot.state))
    return lines, tuple(runner.steps)


def needed(
    machine: TurnSpecMachine, drafts: Iterable[Draft], wanted: Collection[Target]
) -> tuple[list[Draft], set[Target]]:
    """The drafts, in a stable order, that reach something wanted that none before does; and what is left."""
    left = set(wanted)

    def order(draft: Draft) -> tuple[object, ...]:
        outcome = played(machine, draft)
        return (outcome[0][0].before if outcome else "", draft.events[0], len(draft.given), draft)

    kept: list[Draft] = []
    for draft in sorted(dict.fromkeys(drafts), key=order):
        outcome = played(machine, draft)
        if outcome is None:
            continue
        lines, steps = outcome
        before = steps[: len(steps) - sum(len(line.steps) for line in lines)]
        news = left & _targets(machine, before)
        left -= news
        events = []
        for line in lines:
            fresh = left & _targets(machine, line.steps)
            if fresh or (news and line is lines[-1]):
                events.append(line.event)
            left -= fresh
        shorter = Draft(draft.given, tuple(events))
        if events:
            kept.append(shorter if played(machine, shorter) is not None else draft)
    return kept, left


def _targets(machine: TurnSpecMachine, steps: Sequence[Step]) -> set[Target]:
    return {target for step in steps for target in reached(machine.spec, step)}


# --- text -------------------------------------------------------------------------------------------------------------


def rendered(machine: TurnSpecMachine, drafts: Sequence[Draft], spec: str) -> str:
    """The file of these drafts. `spec`: the name or path of the spec, as the file is to say it."""
    head = [
        "# Written by `turnspec test --generate`: short ways to what no scenario written by hand reaches.",
        "# Do not edit: delete what you want to have found anew. Ids are made up by role (see `turnspec test --help`).",
        f"spec: {spec}",
        f'talk_key: "{TALK_KEY}"',
        "scenarios:" if drafts else "scenarios: {}",
    ]
    names: dict[str, int] = {}
    body: list[str] = []
    for draft in drafts:
        outcome = played(machine, draft)
        assert outcome is not None, draft
        body += _scenario(draft, outcome[0], names)
    return "\n".join([*head, *body]) + "\n"


def _scenario(draft: Draft, lines: Sequence[DraftLine], names: dict[str, int]) -> Iterator[str]:
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    name = f"{lines[0].before} / {lines[0].steps[0].variant}{more}"
    names[name] = names.get(name, 0) + 1
    yield from scenario_lines(f"{name}{f' ({names[name]})' if names[name] > 1 else ''}", draft, lines)


def scenario_lines(name: str, draft: Draft, lines: Sequence[DraftLine]) -> Iterator[str]:
    """One scenario of a file."""
    yield f'  "{name}":'
    if draft.given:
        yield from _wrapped("    given: [", draft.given, "]")
    yield "    steps:"
    for line in lines:
        outcome = line.steps[0].outcome
        parts = [f"event: {line.event}", f"state: {line.state}"]
        effects = [shown_effect(effect) for step in line.steps for effect in step.effects]
        parts.append(f"effects: [{', '.join(effects)}]")
        if outcome not in ("taken", "stayed"):
            parts.append(f"outcome: {outcome}")
        yield f"      - {{{', '.join(parts)}}}"


def _wrapped(head: str, names: Sequence[str], tail: str) -> Iterator[str]:
    line, indent = head, " " * len(head)
    for number, name in enumerate(names):
        piece = name + (", " if number < len(names) - 1 else tail)
        if len(line) + len(piece) > WIDTH and line.strip() and line != indent:
            yield line.rstrip()
            line = indent
        line += piece
    yield line


class RunDiffersError(LocalError):
    """The run is not one that the machine can play."""


def replayed(machine: TurnSpecMachine, run: Counterexample, name: str, spec: str) -> str:
    """The file with this one scenario. `spec` is its name or path, as the file is to say it. Raises RunDiffersError."""
    events = [step for step in run.steps if step.event is not None and step.answers]
    if not events:
        raise RunDiffersError(f"{machine.spec.file}: the run ends before any event: there is nothing to play")
    draft = Draft((), tuple(step.event for step in events if step.event is not None))
    outcome = played(machine, draft)
    if outcome is None:
        raise RunDiffersError(f"{machine.spec.file}: the machine cannot be given the events of this run")
    for step, line in zip(events, outcome[0], strict=True):
        if line.state != step.answers[-1].after:
            raise RunDiffersError(
                f"step {step.number}, {step.event}: {step.answers[-1].after} in the run, now {line.state}"
            )
    head = [
        f"# Written by `turnspec verify --scenario`: {name}. `turnspec test` replays it.",
        f"spec: {spec}", f'talk_key: "{TALK_KEY}"', "scenarios:",
    ]  # fmt: skip
    return "\n".join([*head, *scenario_lines(name, draft, outcome[0])]) + "\n"
