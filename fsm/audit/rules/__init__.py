"""Every rule of the audit, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsm.audit.observed import Observed
from fsm.audit.rules import answers, live, patterns, requests, session, turn_owner, turns
from fsm.audit.rules.rule import AuditRule, Judge

RULES: tuple[AuditRule, ...] = (
    *answers.RULES, *turns.RULES, *requests.RULES, *session.RULES, *patterns.RULES, *live.RULES,
    *turn_owner.RULES,
)  # fmt: skip


def _by_kind() -> dict[type[Observed], list[tuple[AuditRule, Judge[Any]]]]:
    found: dict[type[Observed], list[tuple[AuditRule, Judge[Any]]]] = {}
    for rule in RULES:
        for kind, judge in rule.judges.items():
            found.setdefault(kind, []).append((rule, judge))
    return found


BY_KIND: Mapping[type[Observed], list[tuple[AuditRule, Judge[Any]]]] = _by_kind()
