"""Journals of our own: our machine beside them does what it did, and what was heard is as the playout told it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from adapters.audit import readers
from adapters.audit.events import RecordMaker
from adapters.audit.readers import records
from adapters.audit.run import Auditor, auditor
from adapters.audit.stream import open_stream
from adapters.cli import main
from fsm.audit.conversation import AuditOptions
from fsm.audit.report.report import Bar
from fsm.audit.shadow import Shadow, ShadowStep
from fsm.audit.tracking.tracker import Tracker
from fsm.journal.journal import EndLine, Header, Line, StepLine, WireLine, encode, read
from tests.adapters.demo.played_demo import play
from tests.fsm.audit.bench import machine, named
from tests.fsm.audit.crossing import crossed

SCENARIOS = ("", "crossing", "lost_response_done", "closed_in_mid_call")


@pytest.fixture(autouse=True, scope="module")
def quiet_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def a_call(folder: Path, spec: str = "server_vad", scenario: str = "") -> Path:
    """A journal of a whole call over both simulators; each call is held once."""
    path = folder / "journal.jsonl"
    path.write_text(_journal(spec, scenario))
    return path


@cache
def _journal(spec: str, scenario: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return (play(Path(folder), spec=spec, scenario=scenario or None).folder / "journal.jsonl").read_text()


def steps(path: Path) -> list[StepLine]:
    return [line for line in read(path.read_text().splitlines()).lines if isinstance(line, StepLine)]


def beside(path: Path, spec: str) -> list[ShadowStep]:
    """What our machine does when it is fed the journal as a log."""
    tracker, shadow = Tracker(machine(spec).spec.vocabulary, AuditOptions()), Shadow(machine(spec))
    stream = open_stream(str(path))
    acts: list[ShadowStep] = []
    for record in records(stream, RecordMaker(machine(spec).spec.vocabulary, "journal")):
        observed = tracker.feed(record)
        acts += shadow.feed(record, tracker.conversation, observed)
    stream.close()
    return acts


@pytest.mark.parametrize(("scenario", "spec"), crossed(SCENARIOS, ("server_vad", "owned_turns", "push_to_talk")))
def test_our_machine_does_beside_a_journal_what_it_did(tmp_path: Path, spec: str, scenario: str) -> None:
    path = a_call(tmp_path, spec, scenario)
    did = [
        (step.before, step.after, [effect.name for effect in step.effects])
        for step in steps(path)
        if step.event != "call.started" and (step.before != step.after or step.effects)
    ]
    acts = [act for act in beside(path, spec) if act.before != act.after or act.effects]
    assert [(a.before, a.after, [e.partition("(")[0] for e in a.effects]) for a in acts] == did
    assert not [act.event for act in acts if act.assumed and act.event.startswith("playout.")]


def test_another_spec_beside_a_journal_meets_nothing_that_cannot_be(tmp_path: Path) -> None:
    path = a_call(tmp_path, "push_to_talk")
    assert [act for act in beside(path, "server_vad") if act.outcome == "impossible"] == []


def test_a_journal_is_compared_with_the_spec_it_was_written_under(tmp_path: Path) -> None:
    path = str(a_call(tmp_path, "push_to_talk"))
    assert auditor(None, AuditOptions()).audit(path).spec == "push_to_talk"
    assert auditor("server_vad", AuditOptions()).audit(path).spec == "server_vad"


def heard(bars: list[Bar]) -> list[tuple[int, int]]:
    return [(round(bar.start_ms), round(bar.end_ms)) for bar in bars]


@pytest.mark.parametrize("scenario", ["", "closed_in_mid_call"])
def test_what_was_heard_is_as_the_playout_told_it(runner: Auditor, tmp_path: Path, scenario: str) -> None:
    path = a_call(tmp_path, scenario=scenario)
    report = runner.audit(str(path))
    assert (report.heard, report.ends_in_speech) == ("told", False)
    assert named(report.findings) == (["closed"] if scenario else [])
    told: list[list[int]] = []
    for step in steps(path):
        if step.event == "playout.started":
            told.append([step.t_ms, 0])
        ends = step.event == "playout.drained" or any(e.name == "flush_playout" for e in step.effects)
        if ends and told and not told[-1][1]:
            told[-1][1] = step.t_ms
    (timeline,) = report.timelines
    assert heard(timeline.lanes.heard) == [(start, end) for start, end in told]
    assert len(told) == 8


def test_what_a_lost_session_was_giving_ends_with_it(runner: Auditor, tmp_path: Path) -> None:
    path = a_call(tmp_path, scenario="closed_in_mid_call")
    (timeline,) = runner.audit(str(path)).timelines
    (closed,) = [step.t_ms for step in steps(path) if step.event == "provider.closed"]
    assert [bar.end_ms for bar in timeline.lanes.generated if bar.start_ms < closed][-1] == closed


def in_speech(path: Path) -> int:
    """The number of lines up to the middle of the second answer that is heard."""
    lines = path.read_text().splitlines()
    starts = [n for n, line in enumerate(lines) if '"event":"playout.started"' in line]
    return starts[1] + 2


def test_a_journal_cut_in_mid_speech_says_so(runner: Auditor, tmp_path: Path) -> None:
    path = a_call(tmp_path)
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(path.read_text().splitlines()[: in_speech(path)]))
    report = runner.audit(str(cut))
    assert report.ends_in_speech
    assert named(report.findings) == []


def test_a_journal_whose_begin_is_lost_is_still_one(runner: Auditor, tmp_path: Path) -> None:
    path = a_call(tmp_path)
    text = path.read_text()
    cut = tmp_path / "cut.jsonl"
    cut.write_text(text[text.index('"event":"playout.started"') - 20 :])
    report = runner.audit(str(cut))
    assert (report.format, report.heard) == (readers.JOURNAL, "told")
    assert named(report.findings) == []
    assert len(report.timelines[0].lanes.heard) == 7


def test_what_our_playout_did_stands_on_the_clients_side(runner: Auditor, tmp_path: Path) -> None:
    report = runner.audit(str(a_call(tmp_path, scenario="closed_in_mid_call")))
    (group,) = report.findings
    assert group.excerpt is not None
    lanes = {line.text.partition(" ")[0]: line.lane for line in group.excerpt.lines}
    assert lanes["flush_playout"] == lanes["playout.flushed"] == lanes["playout.started"] == "client"
    assert "uplink.committable" not in lanes


def test_a_long_wait_for_the_agents_voice_is_found_in_a_journal(runner: Auditor, tmp_path: Path) -> None:
    """No audio is in a journal: that it came late is what the playout tells."""
    lines = a_call(tmp_path).read_text().splitlines()
    late = [n for n, line in enumerate(lines) if '"event":"playout.started"' in line][1]
    path = tmp_path / "late.jsonl"
    shifted = lines[:late] + [_later(line, 9000) for line in lines[late:]]
    path.write_text("\n".join(shifted))
    report = runner.audit(str(path))
    assert named(report.findings) == ["dead-air"]
    assert "before the answer to turn 1" in report.findings[0].first.text


def _later(line: str, ms: int) -> str:
    head, _, rest = line.partition('"t_ms":')
    number = rest[: rest.index(",")]
    return f'{head}"t_ms":{int(number) + ms}{rest[len(number) :]}'


# --- calls in which nobody heard anything -----------------------------------------------------------------------------


def journal(*lines: Line) -> str:
    return "".join(encode(line) + "\n" for line in (Header("server_vad", "specs/server_vad.yaml", "x"), *lines))


def step(serial: int, t_ms: int, event: str, **data: object) -> StepLine:
    return StepLine(serial, t_ms, event, "", "stayed", "configured", "configured", data)


def test_a_call_whose_provider_never_came_is_a_finding(runner: Auditor, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(journal(step(0, 0, "call.started"), step(1, 9000, "caller.hung_up"), EndLine(9100)))
    (group,) = runner.audit(str(path)).findings
    assert group.rule.id == "answer-silent"
    assert group.first.text == "the caller heard nothing in 9.1 s of call"
    result = CliRunner().invoke(main, ["audit", str(path)])
    assert result.exit_code == 1 and "heard nothing" in result.output


def test_an_answer_without_a_sound_is_a_finding_unless_another_came(runner: Auditor, tmp_path: Path) -> None:
    def response(name: str, kind: str, t_ms: int, **more: object) -> WireLine:
        event = {"type": f"response.{kind}", "event_id": f"{kind}{t_ms}", "response": {"id": name, **more}}
        return WireLine(t_ms, "in", event)

    first: list[Line] = [
        step(0, 0, "call.started"),
        WireLine(10, "in", {"type": "session.created", "event_id": "e", "session": {"id": "s"}}),
        response("r1", "created", 500),
        response("r1", "done", 900, status="completed", output=[]),
        step(1, 1000, "playout.silent", response_id="r1"),
    ]
    again: list[Line] = [
        response("r2", "created", 1700),
        step(2, 2000, "playout.started", response_id="r2"),
        step(3, 2300, "playout.heard", response_id="r2"),
        response("r2", "done", 2400, status="completed", output=[]),
    ]
    path = tmp_path / "journal.jsonl"
    path.write_text(journal(*first, EndLine(3000)))
    assert named(runner.audit(str(path)).findings) == ["answer-silent"]
    path.write_text(journal(*first, *again, EndLine(3000)))
    report = runner.audit(str(path))
    assert named(report.findings) == []
    assert "answer-silent" in named(report.notes)
