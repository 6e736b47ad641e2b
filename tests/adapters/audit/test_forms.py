"""A call is the same call in whatever form it was logged: its failure is named, and no form makes one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from adapters.audit.run import Auditor
from fsm.audit.report.report import LogReport
from tests.adapters.audit import forms
from tests.adapters.audit.forms import DAMAGES, FORMS
from tests.fsm.audit.bench import named
from tests.fsm.audit.crossing import crossed, flat, pairs
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import Row
from tests.fsm.audit.shapes import CLEAN


def report_of(runner: Auditor, path: Path, log: str | bytes) -> LogReport:
    path.write_bytes(log.encode() if isinstance(log, str) else log)
    return runner.audit(str(path))


def said(report: LogReport) -> list[str]:
    return [f"{group.rule.id}: {group.first.text}" for group in report.findings]


def without_closes(rows: list[Row]) -> list[Row]:
    return [row for row in rows if "event" in row]


@pytest.mark.parametrize(("name", "form"), [*crossed(FAILURES, FORMS), ("played on", "node")])
def test_a_failure_is_named_in_every_form(runner: Auditor, tmp_path: Path, name: str, form: str) -> None:
    make, rule = FAILURES[name]
    rows = without_closes(make())
    report = report_of(runner, tmp_path / "log", FORMS[form](rows))
    assert report.figures.records == len(rows)
    assert report.timed
    hidden = (name, form) == ("played on", "node")  # the session's audio format is an [Object]
    assert (rule in named(report.findings)) is not hidden


@pytest.mark.parametrize(("shape", "form"), crossed(CLEAN, FORMS))
def test_no_form_makes_a_failure(runner: Auditor, tmp_path: Path, shape: str, form: str) -> None:
    rows = without_closes(CLEAN[shape]())
    report = report_of(runner, tmp_path / "log", FORMS[form](rows))
    assert said(report) == []
    assert report.figures.records >= len(rows) - 3  # pings, in forms that do not say that they are events


@pytest.mark.parametrize(("form", "damage"), crossed(FORMS, DAMAGES))
def test_a_damaged_log_is_the_same_call(runner: Auditor, tmp_path: Path, form: str, damage: str) -> None:
    rows = FAILURES["two tools ask"][0]()
    report = report_of(runner, tmp_path / "log", DAMAGES[damage](FORMS[form](rows).encode()))
    assert report.figures.records == len(rows)
    assert named(report.findings) == ["create-per-tool"]


CUTS = (200, 320, 600)


_CUT = ("lines", "text", "logfmt", "docker", "pydantic")


@pytest.mark.parametrize(("shape", "form", "at"), flat(crossed(CLEAN, pairs(_CUT, CUTS))))
def test_lines_that_were_cut_make_no_failure(runner: Auditor, tmp_path: Path, shape: str, form: str, at: int) -> None:
    rows = without_closes(CLEAN[shape]())
    assert said(report_of(runner, tmp_path / "log", forms.cut(FORMS[form](rows), at))) == []


@pytest.mark.parametrize("shape", CLEAN)
def test_frames_without_their_middle_make_no_failure(runner: Auditor, tmp_path: Path, shape: str) -> None:
    rows = without_closes(CLEAN[shape]())
    whole = report_of(runner, tmp_path / "log", forms.text(rows)).figures
    report = report_of(runner, tmp_path / "log", forms.websockets_debug(rows))
    assert said(report) == []
    assert (report.figures.turns, report.figures.responses) == (whole.turns, whole.responses)


@pytest.mark.parametrize(("name", "form"), crossed(FAILURES, ("lines", "text")))
def test_a_failure_is_named_where_lines_were_cut(runner: Auditor, tmp_path: Path, name: str, form: str) -> None:
    make, rule = FAILURES[name]
    log = forms.cut(FORMS[form](without_closes(make())), 420)
    hidden = {"played on"}  # the audio is cut, and with it its length
    assert (rule in named(report_of(runner, tmp_path / "log", log).findings)) is (name not in hidden)


def test_a_line_that_was_cut_takes_no_other_with_it(runner: Auditor, tmp_path: Path) -> None:
    rows = FAILURES["two tools ask"][0]()
    made = forms.lines(rows).splitlines()
    made[1] = made[1][:90]
    report = report_of(runner, tmp_path / "log", "\n".join(made))
    assert report.figures.records == len(rows)
    made = forms.text(rows).splitlines()
    made[1] = made[1][:130]
    assert report_of(runner, tmp_path / "log", "\n".join(made)).figures.records == len(rows)


def test_the_first_line_of_a_log_may_be_the_rest_of_one(runner: Auditor, tmp_path: Path) -> None:
    rows = FAILURES["two tools ask"][0]()
    for form in ("lines", "text", "one_array"):
        made = FORMS[form](rows)
        report = report_of(runner, tmp_path / "log", made[60:])
        assert named(report.findings) == ["create-per-tool"], form
        assert report.figures.records >= len(rows) - 2, form


def test_an_object_that_holds_more_than_memory_should_is_read_in_parts(
    runner: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters.audit import documents

    monkeypatch.setattr(documents, "_LARGE", 30_000)
    rows = FAILURES["storm"][0]()
    for form in ("one_object", "har"):
        report = report_of(runner, tmp_path / "log", FORMS[form](rows))
        assert report.figures.records == len(rows), form
        assert report.figures.rejected == 13


# --- several calls in one log -----------------------------------------------------------------------------------------


def through_each_other(*calls: list[Row]) -> list[tuple[str, Row]]:
    named_rows = [(f"c-{number}", row) for number, rows in enumerate(calls, 1) for row in without_closes(rows)]
    return sorted(named_rows, key=lambda pair: pair[1]["at"])


def ids_of_its_own(rows: list[Row], mark: str) -> list[Row]:
    return list(json.loads(re.sub(r"\b(resp|conv|item)_(?=[u\d])", rf"\1_{mark}", json.dumps(rows))))


CALLS = (
    ids_of_its_own(CLEAN["spoken_turns"](), "a"),
    ids_of_its_own(FAILURES["two tools ask"][0](), "b"),
    ids_of_its_own(CLEAN["truncated"](), "c"),
    ids_of_its_own(FAILURES["late answer"][0](), "d"),
)


def as_json_context(call: str, row: Row) -> str:
    return json.dumps({"call_id": call, **row})


def as_text_context(call: str, row: Row) -> str:
    return f"{forms.iso(row)} [session_id={call}] {forms.arrows(row)} {json.dumps(row['event'])}"


def as_logger_name(call: str, row: Row) -> str:
    return f"{forms.iso(row)} call-{call[2:]} {forms.arrows(row)} {json.dumps(row['event'])}"


@pytest.mark.parametrize("form", [as_json_context, as_text_context, as_logger_name])
def test_calls_that_a_log_names_are_told_apart(runner: Auditor, tmp_path: Path, form: object) -> None:
    assert callable(form)
    made = "\n".join(form(call, row) for call, row in through_each_other(*CALLS))
    report = report_of(runner, tmp_path / "log", made)
    assert sorted(named(report.findings)) == ["create-per-tool", "dead-air"]
    assert report.figures.calls == 4
    assert {g.rule.id: g.first.call[-1] for g in report.findings} == {"create-per-tool": "2", "dead-air": "4"}


def test_calls_that_nothing_tells_apart_give_no_verdict_but_the_providers(runner: Auditor, tmp_path: Path) -> None:
    made = "\n".join(json.dumps(row) for _, row in through_each_other(*CALLS))
    report = report_of(runner, tmp_path / "log", made)
    assert "calls-mixed" in named(report.notes)
    assert all(any(e.type == "error" for e in g.first.evidence) for g in report.findings)


def test_an_id_of_each_line_is_no_call(runner: Auditor, tmp_path: Path) -> None:
    rows = FAILURES["two tools ask"][0]()
    made = "\n".join(json.dumps({"channel_id": f"m{n}", **row}) for n, row in enumerate(rows))
    report = report_of(runner, tmp_path / "log", made)
    assert report.figures.calls == 1
    assert named(report.findings) == ["create-per-tool"]


@pytest.mark.parametrize("key", ["connection_id", "room", "channel"])
def test_a_name_for_each_direction_is_no_call(runner: Auditor, tmp_path: Path, key: str) -> None:
    rows = FAILURES["two tools ask"][0]()
    made = "\n".join(json.dumps({key: f"{row['dir']}-1", **row}) for row in rows)
    report = report_of(runner, tmp_path / "log", made)
    assert report.figures.calls == 1
    assert named(report.findings) == ["create-per-tool"]


def test_what_a_log_says_before_it_names_its_call_is_of_that_call(runner: Auditor, tmp_path: Path) -> None:
    rows = FAILURES["two tools ask"][0]()
    made = "\n".join(json.dumps({**({"session_id": "s1"} if n > 3 else {}), **row}) for n, row in enumerate(rows))
    report = report_of(runner, tmp_path / "log", made)
    assert report.figures.calls == 1
    assert named(report.findings) == ["create-per-tool"]


def test_more_calls_than_are_followed_at_a_time(
    runner: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsm.audit import audit

    monkeypatch.setattr(audit, "_OPEN", 2)
    rows = [(f"c-{n}", {**row, "at": row["at"] + 30 * n}) for n in range(5) for row in CALLS[1]]
    made = "\n".join(as_json_context(call, row) for call, row in rows)
    report = report_of(runner, tmp_path / "log", made)
    assert report.figures.calls == 5
    assert [(g.rule.id, g.count) for g in report.findings] == [("create-per-tool", 5)]
