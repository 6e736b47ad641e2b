"""The shape of a rule: an id, what it means, which lines of a spec forbid it, which moments it judges. Never a rule.

A verdict of a rule is a finding only where the log shows harm (a rejection, a missing or a second answer, a silence,
talk-over, audio after a flush); what is merely unwise is a note.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from fsm.audit import explain
from fsm.audit.anchors import Anchor
from fsm.audit.record import Evidence
from fsm.audit.talk import Fault, Moment, Talk


@attrs.frozen
class Verdict:
    """What a rule says of a moment. `key` tells apart what is to be counted apart; `text` is one sentence."""

    harm: bool
    text: str
    evidence: tuple[Evidence, ...]
    key: str = ""
    at_ms: float | None = None  # when it was, if not when it was noticed


Judge = Callable[[Moment, Talk], Verdict | None]


@attrs.frozen
class Rule:
    """A rule as data. `title` is the headline, `why` what it does to a call, `instead` what turnspec does."""

    id: str
    title: str
    why: str
    instead: str
    on: tuple[str, ...]
    judge: Judge
    anchors: tuple[Anchor, ...] = ()


def lines(*found: Evidence | None) -> tuple[Evidence, ...]:
    """The evidence there is, in the order of the log, each line once."""
    return tuple(sorted({e for e in found if e is not None and e.line}, key=lambda e: e.line))


def told(fault: Fault | None) -> str:
    """An error in one sentence: what the provider said, and what that means."""
    if fault is None:
        return ""
    meaning = explain.of_fault(fault)
    field = f" (field {fault.param})" if fault.param and fault.param not in fault.message else ""
    return f"{fault.message or fault.code}{field}" + (f" - {meaning}" if meaning else "")
