"""Many logs in figures: by finding, spec and hour, the worst first; bounded, and nobody's log ends it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from rich.console import Console

from adapters.audit import summary_text
from adapters.audit.run import Auditor
from adapters.audit.summary import AuditSummary, CallFigures, figures_of, logs_in, summed
from adapters.cli import main
from fsm.audit.conversation import AuditOptions
from fsm.journal.journal import EndLine, Header, StepLine, WireLine, encode
from tests.fsm.audit.failures import FAILURES


def journal(name: str, hour: int, spec: str = "server_vad") -> str:
    """A call of the failures as a journal that began in an hour."""
    rows = FAILURES[name][0]()
    made = [encode(Header(spec, f"specs/{spec}.yaml", "x", started_at=f"2026-10-21T{hour:02}:10:00+00:00"))]
    made.append(encode(StepLine(0, 0, "call.started", "", "stayed", "connecting", "connecting")))
    for row in rows:
        if "event" in row:
            side: Literal["in", "out"] = "out" if row["dir"] == "client" else "in"
            made.append(encode(WireLine(round(row["at"] * 1000), side, row["event"])))
    made.append(encode(EndLine(round(rows[-1]["at"] * 1000))))
    return "\n".join(made) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "2026" / "10"
    inner.mkdir(parents=True)
    (inner / "a.jsonl").write_text(journal("two tools ask", 9))
    (inner / "b.jsonl").write_text(journal("talk-over", 10))
    (inner / "c.jsonl").write_text(journal("two tools ask", 10, "owned_turns"))
    (inner / "a.wav").write_bytes(b"RIFF")
    (inner / "summary.json").write_text("{}")
    (tmp_path / "x\x1b[2J.log").write_text("nothing\n")
    return tmp_path


@pytest.mark.parametrize("processes", [1, 2])
def test_logs_are_summed_by_finding_spec_and_hour(folder: Path, processes: int) -> None:
    made = summed([str(folder)], None, AuditOptions(), processes)
    assert (made.logs, made.calls, made.with_findings, made.unread) == (4, 3, 3, 1)
    assert made.by_finding["create-per-tool"] == 2 and made.by_finding["talk-over"] == 1
    assert {key: counts["logs"] for key, counts in made.by_spec.items()} == {"server_vad": 2, "owned_turns": 1}
    assert {key: counts["logs"] for key, counts in made.by_hour.items()} == {"2026-10-21 09": 1, "2026-10-21 10": 2}
    assert "x\\x1b[2J.log" in made.unread_names[0]


def test_the_command_prints_it_and_exits_by_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    result = CliRunner().invoke(main, ["audit", "--summary", str(folder)])
    assert result.exit_code == 1
    for said in ("3 logs of 3 calls", "1 more could not be read", "create-per-tool", "2026-10-21 10", "worst calls"):
        assert said in result.output
    assert "\x1b" not in result.output
    plain = json.loads(CliRunner().invoke(main, ["audit", "--summary", "--json", str(folder)]).output)
    assert plain["by_finding"]["create-per-tool"]["logs"] == 2
    assert [call["findings"] for call in plain["worst"]][-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "nowhere"), (["--markdown", "."], "goes with --json"), (["--spec", "nobody", "."], "--spec nobody")],
)
def test_wrong_use(arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    result = CliRunner().invoke(main, ["audit", "--summary", *arguments])
    assert result.exit_code == 2 and said in result.output


def test_a_folder_without_a_log_is_wrong_use(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["audit", "--summary", str(tmp_path)])
    assert result.exit_code == 2 and "no log in" in result.output


def test_folders_are_walked_one_entry_at_a_time(folder: Path) -> None:
    found = [Path(name).name for name in logs_in([str(folder)])]
    assert found == ["x\x1b[2J.log", "a.jsonl", "b.jsonl", "c.jsonl"]


def test_a_log_that_cannot_be_read_is_a_figure(runner: Auditor, tmp_path: Path) -> None:
    broken = tmp_path / "x.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00broken")
    assert figures_of(runner, str(broken)).problem
    assert figures_of(runner, str(tmp_path / "nowhere")).problem == "No such file or directory"


def test_of_any_number_of_logs_what_is_kept_is_bounded() -> None:
    made = AuditSummary()
    for number in range(5000):
        findings = {"error": number % 7} if number % 7 else {}
        made.add(CallFigures(f"{number}.jsonl", f"spec {number}", f"h{number}", findings, waits_ms=[number * 1.0]))
        made.add(CallFigures(f"x{number}", problem="broken"))
    assert (made.logs, made.unread, len(made.unread_names)) == (10_000, 5000, 10)
    assert len(made.by_spec) == len(made.by_hour) == 201
    assert [sum(found.findings.values()) for found in made.worst] == [6] * 20
    assert len(made.waits) <= 3001
    p50 = made.wait_ms(0.5)
    assert p50 is not None and abs(p50 - 2500) <= 20
    console = Console(width=160, file=io.StringIO(), record=True)
    summary_text.show(console, made)
    assert "and 4990 more not read" in console.export_text()
