"""Scenarios of a derived spec with words of its own: what a configuration would say stands under `session:`."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.scenario.files import Suite, read_files
from adapters.scenario.wire import play_scenario, prepared_call
from fsm.language.problem import SpecError
from fsm.scenario.report import failure_text

SHOP = Path(__file__).parents[1] / "server" / "shop"

SCENARIO = """
spec: {spec}
scenarios:
  a key tells a variant:
    given: [provider.opened, session.created, session.updated]
    steps:
      - {{event: caller.pressed_key.end, includes: [send_digits]}}
      - {{event: application.order_found, effects: [{{notify_crm: {{argument: order, number: something}}}}]}}
      - {{event: application.notify_crm.failed.overdue, context: {{ticket: lost}}}}
      - {{event: caller.pressed_key.zero, effects: [play_prompt(goodbye)]}}
      - {{event: prompt.finished.goodbye, state: closed}}
  zero ends the call when the recording is over:
    over: wire
    caller:
      steps: [wait_agent_speaking, {{wait_agent_silent: 800}}, {{press: "0"}}, {{until_hung_up: {{within_ms: 20000}}}}]
    session: {session}
    expect:
      deadlines:
        - {{of: caller.pressed_key.zero, comes: prompt.finished.goodbye, within_ms: 900}}
      summary: {{violations: 0}}
"""


def suite(folder: Path, session: str = "{}") -> Suite:
    path = folder / "scenarios.yaml"
    path.write_text(SCENARIO.format(spec=SHOP / "shop.yaml", session=session), encoding="utf-8")
    return Suite(read_files([path]), typestate=False)


@pytest.mark.parametrize("session", ["{}", "{say: {found: Say so.}}"])
def test_a_spec_with_words_of_its_own_is_played(tmp_path: Path, session: str) -> None:
    cases = suite(tmp_path, session).cases()
    results = suite(tmp_path, session).run_all(cases, play_scenario)
    assert len(results) == 2
    assert "\n\n".join(failure_text(result) for _, result in results if result.failure) == ""


@pytest.mark.parametrize(
    ("session", "message"),
    [
        ("{prompts: {goodbye: gone.wav}}", "gone.wav"),
        ("{prompts: [goodbye]}", "session.prompts: names, each with a text, are expected"),
        ("{say: {fond: Say so.}}", "session.say: shop names no 'fond'"),
    ],
)
def test_what_is_wrong_with_a_scenarios_words_is_said(tmp_path: Path, session: str, message: str) -> None:
    made = suite(tmp_path, session)
    (case,) = made.cases("zero ends")
    with pytest.raises(SpecError) as caught:
        prepared_call(case.scenario, made.loaded(case.spec).spec, tmp_path)
    assert message in str(caught.value)
