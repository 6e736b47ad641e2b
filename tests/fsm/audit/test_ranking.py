"""Findings stand in the order of causes, and what the caller noticed names the likely one."""

from __future__ import annotations

from fsm.audit.rules import RULES
from fsm.audit.rules.ranking import BANDS
from tests.fsm.audit.bench import audited, named, only
from tests.fsm.audit.logbook import LogBook

_NOTES_ONLY = {"tool-answered-early", "truncate-beyond", "calls-mixed", "nonsense-number", "not-in-vocabulary"}


def test_every_rule_that_can_be_a_finding_has_its_place() -> None:
    assert {rule.id for rule in RULES} - BANDS.keys() == _NOTES_ONLY
    assert BANDS.keys() <= {rule.id for rule in RULES}


def rejected_then_silent() -> LogBook:
    book = LogBook().greeted()
    book.update()
    book.wait(0.02).error("unknown_parameter", "Unknown parameter: 'session.x'.", None, "session.x")
    for _ in range(3):
        book.says().wait(8)
    return book


def test_what_explains_the_others_stands_first() -> None:
    report = audited(rejected_then_silent().rows)
    assert named(report.findings)[0] == "update-rejected"
    silence = only(report, "turn-unanswered")
    assert silence.count == 2 and silence.because == "A session.update was rejected"


def test_without_anything_before_it_nothing_is_the_cause() -> None:
    book = LogBook().greeted()
    book.says().wait(8)
    book.says().wait(8)
    assert only(audited(book.rows), "turn-unanswered").because == ""
