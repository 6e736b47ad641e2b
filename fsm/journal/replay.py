"""A journal stepped once more, through its own spec or another: the same step for step, or where it first is not.

Steps that the machine took by itself (events that had waited) are not fed in but must come out again. Timers carry
the epoch of their start; another spec counts differently, so what the journal's timer meant is looked up here.
Never here: files, clocks, wire events (a journal holds machine events).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence

import attrs

from fsm.journal.journal import WAITED, EffectLine, Header, Journal, LostLine, StepLine, TimerLine, step_line
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine

COMPARED = ("outcome", "state", "effects", "timers")
STRICT = ("variant", *COMPARED, "transitions")  # for the very spec that wrote the journal


@attrs.frozen
class StepDifference:
    """One thing that is not the same: `what` is a word of STRICT, `waits for` (timers, of any length), or `step` for a
    step that only one side took."""

    what: str
    expected: str
    got: str


@attrs.frozen
class Divergence:
    """The first step that is not the same. `got` is None where the machine took no such step."""

    serial: int
    t_ms: int
    event: str
    data: Mapping[str, object]
    differences: tuple[StepDifference, ...]
    expected: StepLine | None
    got: StepLine | None


@attrs.frozen
class Replay:
    """What came of it: `steps` were the same; then a divergence, or `stopped` says why it could not go on."""

    steps: int
    total: int
    divergence: Divergence | None = None
    stopped: str = ""

    @property
    def matches(self) -> bool:
        return self.divergence is None and not self.stopped


def replay(journal: Journal, machine: TurnSpecMachine, compare: Collection[str] = COMPARED) -> Replay:
    """Steps the journal's events through `machine` up to the first difference in what `compare` names.

    Of a call that went on under another spec, each of `journal.parts` is a journal.
    """
    return _Replayer(journal, machine, compare).run()


class _Replayer:
    """One use."""

    def __init__(self, journal: Journal, machine: TurnSpecMachine, compare: Collection[str]) -> None:
        self.steps = journal.steps
        self.lost = sum(line.count for line in journal.lines if isinstance(line, LostLine))
        self.header = journal.header
        self.machine = machine
        self.compare = compare
        self.epochs: dict[str, int] = {}  # the last epoch of each timer in the journal
        self.due: deque[Step] = deque()  # steps of the machine that the journal has still to show

    def run(self) -> Replay:
        total = len(self.steps)
        if not self.steps or self.steps[0].serial != 0:
            return Replay(0, total, stopped="the start of the call is not in the journal" + self._loss())
        first = self._start()
        if isinstance(first, str):
            return Replay(0, total, stopped=first)
        snapshot = first.snapshot
        divergence = self._differs(self.steps[0], first)
        for index, line in enumerate(self.steps[1:], 1):
            if divergence is not None:
                return Replay(index - 1, total, divergence)
            if line.serial != index:
                return Replay(index, total, stopped=_gap(index, line.serial) + self._loss())
            step, divergence = self._step(snapshot, line)
            snapshot = step.snapshot
        return Replay(total - (divergence is not None), total, divergence)

    def _start(self) -> Step | str:
        header: Header = self.header
        known = {v.name: v.domain for v in self.machine.spec.variables}
        for name, value in header.context.items():
            if value not in known.get(name, ()):
                return f"the call starts with {name} = {value}, which spec '{self.machine.spec.name}' does not have"
        if header.ids:
            first, *rest = self.machine.take_over(header.context, header.ids)
        else:
            first, *rest = self.machine.start(header.talk_key, **header.context)
        self.due.extend(rest)
        return first

    def _loss(self) -> str:
        return f" ({self.lost} lines were lost when it was written)" if self.lost else ""

    def _step(self, snapshot: Snapshot, line: StepLine) -> tuple[Step, Divergence | None]:
        """One line: an event that had waited must be what the machine itself takes up now, and the other way round."""
        waited = bool(self.due)
        if not waited:
            self.due.extend(self.machine.advance(snapshot, self._event(snapshot, line)))
        step = self.due.popleft()
        if waited != (line.cause == WAITED) or (waited and step.event.name != line.event):
            got = f"'{step.event.name}' no longer waits and is next" if waited else "nothing that waited is next"
            journalled = "'{}' had waited and was next" if line.cause == WAITED else "'{}' came next"
            difference = StepDifference("step", journalled.format(line.event), got)
            return step, _diverged(line, step if waited else None, (difference,))
        return step, self._differs(line, step)

    def _event(self, snapshot: Snapshot, line: StepLine) -> Event:
        """The event of a line; a timer that was in force in the journal is the one that is in force here."""
        timer = line.event.removeprefix("timer.")
        if timer == line.event or line.data.get("epoch") != self.epochs.get(timer):
            return Event(line.event, line.data)
        return Event(line.event, {**line.data, "epoch": snapshot.armed.get(timer, -1)})

    def _differs(self, line: StepLine, step: Step) -> Divergence | None:
        self.epochs.update({timer.name: timer.epoch for timer in line.started})
        got = step_line(step, line.serial, line.t_ms, line.cause)
        pairs = zip(_aspects(line), _aspects(got), strict=True)
        found = tuple(StepDifference(what, a, b) for (what, a), (_, b) in pairs if a != b and what in self.compare)
        return _diverged(line, step, found) if found else None


def _gap(due: int, serial: int) -> str:
    if serial < due:
        return f"step {serial} comes where step {due} is due"
    return f"step {due} is missing" if serial == due + 1 else f"steps {due} to {serial - 1} are missing"


def _diverged(line: StepLine, step: Step | None, differences: tuple[StepDifference, ...]) -> Divergence:
    got = step_line(step, line.serial, line.t_ms, line.cause) if step else None
    return Divergence(line.serial, line.t_ms, line.event, line.data, differences, line, got)


def _aspects(line: StepLine) -> tuple[tuple[str, str], ...]:
    """A step as comparable texts, by the words of STRICT."""
    return (
        ("variant", line.variant),
        ("outcome", line.outcome),
        ("state", f"{line.before} → {line.after}" if line.before != line.after else line.after),
        ("effects", ", ".join(map(effect_text, line.effects)) or "none"),
        ("timers", _timers(line.started, line.stopped)),
        ("waits for", _waits(line.started, line.stopped)),
        ("transitions", ", ".join(line.transitions) or "none"),
    )


def effect_text(effect: EffectLine) -> str:
    """An effect as one reads it."""
    inside = ", ".join(f"{key}={_short(value)}" for key, value in sorted(effect.args.items()))
    return f"{effect.name}({inside})"


def _short(value: object) -> str:
    return repr(list(value)) if isinstance(value, list | tuple) else repr(value)


def _timers(started: Sequence[TimerLine], stopped: Sequence[str]) -> str:
    start = [f"start {timer.name} {timer.after_ms} ms" for timer in sorted(started, key=lambda timer: timer.name)]
    return ", ".join([*start, *(f"stop {name}" for name in sorted(stopped))]) or "none"


def _waits(started: Sequence[TimerLine], stopped: Sequence[str]) -> str:
    """Which timers, but not how long."""
    names = [f"start {name}" for name in sorted(timer.name for timer in started)]
    return ", ".join([*names, *(f"stop {name}" for name in sorted(stopped))]) or "none"


# --- saying it --------------------------------------------------------------------------------------------------------


def describe(result: Replay) -> str:
    """The result for a person, several lines."""
    if result.divergence is not None:
        return _divergence_text(result)
    if result.stopped:
        return f"{result.steps} of {result.total} steps are the same; then it stopped: {result.stopped}"
    return f"all {result.total} steps are the same"


def _divergence_text(result: Replay) -> str:
    found = result.divergence
    assert found is not None
    data = ", ".join(f"{key}={value!r}" for key, value in found.data.items())
    same = f"{result.steps} of {result.total} steps are the same"
    lines = [f"{same}; step {found.serial} at {found.t_ms / 1000:.3f} s is not:", f"  event     {found.event}({data})"]
    for difference in found.differences:
        lines += [f"  {difference.what}", f"    journal   {difference.expected}", f"    replayed  {difference.got}"]
    for title, line in (("journal", found.expected), ("replayed", found.got)):
        if line is not None:
            lines.append(f"  {title:<9} {_decided(line)}")
    return "\n".join(lines)


def _decided(line: StepLine) -> str:
    """Who decided: the line of the spec and the rows taken, else the reason why no row was."""
    if not line.place:
        return f"no row: {line.reason}" if line.reason else "no row"
    return f"{line.place}: {', '.join(line.transitions)}" + (f" ({line.reason})" if line.reason else "")
