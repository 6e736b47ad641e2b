"""What was promised, what was measured, and whether it holds: one line each, for a terminal and for docs/measured.md.

A lateness is not judged where a process of the run had to wait for its core: then another program was measured as
well. Ratios are, since both sides of a ratio ran in the same seconds. Never a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from rich.table import Table

from bench.report import table

if TYPE_CHECKING:
    from bench.calls import BenchRun, MeasuredCalls, SideBySide
    from bench.check import Checked
    from bench.lines import MeasuredLine
    from bench.step import MeasuredSteps
    from bench.verify import SearchRate

OF_HAND = 1.2
OF_STOCK = 20.0
CPU_OF_BARE = {"turnspec": 1.2, "journal": 1.3, "metrics": 1.3}
CPU_OF_BARE_LINE = 1.3
CPU_OF_BARE_LIVE = 1.3
CUT_MS = 100.0
CALLS = 250
LATE_P99_MS = 5.0
FRAME_MS = 20.0
KB_A_CALL = {"turnspec": 60.0, "journal": 70.0, "metrics": 70.0}
OF_BASELINE = 1.1
STATES_A_SECOND = 100_000
QUICK_S = 1.0
CHECK_FASTER = 6.0
BUSY_SHARE = 0.01
"""Of the time a process waited for its core; from here on what is late may be late because of that."""

TARGETS = {
    "step": f"at most {OF_HAND} of the table by hand",
    "decision": f"about {OF_STOCK:.0f} times faster than stock",
    "quick": f"under {QUICK_S:.0f} s each",
    "long": f"at least {STATES_A_SECOND:,}",
    "beside": f"at most {CPU_OF_BARE['turnspec']}, with a journal {CPU_OF_BARE['journal']}",
    "alone": "one core",
    "late": f"p99 under {LATE_P99_MS:.0f}",
    "gaps": "none",
    "up": f"within the {FRAME_MS:.0f} ms frame (p99.9)",
    "memory": f"at most {KB_A_CALL['turnspec']:.0f}, with a journal {KB_A_CALL['journal']:.0f}",
}
"""What is promised, as the tables say it."""
BY_LINE = {
    "line": f"at most {CPU_OF_BARE_LINE}",
    "cut": f"p99 under {CUT_MS:.0f}",
}
"""What is promised of each line (`bench.lines`)."""
BESIDE_BASELINE = {
    "check": f"at least {CHECK_FASTER:.0f} times less",
    "baseline": f"at most {OF_BASELINE}",
}
"""What is promised beside the code of an earlier commit; a clone without its history cannot measure it."""

Values = Mapping[str, float]


@attrs.frozen
class BenchCell:
    """One contender's number. `holds`: None where there is nothing to hold, or where it cannot be said."""

    text: str
    holds: bool | None = None
    busy: bool = False


@attrs.frozen
class PromiseLine:
    """One promise; `cells` by contender."""

    what: str
    target: str
    cells: Mapping[str, BenchCell]

    @property
    def missed(self) -> bool:
        return any(cell.holds is False for cell in self.cells.values())

    @property
    def busy(self) -> bool:
        return any(cell.busy for cell in self.cells.values())


# --- a step -----------------------------------------------------------------------------------------------------------

HAND, OURS, STOCK = "a table by hand", "turnspec", "stock transitions"


def step_lines(found: MeasuredSteps, held: Values) -> list[PromiseLine]:
    """Of the three contenders of `bench.step`."""
    stock_times, alone = found.stock_of_ours, found.stock_decision_ns / found.decision_ns
    return [
        PromiseLine(
            "a step with ids, effects, deadlines, ns",
            TARGETS["step"],
            {
                HAND: BenchCell(f"{found.hand_ns:,.0f}"),
                OURS: BenchCell(f"{found.ours_ns:,.0f} ({found.of_hand:.2f} of it)", found.of_hand <= OF_HAND),
                STOCK: BenchCell(f"{found.stock_ns:,.0f} ({stock_times:.1f} of ours)"),
            },
        ),
        PromiseLine(
            "the decision alone, ns",
            TARGETS["decision"],
            {
                OURS: BenchCell(f"{found.decision_ns:,.0f}", alone >= OF_STOCK),
                STOCK: BenchCell(f"{found.stock_decision_ns:,.0f} ({alone:.0f} of ours)"),
            },
        ),
        PromiseLine("a step, first conversation of a process, ns", "", {OURS: BenchCell(f"{found.cold_ns:,.0f}")}),
        PromiseLine(
            "state of a call, bytes",
            "",
            {
                HAND: BenchCell(f"{held['hand']:,.0f}"),
                OURS: BenchCell(f"{held['ours']:,.0f}"),
                STOCK: BenchCell(f"{held['stock']:,.0f}"),
            },
        ),
    ]


# --- a check ----------------------------------------------------------------------------------------------------------


def check_lines(found: Sequence[Checked]) -> list[PromiseLine]:
    """Of `bench.check`: how many times less CPU than the code it is compared with."""

    def cell(now_s: float, then_s: float, target: float | None = None) -> BenchCell:
        times = then_s / now_s
        holds = None if target is None else times >= target
        return BenchCell(f"{1000 * now_s:,.0f} of {1000 * then_s:,.0f} ({times:.1f})", holds)

    if not found:
        return []
    return [
        PromiseLine(
            "type check, CPU ms of then (times less)",
            BESIDE_BASELINE["check"],
            {each.spec: cell(each.typestate_s, each.old_typestate_s, CHECK_FASTER) for each in found},
        ),
        PromiseLine(
            "`turnspec check`, the whole command",
            "",
            {each.spec: cell(each.command_s, each.old_command_s) for each in found},
        ),
        PromiseLine(
            "the same, its verdict kept",
            "",
            {each.spec: cell(each.kept_s, each.old_command_s) for each in found},
        ),
    ]


# --- every run --------------------------------------------------------------------------------------------------------


def verify_lines(found: Sequence[SearchRate]) -> list[PromiseLine]:
    """Of `bench.verify`: what a save waits for, and the rate of a long search; one of fewer states is not long."""
    quick = {each.spec: each for each in found if each.scenes == "quick"}
    long = {each.spec: each for each in found if each.scenes == "long"}
    return [
        PromiseLine(
            "quick bounds, s (states)",
            TARGETS["quick"],
            {
                spec: BenchCell(f"{each.seconds:.2f} ({each.states:,})", each.seconds < QUICK_S)
                for spec, each in quick.items()
            },
        ),
        PromiseLine(
            "a long search, states a second (states)",
            TARGETS["long"],
            {
                spec: BenchCell(
                    f"{each.rate:,.0f} ({each.states:,})",
                    each.rate >= STATES_A_SECOND if each.states >= STATES_A_SECOND else None,
                )
                for spec, each in long.items()
            },
        ),
        PromiseLine(
            "bytes a state, quick / long",
            "",
            {
                spec: BenchCell(f"{each.bytes_a_state:,.0f} / {long[spec].bytes_a_state:,.0f}")
                for spec, each in quick.items()
            },
        ),
    ]


# --- a call -----------------------------------------------------------------------------------------------------------


def call_lines(found: MeasuredCalls) -> list[PromiseLine]:
    """Of the contenders of `bench.calls`: side by side, then alone under the most calls that were measured."""
    lines = []
    if found.beside is not None:
        beside = found.beside
        lines.append(
            PromiseLine(
                f"CPU, bare bridge = 1 ({beside.calls} calls each, at once)",
                TARGETS["beside"],
                {
                    who: BenchCell(f"{ratio:.2f}", _at_most(who, ratio, CPU_OF_BARE))
                    for who, ratio in beside.ratio.items()
                },
            )
        )
    most = max((run.calls for run in found.runs), default=0)
    alone = {run.who: run for run in found.runs if run.calls == most}
    return lines + (_alone(most, alone) if alone else [])


def baseline_lines(found: SideBySide, commit: str) -> list[PromiseLine]:
    """Of `bench.baseline`."""
    name = f"CPU, {commit} = 1 ({found.calls} calls each, at once)"
    ratios = found.ratio.items()
    cells = {who: BenchCell(f"{ratio:.2f}", None if who == commit else ratio <= OF_BASELINE) for who, ratio in ratios}
    return [PromiseLine(name, BESIDE_BASELINE["baseline"], cells)]


def live_lines(found: SideBySide) -> list[PromiseLine]:
    """Of `bench.live`."""
    what = f"CPU, bare bridge over GPT-Live = 1 ({found.calls} calls each, at once)"
    times = found.ratio[OURS]
    cells = {"bare": BenchCell("1"), OURS: BenchCell(f"{times:.2f}", times <= CPU_OF_BARE_LIVE)}
    return [PromiseLine(what, f"at most {CPU_OF_BARE_LIVE}", cells)]


def line_lines(found: Mapping[str, MeasuredLine]) -> list[PromiseLine]:
    """Of `bench.lines`: one column for each line."""
    if not found:
        return []
    calls, beside = next((each.asked, each.beside.calls) for each in found.values())

    def line(what: str, target: str, cell: Callable[[MeasuredLine], BenchCell]) -> PromiseLine:
        return PromiseLine(what, target, {name: cell(each) for name, each in found.items()})

    def ratio(each: MeasuredLine) -> BenchCell:
        times = each.beside.ratio["turnspec"]
        return BenchCell(f"{times:.2f}", times <= CPU_OF_BARE_LINE)

    def judged(run: BenchRun, holds: bool, text: str) -> BenchCell:
        return BenchCell(text, None if run.is_busy else holds, run.is_busy)

    def late(each: MeasuredLine) -> BenchCell:
        if not each.alone.late["count"]:
            return BenchCell("its own clock")
        return judged(each.alone, each.alone.late["p99"] < LATE_P99_MS, _spread(each.alone.late))

    def cut(each: MeasuredLine) -> BenchCell:
        values = each.alone.load["cut_ms"]
        return judged(each.alone, values["p99"] < CUT_MS, _spread(values))

    return [
        line(f"CPU, bare bridge on the same line = 1 ({beside} calls each, at once)", BY_LINE["line"], ratio),
        line("calls that one core took", f"{calls}",
             lambda each: judged(each.alone, each.alone.calls >= calls, str(each.alone.calls))),
        line(f"{calls} calls: CPU ms a call-second (of one core)", TARGETS["alone"],
             lambda each: BenchCell(f"{each.alone.cpu_ms:.2f} ({100 * each.alone.core:.0f} %)")),
        line(f"{calls} calls: a frame late at the caller, ms, p50 / p99 / p99.9", TARGETS["late"], late),
        line(f"{calls} calls: from speech_started to silence, ms, p50 / p99 / p99.9", BY_LINE["cut"], cut),
        line(f"{calls} calls: breaks in an answer", TARGETS["gaps"],
             lambda each: judged(each.alone, each.alone.broken == 0, str(each.alone.broken))),
    ]  # fmt: skip


def _alone(calls: int, runs: Mapping[str, BenchRun]) -> list[PromiseLine]:
    """The promise is for 250 calls: with fewer, what would be missed is missed, and what holds says nothing."""
    enough = calls >= CALLS

    def line(what: str, target: str, cells: Mapping[str, BenchCell]) -> PromiseLine:
        return PromiseLine(f"{calls} calls: {what}", target, cells)

    def judged(run: BenchRun, holds: bool, text: str) -> BenchCell:
        holds_or_not = _ours(run.who, holds) if enough or not holds else None
        return BenchCell(text, None if run.is_busy else holds_or_not, run.is_busy)

    late = {who: judged(run, run.late["p99"] < LATE_P99_MS, _spread(run.late)) for who, run in runs.items()}
    gaps = {who: judged(run, run.broken == 0, str(run.broken)) for who, run in runs.items()}
    up = {who: judged(run, run.uplink["p99_9"] < FRAME_MS, _spread(run.uplink)) for who, run in runs.items()}
    down = {who: BenchCell(_spread(run.first_sound), busy=run.is_busy) for who, run in runs.items()}
    held = {
        who: BenchCell(f"{run.kb_a_call:.0f}", _at_most(who, run.kb_a_call, KB_A_CALL)) for who, run in runs.items()
    }
    spent = {who: BenchCell(f"{run.cpu_ms:.2f} ({100 * run.core:.0f} %)") for who, run in runs.items()}
    return [
        line("CPU ms a call-second (of one core)", TARGETS["alone"], spent),
        line("a frame late at the caller, ms, p50 / p99 / p99.9", TARGETS["late"], late),
        line("underruns, silences in an answer", TARGETS["gaps"], gaps),
        line("added on the way up, ms, p50 / p99 / p99.9", TARGETS["up"], up),
        line("added on the way down, the wait for the next frame included, ms, p50 / p99 / p99.9", "", down),
        line("memory a call, KB", TARGETS["memory"], held),
    ]


def _ours(who: str, holds: bool) -> bool | None:
    return None if who == "bare" else holds


def _at_most(who: str, value: float, promised: Values) -> bool | None:
    return value <= promised[who] if who in promised else None


def _spread(values: Values) -> str:
    return f"{values['p50']:.1f} / {values['p99']:.1f} / {values['p99_9']:.1f}"


# --- shown ------------------------------------------------------------------------------------------------------------

_SAID = {True: "holds", False: "missed"}
_COLOUR = {True: "green", False: "red"}


def _columns(lines: Sequence[PromiseLine]) -> list[str]:
    return list(dict.fromkeys(who for line in lines for who in line.cells))


def shown(title: str, lines: Sequence[PromiseLine]) -> Table:
    """For a terminal."""
    columns = _columns(lines)
    rows = [[line.what, *[_shown(line.cells.get(who)) for who in columns], line.target] for line in lines]
    return table(title, ["", *columns, "target"], rows)


def _shown(cell: BenchCell | None) -> str:
    if cell is None:
        return ""
    if cell.busy:
        return f"{cell.text}\n[yellow]busy machine[/]"
    return cell.text if cell.holds is None else f"{cell.text}\n[{_COLOUR[cell.holds]}]{_SAID[cell.holds]}[/]"


def markdown(lines: Sequence[PromiseLine]) -> str:
    """For docs/measured.md."""
    columns = _columns(lines)
    rows = [["", *columns, "target"], ["---"] * (len(columns) + 2)]
    rows += [[line.what, *[_written(line.cells.get(who)) for who in columns], line.target] for line in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _written(cell: BenchCell | None) -> str:
    if cell is None:
        return ""
    return f"**{cell.text}, missed**" if cell.holds is False else cell.text
