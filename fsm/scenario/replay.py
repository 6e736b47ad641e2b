"""A run that the verifier found, as a scenario: the machine that takes calls, ids and all, goes the same way.

What the run says in roles is told with ids made up by role, and each state has to be the one the verifier came to; so a
counterexample is seen twice, and stays as a test. Never here: files, finding runs (fsm.verify).
"""

from __future__ import annotations

from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.writer import TALK_KEY, Draft, played, scenario_lines
from fsm.verify.counterexample import Counterexample


class Differs(Exception):
    """The machine does not go the way of the run."""


def replayed(machine: TurnSpecMachine, run: Counterexample, name: str, spec: str) -> str:
    """The file with this one scenario. `spec` is its name or path, as the file is to say it. Raises Differs."""
    told = [step for step in run.steps if step.event is not None and step.answers]
    draft = Draft((), tuple(step.event for step in told if step.event is not None))
    outcome = played(machine, draft)
    if outcome is None:
        raise Differs(f"{machine.spec.file}: the machine cannot be told what this run tells it")
    for step, line in zip(told, outcome[0], strict=True):
        if line.state != step.answers[-1].after:
            raise Differs(f"step {step.number}, {step.event}: {step.answers[-1].after} in the run, now {line.state}")
    head = [
        f"# Written by `turnspec verify --scenario`: {name}. `turnspec test` replays it.",
        f"spec: {spec}", f'talk_key: "{TALK_KEY}"', "scenarios:",
    ]  # fmt: skip
    return "\n".join([*head, *scenario_lines(name, draft, outcome[0])]) + "\n"
