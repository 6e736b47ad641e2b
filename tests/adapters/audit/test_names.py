"""No name of a state, slot or context variable means anything to an audit: under other names it finds the same."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest

from adapters.audit.events import RecordMaker
from adapters.audit.readers import records
from adapters.audit.stream import open_stream
from fsm.audit.audit import Audit
from fsm.audit.record import Record
from fsm.audit.report.report import LogReport
from fsm.machine.machine import TurnSpecMachine
from tests import renamed_spec
from tests.adapters.demo.played_demo import planned, play_plan
from tests.fsm import bundle
from tests.fsm.audit.bench import record
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import Row

MAKERS = {"plain": bundle.machine, "other": renamed_spec.machine}


def audited(fed: Iterable[Record], spec: str, names: str) -> LogReport:
    """The report of a log beside a spec under its own names, or under others."""
    make = MAKERS[names]
    audit = Audit(make(spec), [make(spec).spec, *(make(name).spec for name in bundle.NAMES if name != spec)])
    for each in fed:
        audit.feed(each)
    return audit.finish("log", "rows")


def told(report: LogReport, spec: str) -> str:
    """All of a report, with the names of the bundled spec. A line of a spec is where it was; its columns may not be."""
    assert report.findings or report.notes or report.timelines
    text = re.sub(r"column=\d+", "", repr(report))
    for name in renamed_spec.names(bundle.loaded(spec).spec):
        text = text.replace(f"{name}_x", name)
    return re.sub(r"\b(\w+)_x\b", r"\1", text)


@functools.cache
def journal(spec: str, scenario: str, names: str) -> str:
    """Of a whole call over both simulators, under the spec's own names or others."""
    with tempfile.TemporaryDirectory() as folder:
        plan = attrs.evolve(planned(spec=spec, scenario=scenario or None), spec=MAKERS[names](spec).spec)
        return (play_plan(plan, Path(folder)).folder / "journal.jsonl").read_text()


def in_journal(text: str, machine: TurnSpecMachine, folder: Path) -> list[Record]:
    path = folder / "journal.jsonl"
    path.write_text(text)
    stream = open_stream(str(path))
    try:
        return list(records(stream, RecordMaker(machine.spec.vocabulary, "journal")))
    finally:
        stream.close()


@pytest.mark.parametrize(
    ("spec", "scenario"),
    [("server_vad", ""), ("server_vad", "closed_in_mid_call"), ("owned_turns", "crossing"), ("push_to_talk", "")],
)
def test_a_journal_is_found_the_same_under_other_names(tmp_path: Path, spec: str, scenario: str) -> None:
    plain, other = (
        audited(in_journal(journal(spec, scenario, names), MAKERS[names](spec), tmp_path), spec, names)
        for names in MAKERS
    )
    assert told(other, spec) == told(plain, spec)


@pytest.mark.parametrize("name", FAILURES)
def test_a_log_of_somebody_elses_is_found_the_same_under_other_names(name: str) -> None:
    rows: list[Row] = FAILURES[name][0]()
    fed = [record(line, row) for line, row in enumerate(rows, 1)]
    plain, other = (audited(fed, "server_vad", names) for names in MAKERS)
    assert plain.findings and told(other, "server_vad") == told(plain, "server_vad")
