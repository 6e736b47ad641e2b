"""The type check written plainly, to compare with: every event in every situation, nothing looked up. Never a test.

It knows no trails and no hints: a problem is its code and the message, as far as that depends on no order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fsm.language.expression import Expr
from fsm.language.spec import MAX_CHOICES, Branch, Emit, Operation, Presume, Row, Spec
from fsm.language.vocabulary import Word

Situation = tuple[int, ...]
"""The state, then the slots."""
Finding = tuple[str, str]


class PlainCheck:
    """One use: `reached` and `found` are the result."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.names = tuple(spec.states)
        self.found: set[Finding] = set()
        self.left: set[str] = set()
        self.live: set[tuple[str, str]] = set()
        self.reached: set[Situation] = set()
        self.decided: dict[tuple[str, Situation], list[Row]] = {}
        start = (self.names.index(spec.initial), *(s.initial for s in spec.slots))
        todo = [at for at in self.run(start, spec.states[spec.initial].entry) if self.admitted(at, "the call starts")]
        while todo:
            here = todo.pop()
            if here not in self.reached:
                self.reached.add(here)
                todo += [after for event in spec.events for after in self.event(here, event)]
        self.whole()

    def completions(self, exprs: Iterable[Expr], at: Situation) -> Iterator[Sequence[int]]:
        read = {i for expr in exprs for i in expr.reads if i >= len(at)}
        rest = self.spec.variables[len(at) :]
        for values in itertools.product(*(range(len(v.domain) if v.index in read else 1) for v in rest)):
            yield (*at, *values)

    def event(self, here: Situation, event: str) -> Iterator[Situation]:
        spec, state = self.spec, self.names[here[0]]
        word, v = spec.vocabulary.events.get(event), list(here)
        if word is not None and not word.admits(spec.slot_index, v):
            return
        for deadline in spec.deadlines.values():
            if deadline.event == event and not any(
                map(deadline.condition.run, self.completions([deadline.condition], here))
            ):
                return
        if word is not None:
            word.move(spec.slot_index, v)
        cell, at = spec.cells.get((state, event)), tuple(v)
        if cell is None:
            self.found.add(("no-answer", f"'{event}' has no answer in state '{state}'"))
            return
        self.live.add((state, event))
        for row in self.decide(cell.rows, at, f"'{event}' in state '{state}'"):
            led = self.targets(at, row) if row.kind in ("go", "stay") else [at] if row.kind == "ignore" else []
            yield from (after for after in led if self.admitted(after, event))

    def targets(self, at: Situation, row: Row, depth: int = 0) -> Iterator[Situation]:
        here = self.names[at[0]]
        for after in self.run(at, row.operations):
            choice = self.spec.choices.get(row.target or "")
            if choice is not None and depth >= MAX_CHOICES:
                self.found.add(("endless-choice", f"choice '{choice.name}' leads to itself"))
            elif choice is not None:
                for chosen in self.decide(choice.rows, after, f"choice '{choice.name}'"):
                    yield from self.targets(after, chosen, depth + 1)
            elif row.target in (None, here):
                yield after
            else:
                assert row.target is not None
                self.left.add(here)
                for left in self.run(after, self.spec.states[here].exit):
                    yield from self.run((self.names.index(row.target), *left[1:]), self.spec.states[row.target].entry)

    def run(self, at: Situation, operations: Sequence[Operation]) -> set[Situation]:
        found = {at}
        for op in operations:
            found = {after for each in found for after in self.operation(each, op)}
        return found

    def operation(self, at: Situation, op: Operation) -> Iterable[Situation]:
        if isinstance(op, Branch):
            truths = {bool(op.condition.run(v)) for v in self.completions([op.condition], at)}
            halves = {True: op.then, False: op.otherwise}
            return {after for truth in truths for after in self.run(at, halves[truth])}
        if not isinstance(op, Emit | Presume):
            return {at}
        words: Mapping[str, Word] = self.spec.vocabulary.presumptions
        if isinstance(op, Emit):
            words = self.spec.vocabulary.effects
        word, v = words[op.effect if isinstance(op, Emit) else op.name], list(at)
        if not word.admits(self.spec.slot_index, v):
            self.found.add(("illegal-effect", f"{op.place} {op.text}"))
        word.move(self.spec.slot_index, v)
        return {tuple(v)}

    def decide(self, rows: Sequence[Row], at: Situation, what: str) -> list[Row]:
        """Once for each `what`, which names the rows: a choice is led to by many events."""
        if (what, at) not in self.decided:
            self.decided[what, at] = self.tried(rows, at, what)
        return self.decided[what, at]

    def tried(self, rows: Sequence[Row], at: Situation, what: str) -> list[Row]:
        guarded = [row for row in rows if row.guard is not None]
        others = [row for row in rows if row.guard is None]
        if len(others) > 1:
            self.found.add(("two-answers", f"{what} has two rows without a guard"))
        chosen: list[Row] = []
        for v in self.completions([row.guard for row in guarded if row.guard is not None], at):
            hits = [row for row in guarded if row.guard is not None and row.guard.run(v)]
            if len(hits) > 1:
                self.found.add(("two-answers", f"{what} has two answers"))
            elif not hits and not others:
                self.found.add(("no-answer", f"{what} has no answer"))
            chosen += hits[:1] or others[:1]
        return list({row.id: row for row in chosen}.values())

    def admitted(self, at: Situation, event: str) -> bool:
        state = self.spec.states[self.names[at[0]]]
        for slot in self.spec.slots:
            if at[slot.index] not in state.bound.get(slot.name, {at[slot.index]}):
                value = slot.domain[at[slot.index]]
                self.found.add(("state-slots", f"'{event}' reaches '{state.name}' with {slot.name} {value}"))
                return False
        return True

    def whole(self) -> None:
        conditions = [d.condition for d in self.spec.deadlines.values() if d.restarts]
        for name, state in self.spec.states.items():
            here = [at for at in self.reached if self.names[at[0]] == name]
            if not here:
                self.found.add(("unreachable", f"state '{name}' is never reached"))
            elif not state.final and name not in self.left:
                self.found.add(("no-way-out", f"state '{name}' is never left"))
            for at in here if not state.final else ():
                waiting = [s for s in self.spec.slots if at[s.index] in self.spec.vocabulary.waits[s.name]]
                possible = [c for c in conditions if any(map(c.run, self.completions([c], at)))]
                if waiting and not all(any(c.run(v) for c in possible) for v in self.completions(possible, at)):
                    what = ", ".join(f"{s.name} {s.domain[at[s.index]]}" for s in waiting)
                    self.found.add(("endless-wait", f"'{name}' can wait forever ({what})"))
