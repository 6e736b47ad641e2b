"""Sentences of a report that text, Markdown and HTML share: figures, side-by-side rows, evidence."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from fsm.audit.record import Evidence, clock, seconds
from fsm.audit.report.report import Excerpt, FindingCase, FindingGroup, LogReport


def heading(report: LogReport) -> str:
    """What was read."""
    length = seconds(report.duration_ms) if report.timed else "no times"
    figures = report.figures
    sessions = f", {figures.sessions} sessions" if figures.sessions > max(figures.calls, 1) else ""
    skipped = f", {counted(figures.skipped, 'line')} without an event" if figures.skipped else ""
    calls = f", {report.figures.calls} calls" if report.figures.calls > 1 else ""
    return f"{report.format}, {report.figures.records} events, {length}{calls}{sessions}{skipped}"


def case(found: FindingCase, report: LogReport) -> str:
    """What was found, and in which call if there are several."""
    return f"{found.text} (call {found.call})" if report.figures.calls > 1 and found.call else found.text


def figures(report: LogReport) -> str:
    """The counts of a log, creates first."""
    f = report.figures
    rate = f" ({f.creates / report.duration_ms * 60_000:.0f} a minute)" if _has_rate(report) else ""
    rejected = f", {f.rejected} rejected" if f.rejected else ""
    unanswered = f", {f.unanswered} without an answer" if f.unanswered else ""
    why = "; ".join(f"{count} × {name}" for name, count in f.causes.items())
    asked = f"{counted(f.creates, 'create')}{rate}: {f.accepted} answered{rejected}{unanswered}"
    parts = [
        asked + (f" ({why})" if why else ""),
        f"turnspec would have sent {f.ours}",
        f"{counted(f.turns, 'turn')}, {counted(f.responses, 'response')}, {counted(f.tools, 'tool call')}",
    ]
    return ". ".join(parts) + "."


def caveats(report: LogReport) -> list[str]:
    """What the log does not hold and was stood in for, as far as it matters to what is said of it."""
    shown = report.timed and report.figures.responses and report.heard in _HEARD
    found = [_HEARD[report.heard]] if shown else []
    if report.first_unread is not None:
        line, text = report.first_unread
        count = report.figures.skipped
        what = f"{count} lines could not be read, the first is" if count > 1 else "One line could not be read:"
        found.append(f"{what} line {line}: {text}")
    if report.ends_in_speech:
        found.append("The log ends while the agent is speaking: how much of that was heard is not known.")
    return found


_HEARD = {
    "reckoned": "When the agent was heard is reckoned from the length of its audio.",
    "guessed": "When the agent was heard is guessed from the tokens of its audio, which is not in the log.",
    "unknown": "The log does not show when the agent was heard.",
}


def _has_rate(report: LogReport) -> bool:
    return report.timed and report.duration_ms >= 10_000 and report.figures.creates >= 10


def counted(count: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def times(group: FindingGroup) -> str:
    """How often and when."""
    if group.count == 1:
        return clock(group.first.at_ms) if _is_timed(group.first) else ""
    when = f", {clock(group.first.at_ms)} to {clock(group.last.at_ms)}" if _is_timed(group.first) else ""
    return f"{group.count} times{when}"


def _is_timed(case: FindingCase) -> bool:
    return any(e.at_ms is not None for e in case.evidence)


def evidence(found: Evidence) -> str:
    """A line of the log in short."""
    when = f"{clock(found.at_ms)} " if found.at_ms is not None else ""
    name = f" [{found.event_id}]" if found.event_id else ""
    text = f" {found.text}" if found.text else ""
    return f"{when}{found.where} {found.type}{name}{text}"


def verdict(reports: Sequence[LogReport]) -> str:
    """One line for all logs."""
    findings = sum(len(r.findings) for r in reports)
    notes = sum(len(r.notes) for r in reports)
    bad = sum(not r.is_clean for r in reports)
    if not findings:
        unread = sum(r.figures.skipped for r in reports)
        of = f" in what was read ({counted(sum(r.figures.records for r in reports), 'event')})" if unread else ""
        return f"{counted(len(reports), 'log')}: no finding{of}, {counted(notes, 'note')}"
    where = f" in {bad} of {len(reports)} logs" if len(reports) > 1 else ""
    return f"{counted(findings, 'finding')}{where}, {counted(notes, 'note')}"


@attrs.frozen
class SideBySideRow:
    """A line of an excerpt: what came (of provider or caller), what their client sent, what our machine did."""

    at: str
    line: int
    came: str
    sent: str
    turnspec: str
    bad: bool
    here: bool


def side_by_side(excerpt: Excerpt, timed: bool) -> list[SideBySideRow]:
    """The lines of an excerpt as rows; what our machine did at a line stands beside it."""
    rows: list[SideBySideRow] = []
    for line in excerpt.lines:
        last = rows[-1] if rows else None
        at = clock(line.at_ms) if timed else ""
        here = line.line == excerpt.line and line.lane != "turnspec"
        if line.lane == "turnspec" and last is not None and last.line == line.line and last.at == at:
            joined = "; ".join(part for part in (last.turnspec, line.text) if part)
            rows[-1] = attrs.evolve(last, turnspec=joined, bad=last.bad or line.bad)
            continue
        texts = {"came": "", "sent": "", "turnspec": ""}
        texts[_COLUMN[line.lane]] = line.text
        rows.append(SideBySideRow(at, line.line, texts["came"], texts["sent"], texts["turnspec"], line.bad, here))
    return rows


_COLUMN = {"caller": "came", "provider": "came", "client": "sent", "turnspec": "turnspec"}
