"""Broken controllers in whole calls, over both simulators: what the verifier refutes does harm there, too."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from adapters.scenario.files import ScenarioCase, Suite, read_files
from adapters.scenario.wire import play_scenario
from adapters.specs import load_spec, specs_folder
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.report import failure_text

BROKEN = specs_folder() / "broken"
KEYED = {"ask_while_caller_speaks", "forget_the_owed_answer"}


@functools.cache
def suite() -> Suite:
    return Suite(read_files([BROKEN / "scenarios" / "wire.yaml"]), typestate=False)


@functools.cache
def cases() -> dict[str, ScenarioCase]:
    return {Path(case.spec).stem: case for case in suite().cases()}


def test_each_broken_controller_has_a_call() -> None:
    assert cases().keys() == {path.stem for path in BROKEN.glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(path.stem for path in BROKEN.glob("*.yaml")))
def test_the_harm_is_done_by_it_and_not_by_a_sound_spec(name: str) -> None:
    case = cases()[name]
    result = play_scenario(suite().machine(case.spec), case.scenario, case.path.parent)
    assert result.failure is None, failure_text(result)
    sound = TurnSpecMachine(load_spec("push_to_talk" if name in KEYED else "owned_turns").spec)
    assert play_scenario(sound, case.scenario, case.path.parent).failure is not None
