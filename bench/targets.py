"""What was promised, what was measured, and whether it holds: one line each, for a terminal and for the README.

A lateness is not judged where a process of the run had to wait for its core: then another program was measured as
well. Ratios are, since both sides of a ratio ran in the same seconds. Never a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from rich.table import Table

from bench.report import table

if TYPE_CHECKING:
    from bench.calls import Found, Run
    from bench.check import Checked
    from bench.step import Measured
    from bench.verify import Searched

OF_HAND = 1.2
OF_STOCK = 20.0
CPU_OF_BARE = 1.5
CALLS = 250
LATE_P99_MS = 5.0
FRAME_MS = 20.0
KB_A_CALL = 150.0
STATES_A_SECOND = 100_000
QUICK_S = 1.0
CHECK_FASTER = 6.0
BUSY_SHARE = 0.01
"""Of the time a process waited for its core; from here on what is late may be late because of that."""

Values = Mapping[str, float]


@attrs.frozen
class Cell:
    """One contender's number. `holds`: None where there is nothing to hold, or where it cannot be said."""

    text: str
    holds: bool | None = None
    busy: bool = False


@attrs.frozen
class Line:
    """One promise; `cells` by contender."""

    what: str
    target: str
    cells: Mapping[str, Cell]

    @property
    def missed(self) -> bool:
        return any(cell.holds is False for cell in self.cells.values())

    @property
    def busy(self) -> bool:
        return any(cell.busy for cell in self.cells.values())


# --- a step -----------------------------------------------------------------------------------------------------------

HAND, OURS, STOCK = "a table by hand", "turnspec", "stock transitions"


def step_lines(found: Measured, held: Values) -> list[Line]:
    """Of the three contenders of `bench.step`."""
    stock_times, alone = found.stock_of_ours, found.stock_decision_ns / found.decision_ns
    return [
        Line(
            "a step with ids, effects, deadlines, ns",
            f"at most {OF_HAND} of the table by hand",
            {
                HAND: Cell(f"{found.hand_ns:,.0f}"),
                OURS: Cell(f"{found.ours_ns:,.0f} ({found.of_hand:.2f} of it)", found.of_hand <= OF_HAND),
                STOCK: Cell(f"{found.stock_ns:,.0f} ({stock_times:.1f} of ours)"),
            },
        ),
        Line(
            "the decision alone, ns",
            f"about {OF_STOCK:.0f} times faster than stock",
            {
                OURS: Cell(f"{found.decision_ns:,.0f}", alone >= OF_STOCK),
                STOCK: Cell(f"{found.stock_decision_ns:,.0f} ({alone:.0f} of ours)"),
            },
        ),
        Line("a step, first conversation of a process, ns", "", {OURS: Cell(f"{found.cold_ns:,.0f}")}),
        Line(
            "state of a call, bytes",
            "",
            {
                HAND: Cell(f"{held['hand']:,.0f}"),
                OURS: Cell(f"{held['ours']:,.0f}"),
                STOCK: Cell(f"{held['stock']:,.0f}"),
            },
        ),
    ]


# --- a check ----------------------------------------------------------------------------------------------------------


def check_lines(found: Sequence[Checked]) -> list[Line]:
    """Of `bench.check`: how many times less CPU than the code it is compared with."""

    def cell(now_s: float, then_s: float, target: float | None = None) -> Cell:
        times = then_s / now_s
        holds = None if target is None else times >= target
        return Cell(f"{1000 * now_s:,.0f} of {1000 * then_s:,.0f} ({times:.1f})", holds)

    if not found:
        return []
    return [
        Line(
            "type check, CPU ms of then (times less)",
            f"at least {CHECK_FASTER:.0f} times less",
            {each.spec: cell(each.typestate_s, each.old_typestate_s, CHECK_FASTER) for each in found},
        ),
        Line(
            "`turnspec check`, the whole command",
            "",
            {each.spec: cell(each.command_s, each.old_command_s) for each in found},
        ),
        Line(
            "the same, its verdict kept",
            "",
            {each.spec: cell(each.kept_s, each.old_command_s) for each in found},
        ),
    ]


# --- every run --------------------------------------------------------------------------------------------------------


def verify_lines(found: Sequence[Searched]) -> list[Line]:
    """Of `bench.verify`: what a save waits for, and the rate of a long search; one of fewer states is not long."""
    quick = {each.spec: each for each in found if each.scenes == "quick"}
    long = {each.spec: each for each in found if each.scenes == "long"}
    return [
        Line(
            "quick bounds, s (states)",
            f"under {QUICK_S:.0f} s each",
            {
                spec: Cell(f"{each.seconds:.2f} ({each.states:,})", each.seconds < QUICK_S)
                for spec, each in quick.items()
            },
        ),
        Line(
            "a long search, states a second (states)",
            f"at least {STATES_A_SECOND:,}",
            {
                spec: Cell(
                    f"{each.rate:,.0f} ({each.states:,})",
                    each.rate >= STATES_A_SECOND if each.states >= STATES_A_SECOND else None,
                )
                for spec, each in long.items()
            },
        ),
        Line(
            "bytes a state, quick / long",
            "",
            {
                spec: Cell(f"{each.bytes_a_state:,.0f} / {long[spec].bytes_a_state:,.0f}")
                for spec, each in quick.items()
            },
        ),
    ]


# --- a call -----------------------------------------------------------------------------------------------------------


def call_lines(found: Found) -> list[Line]:
    """Of the contenders of `bench.calls`: side by side, then alone under the most calls that were measured."""
    lines = []
    if found.beside is not None:
        beside = found.beside
        lines.append(
            Line(
                f"CPU, bare bridge = 1 ({beside.calls} calls each, at once)",
                f"at most {CPU_OF_BARE}",
                {who: Cell(f"{ratio:.2f}", _ours(who, ratio <= CPU_OF_BARE)) for who, ratio in beside.ratio.items()},
            )
        )
    most = max((run.calls for run in found.runs), default=0)
    alone = {run.who: run for run in found.runs if run.calls == most}
    return lines + (_alone(most, alone) if alone else [])


def _alone(calls: int, runs: Mapping[str, Run]) -> list[Line]:
    """The promise is for 250 calls: with fewer, what would be missed is missed, and what holds says nothing."""
    enough = calls >= CALLS

    def line(what: str, target: str, cells: Mapping[str, Cell]) -> Line:
        return Line(f"{calls} calls: {what}", target, cells)

    def judged(run: Run, holds: bool, text: str) -> Cell:
        holds_or_not = _ours(run.who, holds) if enough or not holds else None
        return Cell(text, None if run.is_busy else holds_or_not, run.is_busy)

    late = {who: judged(run, run.late["p99"] < LATE_P99_MS, _spread(run.late)) for who, run in runs.items()}
    gaps = {who: judged(run, run.broken == 0, str(run.broken)) for who, run in runs.items()}
    up = {who: judged(run, run.uplink["p99_9"] < FRAME_MS, _spread(run.uplink)) for who, run in runs.items()}
    down = {who: Cell(_spread(run.first_sound), busy=run.is_busy) for who, run in runs.items()}
    held = {who: Cell(f"{run.kb_a_call:.0f}", _ours(who, run.kb_a_call < KB_A_CALL)) for who, run in runs.items()}
    spent = {who: Cell(f"{run.cpu_ms:.2f} ({100 * run.core:.0f} %)") for who, run in runs.items()}
    return [
        line("CPU ms a call-second (of one core)", "one core", spent),
        line("a frame late at the caller, ms, p50 / p99 / p99.9", f"p99 under {LATE_P99_MS:.0f}", late),
        line("underruns, silences in an answer", "none", gaps),
        line("added on the way up, ms, p50 / p99 / p99.9", f"within the {FRAME_MS:.0f} ms frame (p99.9)", up),
        line("added on the way down, the wait for the next frame included, ms, p50 / p99 / p99.9", "", down),
        line("memory a call, KB", f"under {KB_A_CALL:.0f}", held),
    ]


def _ours(who: str, holds: bool) -> bool | None:
    return None if who == "bare" else holds


def _spread(values: Values) -> str:
    return f"{values['p50']:.1f} / {values['p99']:.1f} / {values['p99_9']:.1f}"


# --- shown ------------------------------------------------------------------------------------------------------------

_SAID = {True: "holds", False: "missed"}
_COLOUR = {True: "green", False: "red"}


def _columns(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(who for line in lines for who in line.cells))


def shown(title: str, lines: Sequence[Line]) -> Table:
    """For a terminal."""
    columns = _columns(lines)
    rows = [[line.what, *[_shown(line.cells.get(who)) for who in columns], line.target] for line in lines]
    return table(title, ["", *columns, "target"], rows)


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.busy:
        return f"{cell.text}\n[yellow]busy machine[/]"
    return cell.text if cell.holds is None else f"{cell.text}\n[{_COLOUR[cell.holds]}]{_SAID[cell.holds]}[/]"


def markdown(lines: Sequence[Line]) -> str:
    """For the README."""
    columns = _columns(lines)
    rows = [["", *columns, "target"], ["---"] * (len(columns) + 2)]
    rows += [[line.what, *[_written(line.cells.get(who)) for who in columns], line.target] for line in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _written(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"**{cell.text}, missed**" if cell.holds is False else cell.text
