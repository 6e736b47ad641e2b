"""Journals of our own calls over providers that own their turns: read by audit, replay and diff, as any other one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
from click.testing import CliRunner

from adapters.audit.run import auditor
from adapters.cli import main
from adapters.simulator.providers.deepgram import AgentFault
from adapters.simulator.providers.gemini import GeminiFault
from fsm.audit.conversation import AuditOptions
from fsm.audit.report.report import LogReport
from fsm.journal.journal import EndLine, Header, Line, StepLine, WireLine, encode, read
from tests.adapters.audit.test_journals import beside
from tests.adapters.call import test_agent_call as agent_calls
from tests.adapters.call import test_gemini_call as gemini_calls
from tests.adapters.call.agent_rig import play_agent
from tests.adapters.call.gemini_rig import play_gemini
from tests.fsm.audit.bench import named, only

pytestmark = pytest.mark.virtual_time

HEAR = agent_calls.HEAR
TWO_TURNS = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 6000}]


@pytest.fixture(autouse=True, scope="module")
def quiet_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def journal_in(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


async def agent_journal(folder: Path, steps: list[Any], *faults: AgentFault) -> Path:
    """Of a call over Deepgram's Voice Agent."""
    scenario = attrs.evolve(agent_calls.SHOP, faults=faults)
    await play_agent([*steps, "hang_up"], scenario, settings={"tools": agent_calls.TOOLS}, journals=folder)
    return journal_in(folder)


async def gemini_journal(folder: Path, steps: list[Any], *faults: GeminiFault, **more: Any) -> Path:
    """Of a call over Gemini Live."""
    scenario = gemini_calls.shop(*faults, **more)
    await play_gemini([*steps, "hang_up"], scenario, settings={"tools": gemini_calls.TOOLS}, journals=folder)
    return journal_in(folder)


def report_of(path: Path) -> LogReport:
    return auditor(None, AuditOptions()).audit(str(path))


def steps_of(path: Path) -> list[StepLine]:
    return [line for line in read(path.read_text().splitlines()).lines if isinstance(line, StepLine)]


async def test_a_healthy_call_has_no_finding_and_is_told_in_figures(tmp_path: Path) -> None:
    for journal in (
        await agent_journal(tmp_path / "deepgram", TWO_TURNS),
        await gemini_journal(tmp_path / "gemini", TWO_TURNS),
    ):
        report = report_of(journal)
        assert (named(report.findings), named(report.notes)) == ([], [])
        assert (report.figures.turns, report.figures.tools, report.heard) == (2, 2, "told")
        assert report.figures.responses >= 3


async def test_our_machine_does_beside_a_journal_what_it_did(tmp_path: Path) -> None:
    for spec, journal in (
        ("provider_turns", await agent_journal(tmp_path / "deepgram", TWO_TURNS)),
        ("gemini_turns", await gemini_journal(tmp_path / "gemini", TWO_TURNS)),
    ):
        acts = [act for act in beside(journal, spec) if act.before != act.after or act.effects]
        did = [
            (step.before, step.after, [effect.name for effect in step.effects])
            for step in steps_of(journal)
            if step.event != "call.started" and (step.before != step.after or step.effects)
        ]
        assert [(a.before, a.after, [e.partition("(")[0] for e in a.effects]) for a in acts] == did


async def test_replay_and_diff_read_them(tmp_path: Path) -> None:
    for spec, journal in (
        ("provider_turns", await agent_journal(tmp_path / "deepgram", TWO_TURNS)),
        ("gemini_turns", await gemini_journal(tmp_path / "gemini", TWO_TURNS)),
    ):
        replayed = CliRunner().invoke(main, ["replay", str(journal)])
        assert (replayed.exit_code, replayed.output) == (0, f"all {len(steps_of(journal))} steps are the same\n")
        compared = CliRunner().invoke(main, ["diff", spec, spec, "--structure", "--calls", str(journal.parent)])
        assert "0 of 1 recorded call would have gone differently" in compared.output


# --- what went wrong --------------------------------------------------------------------------------------------------


async def test_an_empty_turn_and_the_silence_after_it(tmp_path: Path) -> None:
    journal = await gemini_journal(tmp_path, TWO_TURNS[:5], GeminiFault(kind="empty_turn", at_ms=4000))
    report = report_of(journal)
    assert named(report.findings) == ["turn-empty", "answer-owed"]
    assert only(report, "answer-owed").because == "A turn in which the model said nothing"


async def test_a_provider_that_goes_mute(tmp_path: Path) -> None:
    turns = [*HEAR, {"say": "caller_where_is_it"}, {"wait_ms": 12_000}]
    report = report_of(await agent_journal(tmp_path, turns, AgentFault(kind="mute", at_ms=3000)))
    assert "answer-owed" in named(report.findings)


async def test_a_call_that_was_withdrawn_is_not_held_against_us(tmp_path: Path) -> None:
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"say": "caller_two_cities"}, *HEAR]
    journal = await gemini_journal(tmp_path, turns, GeminiFault(kind="cancel_calls"))
    found = named(report_of(journal).findings)
    assert not {"call-unanswered", "call-answered-in-vain"}.intersection(found), found


@pytest.mark.parametrize(("warns_ms", "found"), [(20_000, []), (1000, ["closed", "ending-overlooked"])])
async def test_a_connection_that_was_to_end(tmp_path: Path, warns_ms: int, found: list[str]) -> None:
    """Replaced in time; or it ends while the caller still speaks, before anybody could."""
    go = GeminiFault(kind="go_away", at_ms=5000 if not found else 3000)
    turns = [*HEAR, {"wait_ms": 4000}, {"say": "caller_where_is_it"}, *HEAR]
    if found:
        turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"wait_ms": 3000}]
    report = report_of(await gemini_journal(tmp_path, turns, go, warns_ms=warns_ms))
    assert report.figures.sessions == 2
    assert sorted(set(named(report.findings)) & {"closed", "ending-overlooked"}) == found


# --- what no call of ours does ----------------------------------------------------------------------------------------


def written(folder: Path, *lines: Line) -> Path:
    path = folder / "call.jsonl"
    header = Header("provider_turns", "specs/provider_turns.yaml", "", "call-1")
    path.write_text("".join(encode(line) + "\n" for line in (header, *lines)))
    return path


def begun() -> list[Line]:
    request = {"id": "c1", "name": "weather", "arguments": "{}", "client_side": True}
    return [
        WireLine(10, "in", {"type": "Welcome", "request_id": "r"}), WireLine(20, "out", {"type": "Settings"}),
        WireLine(30, "in", {"type": "SettingsApplied"}),
        WireLine(900, "in", {"type": "FunctionCallRequest", "functions": [request]}),
    ]  # fmt: skip


@pytest.mark.parametrize(("direction", "found"), [("out", []), ("in", ["call-unanswered"])])
def test_what_the_provider_says_of_a_result_is_not_an_answer_of_ours(
    tmp_path: Path, direction: Any, found: list[str]
) -> None:
    result = {"type": "FunctionCallResponse", "id": "c1", "name": "weather", "content": "{}"}
    voice = {"type": "voice.began", "speech_id": "r_1"}
    journal = written(tmp_path, *begun(), WireLine(1000, direction, result), WireLine(1500, "in", voice), EndLine(9000))
    assert named(report_of(journal).findings) == found


def test_a_result_after_its_call_was_withdrawn(tmp_path: Path) -> None:
    gone = {"type": "FunctionCallCancelled", "functions": [{"id": "c1", "name": "weather"}]}
    result = {"type": "FunctionCallResponse", "id": "c1", "name": "weather", "content": "{}"}
    journal = written(tmp_path, *begun(), WireLine(950, "in", gone), WireLine(1500, "out", result), EndLine(2000))
    assert only(report_of(journal), "call-answered-in-vain").key == "withdrawn"
    shown = CliRunner().invoke(main, ["audit", str(journal)])
    assert shown.exit_code == 1 and "answered after it had been withdrawn" in " ".join(shown.output.split())
