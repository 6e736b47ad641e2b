"""The proof that nothing is wrong with a spec: every situation that a call can come to, whole regions at a time.

Theory. What holds of one situation holds of many: what an answer does to a region, a set of slot tuples in a state, is
the union of what it does to each tuple. So a state is visited with all tuples that are new there at once: an event
takes those in which it can be and moves them, its rows divide them by their guards, and what rows and choices send to
the same target goes on together. It ends when no state has a new tuple; the order does not matter, since the result is
the least fixpoint in any case.

A row's guard, a choice, a deadline's condition is cut into regions once, over all tuples there are, and then costs one
intersection. What must not be is a region, too: effects where a slot forbids them, decisions with no answer or two. As
soon as one is met the proof has failed, and says no more: how a call gets there, by a shortest way and in the order of
the spec, is what the search of single situations finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import attrs

from fsm.errors import LocalError
from fsm.language.decision_diagram import Diagram, Diagrams
from fsm.language.expression import Expr
from fsm.language.region import Region, SlotMoves, Slots, Space, union
from fsm.language.spec import MAX_CHOICES, STATE, Branch, Emit, Kind, Operation, Presume, Row, Spec

FOLLOWED_BY_CHOICES = get_args(Kind)


class _NoProofError(LocalError):
    """Something is wrong with the spec."""


@attrs.frozen(eq=False)
class _Cut:
    """A branch: where its condition can be true and where it can be false, and what is done then."""

    true: Region
    false: Region
    then: tuple[_Step, ...]
    otherwise: tuple[_Step, ...]


_Step = SlotMoves | _Cut


@attrs.frozen(eq=False)
class _Answer:
    """A row where it can be the answer."""

    where: Region
    steps: tuple[_Step, ...]
    target: str | None


@attrs.frozen(eq=False)
class _Decided:
    """The rows of a cell or a choice that change something; `wrong`: where not exactly one is the answer."""

    wrong: Region
    answers: tuple[_Answer, ...]


@attrs.frozen(eq=False)
class _Reaction:
    """What an event that can be does in a state; without a decision nobody has written an answer."""

    event: str
    where: Region
    moves: SlotMoves | None
    decided: _Decided | None


class Proof:
    """One use: `Proof(spec).holds()`; then what is known of the calls."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.space = Space(spec)
        self.diagrams = Diagrams(self.space, spec.variables)
        self.reached: dict[str, Region] = dict.fromkeys(spec.states, 0)
        self.live: set[tuple[str, str]] = set()
        self.left: set[str] = set()
        self._new: dict[str, Region] = dict.fromkeys(spec.states, 0)
        self._known: dict[str, dict[int, int]] = {name: {STATE: index} for index, name in enumerate(spec.states)}
        self._bounds = {name: self._bound(name) for name in spec.states}
        self._reactions: dict[str, list[_Reaction]] = {}
        self._choices: dict[tuple[str, str], _Decided] = {}
        self._steps: dict[tuple[int, int], tuple[_Step, ...]] = {}
        self._outcomes: dict[tuple[str, int], tuple[Region, Region]] = {}
        self._divided: dict[tuple[object, ...], tuple[Region, tuple[Region, ...]]] = {}
        self._sent: dict[tuple[str, str], Region] = {}

    def holds(self) -> bool:
        """Is there no error, but perhaps for states that are never reached or never left?"""
        try:
            self._propagate()
            self._waits()
        except _NoProofError:
            return False
        return True

    def sizes(self) -> dict[str, int]:
        """How many slot tuples reach each state."""
        return {state: region.bit_count() for state, region in self.reached.items()}

    def tuples(self) -> dict[str, frozenset[Slots]]:
        """The slot tuples that reach each state."""
        return {state: frozenset(self.space.tuples(region)) for state, region in self.reached.items()}

    # --- propagation --------------------------------------------------------------------------------------------------

    def _propagate(self) -> None:
        initial = self.spec.initial
        start = self.space.region(tuple(slot.initial for slot in self.spec.slots))
        self._arrive(initial, self._run(start, self._compiled(self.spec.states[initial].entry, initial)))
        while waiting := [state for state, new in self._new.items() if new]:
            for state in waiting:
                self._visit(state)

    def _visit(self, state: str) -> None:
        """All that is new in the state, until nothing is, then what it sends elsewhere."""
        sent: dict[str, Region] = {}
        while new := self._new[state]:
            self._new[state] = 0
            self._reactions[state] = [each for each in self._reacting(state) if self._react(state, each, new, sent)]
        for target, region in self._chosen(state, sent).items():
            self.left.add(state)
            left = self._run(region, self._compiled(self.spec.states[state].exit, state))
            self._arrive(target, self._run(left, self._compiled(self.spec.states[target].entry, target)))

    def _react(self, state: str, reaction: _Reaction, new: Region, sent: dict[str, Region]) -> bool:
        """Takes an event in a state; is there anything left that it can do there?"""
        new &= reaction.where
        if not new:
            return True
        decided = reaction.decided
        if decided is None:
            raise _NoProofError
        self.live.add((state, reaction.event))
        if reaction.moves is not None:
            new = reaction.moves(new)
        self._decide(state, decided, new, sent)
        return bool(decided.answers or decided.wrong)

    def _decide(self, state: str, decided: _Decided, region: Region, sent: dict[str, Region]) -> None:
        if region & decided.wrong:
            raise _NoProofError
        for answer in decided.answers:
            taken = region & answer.where
            if not taken:
                continue
            if answer.steps:
                taken = self._run(taken, answer.steps)
            if answer.target is None:
                self._arrive(state, taken)
            else:
                sent[answer.target] = sent.get(answer.target, 0) | taken

    def _chosen(self, state: str, sent: dict[str, Region]) -> dict[str, Region]:
        """What is sent to each state, the choices on the way taken; nothing that was sent there before."""
        found: dict[str, Region] = {}
        for _ in range(MAX_CHOICES + 1):
            following: dict[str, Region] = {}
            for target, region in sent.items():
                if target in self.spec.choices:
                    self._decide(state, self._choice(target, state), region, following)
                elif new := region & ~self._sent.get((state, target), 0):
                    self._sent[state, target] = self._sent.get((state, target), 0) | new
                    found[target] = found.get(target, 0) | new
            sent = following
            if not sent:
                return found
        raise _NoProofError  # a choice that leads to itself

    def _run(self, region: Region, steps: Sequence[_Step]) -> Region:
        for step in steps:
            if isinstance(step, _Cut):
                region = self._run(region & step.true, step.then) | self._run(region & step.false, step.otherwise)
            elif region & ~step.legal:
                raise _NoProofError
            else:
                region = step(region)
        return region

    def _arrive(self, state: str, region: Region) -> None:
        new = region & ~self.reached[state]
        if new:
            if new & ~self._bounds[state]:
                raise _NoProofError
            self.reached[state] |= new
            self._new[state] |= new

    def _waits(self) -> None:
        """Where somebody is waited for, some deadline that may end it runs for certain."""
        for name, state in self.spec.states.items():
            waits = self.spec.vocabulary.waits
            rest = 0 if state.final else self.reached[name]
            rest &= union(self.space.having(slot.index, waits[slot.name]) for slot in self.spec.slots)
            conditions = [deadline.condition for deadline in self.spec.deadlines.values() if deadline.restarts]
            for condition in conditions if rest else ():
                rest &= self._outcome(condition, name)[1]
            if not rest:
                continue
            running = self.diagrams.leaf(self.space.everything & ~rest)
            for condition in conditions:
                running = self.diagrams.either(running, self._diagram(condition, name))
            if rest & ~self.diagrams.must_be(running):
                raise _NoProofError

    # --- what is worked out once --------------------------------------------------------------------------------------

    def _bound(self, state: str) -> Region:
        found = self.space.everything
        for slot, values in self.spec.states[state].bound.items():
            found &= self.space.having(self.spec.slot_index[slot], values)
        return found

    def _reacting(self, state: str) -> list[_Reaction]:
        found = self._reactions.get(state)
        return list(self._reactions_of(state)) if found is None else found

    def _reactions_of(self, state: str) -> Iterator[_Reaction]:
        deadlines = {deadline.event: deadline for deadline in self.spec.deadlines.values()}
        for event in self.spec.events:
            word, deadline = self.spec.vocabulary.events.get(event), deadlines.get(event)
            moves = self.space.moves(word) if word is not None else None
            where = moves.legal if moves is not None else self.space.everything
            if deadline is not None:
                where &= self._outcome(deadline.condition, state)[0]
            if not where:
                continue
            cell, moves = self.spec.cells.get((state, event)), moves if moves is not None and moves.moves else None
            # of an event that is ignored nothing is done, but what it says of the slots is so
            followed = ("go", "stay") if moves is None else ("go", "stay", "ignore")
            decided = self._decision(cell.rows, state, followed) if cell is not None else None
            yield _Reaction(event, where, moves, decided)

    def _choice(self, name: str, state: str) -> _Decided:
        found = self._choices.get((name, state))
        if found is None:
            rows = self.spec.choices[name].rows
            found = self._choices[name, state] = self._decision(rows, state, FOLLOWED_BY_CHOICES)
        return found

    def _decision(self, rows: Sequence[Row], state: str, followed: Sequence[str]) -> _Decided:
        """`followed`: the kinds of rows that change something."""
        wrong, regions = self._regions(rows, state)
        answers = []
        for row, where in zip(rows, regions, strict=False):
            if where and row.kind in followed:
                target = row.target if row.target != state else None
                answers.append(_Answer(where, self._compiled(row.operations, state), target))
        return _Decided(wrong, tuple(answers))

    def _regions(self, rows: Sequence[Row], state: str) -> tuple[Region, tuple[Region, ...]]:
        """Where there is not exactly one answer, and where each row can be it."""
        if not rows or rows[0].always:
            return 0, (self.space.everything,)[: len(rows)]
        guards = tuple(row.guard for row in rows)
        about = self._about(state, *(guard for guard in guards if guard is not None))
        key = about, *(guard and guard.python for guard in guards)
        if key not in self._divided:
            self._divided[key] = self._divide(guards, state)
        return self._divided[key]

    def _divide(self, guards: Sequence[Expr | None], state: str) -> tuple[Region, tuple[Region, ...]]:
        wrong, where, hit = 0, [], self.diagrams.never
        for guard in guards:
            holds = self._diagram(guard, state) if guard is not None else self.diagrams.never
            wrong |= self.diagrams.can_be(self.diagrams.both(holds, hit))
            where.append(self.diagrams.can_be(holds))
            hit = self.diagrams.either(holds, hit)
        none = self.space.everything & ~self.diagrams.must_be(hit)
        fallback = [index for index, guard in enumerate(guards) if guard is None]
        if len(fallback) == 1:
            where[fallback[0]] = none
        else:
            wrong |= self.space.everything if fallback else none
        return wrong, tuple(where)

    def _compiled(self, operations: Sequence[Operation], state: str) -> tuple[_Step, ...]:
        if not operations:
            return ()
        key = id(operations), self._known[state][STATE]
        if key not in self._steps:
            self._steps[key] = tuple(self._step(operations, state))
        return self._steps[key]

    def _step(self, operations: Sequence[Operation], state: str) -> Iterator[_Step]:
        """Of those that read or move a slot."""
        for op in operations:
            if isinstance(op, Branch):
                then, otherwise = self._compiled(op.then, state), self._compiled(op.otherwise, state)
                if then or otherwise:
                    yield _Cut(*self._outcome(op.condition, state), then, otherwise)
            elif isinstance(op, Emit | Presume):
                words = self.spec.vocabulary
                word = words.effects[op.effect] if isinstance(op, Emit) else words.presumptions[op.name]
                if word.when or word.moves:
                    yield self.space.moves(word)

    def _outcome(self, condition: Expr, state: str) -> tuple[Region, Region]:
        """Where it can be true and where it can be false."""
        key = condition.python, self._about(state, condition)
        if key not in self._outcomes:
            diagram = self._diagram(condition, state)
            always = self.diagrams.must_be(diagram)
            self._outcomes[key] = self.diagrams.can_be(diagram), self.space.everything & ~always
        return self._outcomes[key]

    def _diagram(self, condition: Expr, state: str) -> Diagram:
        assert condition.formula is not None, condition.text
        return self.diagrams.of(condition.formula, self._known[state])

    def _about(self, state: str, *conditions: Expr) -> int:
        """The number of the state where one of the conditions asks for it; else it is the same in all."""
        return self._known[state][STATE] if any(STATE in each.reads for each in conditions) else -1
