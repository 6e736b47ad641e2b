"""The report as JSON-like values, for programs. Flat, named as in the text."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from fsm.audit.record import Evidence
from fsm.audit.report.phrases import side_by_side, verdict
from fsm.audit.report.report import FindingCase, FindingGroup, LogReport, Timeline

Json = dict[str, object]


def document(reports: Sequence[LogReport]) -> Json:
    """All logs."""
    return {
        "verdict": verdict(reports),
        "findings": sum(len(r.findings) for r in reports),
        "notes": sum(len(r.notes) for r in reports),
        "logs": [_log(report) for report in reports],
    }


def _log(report: LogReport) -> Json:
    return {
        "file": report.file,
        "format": report.format,
        "spec": report.spec,
        "timed": report.timed,
        "duration_ms": round(report.duration_ms, 3),
        "figures": attrs.asdict(report.figures),
        "heard": report.heard,
        "ends_in_speech": report.ends_in_speech,
        "first_unread": None
        if report.first_unread is None
        else dict(zip(("line", "text"), report.first_unread, strict=True)),
        "events": dict(report.kinds),
        "calls": [_call(timeline) for timeline in report.timelines],
        "findings": [_group(group, report) for group in report.findings],
        "notes": [_group(group, report) for group in report.notes],
    }


def _call(timeline: Timeline) -> Json:
    return {
        "call": timeline.name,
        "turns": [
            {
                "turn": row.number, "at_ms": row.at_ms, "ended_ms": row.ended_ms, "first_audio_ms": row.first_audio_ms,
                "latency_ms": row.latency_ms, "talk_over_ms": row.talk_over_ms, "dead_air_ms": row.dead_air_ms,
                "heard_ms": row.heard_ms, "cut": row.cut, "responses": row.responses,
            }
            for row in timeline.rows
        ],
        "usage": {model: attrs.asdict(usage) for model, usage in timeline.usage.items()},
    }  # fmt: skip


def _group(group: FindingGroup, report: LogReport) -> Json:
    found: Json = {
        "rule": group.rule.id,
        "kind": group.key,
        "title": group.rule.title,
        "why": group.rule.why,
        "because": group.because,
        "count": group.count,
        "first_ms": round(group.first.at_ms, 3),
        "last_ms": round(group.last.at_ms, 3),
        "cases": [_case(case) for case in group.cases],
        "turnspec": group.rule.instead,
        "forbidden_by": [
            {"spec": f.spec, "file": f.place.file, "line": f.place.line, "says": f.says, "quote": f.quote}
            for f in group.forbids
        ],
    }
    if group.excerpt is not None:
        found["side_by_side"] = [attrs.asdict(row) for row in side_by_side(group.excerpt, report.timed)]
    return found


def _case(case: FindingCase) -> Json:
    return {
        "at_ms": round(case.at_ms, 3),
        "text": case.text,
        "call": case.call,
        "evidence": [_evidence(found) for found in case.evidence],
    }


def _evidence(found: Evidence) -> Json:
    return {
        "file": found.file, "line": found.line, "at_ms": found.at_ms, "type": found.type, "event_id": found.event_id,
        "text": found.text,
    }  # fmt: skip
