"""Recorded calls stepped through a changed spec: how many differ, where first, grouped by rows."""

from __future__ import annotations

import attrs

from fsm.diff.traffic import Aside, traffic
from fsm.journal.journal import Journal
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


def test_a_deadline_that_waits_longer_is_a_difference() -> None:
    found = traffic([journal("a")], loaded("server_vad").spec, changed("server_vad", SLOWER).spec)
    assert found.different == 1
    assert [d.what for d in found.groups[0].calls[0].divergence.differences] == ["timers"]


def test_the_same_spec_changes_no_call() -> None:
    spec = loaded("server_vad").spec
    found = traffic([journal("a")], spec, spec, states_too=True)
    assert (found.same, found.different, found.aside) == (1, 0, ())


def test_a_journal_of_another_version_says_nothing() -> None:
    other = changed("server_vad", BARGE_IN).spec
    found = traffic([journal("a"), Aside("b", "no journal")], other, loaded("server_vad").spec)
    assert (found.compared, [a.file for a in found.aside]) == (0, ["a", "b"])
    assert "another version" in found.aside[0].reason
