"""Recorded calls stepped through both specs: which would have gone differently, where first, and by whose rows.

A call that the old spec itself does not repeat (another version wrote it, or another spec) says nothing about the
change, and is counted apart. Events are fed as they were recorded: what the provider or the caller would have done
differently after the first difference cannot be known, so nothing after it counts. A deadline of another length is a
difference where it would have passed, or not have passed, before what came next. Never here: files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from fsm.journal.journal import Journal, StepLine
from fsm.journal.replay import Divergence, Replay, StepDifference, replay
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine

ACTS = ("effects", "waits for")
ALL = ("outcome", "state", "effects", "timers")
NO_JOURNAL = "no journal"


@attrs.frozen
class RecordedCall:
    """The first step at which a call would have gone differently."""

    file: str
    call_id: str
    steps: int
    divergence: Divergence


@attrs.frozen
class CallGroup:
    """Calls that first differ by the same rows: `old` and `new` are the rows' ids, and their lines."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    event: str
    old_place: str
    new_place: str
    calls: tuple[RecordedCall, ...]


@attrs.frozen
class Aside:
    """A file that says nothing about the change, why, and as `what` it is counted."""

    file: str
    reason: str
    what: str = NO_JOURNAL


@attrs.frozen
class Traffic:
    """What would have become of recorded calls. `waited`: by deadline that has another length now, the calls in which
    it started and was over before either length had passed."""

    same: int
    groups: tuple[CallGroup, ...]
    aside: tuple[Aside, ...]
    waited: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def different(self) -> int:
        return sum(len(g.calls) for g in self.groups)

    @property
    def compared(self) -> int:
        return self.same + self.different


def traffic(journals: Iterable[Journal | Aside], old: Spec, new: Spec, states_too: bool = False) -> Traffic:
    """Re-steps journals one by one (an iterator need hold only one); `Aside`s among them are passed through."""
    return _Traffic(old, new, states_too).run(journals)


class _Traffic:
    """One use."""

    def __init__(self, old: Spec, new: Spec, states_too: bool) -> None:
        self.old, self.new = old, new
        self.machines = TurnSpecMachine(old), TurnSpecMachine(new)
        self.compare = ("outcome", "state", *ACTS) if states_too else ACTS
        self.waits = {
            name: deadline.after_ms
            for name, deadline in new.deadlines.items()
            if name in old.deadlines and old.deadlines[name].after_ms != deadline.after_ms
        }
        self.waited: dict[str, int] = {}

    def run(self, journals: Iterable[Journal | Aside]) -> Traffic:
        same = 0
        aside: list[Aside] = []
        found: dict[tuple[tuple[str, ...], tuple[str, ...], str], list[RecordedCall]] = {}
        for journal in journals:
            result = journal if isinstance(journal, Aside) else self._call(journal)
            if isinstance(result, Aside):
                aside.append(result)
            elif result is None:
                same += 1
            else:
                found.setdefault(_key(result.divergence), []).append(result)
        groups = sorted((self._group(key, calls) for key, calls in found.items()), key=lambda g: -len(g.calls))
        return Traffic(same, tuple(groups), tuple(aside), dict(sorted(self.waited.items())))

    def _call(self, journal: Journal) -> RecordedCall | Aside | None:
        """None for a call that would have been the same."""
        if journal.header.spec != self.old.name:
            name = journal.header.spec or "no name"
            return Aside(journal.file, f"spec '{name}' wrote it", f"a call of {name}")
        before = replay(journal, self.machines[0], ALL)
        if not before.matches:
            return Aside(
                journal.file, _why(before), "written by another version" if before.divergence else "incomplete"
            )
        after = replay(journal, self.machines[1], self.compare)
        if after.stopped:
            return Aside(journal.file, f"the new spec cannot start it: {after.stopped}", "cannot start")
        late = next(self._late(journal.steps), None)
        first = min((d for d in (late, after.divergence) if d is not None), key=lambda d: d.serial, default=None)
        if first is None:
            for name in {t.name for line in journal.steps for t in line.started} & self.waits.keys():
                self.waited[name] = self.waited.get(name, 0) + 1
            return None
        return RecordedCall(journal.file, journal.header.call_id, after.total, first)

    def _late(self, steps: Sequence[StepLine]) -> Iterator[Divergence]:
        """Where a deadline passed that would not yet have, or would have passed that had not yet."""
        due: dict[str, int] = {}
        for line in steps if self.waits else ():
            name = line.event.removeprefix("timer.")
            early = min((at, other) for other, at in due.items()) if due else None
            if name in due and due[name] > line.t_ms and name != line.event:
                yield _deadline(line, "passed", f"would pass {due[name] - line.t_ms} ms later")
            elif early is not None and early[0] < line.t_ms:
                yield _deadline(line, f"{early[1]} had not passed", f"passed {line.t_ms - early[0]} ms before")
            for ended in (*line.stopped, name):
                due.pop(ended, None)
            due |= {t.name: line.t_ms + self.waits[t.name] for t in line.started if t.name in self.waits}

    def _group(self, key: tuple[tuple[str, ...], tuple[str, ...], str], calls: Sequence[RecordedCall]) -> CallGroup:
        old, new, event = key
        by_file = tuple(sorted(calls, key=lambda c: c.file))
        return CallGroup(old, new, event, _place(self.old, old), _place(self.new, new), by_file)


def _deadline(line: StepLine, expected: str, got: str) -> Divergence:
    found = (StepDifference("deadline", expected, got),)
    return Divergence(line.serial, line.t_ms, line.event, line.data, found, line, None)


def _why(result: Replay) -> str:
    if result.divergence is not None:
        at = f"at step {result.divergence.serial} ({result.divergence.event})"
        return f"the old spec does not repeat it {at}: another version wrote it"
    return result.stopped


def _key(divergence: Divergence) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    return _rows(divergence.expected), _rows(divergence.got), divergence.event


def _rows(line: StepLine | None) -> tuple[str, ...]:
    return line.transitions if line is not None else ()


def _place(spec: Spec, ids: Sequence[str]) -> str:
    """Where the first of these rows stands in a spec."""
    rows = (row for cell in spec.cells.values() for row in cell.rows)
    place = next((row.place for row in rows if ids and row.id == ids[0]), None)
    return place.lines if place is not None else ""
