"""`turnspec audit` as it is used: exit codes, forms of the report, several logs, wrong use, memory."""

from __future__ import annotations

import json
import tracemalloc
from functools import cache
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

from adapters.audit.run import Auditor, auditor
from adapters.cli import main
from fsm.audit.conversation import AuditOptions
from tests.adapters.audit.big_log import write
from tests.fsm.audit import failures
from tests.fsm.audit.logbook import Row


@pytest.fixture
def logs(tmp_path: Path) -> dict[str, str]:
    def written(name: str, rows: list[Row]) -> str:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return {"good": written("good", failures.healthy()), "bad": written("bad", failures.two_tools_ask())}


@pytest.fixture(autouse=True)
def _specs_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "adapters.cli.audit.auditor", lambda spec, options: attrs.evolve(_loaded(spec), options=options)
    )


@cache
def _loaded(spec: str) -> Auditor:
    return auditor(spec, AuditOptions())


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments], input=stdin)


def test_exit_codes(logs: dict[str, str]) -> None:
    assert run(logs["good"]).exit_code == 0
    assert run(logs["bad"]).exit_code == 1
    assert run(logs["good"], logs["bad"]).exit_code == 1
    assert run().exit_code == 2


def test_of_several_logs_one_that_is_none_hides_no_other(logs: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "log.jsonl"
    other.write_text('{"event": "server started"}\n')
    result = run(logs["bad"], str(other), "nowhere.jsonl", "--json")
    assert result.exit_code == 2
    assert [log["file"] for log in json.loads(result.stdout)["logs"]] == [logs["bad"]]
    assert f"{other}: no event of a Realtime conversation was found" in result.stderr
    assert "nowhere.jsonl cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere.jsonl",), "nowhere.jsonl cannot be read: No such file"),
        (("/",), "cannot be read: Is a directory"),
        ((__file__,), "no event of a Realtime conversation was found"),
        ((__file__, "--spec", "serverwad"), "--spec serverwad"),
        ((__file__, "--markdown", "--json"), "exclude each other"),
        ((__file__, "--dead-air", "0"), "--dead-air"),
    ],
)
def test_wrong_use_says_what_is_wrong(arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_the_text_names_rule_evidence_and_line(logs: dict[str, str]) -> None:
    text = " ".join(run(logs["bad"]).output.split())
    assert "Each tool result asked for an answer" in text
    assert "specs/parts/conversation/" in text
    assert "create_response(tools)" in text.replace(" ", "") or "create_response(" in text
    assert "1 finding, 0 notes" in text


def test_several_logs_have_a_summary(logs: dict[str, str]) -> None:
    text = run(logs["good"], logs["bad"]).output
    assert "Summary" in text and "1 finding in 1 of 2 logs" in text


def test_json_is_json(logs: dict[str, str]) -> None:
    result = run("--json", logs["good"], logs["bad"])
    document = json.loads(result.stdout)
    assert document["findings"] == 1
    (finding,) = document["logs"][1]["findings"]
    assert finding["rule"] == "create-per-tool"
    assert [e["type"] for e in finding["cases"][0]["evidence"]] == ["response.create", "response.create", "error"]
    assert finding["forbidden_by"][0]["quote"]
    assert any("create_response(tools)" in row["turnspec"] for row in finding["side_by_side"])


def test_markdown_can_be_pasted(logs: dict[str, str]) -> None:
    text = run("--markdown", logs["bad"]).stdout
    assert text.startswith("# Audit of Realtime calls\n")
    assert "| time | line | provider and caller | their client | turnspec (server_vad) |" in text


def test_a_page_is_written_beside_the_text(logs: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run(logs["bad"], "--html", str(page))
    assert result.exit_code == 1 and "1 finding" in result.output
    assert page.read_text().startswith("<!doctype html>")
    assert run(logs["bad"], "--html", str(tmp_path / "no" / "page.html")).exit_code == 2


def test_standard_input(logs: dict[str, str]) -> None:
    result = run("-", stdin=Path(logs["bad"]).read_bytes())
    assert result.exit_code == 1
    assert "(standard input)" in result.output


def test_a_longer_log_needs_no_more_memory(runner: Auditor, tmp_path: Path) -> None:
    peaks = []
    for megabytes in (0.25, 1.0):
        path = tmp_path / "log.jsonl"
        write(path, megabytes)
        tracemalloc.start()
        runner.audit(str(path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4_000_000
    assert peaks[1] < peaks[0] * 1.5 + 500_000
