"""What is said of a measurement: what holds, what is missed, what a busy machine does not let one say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import __main__ as command
from bench.calls import BenchRun, MeasuredCalls
from bench.report import Progress
from bench.step import MeasuredSteps
from bench.targets import (
    BESIDE_BASELINE,
    HAND,
    OURS,
    STOCK,
    TARGETS,
    BenchCell,
    PromiseLine,
    call_lines,
    markdown,
    shown,
    step_lines,
    verify_lines,
)
from bench.verify import SearchRate


def a_run(
    who: str = "turnspec", calls: int = 250, late_ms: float = 1.0, waited_s: float = 0.0, **more: Any
) -> BenchRun:
    times = {"p50": 0.1, "p99": late_ms, "p99_9": late_ms, "worst": late_ms}
    load = {
        "late_ms": times,
        "uplink_ms": times,
        "first_sound_ms": times,
        "breaks": 0,
        "seconds": 10.0,
        "waited_s": 0.0,
    }
    bridge = {"user_s": 3.0, "system_s": 1.0, "underruns": 0, "rss": 44_000_000, "waited_s": waited_s}
    return BenchRun(who, calls, 10.0, {**bridge, **more}, {**load, **more}, 30_000_000)


def holds(run: BenchRun) -> dict[str, bool | None]:
    lines = call_lines(MeasuredCalls(None, [run]))
    return {line.what.partition(": ")[2].partition(",")[0]: line.cells[run.who].holds for line in lines}


def test_every_promise_about_a_call_is_judged() -> None:
    assert list(holds(a_run()).values()) == [None, True, True, True, None, True]
    late = holds(a_run(late_ms=5.1))
    assert (late["a frame late at the caller"], late["added on the way up"]) == (False, True)
    assert holds(a_run(late_ms=20.1))["added on the way up"] is False
    assert holds(a_run(breaks=1))["underruns"] is False
    assert holds(a_run(rss=90_000_000))["memory a call"] is False


def test_the_bare_bridge_has_promised_nothing() -> None:
    assert set(holds(a_run("bare", late_ms=50.0, breaks=3)).values()) == {None}


def test_what_is_late_on_a_busy_machine_is_not_judged_and_said_so() -> None:
    run = a_run(late_ms=50.0, waited_s=0.5)
    assert run.is_busy
    assert holds(run)["a frame late at the caller"] is None
    assert holds(run)["memory a call"] is True
    lines = call_lines(MeasuredCalls(None, [run]))
    assert any(line.busy for line in lines) and not any(line.missed for line in lines)


def test_fewer_calls_than_promised_cannot_hold_but_can_miss() -> None:
    assert holds(a_run(calls=50))["a frame late at the caller"] is None
    assert holds(a_run(calls=50, late_ms=6.0))["a frame late at the caller"] is False


def test_only_the_run_with_the_most_calls_is_judged() -> None:
    lines = call_lines(MeasuredCalls(None, [a_run(calls=50, late_ms=9.0), a_run(calls=250)]))
    assert {line.what.partition(":")[0] for line in lines} == {"250 calls"}
    assert not any(line.missed for line in lines)


@pytest.mark.parametrize(("of_hand", "expected"), [(1.19, True), (1.21, False)])
def test_a_step_is_judged(of_hand: float, expected: bool) -> None:
    found = MeasuredSteps(
        events=123, ours_ns=1000, hand_ns=900, stock_ns=9000, of_hand=of_hand, stock_of_ours=9.0, decision_ns=50,
        stock_decision_ns=5000, cold_ns=7000,
    )  # fmt: skip
    step, decision, *_ = step_lines(found, {"ours": 1.0, "hand": 1.0, "stock": 1.0})
    assert (step.cells[OURS].holds, step.cells[HAND].holds, step.cells[STOCK].holds) == (expected, None, None)
    assert decision.cells[OURS].holds is True


LINES = [
    PromiseLine("one", "under 5", {"bare": BenchCell("4"), "ours": BenchCell("6", False)}),
    PromiseLine("two", "", {"ours": BenchCell("1", True)}),
]


def test_a_table_for_the_page_shows_what_is_missed() -> None:
    assert markdown(LINES).splitlines() == [
        "|  | bare | ours | target |",
        "| --- | --- | --- | --- |",
        "| one | 4 | **6, missed** | under 5 |",
        "| two |  | 1 |  |",
    ]
    assert len(shown("promises", LINES).rows) == 2


PAGE = "before\n<!-- bench: {0} -->\nold\n<!-- end bench -->\nafter\n"


def test_what_was_measured_goes_between_the_marks_whatever_they_say(tmp_path: Path) -> None:
    path = tmp_path / "measured.md"
    path.write_text(PAGE.format("written by a command"))
    page = command.written(path, "new 1\\g<3>\n")
    assert page == PAGE.format("written by a command").replace("old\n", "new 1\\g<3>\n")


def test_it_says_at_once_that_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MEASURED", tmp_path / "measured.md")
    for text in ("", "<!-- bench: x -->\n", "<!-- end bench -->\n"):
        (tmp_path / "measured.md").write_text(text)
        result = CliRunner().invoke(command.main, ["--write"])
        assert result.exit_code == 2
        assert "no place" in result.output


def test_a_page_without_a_promise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MEASURED", tmp_path / "measured.md")
    rows = "".join(f"| x | y | {target} |\n" for target in TARGETS.values())
    checked = []
    for tables in (rows, rows.replace(TARGETS["memory"], "under 1")):
        (tmp_path / "measured.md").write_text(PAGE.format("x").replace("old\n", tables))
        checked.append(CliRunner().invoke(command.main, ["--check"]))
    (tmp_path / "measured.md").unlink()
    checked.append(CliRunner().invoke(command.main, ["--check"]))
    assert [result.exit_code for result in checked] == [0, 1, 1]
    assert f"lacks the promise '{TARGETS['memory']}'" in checked[1].output
    assert "lacks the file" in checked[2].output


def test_a_page_with_one_promise_beside_the_baseline_has_them_all() -> None:
    rows = "".join(f"| x | y | {target} |\n" for target in TARGETS.values())
    one, other = (f"| x | y | {target} |\n" for target in BESIDE_BASELINE.values())
    pages = [PAGE.format("x").replace("old\n", rows + more) for more in ("", one, other, one + other)]
    assert [len(command.absent(page)) for page in pages] == [0, 1, 1, 0]


def test_progress_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 100.0
    progress = Progress(600, lambda: now_s)
    progress.step("alone: 250 calls")
    now_s += 580
    progress.step("steps")
    shown_text = capsys.readouterr().err
    assert "alone: 250 calls ... (about 10 minutes to go)" in shown_text
    assert "steps ... (about 20 s to go)" in shown_text


def test_a_search_is_judged_by_what_a_save_waits_for_and_by_its_rate() -> None:
    found = [
        SearchRate("mine", "quick", 50_000, 0.9, 1000.0),
        SearchRate("mine", "long", 200_000, 1.9, 400.0),
        SearchRate("slow", "quick", 50_000, 1.1, 1000.0),
        SearchRate("slow", "long", 200_000, 2.1, 400.0),
    ]
    quick, long, held = verify_lines(found)
    assert (quick.cells["mine"].holds, quick.cells["slow"].holds) == (True, False)
    assert (long.cells["mine"].holds, long.cells["slow"].holds) == (True, False)
    assert held.cells["mine"].text == "1,000 / 400" and not held.missed
    short = verify_lines([SearchRate("mine", "quick", 500, 0.1, 9.0), SearchRate("mine", "long", 5_000, 0.1, 9.0)])
    assert short[1].cells["mine"].holds is None
