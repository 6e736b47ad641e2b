"""What our machine does beside a log: at the log's times, without a step that cannot be."""

from __future__ import annotations

import pytest

from fsm.audit.conversation import AuditOptions
from fsm.audit.record import Record
from fsm.audit.shadow import Shadow, ShadowStep
from fsm.audit.tracking.tracker import Tracker
from tests.fsm.audit import failures
from tests.fsm.audit.bench import machine, record
from tests.fsm.audit.crossing import crossed
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import Row
from tests.fsm.audit.shapes import CLEAN, VIEWS


def acts(rows: list[Row], spec: str = "server_vad") -> list[ShadowStep]:
    tracker, shadow = Tracker(machine(spec).spec.vocabulary, AuditOptions()), Shadow(machine(spec))
    found: list[ShadowStep] = []
    for line, row in enumerate(rows, 1):
        fed = record(line, row)
        observed = tracker.feed(fed)
        found += shadow.feed(fed, tracker.conversation, observed)
    return found


def effects(found: list[ShadowStep]) -> list[str]:
    return [effect for act in found for effect in act.effects]


@pytest.mark.parametrize("name", FAILURES)
def test_nothing_that_cannot_happen_happens(name: str) -> None:
    assert [act for act in acts(FAILURES[name][0]()) if act.outcome == "impossible"] == []


def test_time_never_goes_back() -> None:
    for make, _ in FAILURES.values():
        times = [act.at_ms for act in acts(make())]
        assert times == sorted(times)


def test_a_healthy_call_is_taken_as_it_was() -> None:
    found = effects(acts(failures.healthy()))
    assert [e for e in found if e.startswith("create_response")] == [
        "create_response(greeting)",
        "create_response(tools)",
    ]
    assert [e for e in found if e.startswith(("run_tool", "send_tool"))] == [
        "run_tool(get_weather)", "run_tool(get_weather)", "send_tool_output(call_001)", "send_tool_output(call_002)",
    ]  # fmt: skip
    assert found.count("flush_playout") >= 1
    (truncated,) = [e for e in found if e.startswith("truncate_item")]
    assert truncated == "truncate_item(1400)"  # so much of it had been heard


def test_an_answer_that_never_came_is_asked_for() -> None:
    found = acts(failures.never_answered())
    (overdue, *_) = [act for act in found if act.event == "timer.answer_overdue"]
    assert overdue.effects == ("create_response(turn)",)
    ends = [act.at_ms for act in found if act.event.startswith("input_audio_buffer.committed")]
    stopped = max(at for at in ends if at < overdue.at_ms)
    assert overdue.at_ms == stopped + 4000


def test_a_response_that_never_ended_is_cancelled() -> None:
    found = acts(failures.response_lost())
    assert any(e.startswith("cancel_response(resp_0002)") for e in effects(found))


def test_what_their_client_asked_for_and_was_refused_is_not_ours() -> None:
    assert not [act for act in acts(failures.storm()) if act.event.startswith("create_rejected")]


def test_without_times_no_deadline_passes() -> None:
    rows = [{k: v for k, v in row.items() if k != "at"} for row in failures.never_answered()]
    assert not [act for act in acts(rows) if act.event.startswith("timer.")]


def test_keys_that_a_journal_knows_of_reach_the_machine() -> None:
    rows = failures.healthy()[:-1]
    tracker, shadow = Tracker(machine().spec.vocabulary, AuditOptions()), Shadow(machine())
    found: list[ShadowStep] = []
    for line, row in enumerate(rows, 1):
        fed = record(line, row)
        found += shadow.feed(fed, tracker.conversation, tracker.feed(fed))
    at_ms = rows[-1]["at"] * 1000
    for after_ms, event in ((4000, "caller.pressed_key"), (7000, "x")):
        fed = Record("journal", 99, "local", at_ms + after_ms, event, {"digit": "7"})
        found += shadow.feed(fed, tracker.conversation, tracker.feed(fed))
    assert effects(found)[-2:] == ["send_digits", "create_response(turn)"]


@pytest.mark.parametrize(("shape", "view"), crossed(CLEAN, ("all", "cut audio", "provider only", "sample")))
def test_whoever_serves_a_call_nothing_happens_that_cannot(shape: str, view: str) -> None:
    assert [act for act in acts(VIEWS[view](CLEAN[shape]())) if act.outcome == "impossible"] == []


@pytest.mark.parametrize("close", [True, False])
def test_each_call_of_a_log_begins_with_a_greeting(close: bool) -> None:
    rows = [row for row in failures.healthy() if close or "event" in row]
    calls = [{**row, "at": row["at"] + 60 * number} for number in range(3) for row in rows]
    asked = [e for e in effects(acts(calls)) if e.startswith("create_response")]
    assert asked == ["create_response(greeting)", "create_response(tools)"] * 3
