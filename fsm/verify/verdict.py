"""What verification says: a verdict for a spec, a world and a set of assumptions, and the rows to print. Data only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from fsm.language.problem import Place, Problem
from fsm.verify.counterexample import Counterexample

Status = Literal["holds", "violated", "waived", "unjudged", "not applicable"]


@attrs.frozen
class Finding:
    """A property's status. `reason` says why it does not apply or was not judged.

    `waived`: it is violated, and the spec says why it may be.
    """

    name: str
    about: str
    status: Status
    place: Place
    run: Counterexample | None = None
    reason: str = ""


@attrs.frozen
class CellUse:
    """A reachable (state, event): what the spec answers there and the shortest way to it."""

    state: str
    event: str
    outcome: str
    place: Place
    state_number: int
    label: int
    reason: str = ""


@attrs.frozen
class SceneVerdict:
    """One exploration, judged. `cut` counts, by channel, how often a full queue kept a move from being taken."""

    spec: str
    world: str
    scene: str
    assumed: Mapping[str, str]
    bounds: Mapping[str, int]
    capacities: Mapping[str, int]
    partial: bool
    states: int
    transitions: int
    depth: int
    seconds: float
    bytes_per_state: int
    cut: Mapping[str, int]
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    cells: Mapping[tuple[str, str], CellUse]
    rows: frozenset[Place]
    visited: frozenset[str] = frozenset()
    """States of the spec that a run came to."""
    effects: frozenset[str] = frozenset()
    """Effects that a run had."""
    in_vain: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Everything explored, no property violated, no impossible cell reached."""
        return not self.partial and not self.violated and not self.problems

    @property
    def violated(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.status == "violated")

    @property
    def waived(self) -> tuple[Finding, ...]:
        """What is violated, and the spec says why it may be."""
        return tuple(f for f in self.findings if f.status == "waived")

    @property
    def assumptions_used(self) -> tuple[str, ...]:
        """What was taken for granted, for printing with every verdict."""
        return tuple(k if v == "yes" else f"{k}: {v}" for k, v in self.assumed.items() if v != "no")

    @property
    def outcome(self) -> str:
        if self.violated or self.problems:
            return "FAIL"
        return "PARTIAL" if self.partial else "PASS"

    @property
    def states_per_second(self) -> int:
        return int(self.states / self.seconds) if self.seconds > 0 else 0

    def same_as(self, other: SceneVerdict) -> bool:
        """Do both say the same of every property and cell?"""
        mine, its = ({f.name: f.status for f in v.findings} for v in (self, other))
        return mine == its and {p.message for p in self.problems} == {p.message for p in other.problems}

    def table(self) -> tuple[tuple[str, ...], ...]:
        """Rows for printing: property, status, steps of the counterexample, reason."""
        head = (f"{self.spec} / {self.scene}", self.outcome, f"{self.states} states", "; ".join(self.assumptions_used))
        rows = tuple((f.name, f.status, str(len(f.run.steps)) if f.run else "", f.reason) for f in self.findings)
        return (head, *rows)


def matrix(verdicts: Iterable[SceneVerdict]) -> tuple[tuple[str, ...], ...]:
    """Property by scene: the table of the README. The first row names the scenes."""
    listed = list(verdicts)
    names = list(dict.fromkeys(f.name for v in listed for f in v.findings))
    by_name = [{f.name: f.status for f in v.findings} for v in listed]
    rows = [(name, *(found.get(name, "-") for found in by_name)) for name in names]
    return (("property", *(f"{v.spec} / {v.scene}" for v in listed)), *rows)
