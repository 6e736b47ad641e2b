"""The search for what is wrong with a spec: one situation after the other, with a shortest way to each problem.

Theory. Beginning where the call starts, each event is taken in each situation, breadth first, until no new situation
turns up; breadth first makes the way to each a shortest one, and the order of the spec decides between equals.

Most of the work would be done again and again: a row that reads two slots of eight does the same whatever the other six
are. So whatever reads slots (a word, a guard, a list of rows, an operation) is worked out once for each value of the
slots it can read and looked up otherwise. For that a situation is one integer, a field of bits for the state and for
each slot: `situation & mask` is what something reads, `situation & ~mask | bits` is what it makes of it. A target is
followed once for each situation it is reached from, since a second time nothing new can be found behind it; only where
a state refuses what arrives, it is followed each time, since each event that leads there is a problem of its own. What
is reported when something is worked out need not be reported when it is looked up: a problem is the same for all
values of slots that are not read.

Never here: what is said of cells and states as a whole (fsm.language.typestate).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fsm.errors import LocalError
from fsm.language.expression import Expr
from fsm.language.problem import Place, Problems
from fsm.language.region import Slots
from fsm.language.situation import (
    Condition,
    Decision,
    KnownAnswer,
    OperationStep,
    Packing,
    Readers,
    RowSteps,
    Situation,
)
from fsm.language.spec import MAX_CHOICES, STATE, Operation, Spec
from fsm.language.vocabulary import Word


class _UnknownValueError(LocalError):
    """A guard came to read a context variable of which no value is assumed; `index` is its position."""

    def __init__(self, index: int) -> None:
        self.index = index
        super().__init__(index)


class _Partial(list[int]):
    """A configuration in which some values are unknown (negative): to read one raises."""

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        if value < 0:
            raise _UnknownValueError(index)
        return value

    def having(self, index: int, value: int) -> _Partial:
        """The same with a value for this one."""
        other = _Partial(self)
        other[index] = value
        return other


class Search:
    """One use: `Search(spec, problems).run()`; then what was found."""

    def __init__(self, spec: Spec, problems: Problems) -> None:
        self.spec = spec
        self.problems = problems
        self.states = tuple(spec.states)
        self.packing = Packing(spec)
        self.readers = Readers(spec, self.packing)
        self.origin: dict[Situation, tuple[Situation | None, str, Place]] = {}
        self.here: Situation | None = None  # None before the call starts
        self.live: set[tuple[str, str]] = set()
        self.left: set[str] = set()
        self.unanswered: dict[str, set[str]] = {}
        self.reported: set[tuple[Place, str, str]] = set()

    def run(self) -> None:
        """Visits every situation and reports every problem that one shows."""
        initial = self.spec.states[self.spec.initial]
        start = self.packing.pack([self.states.index(initial.name), *(slot.initial for slot in self.spec.slots)])
        for situation in self._run(start, self.readers.entry[initial.name], initial.place):
            self._arrive(situation, "the call starts", initial.place)
        queue = deque(self.origin)
        while queue:
            self.here = here = queue.popleft()
            known = len(self.origin)
            for answer in self.readers.answers(self._state(here)):
                taken = answer.known.get(here & answer.mask)
                for row, moved in self._taken(answer, here) if taken is None else taken:
                    situation = here & answer.keep | moved
                    if row.steps or situation not in row.followed:
                        self._follow(row, situation, answer.event)
            queue.extend(itertools.islice(self.origin, known, None))
        self._waits()

    def leads(self) -> dict[tuple[str, str, str], set[str]]:
        """After the run: the states that each row (by state, event and id) can lead to."""
        found: dict[tuple[str, str, str], set[str]] = {}
        known: dict[tuple[str | None, Situation], frozenset[str]] = {}
        for here in self.origin:
            state = self._state(here)
            for answer in self.readers.answers(state):
                for row, moved in self._taken(answer, here):
                    if row.row.kind == "ignore":
                        continue
                    leads = found.setdefault((state, answer.event, row.row.id), set())
                    for after in self._run(here & answer.keep | moved, row.steps, row.row.place):
                        key = row.row.target, after
                        if key not in known:
                            known[key] = frozenset(target or state for _, target in self._targets(after, key[0]))
                        leads |= known[key]
        return found

    # --- propagation --------------------------------------------------------------------------------------------------

    def _taken(self, answer: KnownAnswer, here: Situation) -> tuple[tuple[RowSteps, int], ...]:
        """The rows that change something when the event happens here, each with the bits that the event moves."""
        known = answer.known.get(here & answer.mask)
        if known is None:
            known = answer.known[here & answer.mask] = tuple(self._answered(answer, here))
        return known

    def _answered(self, answer: KnownAnswer, here: Situation) -> Iterator[tuple[RowSteps, int]]:
        v = self.packing.values(here)
        if answer.word is not None and not answer.word.admits(self.spec.slot_index, v):
            return  # where `instead` leads is visited under its own name
        if answer.running is not None and True not in self._truth(answer.running, here):
            return
        state = self._state(here)
        if answer.decision is None:
            hint = "add it under 'on:', or to a group, or say why not: ignore, cannot_happen"
            message = f"'{answer.event}' has no answer in state '{state}'"
            self._once(self.spec.states[state].place, "no-answer", message, hint, here)
            self.unanswered.setdefault(state, set()).add(answer.event)
            return
        self.live.add((state, answer.event))
        after = here
        if answer.word is not None and answer.word.moves:
            after = self.packing.moved(here, answer.word, self.spec.slot_index)
        for row in self._decide(answer.decision, after):
            # of an event that is ignored nothing is done, but what it says of the slots is so
            if row.row.kind in ("go", "stay") or (row.row.kind == "ignore" and after != here):
                yield row, after & ~answer.keep

    def _follow(self, row: RowSteps, situation: Situation, event: str) -> None:
        """A row's operations, the choices behind its target, exit and entry."""
        place, target = row.row.place, row.row.target
        fresh = [after for after in self._run(situation, row.steps, place) if after not in row.followed]
        if not fresh:
            return
        here, admitted = self._state(situation), True
        for after, state in dict.fromkeys(lead for each in fresh for lead in self._targets(each, target)):
            if state is None or state == here:
                admitted &= self._arrive(after, event, place)
                continue
            self.left.add(here)
            for left in self._run(after, self.readers.exit[here], place):
                entering = self.packing.entering(left, self.states.index(state))
                for entered in self._run(entering, self.readers.entry[state], place):
                    admitted &= self._arrive(entered, event, place)
        if admitted:
            row.followed.update(fresh)

    def _targets(
        self, situation: Situation, target: str | None, depth: int = 0
    ) -> Iterator[tuple[Situation, str | None]]:
        """Where a target can lead, through its choices."""
        choice = self.spec.choices.get(target or "")
        if choice is None:
            yield situation, target
        elif depth >= MAX_CHOICES:
            self._once(choice.place, "endless-choice", f"choice '{choice.name}' leads to itself")
        else:
            for row in self._decide(self.readers.choice(choice.name), situation):
                for after in self._run(situation, row.steps, row.row.place):
                    yield from self._targets(after, row.row.target, depth + 1)

    def _run(self, situation: Situation, steps: Sequence[OperationStep], place: Place) -> Sequence[Situation]:
        """Every situation that the steps can leave behind."""
        found = [situation]
        for step in steps:
            following: list[Situation] = []
            for each in found:
                leads = step.known.get(each & step.mask)
                if leads is None:
                    leads = step.known[each & step.mask] = tuple(dict.fromkeys(self._stepped(step, each, place)))
                following += [each & ~step.mask | bits for bits in leads]
            found = following if len(found) == 1 else list(dict.fromkeys(following))
        return found

    def _stepped(self, step: OperationStep, situation: Situation, place: Place) -> Iterator[int]:
        if step.condition is not None:
            outcomes = self._truth(step.condition, situation)
            for outcome, half in ((True, step.then), (False, step.otherwise)):
                if outcome in outcomes:
                    yield from (after & step.mask for after in self._run(situation, half, place))
        elif step.word is not None:
            v = self.packing.values(situation)
            if not step.word.admits(self.spec.slot_index, v):
                self._illegal(step.op, step.word, v, place)
            yield self.packing.moved(situation, step.word, self.spec.slot_index) & step.mask

    def _illegal(self, op: Operation, word: Word, v: Sequence[int], place: Place) -> None:
        bad = [s for s in self.spec.slots if s.name in word.when and v[s.index] not in word.when[s.name]]
        have = ", ".join(f"{s.name} is {s.domain[v[s.index]]}" for s in bad)
        need = "; ".join(f"{s.name}: {' or '.join(s.domain[i] for i in sorted(word.when[s.name]))}" for s in bad)
        used = "" if op.place.line == place.line else f" (used at {place})"
        hint = f"it needs {need}; guard it, or send it from where that holds"
        self._once(op.place, "illegal-effect", f"'{op.text}' while {have}{used}", hint, self.here, about=op.text)

    def _arrive(self, situation: Situation, event: str, place: Place) -> bool:
        """Is it admitted?"""
        if situation in self.origin:
            return True
        v = self.packing.values(situation)
        state = self.spec.states[self.states[v[STATE]]]
        for slot in self.spec.slots:
            if slot.name in state.bound and v[slot.index] not in state.bound[slot.name]:
                allowed = " or ".join(slot.domain[i] for i in sorted(state.bound[slot.name]))
                message = f"'{event}' reaches '{state.name}' with {slot.name} {slot.domain[v[slot.index]]}"
                hint = f"'{state.name}' admits {slot.name} {allowed} ({state.place})"
                self._once(place, "state-slots", message, hint, self.here)
                return False
        self.origin[situation] = (self.here, event, place)
        return True

    # --- guards -------------------------------------------------------------------------------------------------------

    def _truth(self, condition: Condition, situation: Situation) -> frozenset[bool]:
        known = condition.known.get(situation & condition.mask)
        if known is None:
            found = self._outcomes(condition.expr, self.packing.values(situation))
            known = condition.known[situation & condition.mask] = frozenset(found)
        return known

    def _outcomes(self, expr: Expr, v: Sequence[int]) -> Iterator[bool]:
        """Its truth over every value of the context, often more than once.

        Only what it comes to read is tried (`a or b` is true by `a` alone): nearly the sum of the domains and not their
        product.
        """
        pending = [_Partial(v)]
        while pending:
            partial = pending.pop()
            try:
                yield bool(expr.run(partial))
            except _UnknownValueError as unknown:
                pending += (
                    partial.having(unknown.index, x) for x in range(len(self.spec.variables[unknown.index].domain))
                )

    def _completions(self, exprs: Iterable[Expr], v: Sequence[int]) -> Iterator[list[int]]:
        """`v` with every value of the context that the expressions read."""
        unknown = sorted({i for e in exprs for i in e.reads if v[i] < 0})
        for values in itertools.product(*(range(len(self.spec.variables[i].domain)) for i in unknown)):
            full = list(v)
            for index, value in zip(unknown, values, strict=True):
                full[index] = value
            yield full

    def _decide(self, decision: Decision, situation: Situation) -> tuple[RowSteps, ...]:
        """The rows that can be the answer, over every value of the context; checks that there is always exactly one."""
        known = decision.known.get(situation & decision.mask)
        if known is None:
            known = tuple(self._decided(decision, situation))
            decision.known[situation & decision.mask] = known
        return known

    def _decided(self, decision: Decision, situation: Situation) -> Iterable[RowSteps]:
        rows, v = decision.rows, self.packing.values(situation)
        if not rows or rows[0].row.always:  # without any, the reader has reported why
            return rows[:1]
        fallback = [row for row in rows if row.guard is None]
        possible = [(row, row.guard.expr) for row in rows if row.guard and True in self._truth(row.guard, situation)]
        found: dict[str, RowSteps] = {}
        sound = len(fallback) <= 1
        for full in self._completions([guard for _, guard in possible], v):
            hits = [row for row, guard in possible if guard.run(full)]
            sound = sound and len(hits) <= 1 and bool(hits or fallback)
            for row in hits[:1] or fallback[:1]:
                found[row.row.id] = row
        if not sound:
            self._undecided(decision, v)
        return found.values()

    def _undecided(self, decision: Decision, v: Sequence[int]) -> None:
        """Reports where the answer is not exactly one, with the values that show it."""
        what, place = decision.what, decision.place
        guarded = [(row.row, row.guard.expr) for row in decision.rows if row.guard is not None]
        fallbacks = len(decision.rows) - len(guarded)
        if fallbacks > 1:
            self._once(place, "two-answers", f"{what} has two rows without a guard", "give each row an 'if:'")
        for full in self._completions([guard for _, guard in guarded], v):
            hits = [row for row, guard in guarded if guard.run(full)]
            if len(hits) > 1:
                hint = f"rows at {' and '.join(str(row.place) for row in hits)} both hold: {self._show(full)}"
                self._once(place, "two-answers", f"{what} has two answers", hint, self.here)
            elif not hits and not fallbacks:
                hint = f"no row holds with {self._show(full)}; add one with 'if: else'"
                self._once(place, "no-answer", f"{what} has no answer", hint, self.here)

    # --- what the whole must have -------------------------------------------------------------------------------------

    def tuples(self) -> dict[str, frozenset[Slots]]:
        """The slot tuples that reach each state."""
        found: dict[str, set[Slots]] = {name: set() for name in self.states}
        for situation in self.origin:
            state, *slots = self.packing.values(situation)[: self.packing.known]
            found[self.states[state]].add(tuple(slots))
        return {name: frozenset(slots) for name, slots in found.items()}

    def _waits(self) -> None:
        """In every reachable situation that waits for somebody, some deadline that may end it runs for certain."""
        conditions = [self.readers.condition(d.condition) for d in self.spec.deadlines.values() if d.restarts]
        read = self.packing.mask(i for condition in conditions for i in condition.expr.reads)
        ends: dict[int, bool] = {}
        for situation in self.origin:
            v = self.packing.values(situation)
            state = self.spec.states[self.states[v[STATE]]]
            waiting = [s for s in self.spec.slots if v[s.index] in self.spec.vocabulary.waits[s.name]]
            if not waiting or state.final:
                continue
            if situation & read not in ends:
                ends[situation & read] = self._ends(conditions, situation)
            if ends[situation & read]:
                continue
            what = ", ".join(f"{s.name} {s.domain[v[s.index]]}" for s in waiting)
            hint = "add a deadline whose 'while:' holds here: 'deadlines: {name: {after_ms: .., while: ..}}'"
            self._once(state.place, "endless-wait", f"'{state.name}' can wait forever ({what})", hint, situation)

    def _ends(self, conditions: Sequence[Condition], situation: Situation) -> bool:
        """Does some deadline run here, whatever the context is?"""
        truths = [self._truth(condition, situation) for condition in conditions]
        if any(False not in each for each in truths):
            return True
        possible = [c.expr for c, each in zip(conditions, truths, strict=True) if True in each]
        completions = self._completions(possible, self.packing.values(situation))
        return all(any(expr.run(full) for expr in possible) for full in completions)

    # --- reporting ----------------------------------------------------------------------------------------------------

    def _once(
        self, place: Place, code: str, message: str, hint: str = "", at: Situation | None = None, *, about: str = ""
    ) -> None:
        """One report for each place, code and what it is about (else the message); the first that is found stands."""
        key = (place, code, about or message)
        if key not in self.reported:
            self.reported.add(key)
            self.problems.add(place, code, message, hint, self._trail(at))

    def _show(self, v: Sequence[int]) -> str:
        return ", ".join(f"{x.name} {x.domain[v[x.index]]}" for x in self.spec.variables[1:] if v[x.index] >= 0)

    def _state(self, situation: Situation) -> str:
        return self.states[situation >> self.packing.top]

    def _trail(self, situation: Situation | None) -> list[str]:
        """How a situation was first reached: one step a line, the states and the slots that changed."""
        steps: list[str] = []
        while situation is not None:
            source, event, place = self.origin[situation]
            v = self.packing.values(situation)
            old = v if source is None else self.packing.values(source)
            changed = [f"{s.name} {s.domain[v[s.index]]}" for s in self.spec.slots if old[s.index] != v[s.index]]
            to = f"  -> {', '.join(changed)}" if changed else ""
            steps.append(f"{self._state(situation)}: {event}  ({place}){to}")
            situation = source
        return steps[::-1]
