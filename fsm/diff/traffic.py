"""Recorded calls stepped through both specs: which would have gone differently, where first, and by whose rows.

A call that the old spec itself does not repeat (another version wrote it, or another spec) says nothing about the
change, and is counted apart. Events are fed as they were recorded: what the provider or the caller would have done
differently after the first difference cannot be known, so nothing after it is told. Never here: files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from fsm.journal.journal import Journal, StepLine
from fsm.journal.replay import Divergence, Replay, replay
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine

ACTS = ("effects", "timers")
ALL = ("outcome", "state", *ACTS)


@attrs.frozen
class Call:
    """The first step at which a call would have gone differently."""

    file: str
    call_id: str
    steps: int
    divergence: Divergence


@attrs.frozen
class Group:
    """Calls that first differ by the same rows: `old` and `new` are the rows' ids, and their lines."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    event: str
    old_place: str
    new_place: str
    calls: tuple[Call, ...]


@attrs.frozen
class Aside:
    """A journal that says nothing about the change, and why."""

    file: str
    reason: str


@attrs.frozen
class Traffic:
    """What would have become of recorded calls."""

    same: int
    groups: tuple[Group, ...]
    aside: tuple[Aside, ...]

    @property
    def different(self) -> int:
        return sum(len(g.calls) for g in self.groups)

    @property
    def compared(self) -> int:
        return self.same + self.different


def traffic(
    journals: Iterable[Journal | Aside], old: Spec, new: Spec, states_too: bool = False
) -> Traffic:  # fmt: skip
    """Re-steps journals one by one (an iterator need hold only one); `Aside`s among them are passed through."""
    machines = TurnSpecMachine(old), TurnSpecMachine(new)
    compare = ALL if states_too else ACTS
    same = 0
    aside: list[Aside] = []
    found: dict[tuple[tuple[str, ...], tuple[str, ...], str], list[Call]] = {}
    for journal in journals:
        if isinstance(journal, Aside):
            aside.append(journal)
            continue
        before = replay(journal, machines[0], ALL)
        if not before.matches:
            aside.append(Aside(journal.file, _why(before)))
            continue
        after = replay(journal, machines[1], compare)
        if after.matches:
            same += 1
        elif after.divergence is None:
            aside.append(Aside(journal.file, f"the new spec cannot start it: {after.stopped}"))
        else:
            call = Call(journal.file, journal.header.call_id, after.total, after.divergence)
            found.setdefault(_key(after.divergence), []).append(call)
    groups = sorted((_group(key, calls) for key, calls in found.items()), key=lambda g: -len(g.calls))
    return Traffic(same, tuple(groups), tuple(aside))


def _why(result: Replay) -> str:
    if result.divergence is not None:
        at = f"at step {result.divergence.serial} ({result.divergence.event})"
        return f"the old spec does not repeat it {at}: another version or another spec wrote it"
    return result.stopped


def _key(divergence: Divergence) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    return _rows(divergence.expected), _rows(divergence.got), divergence.event


def _rows(line: StepLine | None) -> tuple[str, ...]:
    return line.transitions if line is not None else ()


def _group(key: tuple[tuple[str, ...], tuple[str, ...], str], calls: Sequence[Call]) -> Group:
    first = calls[0].divergence
    old, new = (line.place if line is not None else "" for line in (first.expected, first.got))
    return Group(key[0], key[1], key[2], old, new, tuple(sorted(calls, key=lambda c: c.file)))
