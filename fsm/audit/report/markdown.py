"""The report as Markdown that can be pasted into an incident report. Pure text; never a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm.audit.report import phrases
from fsm.audit.report.report import FindingGroup, LogReport
from fsm.draw.text import code, prose, table


def page(reports: Sequence[LogReport]) -> str:
    """The whole report."""
    lines = ["# Audit of Realtime calls", "", f"**{phrases.verdict(reports)}**", ""]
    if len(reports) > 1:
        rows = [(code(r.file), str(len(r.findings)), str(len(r.notes)), _named(r)) for r in reports]
        lines += table(("log", "findings", "notes", "what"), rows)
    for report in reports:
        lines += _log(report)
    return "\n".join(lines).rstrip() + "\n"


def _named(report: LogReport) -> str:
    return ", ".join(dict.fromkeys(code(g.rule.id) for g in report.findings)) or "clean"


def _log(report: LogReport) -> Iterator[str]:
    yield from (f"## {code(report.file)}", "", phrases.heading(report) + ".", "", phrases.figures(report), "")
    for caveat in phrases.caveats(report):
        yield from (f"*{caveat}*", "")
    for number, group in enumerate(report.findings, 1):
        yield from _finding(number, group, report)
    if report.notes:
        yield from ("### Notes", "", "Unwise or new, without harm in this log.", "")
        for group in report.notes:
            seen = ", ".join(code(e.where) for e in group.first.evidence[:3])
            often = f" ({group.count} times)" if group.count > 1 else ""
            yield f"- {code(group.rule.id)} {prose(group.first.text)}{often}: {seen}"
        yield ""


def _finding(number: int, group: FindingGroup, report: LogReport) -> Iterator[str]:
    when = phrases.times(group)
    yield from (f"### {number}. {group.rule.title} ({code(group.rule.id)}{', ' + when if when else ''})", "")
    yield from (prose(group.rule.why) + (f" Likely cause: {prose(group.because)}." if group.because else ""), "")
    for case in group.cases:
        yield f"- {prose(phrases.case(case, report))}"
        yield from (f"    - {code(phrases.evidence(found))}" for found in case.evidence[:6])
    yield ""
    if group.forbids:
        yield f"What turnspec ({report.spec}) does: it {prose(group.rule.instead)} The deciding lines:"
        yield ""
        for forbids in group.forbids:
            quote = f" {code(forbids.quote)}" if forbids.quote else ""
            yield f"- {code(forbids.where)} ({forbids.spec}): {prose(forbids.says)}.{quote}"
        yield ""
    if group.excerpt is not None and group.excerpt.lines:
        yield from _excerpt(group, report)


def _excerpt(group: FindingGroup, report: LogReport) -> Iterator[str]:
    assert group.excerpt is not None
    yield from ("<details><summary>Side by side, around the first time</summary>", "")
    rows = [
        (
            row.at, f"**{row.line}**" if row.here else str(row.line), prose(row.came), prose(row.sent),
            prose(row.turnspec),
        )
        for row in phrases.side_by_side(group.excerpt, report.timed)
    ]  # fmt: skip
    yield from table(("time", "line", "provider and caller", "their client", f"turnspec ({report.spec})"), rows)
    yield from ("</details>", "")
