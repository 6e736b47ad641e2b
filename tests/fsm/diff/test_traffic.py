"""Recorded calls stepped through a changed spec: how many differ, where first, grouped by rows."""

from __future__ import annotations

import attrs

from fsm.diff.report import asides
from fsm.diff.traffic import Aside, traffic
from fsm.journal.journal import Journal, StepLine
from tests.fsm.bundle import loaded, machine
from tests.fsm.diff.test_structure import BARGE_IN, SLOWER, changed
from tests.fsm.journal.test_replay import CALL, record


def journal(name: str, length: int = len(CALL)) -> Journal:
    return attrs.evolve(record(machine("server_vad"), CALL[:length]), file=name)


def test_calls_that_meet_the_change_are_grouped_by_the_rows_of_both() -> None:
    old, new = loaded("server_vad").spec, changed("server_vad", BARGE_IN).spec
    found = traffic([journal("b"), journal("short", 4), journal("a")], old, new)
    assert (found.same, found.different, found.compared, found.aside) == (1, 2, 3, ())
    (group,) = found.groups
    assert [c.file for c in group.calls] == ["a", "b"]
    assert group.event == "input_audio_buffer.speech_started"
    assert group.old == group.new == ("conversation/input_audio_buffer.speech_started.new",)
    assert group.old_place.startswith("specs/server_vad.yaml:")
    difference = group.calls[0].divergence.differences[0]
    assert difference.what == "effects" and "flush_playout" in difference.expected
    assert "flush_playout" not in difference.got


def test_a_deadline_that_waits_longer_is_a_difference_where_it_passed() -> None:
    found = traffic([journal("a")], loaded("server_vad").spec, changed("server_vad", SLOWER).spec)
    assert found.different == 1 and found.groups[0].event == "timer.answer_overdue"
    assert [d.what for d in found.groups[0].calls[0].divergence.differences] == ["deadline"]


def test_a_deadline_that_did_not_pass_changed_no_call() -> None:
    """Until the deadline passes the call is the same: it is told how often it started."""
    short = journal("a", CALL.index(("timer.answer_overdue", {})))
    assert short.steps[-1].started[0].name == "answer_overdue"
    found = traffic([short], loaded("server_vad").spec, changed("server_vad", SLOWER).spec)
    assert (found.same, found.different, found.waited) == (1, 0, {"answer_overdue": 1})


def test_a_deadline_that_would_have_passed_before_what_came_is_a_difference() -> None:
    sooner = ("server_vad.yaml", "answer_overdue: {after_ms: 4000,", "answer_overdue: {after_ms: 1,")
    found = traffic([journal("a")], loaded("server_vad").spec, changed("server_vad", sooner).spec)
    (difference,) = found.groups[0].calls[0].divergence.differences
    assert difference.expected == "answer_overdue had not passed" and difference.got == "passed 19 ms before"


def test_the_same_spec_changes_no_call() -> None:
    spec = loaded("server_vad").spec
    found = traffic([journal("a")], spec, spec, states_too=True)
    assert (found.same, found.different, found.aside) == (1, 0, ())


def test_a_journal_of_another_version_says_nothing() -> None:
    other = changed("server_vad", BARGE_IN).spec
    found = traffic([journal("a"), Aside("b", "no journal")], other, loaded("server_vad").spec)
    assert (found.compared, [a.file for a in found.aside]) == (0, ["a", "b"])
    assert "another version" in found.aside[0].reason
    assert [a.what for a in found.aside] == ["written by another version", "no journal"]


def test_a_journal_of_another_spec_says_nothing() -> None:
    spec = loaded("owned_turns").spec
    found = traffic([journal("a"), journal("b")], spec, spec)
    assert {a.what for a in found.aside} == {"a call of server_vad"}
    assert list(asides(found)) == ["2 × a call of server_vad"]


def test_a_row_is_shown_where_it_stands_in_the_old_spec_not_where_it_was_recorded() -> None:
    moved = journal("a")
    lines = tuple(attrs.evolve(x, place="elsewhere.yaml:1") if isinstance(x, StepLine) else x for x in moved.lines)
    found = traffic([attrs.evolve(moved, lines=lines)], loaded("server_vad").spec, changed("server_vad", BARGE_IN).spec)
    assert found.groups[0].old_place.startswith("specs/server_vad.yaml:")
