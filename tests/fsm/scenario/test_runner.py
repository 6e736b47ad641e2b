"""Scenarios told to the machine alone: each kind of line and each kind of expectation, where it holds and where not."""

from __future__ import annotations

import pytest

from fsm.scenario.reader import read_scenarios
from fsm.scenario.report import failure_text
from fsm.scenario.runner import Result, run_scenario
from tests.fsm.bundle import machine

HEAD = """
spec: server_vad
setups:
  asked: [provider.opened, session.created, session.updated]
  answering: [asked, response.created.ours]
"""


def told(given: str, *steps: str, more: str = "") -> Result:
    lines = "\n".join(f"      - {step}" for step in steps)
    text = f"{HEAD}scenarios:\n  s:\n    given: [{given}]\n{more}    steps:\n{lines}\n"
    return run_scenario(machine("server_vad"), read_scenarios(text, "s.yaml").scenarios[0])


def wrong(given: str, *steps: str, more: str = "") -> list[tuple[str, str, str]]:
    failure = told(given, *steps, more=more).failure
    return [(m.what, m.expected, m.actual) for m in failure.mismatches] if failure else []


@pytest.mark.parametrize(
    "step",
    [
        "{state: response_pending, slots: {create: sent}, context: {asked: greeting}}",
        "{event: response.created.ours, state: responding, effects: [], outcome: taken}",
        "{wire: response.created, with: {response.id: resp_a, response.metadata.turnspec: $create_response}, "
        "variant: response.created.ours}",
        "{wire: response.created, with: {response.id: resp_a, response.metadata: {}}, variant: response.created.own}",
        "{wire: response.created, with: {response.id: resp_a}, variant: response.created.unnamed}",
        "{event: response.created, with: {response_id: r, tag: $create_response~0}, variant: response.created.ours}",
        "{event: provider.closed.retryable, state: reconnecting, includes: [close_uplink]}",
        "{event: timer.create_overdue, state: response_pending}",
        "{after_ms: 4999, effects: []}",
        "{within_ms: 5700, effects: [create_response(greeting)]}",
        "{within_ms: 0, state: response_pending}",
        "{event: application.say_requested, outcome: deferred}",
        "{wire: session.created, outcome: ignored, effects: []}",
    ],
)
def test_what_holds(step: str) -> None:
    result = told("asked", step)
    assert result.failure is None, failure_text(result)


@pytest.mark.parametrize(
    ("step", "what", "expected", "actual"),
    [
        ("{state: configured}", "state", "configured", "response_pending"),
        ("{slots: {create: none}}", "create", "none", "sent"),
        ("{context: {asked: turn}}", "asked", "turn", "greeting"),
        ("{after_ms: 5700, effects: []}", "effects", "none", "create_response(greeting)"),
        ("{within_ms: 5699, includes: [create_response]}", "includes", "create_response", "none"),
        ("{within_ms: 10, state: responding}", "state", "responding", "response_pending"),
        ("{event: response.created.own, variant: response.created.ours}", "variant", "response.created.ours",
         "response.created.own"),
        ("{event: response.created.own, outcome: refused}", "outcome", "refused", "taken"),
        ("{event: tool.returned.pending}", "the line", "event: tool.returned.pending",
         "nothing could be 'tool.returned.pending' here: the ids of the call do not allow it"),
        ("{event: response.created, with: {tag: $cancel_response}}", "the line", "event: response.created",
         "'$cancel_response': no such effect has been sent yet"),
    ],
)  # fmt: skip
def test_what_does_not_hold(step: str, what: str, expected: str, actual: str) -> None:
    assert (what, expected, actual) in wrong("asked", step)


def test_a_deadline_that_is_not_armed_cannot_fire() -> None:
    [(_, _, actual)] = wrong("asked", "{event: timer.reconnect_due}")
    assert actual.startswith("the deadline 'reconnect_due' is not armed; armed: create_overdue")


def test_arguments_are_shown_where_arguments_were_asked_for() -> None:
    step = "{event: playout.flushed, with: {items: [{item_id: i, response_id: r, heard_ms: 5, received_ms: 500}]}, %s}"
    assert wrong("answering", step % "effects: [truncate_item: {audio_end_ms: 5}]") == []
    [(_, _, actual)] = wrong("answering", step % "effects: [truncate_item: {audio_end_ms: 6}]")
    assert "audio_end_ms: 5" in actual


def test_never_counts_from_its_line_to_the_end_and_beside_steps_after_what_is_given() -> None:
    late = ("{after_ms: 1, never: [create_response]}", "{after_ms: 6000}")
    assert wrong("asked", *late) == [("never", "no create_response", "create_response(greeting)")]
    assert wrong("asked", "{after_ms: 6000}", "{after_ms: 1, never: [create_response]}") == []
    assert wrong("asked", "{after_ms: 10}", more="    never: [create_response]\n") == []
    assert wrong("asked", "{after_ms: 6000}", more="    never: [create_response]\n") != []


def test_what_cannot_happen_fails_unless_it_is_expected() -> None:
    event = "event: playout.started, with: {response_id: r}"
    assert wrong("asked, caller.hung_up", f"{{{event}}}") == []
    impossible = "event: session.update_rejected"
    outcomes = [what for what, _, _ in wrong("provider.opened", f"{{{impossible}, outcome: impossible}}")]
    assert outcomes == ["outcome"]  # it is ignored there
    lost = "{event: response.created, with: {response_id: r, tag: $create_response}}"
    assert wrong("answering, response.done.completed", lost) == []  # an old tag is nobody's


def test_deadlines_come_due_in_order_and_time_adds_up() -> None:
    result = told("answering", "{after_ms: 13000}")
    assert [step.event.name for step in result.steps][-5:] == [
        "timer.quiet_overdue", "timer.response_overdue", "timer.flush_overdue", "timer.quiet_overdue",
        "timer.close_overdue",
    ]  # fmt: skip


def test_a_failure_names_lines_of_scenario_and_spec_and_tells_the_story() -> None:
    result = told("asked", "{event: response.created.ours, state: configured}")
    text = failure_text(result)
    assert text.startswith("s.yaml:10:9: failed: server_vad: s")
    assert "expected  configured" in text and "actual    responding" in text
    assert "specs/parts/conversation/answers.yaml:" in text and "conversation/response.created.ours" in text
    assert text.count(" ms  ") == 5  # the start, three steps that were given, and the one that failed
