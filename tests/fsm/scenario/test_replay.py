"""Counterexamples as scenarios: the machine that takes calls goes the way the verifier found, and says so in a file."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from adapters.specs import load_spec
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.reader import read_scenarios
from fsm.scenario.runner import run_scenario
from fsm.scenario.writer import RunDiffersError, replayed
from fsm.verify.counterexample import Counterexample
from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.verify import house

TOOLS = {"answer_tool_twice", "ask_after_each_tool", "check_then_send", "forget_the_owed_answer"}


def refuted(path: Path) -> tuple[TurnSpecMachine, dict[str, Counterexample]]:
    spec = load_spec(path, typestate=False).spec
    scene = "loss" if path.stem == "wait_for_created" else "tools" if path.stem in TOOLS else "turns"
    limits = SearchLimits(scene=scene, max_states=20_000)
    verdict = Verification(spec, house.world(), house.properties(), limits).run(lambda: 0.0)
    return TurnSpecMachine(spec), {f.name: f.run for f in verdict.violated if f.run is not None}


@pytest.mark.parametrize("path", sorted((house.SPECS / "broken").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_counterexample_of_a_broken_controller_is_a_scenario_that_its_machine_plays(path: Path) -> None:
    machine, runs = refuted(path)
    assert runs
    for name, run in runs.items():
        file = read_scenarios(replayed(machine, run, f"{name} fails", path.name), "run.yaml")
        (scenario,) = file.scenarios
        assert scenario.specs == (path.name,)
        result = run_scenario(machine, scenario)
        assert result.failure is None, result.failure
        states = [step.answers[-1].after for step in run.steps if step.answers]
        assert [step.expect.state for step in scenario.steps] == states


def test_a_sound_spec_does_not_go_that_way() -> None:
    machine, runs = refuted(house.SPECS / "broken" / "log_the_rejection.yaml")
    (scenario,) = read_scenarios(replayed(machine, runs["turns_are_answered"], "it fails", "x"), "run.yaml").scenarios
    result = run_scenario(TurnSpecMachine(house.spec("owned_turns")), scenario)
    assert result.failure is not None


def test_a_run_the_machine_does_not_go_is_no_scenario() -> None:
    machine, runs = refuted(house.SPECS / "broken" / "update_before_created.yaml")
    run = next(iter(runs.values()))
    last = run.steps[-1]
    elsewhere = attrs.evolve(last, answers=(attrs.evolve(last.answers[-1], after="tool_call"),))
    with pytest.raises(RunDiffersError, match=f"step {last.number}, .*: tool_call in the run, now "):
        replayed(machine, attrs.evolve(run, steps=(*run.steps[:-1], elsewhere)), "it fails", "x")
    with pytest.raises(RunDiffersError, match="before any event"):
        replayed(machine, attrs.evolve(run, steps=()), "it fails", "x")
