"""A world put around a spec, under assumptions and bounds: the moves there are, and what they do. Pure.

The words of both sides are checked against each other here: an event told that the spec's vocabulary lacks, an effect the
world does not answer. Never here: the order in which runs are visited (fsm.explore).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from fsm.expression import Variable
from fsm.problem import Problem, Problems, suggestion
from fsm.spec import Spec
from fsm.world import Act, Move, Need, Tell, Test, World
from fsm.world_play import Hooks, Outcome, Play


@attrs.frozen
class Settings:
    """What a run takes for granted and how far it goes."""

    assume: Mapping[str, str]
    bounds: Mapping[str, int]
    capacities: Mapping[str, int]

    def assumed(self, name: str) -> bool:
        return self.assume.get(name, "no") != "no"


@attrs.frozen
class Label:
    """Why a step was taken: a move (or a timer), and what was lost on the way."""

    move: str
    lost: str | None = None

    def __str__(self) -> str:
        return f"{self.move} ({self.lost} lost)" if self.lost else self.move


@attrs.frozen
class Option:
    """One way a move can go: the outcome, why, and the messages that must not be in flight (None: nothing may be)."""

    label: Label
    outcome: Outcome
    held_by: frozenset[str] | None
    fair: bool
    answers: bool


class Binding:
    """`options(values)`: all that can happen in a world, but for what the queues hold."""

    def __init__(
        self, spec: Spec, world: World, settings: Settings, ghosts: Sequence[Variable] = (), hooks: Hooks | None = None
    ) -> None:
        self.spec, self.world, self.settings = spec, world, settings
        self.hooks = hooks or Hooks()
        self.variables = (*world.variables, *ghosts)
        self.problems = Problems()
        self.moves = tuple(m for m in world.moves if all(self.holds(n) for n in m.needs))
        self.spontaneous = tuple(m for m in self.moves if m.receive is None)
        self.receiving: dict[str, list[Move]] = {}
        for move in self.moves:
            if move.receive is not None:
                self.receiving.setdefault(move.receive, []).append(move)
        mailboxes = {c.index for c in world.channels if c.mailbox}
        self._in_mailbox = frozenset(m.name for m in world.messages.values() if m.channel in mailboxes)
        self._patience: dict[str, tuple[Move, ...]] = {}
        self.lossy = world.loss is not None and settings.assumed(world.loss[1])
        self._check()
        self.problems.raise_if_any()

    def holds(self, need: Need) -> bool:
        feature = self.world.features.get(need.name)
        if feature is not None:
            holds = feature.vocabulary in self.spec.vocabulary.names
        else:
            holds = self.settings.assume.get(need.name, "no") == need.value
        return holds != need.negated

    def _check(self) -> None:
        alphabet = self.spec.vocabulary.events
        for move in self.moves:
            for tell in _tells(move.acts):
                if tell.event not in alphabet:
                    hint = suggestion(tell.event, alphabet)
                    self.problems.add(tell.place, "unknown-event", f"no event '{tell.event}' in '{self.spec.name}'", hint)
        for effect in self.spec.vocabulary.effects:
            if effect not in self.world.effects:
                self.problems.add(
                    self.world.place, "unknown-effect", f"the world does not answer the effect '{effect}'",
                    f"add it under 'effects:', with [] if nothing comes of it",
                )  # fmt: skip

    def unheard(self) -> tuple[Problem, ...]:
        """Events of the vocabulary that nothing in this world brings about: what is said about them is empty."""
        told = {t.event for m in self.world.moves for t in _tells(m.acts)}
        return tuple(
            Problem(e.place, "never-told", f"the world never brings about '{e.name}'", severity="warning")
            for e in self.spec.vocabulary.alphabet
            if e.name not in told and e.source != "internal" and not self._only_instead(e.name)
        )

    def _only_instead(self, name: str) -> bool:
        return any(e.instead == name for e in self.spec.vocabulary.events.values())

    def initial(self) -> tuple[int, ...]:
        budgets = self.world.budgets
        return tuple(
            min(self.settings.bounds[budgets[v.name]], len(v.domain) - 1) if v.name in budgets else v.initial
            for v in self.variables
        )

    # --- what can happen ----------------------------------------------------------------------------------------------

    def options(self, values: Sequence[int]) -> Iterator[Option]:
        """Everything that can happen without a message being received."""
        for move in self.spontaneous:
            if move.when.run(values) and not self._gives_way(move, values):
                yield from self._ways(move, values)

    def received(self, values: Sequence[int], message: str) -> Iterator[Option]:
        """Everything that can happen with `message` at the head of its queue."""
        for move in self.receiving.get(message, ()):
            if move.when.run(values) and not self._gives_way(move, values):
                yield from self._ways(move, values)

    def _gives_way(self, move: Move, values: Sequence[int]) -> bool:
        names = [n for assumption, names in move.gives_way.items() if self.settings.assumed(assumption) for n in names]
        return any(other.name in names and other.when.run(values) for other in self.moves) if names else False

    def fired(self, values: Sequence[int], deadline: str) -> Option | None:
        """A deadline's event; None while what it waits for is about to happen."""
        if any(move.when.run(values) for move in self._awaited(deadline)):
            return None
        event = f"timer.{deadline}"
        play = Play(self.world, self.hooks, values)
        play.run(self.hooks.of("event", event))
        outcome = attrs.evolve(play.outcome(), event=event)
        return Option(Label(event), outcome, self._held(self.world.timers.hold_back, True), True, False)

    def _awaited(self, deadline: str) -> tuple[Move, ...]:
        if deadline not in self._patience:
            names = {
                name
                for patience in self.world.timers.patience
                if self.settings.assumed(patience.assume) and deadline in (patience.deadlines or (deadline,))
                for name in patience.moves
            }
            self._patience[deadline] = tuple(m for m in self.moves if m.name in names)
        return self._patience[deadline]

    def effects(self, values: Sequence[int], effects: Sequence[tuple[str, str | None]]) -> list[Outcome]:
        """What the world makes of effects, in order; the first outcome loses nothing."""

        def acts(play: Play) -> None:
            for name, literal in effects:
                play.run(self.world.effects[name])
                play.run(self.hooks.of("effect", name))
                if literal is not None:
                    play.run(self.hooks.of("effect", f"{name}({literal})"))

        return [play.outcome() for play in self._plays(values, acts)]

    def _ways(self, move: Move, values: Sequence[int]) -> Iterator[Option]:
        def acts(play: Play) -> None:
            if move.receive is not None:
                play.receive(move.receive)
            play.run(move.acts)
            play.run(self.hooks.of("move", move.name))
            if play.event is not None:
                play.run(self.hooks.of("event", play.event))

        for play in self._plays(values, acts):
            label = Label(move.name, play.lost)
            fair = move.fair and play.lost is None
            held = self._held(move.hold_back, play.event is not None and move.receive is None)
            yield Option(label, play.outcome(), held, fair, move.receive is not None)

    def _plays(self, values: Sequence[int], acts: object) -> Iterator[Play]:
        """The run without a loss, then one for each lossy send."""
        assert callable(acts)
        budget = self._loss_left(values)
        first = Play(self.world, self.hooks, values, self.lossy)
        acts(first)
        yield first
        for number in range(first.sends if budget is not None else 0):
            play = Play(self.world, self.hooks, values, True, number)
            acts(play)
            if budget is not None:
                play.values[budget] -= 1
            yield play

    def _loss_left(self, values: Sequence[int]) -> int | None:
        if not self.lossy or self.world.loss is None:
            return None
        index = self.world.variable(self.world.loss[0]).index
        return index if values[index] > 0 else None

    def _held(self, hold_back: Mapping[str, tuple[str, ...] | None], told: bool) -> frozenset[str] | None:
        """The messages that hold a move back; None where any message does. What is `told` waits in the mailbox."""
        found = set(self._in_mailbox if told else ())
        for assumption, messages in hold_back.items():
            if self.settings.assumed(assumption):
                if messages is None:
                    return None
                found.update(messages)
        return frozenset(found)


def _tells(acts: Sequence[Act]) -> Iterator[Tell]:
    for act in acts:
        if isinstance(act, Tell):
            yield act
        elif isinstance(act, Test):
            yield from _tells((*act.then, *act.otherwise))
