"""What stands in for an application in a scenario over the wire: tools that say something with data, bound effects."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.scenario.files import Suite, read_files
from adapters.scenario.wire import play_scenario, prepared_call
from fsm.language.problem import SpecError
from fsm.scenario.report import failure_text

SHOP = Path(__file__).parents[1] / "server" / "shop" / "shop.yaml"

SCENARIO = """
spec: {spec}
scenarios:
  an order is found:
    over: wire
    tools: {tools}
    effects: {effects}
    caller:
      steps: [wait_agent_speaking, {{wait_agent_silent: 800}}, {{say: caller_order_status}}, {{wait_ms: 4000}}, hang_up]
    provider:
      responses: [{{when: {{user_turn: 1}}, output: [{{call: look_up, arguments: {{}}}}]}}]
    expect:
      deadlines: {deadlines}
      summary: {{violations: 0}}
"""
TOOL = "{look_up: {requests: {application.order_found: {number: A7}}}}"


def suite(folder: Path, tools: str = TOOL, effects: str = "{}", deadlines: str = "[]") -> Suite:
    path = folder / "scenarios.yaml"
    text = SCENARIO.format(spec=SHOP, tools=tools, effects=effects, deadlines=deadlines)
    path.write_text(text, encoding="utf-8")
    return Suite(read_files([path]), typestate=False)


@pytest.mark.parametrize(
    ("effects", "comes", "within_ms"),
    [
        ("{}", "application.notify_crm.failed.other", 0),
        ("{notify_crm: {returns: {ticket: T1}, after_ms: 300}}", "application.notify_crm.done", 300),
        ("{notify_crm: {raises: no such order}}", "application.notify_crm.failed.other", 0),
        ("{notify_crm: {after_ms: 900, deadline_ms: 200}}", "application.notify_crm.failed.overdue", 200),
    ],
)
def test_what_a_tool_says_has_data_and_what_comes_of_an_effect_is_played(
    tmp_path: Path, effects: str, comes: str, within_ms: int
) -> None:
    deadlines = f"[{{of: application.order_found, comes: {comes}, within_ms: {within_ms}}}]"
    made = suite(tmp_path, effects=effects, deadlines=deadlines)
    results = made.run_all(made.cases(), play_scenario)
    assert "\n\n".join(failure_text(result) for _, result in results if result.failure) == ""


@pytest.mark.parametrize(
    ("tools", "effects", "message"),
    [
        ("{look_up: {requests: application.order_found}}", "{}", "data.number is missing: a text"),
        ("{look_up: {requests: {application.order_found: {number: 7}}}}", "{}", "data.number is not a text"),
        ("{look_up: {then: {application.order_found: {nr: A7, number: A7}}}}", "{}", "data.nr is not a field"),
        (
            "{look_up: {requests: application.order_fond}}",
            "{}",
            "tools.look_up.requests: shop has no 'application.order_fond'; did you mean 'application.order_found'?",
        ),
        (
            "{look_up: {requests: [application.order_found]}}",
            "{}",
            "tools.look_up.requests: an event is expected, or {event: {field: value}}",
        ),
        ("{look_up: {request: application.order_found}}", "{}", "tools.look_up: a tool is {"),
        (TOOL, "{notify_crn: {}}", "effects.notify_crn: shop has no such effect for the application; did you mean"),
        (
            "{look_up: {after_ms: soon}}",
            "{}",
            "tools.look_up.after_ms: a number of milliseconds is expected, not 'soon'",
        ),
        (TOOL, "{notify_crm: {after_ms: soon}}", "effects.notify_crm.after_ms: a number of milliseconds is expected"),
        (TOOL, "{notify_crm: {ticket: T1}}", "effects.notify_crm: what stands in for it is {"),
        (TOOL, "{notify_crm: {returns: {tickt: T1}}}", "effects.notify_crm.returns: data.ticket is missing: a text"),
    ],
)
def test_what_could_never_be_taken_is_said_before_the_call(
    tmp_path: Path, tools: str, effects: str, message: str
) -> None:
    made = suite(tmp_path, tools, effects)
    (case,) = made.cases()
    with pytest.raises(SpecError) as caught:
        prepared_call(case.scenario, made.loaded(case.spec).spec, tmp_path)
    assert message in str(caught.value)


def test_effects_belong_to_a_scenario_over_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(f"spec: {SHOP}\nscenarios:\n  a: {{effects: {{}}, steps: [provider.opened]}}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="'effects' belongs to a scenario 'over: wire'"):
        read_files([path])
