"""Each call of a log has its own timeline, and a report says how it knows when the agent was heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fsm.audit.audit import Audit
from fsm.audit.record import Record
from fsm.audit.report import markdown
from fsm.audit.report.report import LogReport
from fsm.audit.timelines import DRAWN
from tests.fsm.audit import failures
from tests.fsm.audit.bench import audited, machine, only, record, untimed
from tests.fsm.audit.logbook import LogBook, Row

Make = Callable[[], list[Row]]
CALLS: tuple[Make, ...] = (failures.healthy, failures.never_answered, failures.two_tools_ask, failures.healthy)


def in_turn(calls: Iterable[Make] = CALLS) -> list[Row]:
    """Calls one after the other, a minute apart, without a word between them."""
    rows: list[Row] = []
    for make in calls:
        start = rows[-1]["at"] + 60 if rows else 0.0
        rows += [{**row, "at": row["at"] + start} for row in make() if "event" in row]
    return rows


def at_once(calls: Iterable[Make] = CALLS) -> LogReport:
    """Calls that overlap, told apart by a name."""
    named = [(row["at"] + 7 * n, n, row) for n, make in enumerate(calls) for row in make() if "event" in row]
    audit = Audit(machine(), [machine().spec])
    for line, (at, n, row) in enumerate(sorted(named, key=lambda each: each[:2]), 1):
        found = record(line, {**row, "at": at})
        audit.feed(Record("log", line, found.direction, found.at_ms, found.type, found.event, f"call-{n}"))
    return audit.finish("log", "rows")


def test_calls_one_after_the_other_are_drawn_one_by_one() -> None:
    rows = in_turn()
    report = audited(rows)
    begins = [n for n, row in enumerate(rows, 1) if row["event"]["type"] == "session.created"]
    assert [timeline.name for timeline in report.timelines] == ["", *(f"from line {n}" for n in begins[1:])]
    starts = [rows[n - 1]["at"] * 1000 for n in begins]
    assert [timeline.lanes.start_at for timeline in report.timelines] == starts
    for timeline, until in zip(report.timelines, [*starts[1:], float("inf")], strict=True):
        bars = [*timeline.lanes.speech, *timeline.lanes.generated]
        assert bars
        assert all(timeline.lanes.start_at <= bar.start_ms < until for bar in bars)


def test_the_picture_of_a_finding_is_of_the_call_it_was_found_in() -> None:
    for report in (audited(in_turn()), at_once()):
        assert [bool(timeline.lanes.found) for timeline in report.timelines] == [False, True, True, False]
        assert only(report, "turn-unanswered").lanes is report.timelines[1].lanes
        assert only(report, "create-per-tool").lanes is report.timelines[2].lanes


def test_without_times_calls_are_drawn_one_by_one_too() -> None:
    report = audited(untimed(in_turn()))
    assert len(report.timelines) == len(CALLS)
    assert all(timeline.lanes.by_order and timeline.lanes.speech for timeline in report.timelines)


def test_calls_at_once_have_their_names() -> None:
    assert [timeline.name for timeline in at_once().timelines] == [f"call-{n}" for n in range(4)]


def test_one_call_has_one_timeline_without_a_name() -> None:
    assert [timeline.name for timeline in audited(failures.storm()).timelines] == [""]


def test_of_very_many_calls_those_with_findings_are_drawn() -> None:
    calls: list[Make] = [failures.healthy] * (DRAWN + 3) + [failures.two_tools_ask] * 2
    report = audited(in_turn(calls))
    assert (len(report.timelines), report.undrawn) == (DRAWN, 5)
    assert [bool(t.lanes.found) for t in report.timelines] == [False] * (DRAWN - 2) + [True] * 2


def test_a_report_says_how_it_knows_when_the_agent_was_heard() -> None:
    assert audited(failures.healthy()).heard == "reckoned"
    assert "reckoned from the length of its audio" in markdown.page([audited(failures.healthy())])
    silent = [row for row in failures.healthy() if not row.get("event", {}).get("type", "").endswith("audio.delta")]
    assert audited(silent).heard == "unknown"
    for row in silent:
        if row.get("event", {}).get("type") == "response.done":
            row["event"]["response"]["usage"] = {"output_token_details": {"audio_tokens": 40}}
    assert audited(silent).heard == "guessed"


def test_a_log_that_ends_in_mid_answer_says_so() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    book.item(name)
    book.audio(name, 5000).done(name)
    report = audited(book.rows)
    assert report.ends_in_speech
    assert "The log ends while the agent is speaking" in markdown.page([report])
    book.wait(6.0).server("rate_limits.updated", rate_limits=[])
    assert not audited(book.rows).ends_in_speech
