"""The values of a report: groups of findings and notes, excerpts around them, lanes over time, figures.

Everything is bounded: a log of a week gives a report one can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from fsm.audit.record import Evidence, visible
from fsm.audit.rules.rule import AuditRule
from fsm.audit.spec_links import Forbids

Lane = Literal["caller", "provider", "client", "turnspec"]
LANES: tuple[Lane, ...] = ("caller", "provider", "client", "turnspec")


@attrs.frozen
class ExcerptLine:
    """One thing in an excerpt: when, on which line of the log, on whose side, in a few words."""

    at_ms: float
    line: int
    lane: Lane
    text: str = attrs.field(converter=visible)
    bad: bool = False


@attrs.define
class Excerpt:
    """What happened around the first time of a finding, their client beside our machine; found at `line`."""

    line: int
    at_ms: float
    lines: list[ExcerptLine] = attrs.field(factory=list)
    left: int = 0


@attrs.frozen
class FindingCase:
    """One of the times something was found."""

    at_ms: float
    text: str = attrs.field(converter=visible)
    evidence: tuple[Evidence, ...]
    call: str = attrs.field(default="", converter=visible)  # whose it is, in a log of several


@attrs.define
class FindingGroup:
    """Everything a rule found of one kind: how often, the first and the last time, a few cases, one excerpt."""

    rule: AuditRule
    key: str = attrs.field(converter=visible)
    harm: bool
    first: FindingCase
    last: FindingCase
    count: int = 0
    more: list[FindingCase] = attrs.field(factory=list)
    forbids: tuple[Forbids, ...] = ()
    excerpt: Excerpt | None = None
    lanes: Lanes | None = None  # of the call in which it was found first

    @property
    def name(self) -> str:
        """The rule, and what it tells apart."""
        return f"{self.rule.id} {self.key}"

    @property
    def cases(self) -> list[FindingCase]:
        """The cases kept, the first before the others, the last at the end."""
        kept = [self.first, *self.more]
        return kept if self.last in kept else [*kept, self.last]


@attrs.define
class Bar:
    """A stretch on a lane."""

    start_ms: float
    end_ms: float
    kind: str
    text: str = attrs.field(converter=visible)


@attrs.frozen
class Mark:
    """A moment on a lane."""

    at_ms: float
    kind: str
    text: str = attrs.field(converter=visible)


@attrs.define
class Lanes:
    """The call over time. `dropped` counts what was too much to keep."""

    speech: list[Bar] = attrs.field(factory=list)
    generated: list[Bar] = attrs.field(factory=list)
    heard: list[Bar] = attrs.field(factory=list)
    states: list[Bar] = attrs.field(factory=list)
    asked: list[Mark] = attrs.field(factory=list)
    effects: list[Mark] = attrs.field(factory=list)
    found: list[Mark] = attrs.field(factory=list)
    dropped: int = 0
    by_order: bool = False  # a log without times: positions are the numbers of its events
    start_at: float = 0.0
    end_at: float = 0.0
    first_found: dict[str, float] = attrs.field(factory=dict)


@attrs.frozen
class Timeline:
    """The lanes of one call of a log; `name` says which."""

    name: str = attrs.field(converter=visible)
    lanes: Lanes


Heard = Literal["told", "reckoned", "guessed", "unknown"]
"""How a log shows when the agent was heard: our playout reports it, by its length, by its tokens, not at all."""


@attrs.define
class Figures:
    """The counts of a log."""

    records: int = 0
    calls: int = 0
    sessions: int = 0
    turns: int = 0
    responses: int = 0
    creates: int = 0
    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0
    causes: dict[str, int] = attrs.field(factory=dict)
    ours: int = 0  # creates turnspec's machine would have sent
    tools: int = 0
    skipped: int = 0


@attrs.define
class LogReport:
    """One log."""

    file: str = attrs.field(converter=visible)
    format: str
    spec: str
    timed: bool
    duration_ms: float
    figures: Figures
    findings: list[FindingGroup]
    notes: list[FindingGroup]
    timelines: list[Timeline]
    kinds: Mapping[str, int]
    undrawn: int = 0  # calls of which there is no timeline
    heard: Heard = "unknown"
    ends_in_speech: bool = False  # the log ends while the agent is being heard

    @property
    def is_clean(self) -> bool:
        return not self.findings
