"""A world put around a spec, under assumptions and bounds: the moves there are, and what they do. Pure.

The words of both sides are checked against each other here: an event told that the spec's vocabulary lacks, an effect the
world does not answer. Never here: the order in which runs are visited (fsm.explore).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from fsm.expression import Expr, Variable
from fsm.problem import Problem, Problems, suggestion
from fsm.spec import Spec
from fsm.world import Act, Move, Need, Tell, Test, World
from fsm.world_play import Hooks, Outcome, Play

Held = frozenset[str] | None
"""Messages that hold a move back while they are in flight; None: any message does."""
Guards = Callable[[Sequence[int]], tuple[int, ...]]


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
    """One way a move can go: why, the outcome, what holds it back; `answers`: a message was received for it."""

    label: Label
    outcome: Outcome
    held_by: Held
    fair: bool
    answers: bool


@attrs.frozen(eq=False)
class _Ready:
    """A move with all that is fixed about it under the settings."""

    move: Move
    gives_way: tuple[Expr, ...]
    held: Held
    held_told: Held


class Binding:
    """`options`, `received`, `fired`: all that can happen in a world, but for what the queues hold."""

    def __init__(
        self, spec: Spec, world: World, settings: Settings, ghosts: Sequence[Variable] = (), hooks: Hooks | None = None
    ) -> None:
        self.spec, self.world, self.settings = spec, world, settings
        self.hooks = hooks or Hooks()
        self.variables = (*world.variables, *ghosts)
        self.problems = Problems()
        self.moves = tuple(m for m in world.moves if all(self.holds(n) for n in m.needs))
        self._check()
        self.problems.raise_if_any()
        self.lossy = world.loss is not None and settings.assumed(world.loss[1])
        self._budget = world.variable(world.loss[0]).index if world.loss is not None else -1
        mailboxes = {c.index for c in world.channels if c.mailbox}
        self._in_mailbox = frozenset(m.name for m in world.messages.values() if m.channel in mailboxes)
        ready = [self._readied(m) for m in self.moves]
        self._spontaneous = [r for r in ready if r.move.receive is None]
        self._enabled = guards([r.move.when for r in self._spontaneous])
        self._receiving: dict[str, list[_Ready]] = {}
        for each in ready:
            if each.move.receive is not None:
                self._receiving.setdefault(each.move.receive, []).append(each)
        self._deadlines = {name: self._deadline(name) for name in spec.deadlines}

    def holds(self, need: Need) -> bool:
        """Does the spec have this feature, do the settings have this assumption?"""
        feature = self.world.features.get(need.name)
        if feature is not None:
            found = feature.vocabulary in self.spec.vocabulary.names
        else:
            found = self.settings.assume.get(need.name, "no") == need.value
        return found != need.negated

    def _readied(self, move: Move) -> _Ready:
        names = {n for name, ways in move.gives_way.items() if self.settings.assumed(name) for n in ways}
        way = tuple(m.when for m in self.moves if m.name in names)
        return _Ready(move, way, self._held(move.hold_back, False), self._held(move.hold_back, move.receive is None))

    def _held(self, hold_back: Mapping[str, tuple[str, ...] | None], told: bool) -> Held:
        """What is `told` without having been received waits in the mailbox, too."""
        found = set(self._in_mailbox if told else ())
        for assumption, messages in hold_back.items():
            if self.settings.assumed(assumption):
                if messages is None:
                    return None
                found.update(messages)
        return frozenset(found)

    def _deadline(self, name: str) -> tuple[tuple[Expr, ...], Held]:
        """The guards of the moves a deadline waits for, and the messages that hold it back."""
        timers = self.world.timers
        patience = [p for p in timers.patience if self.settings.assumed(p.assume) and name in (p.deadlines or (name,))]
        names = {move for p in patience for move in p.moves}
        return tuple(m.when for m in self.moves if m.name in names), self._held(timers.hold_back, True)

    def _check(self) -> None:
        alphabet = self.spec.vocabulary.events
        for move in self.moves:
            for tell in tells(move.acts):
                if tell.event not in alphabet:
                    hint = suggestion(tell.event, alphabet)
                    self.problems.add(
                        tell.place, "unknown-event", f"no event '{tell.event}' in '{self.spec.name}'", hint
                    )
        for effect in self.spec.vocabulary.effects:
            if effect not in self.world.effects:
                self.problems.add(
                    self.world.place, "unknown-effect", f"the world does not answer the effect '{effect}'",
                    "add it under 'effects:', with [] if nothing comes of it",
                )  # fmt: skip

    def unheard(self) -> tuple[Problem, ...]:
        """Events of the vocabulary that nothing in this world brings about: what is said about them is empty."""
        told = {t.event for m in self.world.moves for t in tells(m.acts)}
        told |= {e.instead for e in self.spec.vocabulary.events.values() if e.instead is not None}
        return tuple(
            Problem(e.place, "never-told", f"the world never brings about '{e.name}'", severity="warning")
            for e in self.spec.vocabulary.alphabet
            if e.name not in told and e.source != "internal"
        )

    def initial(self) -> tuple[int, ...]:
        budgets = self.world.budgets
        return tuple(
            min(self.settings.bounds[budgets[v.name]], len(v.domain) - 1) if v.name in budgets else v.initial
            for v in self.variables
        )

    # --- what can happen ----------------------------------------------------------------------------------------------

    def options(self, values: Sequence[int]) -> Iterator[Option]:
        """Everything that can happen without a message being received."""
        for index in self._enabled(values):
            yield from self._ways(self._spontaneous[index], values)

    def received(self, values: Sequence[int], message: str) -> Iterator[Option]:
        """Everything that can happen with `message` at the head of its queue."""
        for ready in self._receiving.get(message, ()):
            if ready.move.when.run(values):
                yield from self._ways(ready, values)

    def fired(self, values: Sequence[int], deadline: str) -> Option | None:
        """A deadline's event; None while what it waits for is about to happen."""
        awaited, held = self._deadlines[deadline]
        if any(when.run(values) for when in awaited):
            return None
        event = f"timer.{deadline}"
        play = Play(self.world, self.hooks, values)
        play.run(self.hooks.of("event", event))
        return Option(Label(event), attrs.evolve(play.outcome(), event=event), held, True, False)

    def effects(self, values: Sequence[int], effects: Sequence[tuple[str, str | None]]) -> list[Outcome]:
        """What the world makes of effects, in order; the first outcome loses nothing."""

        def act(play: Play) -> None:
            for name, literal in effects:
                play.run(self.world.effects[name])
                play.run(self.hooks.of("effect", name))
                if literal is not None:
                    play.run(self.hooks.of("effect", f"{name}({literal})"))

        return [play.outcome() for play in self._plays(values, act)]

    def _ways(self, ready: _Ready, values: Sequence[int]) -> Iterator[Option]:
        move = ready.move
        if any(when.run(values) for when in ready.gives_way):
            return

        def act(play: Play) -> None:
            if move.receive is not None:
                play.receive(move.receive)
            play.run(move.acts)
            play.run(self.hooks.of("move", move.name))
            if play.event is not None:
                play.run(self.hooks.of("event", play.event))

        for play in self._plays(values, act):
            held = ready.held_told if play.event is not None else ready.held
            fair = move.fair and play.lost is None
            yield Option(Label(move.name, play.lost), play.outcome(), held, fair, move.receive is not None)

    def _plays(self, values: Sequence[int], act: Callable[[Play], None]) -> Iterator[Play]:
        """The run without a loss, then one for each lossy send."""
        first = Play(self.world, self.hooks, values, self.lossy)
        act(first)
        yield first
        if self.lossy and values[self._budget] > 0:
            for number in range(first.sends):
                play = Play(self.world, self.hooks, values, True, number)
                act(play)
                play.values[self._budget] -= 1
                yield play


def guards(conditions: Sequence[Expr]) -> Guards:
    """One function for many guards: the numbers of those that hold. Its text is made of what fsm.expression generates."""
    tests = "".join(f"    if {c.python}: found.append({i})\n" for i, c in enumerate(conditions))
    namespace: dict[str, Guards] = {}
    source = f"def holding(v):\n    found = []\n{tests}    return found\n"
    exec(source, {"__builtins__": {"max": max, "min": min}}, namespace)  # noqa: S102
    return namespace["holding"]


def tells(acts: Sequence[Act]) -> Iterator[Tell]:
    """Every event operations can tell."""
    for act in acts:
        if isinstance(act, Tell):
            yield act
        elif isinstance(act, Test):
            yield from tells((*act.then, *act.otherwise))
