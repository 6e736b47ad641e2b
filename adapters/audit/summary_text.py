"""A summary of many logs for a terminal, and as plain values for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.audit.summary import AuditSummary
from fsm.audit.record import seconds, visible
from fsm.audit.report.phrases import counted

_SHARES = (("p50", 0.5), ("p95", 0.95), ("worst", 1.0))


def show(console: Console, made: AuditSummary) -> None:
    """What was found, by what; the worst calls last, where one looks."""
    console.print(Text(_head(made), style="bold"))
    waits = [f"{name} {seconds(ms)}" for name, share in _SHARES if (ms := made.wait_ms(share)) is not None]
    if waits:
        console.print(Text(f"End of speech to first audio: {', '.join(waits)}"))
    console.print()
    if made.by_finding:
        table = _table("finding", "logs", "times", "what", "for example")
        for rule, logs in made.by_finding.most_common():
            table.add_row(
                rule, str(logs), str(made.times[rule]), Text(made.titles[rule]), Text(made.examples[rule], style="dim")
            )
        console.print(table)
    _by(console, "spec", made.by_spec)
    _by(console, "hour", {name or "not known": counts for name, counts in made.by_hour.items()})
    if made.worst:
        table = _table("the worst calls", "findings", "what")
        for found in made.worst:
            table.add_row(Text(found.file), str(sum(found.findings.values())), ", ".join(found.findings))
        console.print(table)
    for problem in made.unread_names:
        console.print(Text(f"not read: {problem}", style="yellow"))
    if made.unread > len(made.unread_names):
        console.print(Text(f"and {made.unread - len(made.unread_names)} more not read", style="yellow"))


def _head(made: AuditSummary) -> str:
    read = made.logs - made.unread
    unread = f", {made.unread} more could not be read" if made.unread else ""
    return (
        f"{counted(read, 'log')} of {counted(made.calls, 'call')}, {counted(made.records, 'event')}: "
        f"{made.with_findings} with findings{unread}"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for column in columns:
        is_number = column in ("logs", "times", "findings", "with findings", "share")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def _by(console: Console, name: str, counts: Mapping[str, Counter[str]]) -> None:
    table = _table(name, "logs", "with findings", "share")
    for key in sorted(counts):
        found = counts[key]
        share = found["with findings"] / found["logs"]
        table.add_row(Text(visible(key)), str(found["logs"]), str(found["with findings"]), f"{share:.0%}")
    if counts:
        console.print(table)
        console.print()


def plain(made: AuditSummary) -> dict[str, object]:
    """For programs."""
    return {
        "logs": made.logs, "calls": made.calls, "events": made.records, "with_findings": made.with_findings,
        "unread": made.unread, "unread_names": made.unread_names,
        "first_audio_ms": {name: made.wait_ms(share) for name, share in _SHARES},
        "by_finding": {
            rule: {"logs": logs, "times": made.times[rule], "title": made.titles[rule], "example": made.examples[rule]}
            for rule, logs in made.by_finding.most_common()
        },
        "by_spec": {key: dict(counts) for key, counts in sorted(made.by_spec.items())},
        "by_hour": {key: dict(counts) for key, counts in sorted(made.by_hour.items())},
        "worst": [{"file": found.file, "findings": dict(found.findings)} for found in made.worst],
    }  # fmt: skip
