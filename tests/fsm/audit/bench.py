"""An audit of rows as recordings have them, through the core alone. Never a check."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from fsm.audit.audit import Audit
from fsm.audit.conversation import AuditOptions
from fsm.audit.realtime_events import direction_of
from fsm.audit.record import CLOSED, Record
from fsm.audit.report.report import FindingGroup, LogReport
from fsm.machine.machine import TurnSpecMachine
from tests.fsm.audit.logbook import Row
from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.bundle import loaded


@cache
def machine(spec: str = "server_vad") -> TurnSpecMachine:
    return TurnSpecMachine(loaded(spec).spec)


def audited(rows: Iterable[Row], spec: str = "server_vad", options: AuditOptions | None = None) -> LogReport:
    """The report of a log."""
    chosen = machine(spec)
    specs = [chosen.spec, *(loaded(name).spec for name in NAMES if name != spec)]
    audit = Audit(chosen, specs, options)
    for line, row in enumerate(rows, 1):
        audit.feed(record(line, row))
    return audit.finish("log.jsonl", "rows")


def record(line: int, row: Row) -> Record:
    at_ms = row["at"] * 1000 if "at" in row else None
    if row.get("kind") == "close":
        event = {"type": CLOSED, "code": row["code"], "reason": row.get("reason", "")}
        return Record("log.jsonl", line, "local", at_ms, CLOSED, event)
    event = row["event"]
    side = direction_of(machine().spec.vocabulary, event["type"]) or row.get("dir", "server")
    return Record("log.jsonl", line, side, at_ms, event["type"], event)


def untimed(rows: Iterable[Row]) -> list[Row]:
    return [{k: v for k, v in row.items() if k != "at"} for row in rows]


def named(groups: Iterable[FindingGroup]) -> list[str]:
    """The rules found, each once, in order."""
    return list(dict.fromkeys(group.rule.id for group in groups))


def only(report: LogReport, rule: str) -> FindingGroup:
    """The one finding of a rule."""
    found = [group for group in report.findings if group.rule.id == rule]
    assert len(found) == 1, (rule, [(g.rule.id, g.key) for g in report.findings])
    return found[0]
