"""A run as a person reads it: numbered steps with the line of the spec that decided.

Works on the explorer's numbers, and plays each step once more to see what was sent, received, lost, emitted and done.
Never here: finding runs (fsm.verify.explore), drawing them (fsm.verify.sequence_diagram).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from fsm.language.problem import Place
from fsm.language.spec import STATE
from fsm.machine.reaction import Reaction
from fsm.verify.explore import Explorer
from fsm.verify.tables import BITS, MASK, Action, MacroStep, Tables
from fsm.world.queues import QueueChange


@attrs.frozen
class RunAnswer:
    """What the controller did with one event."""

    event: str
    outcome: str
    before: str
    after: str
    place: Place
    rows: tuple[str, ...]
    effects: tuple[str, ...]


@attrs.frozen
class RunStep:
    """One step of a run. `sent` and `received` are (channel, message); `changed` the world's variables that changed."""

    number: int
    move: str
    kind: str
    received: tuple[str, str] | None
    sent: tuple[tuple[str, str], ...]
    lost: str | None
    event: str | None
    answers: tuple[RunAnswer, ...]
    changed: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.number:3} {self.move}"]
        if self.received:
            parts.append(f"<- {self.received[1]}")
        parts += [f"-> {message}" for _, message in self.sent]
        if self.lost:
            parts.append(f"LOST {self.lost}")
        head = "  ".join(parts)
        return "\n".join([head, *(f"      {_said(answer)}" for answer in self.answers)])


def _said(answer: RunAnswer) -> str:
    where = f"{answer.before} -> {answer.after}" if answer.before != answer.after else answer.before
    effects = f"  do {', '.join(answer.effects)}" if answer.effects else ""
    return f"{answer.event}: {answer.outcome} in {where}{effects}  ({answer.place})"


@attrs.frozen
class Counterexample:
    """A run from the beginning; without steps it is the first state.

    From step `loop` on (0: not at all) it repeats; `stuck`: it stands still.
    """

    steps: tuple[RunStep, ...]
    loop: int = 0
    stuck: bool = False
    final: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [str(step) for step in self.steps] or ["    --- before anything has happened"]
        if self.loop:
            lines.insert(self.loop - 1, "    --- from here on, again and again:")
        if self.stuck:
            lines.append("    --- and nothing more happens")
        lines += [
            f"    --- '{name}' comes here as often as it likes; say how often, by a move under verify: {{world: ..}}"
            for name in self.unbounded
        ]
        return "\n".join([*lines, "    at the end: " + ", ".join(self.final)])

    @property
    def unbounded(self) -> tuple[str, ...]:
        """What an application says again and again, where the spec's world says nothing of it."""
        around = self.steps[self.loop - 1 :] if self.loop else ()
        return tuple(dict.fromkeys(step.move for step in around if any(a.event == step.move for a in step.answers)))

    @property
    def places(self) -> tuple[Place, ...]:
        """The lines of the spec that decided, in order."""
        return tuple(answer.place for step in self.steps for answer in step.answers)


class Narrator:
    """Describes runs of one explorer."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.tables: Tables = explorer.tables
        self.world = self.tables.binding.world
        self.kinds = {move.name: move.kind for move in self.tables.binding.moves}

    def run(self, way: Sequence[tuple[int, int]], end: int, loop: int = 0, stuck: bool = False) -> Counterexample:
        """The run along (state, label) pairs to state `end`; `loop` is the number of pairs at its end that go round."""
        states = [*(i for i, _ in way), end][1:]
        steps = tuple(
            self._step(number, self.explorer.order[i], label, self.explorer.order[j])
            for number, ((i, label), j) in enumerate(zip(way, states, strict=True), 1)
        )
        return Counterexample(steps, len(way) - loop + 1 if loop else 0, stuck, self.described(end))

    def to(self, i: int) -> Counterexample:
        return self.run(self.explorer.way(i), i)

    def beyond(self, i: int, label: int) -> Counterexample:
        """The way to state `i` and the first step from there under `label`."""
        end = self.explorer.first[i + 1] if i + 1 < len(self.explorer.first) else len(self.explorer.targets)
        edges = range(self.explorer.first[i], end)
        target = next((self.explorer.targets[e] for e in edges if self.explorer.edge_labels[e] == label), i)
        return self.run([*self.explorer.way(i), (i, label)], target)

    def values(self, i: int) -> tuple[int, ...]:
        """The joint configuration of a state: the spec's variables, then the world's."""
        s = self.explorer.order[i]
        return (*self.tables.controls[s >> 2 * BITS].values, *self.tables.worlds[s >> BITS & MASK])

    def described(self, i: int) -> tuple[str, ...]:
        variables = (*self.tables.machine.spec.variables, *self.tables.binding.variables)
        values = self.values(i)
        return tuple(f"{v.name} {v.domain[x]}" for v, x in zip(variables, values, strict=True) if x != v.initial)

    def _step(self, number: int, before: int, label: int, after: int) -> RunStep:
        for action, macro, changes in self._takings(before, label):
            w2, result = self._result(before, action, macro, changes)
            if result == after:
                break
        else:
            raise AssertionError("an edge that no move explains")
        why = self.tables.labels[label]
        names = {(m.channel, m.code): m.name for m in self.world.messages.values()}
        channels = [c.name for c in self.world.channels]
        queues = self.tables.queues[before & MASK]
        received, sent = None, []
        for change in changes:
            if change.kind == "pop":
                received = (channels[change.channel], names[change.channel, queues[change.channel][0]])
            elif change.kind == "push":
                sent += [(channels[change.channel], names[change.channel, code]) for code in change.codes]
        return RunStep(
            number, why.move, self.kinds.get(why.move, "timer"), received, tuple(sent), why.lost,
            self.tables.events[action[3]] if action[3] >= 0 else None,
            tuple(self._answers(before >> 2 * BITS, macro)) if macro else (), self._changed(before >> BITS & MASK, w2),
        )  # fmt: skip

    def _takings(self, state: int, label: int) -> Iterator[tuple[Action, MacroStep | None, tuple[QueueChange, ...]]]:
        """Each way the label's move can be taken here, with the changes of the queues by it and by our effects."""
        c, w, k = state & MASK, state >> BITS & MASK, state >> 2 * BITS
        move = self.tables.labels[label].move
        for group in self.explorer.groups(k, w, c):
            for action in group:
                if self.tables.labels[action[0]].move != move:
                    continue
                changes = self.tables.changes_of(action[2])
                if action[3] < 0:
                    yield action, None, changes
                    continue
                macro = self.tables.macros[action[3] << BITS | k]
                for w3, more, _ in self.tables.effects(macro.effects, action[1]):
                    yield (*action[:1], w3, *action[2:]), macro, (*changes, *self.tables.changes_of(more))

    def _result(
        self, before: int, action: Action, macro: MacroStep | None, changes: Sequence[QueueChange]
    ) -> tuple[int, int]:
        queues = self.tables.queues[before & MASK]
        for change in changes:
            changed = list(queues)
            changed[change.channel] = change.on(changed[change.channel])
            queues = tuple(changed)
        number = self.tables.queue_ids.get(queues, -1)
        control = macro.control if macro else before >> 2 * BITS
        return action[1], self.tables.packed(control, action[1], number)

    def _answers(self, control: int, macro: MacroStep) -> Iterator[RunAnswer]:
        state = self.tables.machine.spec.variables[STATE]
        before = state.domain[self.tables.controls[control].values[STATE]]
        for reaction in macro.reactions:
            after = state.domain[reaction.after.values[STATE]]
            yield RunAnswer(
                reaction.event, reaction.outcome, before, after, reaction.place, tuple(r.id for r in reaction.path),
                _effects(reaction),
            )  # fmt: skip
            before = after

    def _changed(self, before: int, after: int) -> tuple[str, ...]:
        pairs = zip(self.tables.binding.variables, self.tables.worlds[before], self.tables.worlds[after], strict=True)
        return tuple(f"{v.name} {v.domain[y]}" for v, x, y in pairs if x != y)


def _effects(reaction: Reaction) -> tuple[str, ...]:
    return tuple(f"{word.name}({literal})" if literal else word.name for word, literal in reaction.effects)
