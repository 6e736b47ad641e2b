"""No caller in any scenario of the repository waits over eight seconds in silence while something is owed to him."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.scenario.files import Suite, bundled_scenarios, found_files, read_files
from adapters.scenario.wire import play_scenario
from adapters.specs import BUNDLED
from fsm.machine.machine import Step, TurnSpecMachine
from fsm.scenario.report import failure_text
from fsm.scenario.runner import CannotPlayError, Result, Runner
from fsm.scenario.scenario import Scenario

LONGEST_MS = 8000


class InTime(Runner):
    """Time passes as it does in a call: a line that jumps to a deadline lets the earlier ones come due before it."""

    def _fire(self, name: str) -> None:
        armed = self.due.get(name)
        while self.due and (first := min(self.due, key=lambda each: self.due[each])) != name:
            super()._fire(first)
            if self.due.get(name) != armed:
                raise CannotPlayError(f"'{name}' was settled by what came before it")
        super()._fire(name)

    def told(self) -> Iterator[tuple[int, Step]]:
        """Every step with its time. What a line expects is not looked at: with all deadlines it may come otherwise."""
        for line in self.scenario.steps:
            with contextlib.suppress(CannotPlayError):
                self._line(line)
        for told in self.story:
            yield from ((told.at_ms, step) for step in told.steps)


def longest_wait_ms(machine: TurnSpecMachine, scenario: Scenario) -> int:
    summary = Summary(machine.spec)
    for at_ms, step in InTime(machine, scenario).told():
        summary.count(step, Envelope(step.event, "story"), at_ms)
    ms = summary.as_json()["longest_wait_ms"]
    assert isinstance(ms, int)
    return ms


@functools.cache
def suite() -> Suite:
    return Suite(read_files(found_files([bundled_scenarios()])))


def alone(spec: str) -> list[Scenario]:
    """The scenarios of the machine alone."""
    return [case.scenario for case in suite().cases() if case.spec == spec and case.scenario.play is None]


@pytest.mark.parametrize("spec", BUNDLED)
def test_no_scenario_of_the_machine_alone(spec: str) -> None:
    machine = suite().machine(spec)
    waits = {str(scenario.place): longest_wait_ms(machine, scenario) for scenario in alone(spec)}
    assert len(waits) > 100 and max(waits.values()) > 5000
    assert {place: ms for place, ms in waits.items() if ms > LONGEST_MS} == {}


@pytest.mark.parametrize("spec", BUNDLED)
def test_a_spec_that_says_nothing_to_a_waiting_caller_would_be_noticed(spec: str) -> None:
    sound = suite().machine(spec).spec
    deadlines = {name: each for name, each in sound.deadlines.items() if name != "quiet_overdue"}
    silent = TurnSpecMachine(attrs.evolve(sound, deadlines=deadlines))
    assert any(longest_wait_ms(silent, scenario) > LONGEST_MS for scenario in alone(spec))


def test_no_scenario_over_the_wire() -> None:
    played = suite().run_all([case for case in suite().cases() if case.scenario.play], patient)
    assert len(played) >= 12
    assert "\n\n".join(failure_text(result) for _, result in played if result.failure) == ""


def patient(machine: TurnSpecMachine, scenario: Scenario, folder: Path) -> Result:
    """As `play_scenario`, with one more thing to look at."""
    assert scenario.play is not None
    wanted = {**scenario.play.summary, "longest_wait_ms": f"< {LONGEST_MS}"}
    return play_scenario(machine, attrs.evolve(scenario, play=attrs.evolve(scenario.play, summary=wanted)), folder)
