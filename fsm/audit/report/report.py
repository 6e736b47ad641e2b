"""The values of a report: groups of findings and notes, excerpts around them, lanes over time, figures.

Everything is bounded: a log of a week gives a report one can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from fsm.audit.exchange import CallerTurn
from fsm.audit.record import Evidence, is_nonsense, visible
from fsm.audit.rules.rule import AuditRule
from fsm.audit.spec_links import Forbids
from fsm.machine.wire import at_path

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
    because: str = ""  # the title of the finding that is its likely cause

    @property
    def name(self) -> str:
        """The rule, and what it tells apart."""
        return f"{self.rule.id} {self.key}"

    @property
    def rule_id(self) -> str:
        return self.rule.id

    @property
    def moments(self) -> list[tuple[str, float]]:
        """The call and the time of each case that was kept."""
        return [(case.call, case.at_ms) for case in self.cases]

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


@attrs.define(eq=False)
class TurnRow:
    """A turn of the caller and its answer, in figures; number 0 is what was said before the caller spoke."""

    number: int
    at_ms: float
    ended_ms: float | None = None
    first_audio_ms: float | None = None
    latency_ms: float | None = None  # from the end of the caller's speech to the first audio
    talk_over_ms: float = 0.0
    dead_air_ms: float = 0.0  # the longest silence until the answer was over
    heard_ms: float = 0.0
    cut: bool = False
    unheard: bool = False  # in a call whose log shows what was heard
    responses: list[str] = attrs.field(factory=list)
    turn: CallerTurn | None = None  # while the log is read

    @property
    def unanswered(self) -> bool:
        return not self.responses or self.unheard


@attrs.frozen
class Utterance:
    """Something that was said: by whom (caller, agent), when it began, in which turn."""

    who: str
    at_ms: float
    text: str = attrs.field(converter=visible)
    turn: int | None = None


_TOKENS = {
    "text in": ("input_token_details.text_tokens", "input_token_details.cached_tokens_details.text_tokens"),
    "audio in": ("input_token_details.audio_tokens", "input_token_details.cached_tokens_details.audio_tokens"),
    "text out": ("output_token_details.text_tokens", ""),
    "audio out": ("output_token_details.audio_tokens", ""),
}


@attrs.define
class Usage:
    """Tokens, by kind; those that came from the cache apart. `total` is what the provider says."""

    tokens: dict[str, float] = attrs.field(factory=dict)
    cached: dict[str, float] = attrs.field(factory=dict)
    total: float = 0.0
    responses: int = 0

    def add(self, usage: Mapping[str, object]) -> None:
        """The usage of one response, as response.done has it."""
        self.responses += 1
        self.total += _count(usage, "total_tokens")
        for kind, (path, cached_path) in _TOKENS.items():
            cached = _count(usage, cached_path) if cached_path else 0.0
            self.tokens[kind] = self.tokens.get(kind, 0.0) + max(_count(usage, path) - cached, 0.0)
            self.cached[kind] = self.cached.get(kind, 0.0) + cached


def _count(usage: Mapping[str, object], path: str) -> float:
    value = at_path(usage, path)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and not is_nonsense(value)
    return max(float(value), 0.0) if is_number else 0.0  # type: ignore[arg-type]


@attrs.frozen
class Timeline:
    """The lanes of one call of a log, its turns and what was said; `name` says which."""

    name: str = attrs.field(converter=visible)
    lanes: Lanes
    rows: Sequence[TurnRow] = ()
    said: Sequence[Utterance] = ()
    usage: Mapping[str, Usage] = attrs.field(factory=dict)  # by the name of the model
    timed: bool = True


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
    first_unread: tuple[int, str] | None = None  # the first line that could not be read: its number, what it says

    @property
    def is_clean(self) -> bool:
        return not self.findings
