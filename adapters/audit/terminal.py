"""The report for a terminal, with rich. What it says is in fsm.audit.report.phrases."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from adapters.audit.page.turns import percentiles
from fsm.audit.report import phrases
from fsm.audit.report.report import FindingGroup, LogReport


def show(console: Console, reports: Sequence[LogReport]) -> None:
    """Every log, then a summary if there are several."""
    for report in reports:
        _log(console, report)
    if len(reports) > 1:
        _summary(console, reports)
    style = "bold red" if any(not r.is_clean for r in reports) else "bold green"
    console.print(Text(phrases.verdict(reports), style=style))


def _log(console: Console, report: LogReport) -> None:
    console.print(Rule(Text(report.file, style="bold"), align="left", style="dim"))
    console.print(Text(phrases.heading(report), style="dim"))
    console.print(Text(phrases.figures(report)))
    waits = percentiles(report.timelines)
    if waits:
        console.print(Text("End of speech to " + ", ".join(f"{name} {value}" for name, value in waits)))
    for caveat in phrases.caveats(report):
        console.print(Text(caveat, style="dim"))
    console.print()
    for number, group in enumerate(report.findings, 1):
        _finding(console, number, group, report)
    for group in report.notes:
        often = f" ({group.count} times)" if group.count > 1 else ""
        seen = ", ".join(e.where for e in group.first.evidence[:3])
        console.print(
            Text.assemble(
                ("note ", "yellow"), group.first.text + often, (f"  {seen}", "dim"), (f"  [{group.rule.id}]", "dim")
            )
        )
    if report.notes:
        console.print()


def _finding(console: Console, number: int, group: FindingGroup, report: LogReport) -> None:
    when = phrases.times(group)
    console.print(
        Text.assemble((f"{number}. {group.rule.title}", "bold red"), f"  {when}", (f"  [{group.rule.id}]", "dim"))
    )
    body = Text(group.rule.why + "\n", style="dim")
    if group.because:
        body.append(f"Likely cause: {group.because}.\n", style="not dim bold")
    for case in group.cases:
        body.append(f"• {phrases.case(case, report)}\n", style="default not dim")
        for found in case.evidence[:4]:
            body.append(f"    {phrases.evidence(found)}\n", style="cyan")
    body.append(f"turnspec {group.rule.instead}\n", style="green not dim")
    for forbids in group.forbids:
        body.append(f"    {forbids.where}  {forbids.says}\n", style="green")
    body.rstrip()
    console.print(Padding(body, (0, 0, 0, 3)))
    if group.excerpt is not None and group.excerpt.lines:
        console.print(Padding(_excerpt(group, report), (0, 0, 0, 3)))
    console.print()


def _excerpt(group: FindingGroup, report: LogReport) -> Table:
    assert group.excerpt is not None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column("time", style="dim", no_wrap=True)
    table.add_column("line", style="dim", justify="right", no_wrap=True)
    table.add_column("provider and caller", ratio=3, overflow="fold")
    table.add_column("their client", ratio=2, overflow="fold")
    table.add_column(f"turnspec ({report.spec})", style="green", ratio=3, overflow="fold")
    for row in phrases.side_by_side(group.excerpt, report.timed):
        style = "red" if row.bad else "bold" if row.here else ""
        table.add_row(row.at, str(row.line), Text(row.came, style), Text(row.sent, style), Text(row.turnspec))
    return table


def _summary(console: Console, reports: Sequence[LogReport]) -> None:
    table = Table(title="Summary", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("log", overflow="fold")
    table.add_column("findings", justify="right")
    table.add_column("notes", justify="right")
    table.add_column("what")
    for report in reports:
        what = ", ".join(dict.fromkeys(g.rule.id for g in report.findings)) or "clean"
        table.add_row(Text(report.file), str(len(report.findings)), str(len(report.notes)), what)
    console.print(table)
    console.print()
