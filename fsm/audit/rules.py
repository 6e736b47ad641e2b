"""Every rule of the audit, as one table. Never here: how a rule judges (the rules_* modules)."""

from __future__ import annotations

from collections.abc import Mapping

from fsm.audit import rules_creates, rules_session, rules_tools, rules_turns
from fsm.audit.rule import Rule

RULES: tuple[Rule, ...] = (*rules_creates.RULES, *rules_turns.RULES, *rules_tools.RULES, *rules_session.RULES)
BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}


def _by_moment() -> dict[str, tuple[Rule, ...]]:
    names = dict.fromkeys(name for rule in RULES for name in rule.on)
    return {name: tuple(rule for rule in RULES if name in rule.on) for name in names}


BY_MOMENT: Mapping[str, tuple[Rule, ...]] = _by_moment()
