"""Deadlines that start together fire in the order of their figures, in a call and in every run of the verifier."""

from __future__ import annotations

import asyncio

import pytest

from adapters.call.mailbox import Mailbox
from adapters.call.timers import Timers
from fsm.machine.machine import Timer
from fsm.verify.firing import FiringOrder
from fsm.verify.verify import SearchLimits
from tests.fsm.verify.house import TOY_SPEC, toy, toy_spec


def clock() -> float:
    return 0.0


PATIENT = TOY_SPEC.replace("after: {overdue: 1000}", "after: {overdue: 1000, given_up: 2000}")
LEFT = PATIENT.replace(
    "    ignore:\n      we wait already",
    "    cannot_happen:\n      overdue comes first: [timer.given_up]\n    ignore:\n      we wait already",
)
STAYS = PATIENT.replace(
    "timer.overdue: {do: [presume(lamp_off)], to: dark}",
    "timer.overdue: {do: []}\n      timer.given_up: {do: [presume(lamp_off)], to: dark}",
)


def test_the_longer_one_cannot_fire_where_the_shorter_one_ends_the_wait() -> None:
    assert toy(SearchLimits(), LEFT).run(clock).problems == ()


def test_it_can_where_the_figures_are_the_other_way_round() -> None:
    verdict = toy(SearchLimits(), LEFT.replace("given_up: 2000", "given_up: 500")).run(clock)
    assert [problem.message for problem in verdict.problems] == ["'timer.given_up' does happen in 'waiting'"]


def test_it_can_where_another_condition_starts_it() -> None:
    text = LEFT.replace("after: {overdue: 1000, given_up: 2000}", "after: {overdue: 1000}").replace(
        "states:\n  dark:", "deadlines:\n  given_up: {after_ms: 2000, while: lamp == asked}\nstates:\n  dark:", 1
    )
    assert [problem.message for problem in toy(SearchLimits(), text).run(clock).problems] == [
        "'timer.given_up' does happen in 'waiting'"
    ]


def test_once_the_shorter_one_has_fired_the_longer_one_may() -> None:
    verdict = toy(SearchLimits(), STAYS).run(clock)
    fired = {event for _, event in verdict.cells}
    assert {"timer.overdue", "timer.given_up"} <= fired


def test_a_spec_without_two_deadlines_of_one_condition_has_no_further_states() -> None:
    assert toy(SearchLimits()).run(clock).states == 7
    assert FiringOrder(tuple(toy_spec().deadlines.values())).pairs == ()
    shorter = FiringOrder(tuple(toy_spec(STAYS).deadlines.values()))
    assert len(shorter.pairs) == 1


def test_a_deadline_that_an_operator_sets_has_no_place_in_the_order() -> None:
    text = STAYS.replace("after: {overdue: 1000, given_up: 2000}", "after: {overdue: 1000}").replace(
        "states:\n  dark:",
        "deadlines:\n  given_up: {after_ms: 2000, setting: connect_s, while: state == waiting}\nstates:\n  dark:",
        1,
    )
    assert FiringOrder(tuple(toy_spec(text).deadlines.values())).pairs == ()


@pytest.mark.virtual_time
async def test_in_a_call_they_come_in_order_however_late_the_loop_is() -> None:
    mailbox = Mailbox()
    timers = Timers(mailbox)
    for name, after_ms in (("late", 40), ("early", 20), ("middle", 30)):
        timers.start(Timer(name, after_ms, 1))
    await asyncio.sleep(1)
    assert [(await mailbox.next()).event.name for _ in range(3)] == ["timer.early", "timer.middle", "timer.late"]
