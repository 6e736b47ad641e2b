"""The type check of a spec: which slot values can be found where, and what is therefore wrong at load time.

Sets of slot *tuples* are propagated through every row to a fixpoint: each state starts with what reaches it, guards on
slots filter, guards on context are taken both ways (context is unknown here). An effect where its slot forbids it, a
state reached with slots it does not admit, an event without an answer or with two, a wait nobody ends: each is a
problem with a place and the way the slots got there. Never here: ids, time, the world's rules (fsm.verify.explore).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from fsm.language.expression import Expr
from fsm.language.problem import Place, Problems
from fsm.language.spec import MAX_CHOICES, STATE, Assign, Branch, Emit, Operation, Presume, Row, Spec, word_for
from fsm.language.vocabulary import Word

Slots = tuple[int, ...]
Node = tuple[str, Slots]


@attrs.frozen
class Flow:
    """What the check knows: for each state the slot tuples that reach it, and how each was first reached."""

    reached: Mapping[str, frozenset[Slots]]
    origin: Mapping[Node, tuple[Node | None, str]]
    live_cells: frozenset[tuple[str, str]]


class Typestate:
    """One use: `Typestate(spec, problems).check()`."""

    def __init__(self, spec: Spec, problems: Problems) -> None:
        self.spec = spec
        self.problems = problems
        self.slots = spec.slot_index
        self.count = len(spec.slots)
        self.origin: dict[Node, tuple[Node | None, str]] = {}
        self.reached: dict[str, set[Slots]] = {name: set() for name in spec.states}
        self.live: set[tuple[str, str]] = set()
        self.left: set[str] = set()
        self.reported: set[tuple[Place, str]] = set()
        self.truths: dict[tuple[Expr, Slots], tuple[bool, ...]] = {}
        self.decided: dict[tuple[int, Slots], tuple[Row, ...]] = {}
        self.led: dict[tuple[str, str | None, tuple[Operation, ...], Slots], list[tuple[Slots, str | None]]] = {}
        self.here: Node = ("", ())

    def check(self) -> Flow:
        """Propagates, reports every problem to `problems`, and returns the flow."""
        spec = self.spec
        start = tuple(v.initial for v in spec.slots)
        for slots in self._run(start, spec.states[spec.initial].entry, spec.states[spec.initial].place):
            self._arrive(None, spec.initial, slots, "the call starts", spec.states[spec.initial].place)
        queue: deque[Node] = deque(self.origin)
        while queue:
            self.here = queue.popleft()
            known = len(self.origin)
            for event in spec.events:
                self._event(event)
            queue.extend(itertools.islice(self.origin, known, None))
        self._cells()
        self._states()
        self._waits()
        frozen = {state: frozenset(found) for state, found in self.reached.items()}
        return Flow(frozen, self.origin, frozenset(self.live))

    # --- propagation --------------------------------------------------------------------------------------------------

    def _event(self, event: str) -> None:
        state, slots = self.here
        v = self._values(state, slots)
        word, name, possible = word_for(self.spec, event, v)
        if not possible or (word is not None and (word.noise is not None or name != event)):
            return  # where `instead` leads is visited under its own name
        deadline = self.spec.deadlines.get(event.removeprefix("timer.")) if event.startswith("timer.") else None
        if deadline is not None and True not in self._truth(deadline.condition, v):
            return
        if word is not None:
            word.move(self.slots, v)
        cell = self.spec.cells.get((state, name))
        if cell is None:
            hint = "add it under 'on:', or to a group, or say why not: ignore, cannot_happen"
            message = f"'{name}' has no answer in state '{state}'"
            self._once(self.spec.states[state].place, "no-answer", message, hint, self._trail(self.here))
            return
        self.live.add((state, name))
        for row in self._decide(cell.rows, v, f"'{name}' in state '{state}'", cell.place):
            if row.kind in ("go", "stay"):
                self._row(row, tuple(v[1 : 1 + self.count]), name)
            elif row.kind == "ignore":  # nothing is done, but what the event says of the slots is so
                self._arrive(self.here, state, tuple(v[1 : 1 + self.count]), name, row.place)

    def _row(self, row: Row, slots: Slots, event: str) -> None:
        state = self.here[0]
        key = (state, row.target, row.operations, slots)
        led = self.led.get(key)
        if led is None:
            led = self.led[key] = list(dict.fromkeys(self._targets(row, slots, 0)))
        for after, target in led:
            if target is None or target == state:
                self._arrive(self.here, state, after, event, row.place)
                continue
            self.left.add(state)
            for left in self._run(after, self.spec.states[state].exit, row.place):
                for entered in self._run(left, self.spec.states[target].entry, row.place):
                    self._arrive(self.here, target, entered, event, row.place)

    def _targets(self, row: Row, slots: Slots, depth: int) -> Iterator[tuple[Slots, str | None]]:
        """Where a row can lead, through its choices."""
        for after in self._run(slots, row.operations, row.place):
            choice = self.spec.choices.get(row.target or "")
            if choice is None:
                yield after, row.target
                continue
            if depth >= MAX_CHOICES:
                self._once(choice.place, "endless-choice", f"choice '{choice.name}' leads to itself")
                continue
            v = self._values(self.here[0], after)
            for next_row in self._decide(choice.rows, v, f"choice '{choice.name}'", choice.place):
                yield from self._targets(next_row, after, depth + 1)

    def _run(self, slots: Slots, operations: Sequence[Operation], place: Place) -> Iterator[Slots]:
        """Every slot tuple the operations can leave behind."""
        found = {slots}
        for op in operations:
            following: set[Slots] = set()
            for each in found:
                following.update(self._operation(each, op, place))
            found = following
        return iter(found)

    def _operation(self, slots: Slots, op: Operation, place: Place) -> Iterable[Slots]:
        if isinstance(op, Branch):
            v = self._values(self.here[0], slots)
            outcomes = self._truth(op.condition, v)
            results: list[Slots] = []
            if True in outcomes:
                results += self._run(slots, op.then, place)
            if False in outcomes:
                results += self._run(slots, op.otherwise, place)
            return results
        if isinstance(op, Assign) or not isinstance(op, Emit | Presume):
            return (slots,)
        words = self.spec.vocabulary.effects if isinstance(op, Emit) else self.spec.vocabulary.presumptions
        word: Word = words[op.effect if isinstance(op, Emit) else op.name]
        v = self._values(self.here[0], slots)
        if not word.admits(self.slots, v):
            self._illegal(op, word, v, place)
        word.move(self.slots, v)
        return (tuple(v[1 : 1 + self.count]),)

    def _illegal(self, op: Emit | Presume, word: Word, v: Sequence[int], place: Place) -> None:
        bad = [s for s in self.spec.slots if s.name in word.when and v[s.index] not in word.when[s.name]]
        have = ", ".join(f"{s.name} is {s.domain[v[s.index]]}" for s in bad)
        need = "; ".join(f"{s.name}: {' or '.join(s.domain[i] for i in sorted(word.when[s.name]))}" for s in bad)
        used = "" if op.place.line == place.line else f" (used at {place})"
        self._once(
            op.place, "illegal-effect", f"'{op.text}' while {have}{used}",
            f"it needs {need}; guard it, or send it from where that holds", self._trail(self.here),
        )  # fmt: skip

    def _arrive(self, source: Node | None, state: str, slots: Slots, event: str, place: Place) -> None:
        bound = self.spec.states[state].bound
        for slot in self.spec.slots:
            value = slots[slot.index - 1]
            if slot.name in bound and value not in bound[slot.name]:
                allowed = " or ".join(slot.domain[i] for i in sorted(bound[slot.name]))
                self._once(
                    place, "state-slots", f"'{event}' reaches '{state}' with {slot.name} {slot.domain[value]}",
                    f"'{state}' admits {slot.name} {allowed} ({self.spec.states[state].place})", self._trail(source),
                )  # fmt: skip
                return
        node = (state, slots)
        if node not in self.origin:
            self.origin[node] = (source, f"{event}  ({place})")
            self.reached[state].add(slots)

    # --- guards -------------------------------------------------------------------------------------------------------

    def _values(self, state: str, slots: Slots) -> list[int]:
        """A configuration with the slots known; context positions hold -1, nobody may read them directly."""
        unknown = len(self.spec.variables) - 1 - self.count
        return [self.spec.variables[STATE].value(state) if state else 0, *slots, *([-1] * unknown)]

    def _truth(self, expr: Expr, v: Sequence[int]) -> tuple[bool, ...]:
        """The truth values an expression can have over every value of the context it reads."""
        key = (expr, tuple(v[i] for i in sorted(expr.reads)))
        known = self.truths.get(key)
        if known is None:
            known = self.truths[key] = tuple({bool(expr.run(each)) for each in self._completions([expr], v)})
        return known

    def _completions(self, exprs: Iterable[Expr], v: Sequence[int]) -> Iterator[list[int]]:
        unknown = sorted({i for e in exprs for i in e.reads if v[i] < 0})
        for values in itertools.product(*(range(len(self.spec.variables[i].domain)) for i in unknown)):
            full = list(v)
            for index, value in zip(unknown, values, strict=True):
                full[index] = value
            yield full

    def _decide(self, rows: Sequence[Row], v: Sequence[int], what: str, place: Place) -> tuple[Row, ...]:
        """The rows that can be the answer, over every value of the context; checks that there is always exactly one."""
        if not rows:
            return ()  # the reader has told why
        if rows[0].always:
            return (rows[0],)
        key = (id(rows), tuple(v[1 : 1 + self.count]))
        known = self.decided.get(key)
        if known is not None:
            return known
        guarded = [(row, row.guard) for row in rows if row.guard is not None]
        fallback = [row for row in rows if row.guard is None]
        if len(fallback) > 1:
            self._once(place, "two-answers", f"{what} has two rows without a guard", "give each row an 'if:'")
        found: dict[str, Row] = {}
        for full in self._completions([guard for _, guard in guarded], v):
            hits = [row for row, guard in guarded if guard.run(full)]
            if len(hits) > 1:
                hint = f"rows at {' and '.join(str(r.place) for r in hits)} both hold: {self._show(full)}"
                self._once(place, "two-answers", f"{what} has two answers", hint, self._trail(self.here))
            elif not hits and not fallback:
                hint = f"no row holds with {self._show(full)}; add one with 'if: else'"
                self._once(place, "no-answer", f"{what} has no answer", hint, self._trail(self.here))
            for row in hits[:1] or fallback[:1]:
                found[row.id] = row
        self.decided[key] = tuple(found.values())
        return self.decided[key]

    # --- what the whole must have -------------------------------------------------------------------------------------

    def _cells(self) -> None:
        for (state, event), cell in self.spec.cells.items():
            if cell.exact and cell.group is None and self.reached[state] and (state, event) not in self.live:
                self._once(cell.place, "dead-cell", f"'{event}' cannot be in state '{state}'",
                           "its slots rule it out; take the line away", severity="warning")  # fmt: skip
        for deadline in self.spec.deadlines.values():
            if not any(event == deadline.event for _, event in self.live):
                message = f"deadline '{deadline.name}' never runs"
                self._once(deadline.place, "dead-deadline", message, "its condition never holds", severity="warning")

    def _states(self) -> None:
        for name, state in self.spec.states.items():
            if not self.reached[name]:
                self._once(state.place, "unreachable", f"state '{name}' is never reached", "no row leads to it")
            elif not state.final and name not in self.left:
                self._once(state.place, "no-way-out", f"state '{name}' is never left", "no row leads out of it")

    def _waits(self) -> None:
        """In every reachable tuple that waits for somebody, some deadline runs for certain."""
        for (state, slots), _ in list(self.origin.items()):
            waiting = [s for s in self.spec.slots if slots[s.index - 1] in self.spec.vocabulary.waits[s.name]]
            if not waiting or self.spec.states[state].final:
                continue
            v = self._values(state, slots)
            if self._ends(v):
                continue
            what = ", ".join(f"{s.name} {s.domain[slots[s.index - 1]]}" for s in waiting)
            hint = "add a deadline whose 'while:' holds here: 'deadlines: {name: {after_ms: .., while: ..}}'"
            place = self.spec.states[state].place
            self._once(
                place, "endless-wait", f"'{state}' can wait for ever ({what})", hint, self._trail((state, slots))
            )

    def _ends(self, v: Sequence[int]) -> bool:
        """Does some deadline run here, whatever the context is?"""
        conditions = [d.condition for d in self.spec.deadlines.values() if True in self._truth(d.condition, v)]
        return all(any(c.run(full) for c in conditions) for full in self._completions(conditions, v))

    # --- saying it ----------------------------------------------------------------------------------------------------

    def _once(
        self, place: Place, code: str, message: str, hint: str = "", trail: Iterable[str] = (), severity: str = "error"
    ) -> None:  # fmt: skip
        """One report for each place and kind of problem: the first slot tuple found stands for all."""
        if (place, code + message.split(" while ")[0]) in self.reported:
            return
        self.reported.add((place, code + message.split(" while ")[0]))
        if severity == "warning":
            self.problems.warn(place, code, message, hint)
        else:
            self.problems.add(place, code, message, hint, trail)

    def _show(self, v: Sequence[int]) -> str:
        known = [x for x in self.spec.variables[1:] if v[x.index] >= 0]
        return ", ".join(f"{x.name} {x.domain[v[x.index]]}" for x in known)

    def _trail(self, node: Node | None) -> list[str]:
        """How a tuple was first reached: one step a line, the states and the slots that changed."""
        steps: list[str] = []
        while node is not None:
            source, how = self.origin.get(node, (None, ""))
            if not node[0]:
                break  # before the first state: nothing led here
            old = source[1] if source else node[1]
            changed = [f"{s.name} {s.domain[node[1][s.index - 1]]}" for s in self.spec.slots
                       if old[s.index - 1] != node[1][s.index - 1]]  # fmt: skip
            steps.append(f"{node[0]}: {how}" + (f"  -> {', '.join(changed)}" if changed else ""))
            node = source
        return steps[::-1]
