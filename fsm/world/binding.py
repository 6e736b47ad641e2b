"""A world put around a spec, under assumptions and bounds: the moves there are, and what they do. Pure.

A run is made of steps of four kinds, and each has its question here: a move that needs no message (`options`), one that
receives the message at the head of a queue (`received`), a deadline (`fired`), and what the world does about our
effects (`effects`). The answers are options: a way, and the variables after it. All that depends on the settings is
settled once, before the search: which moves there are at all (features and assumptions), whether events may be lost,
what a move waits for. What is left to a step is in the variables, so an answer is a function of the variables alone,
and the tables of the verifier work it out once for each world. What depends on the queues (a message of `held_by` in
flight, no room) cannot be part of an answer: it is said in the way, and looked at by whoever has the queues.

Three things hold a move back, and they are different: a guard (`when`) is a fact of the world; `gives_way` is an
assumption about speed, "not while one of these moves can be taken"; `held_by` is another, "not while one of these
messages is in flight". What is emitted to us without a message having been received (a key, a deadline) waits for the
mailbox to be empty as well: it would stand behind what is in it.

A lossy send is a choice of the world's, not of a move's: an option loses nothing or exactly one of its sends, as long
as the budget of losses lasts; so a move with n lossy sends has up to n + 1 options.

The words of both sides are checked against each other here: an event that the spec's vocabulary lacks, an effect that
the world does not answer. Never here: the order in which runs are visited (fsm.verify.explore).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import attrs

from fsm.language.expression import ALWAYS, Expr, Variable
from fsm.language.problem import Problem, Problems, suggestion
from fsm.language.spec import Deadline
from fsm.language.vocabulary import APPLICATION, Vocabulary
from fsm.world.code import Code, Codes, Path, Values, guards
from fsm.world.queues import QueueChange
from fsm.world.world import Act, EmitEvent, Move, Need, Test, World

Held = frozenset[str] | None
"""Messages that hold a move back while they are in flight; None: any message does."""


class SpecInterface(Protocol):
    """Whoever is on our side of the world, by its words: a spec, or a client that is free to say what it likes."""

    @property
    def name(self) -> str: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def deadlines(self) -> Mapping[str, Deadline]: ...


@attrs.frozen
class WorldSettings:
    """What a run takes for granted and how far it goes."""

    assume: Mapping[str, str]
    bounds: Mapping[str, int]
    capacities: Mapping[str, int]
    chosen: Mapping[str, str] = attrs.field(factory=dict)
    """What an operator has set of the spec's own settings."""

    def assumed(self, name: str) -> bool:
        return self.assume.get(name, "no") != "no"


@attrs.frozen
class Label:
    """Why a step was taken: a move (or a timer), and what was lost on the way."""

    move: str
    lost: str | None = None

    def __str__(self) -> str:
        return f"{self.move} ({self.lost} lost)" if self.lost else self.move


@attrs.frozen(eq=False)
class MoveWay:
    """One way of a move: why, what it does to the queues, what it emits, what holds it back. Equal if identical."""

    label: Label
    changes: tuple[QueueChange, ...]
    event: str | None
    held_by: Held
    fair: bool
    answers: bool


Option = tuple[MoveWay, Values]
"""A way, and the world's variables after it."""


class _Ready:
    """A move (a deadline, effects) with all that is fixed about it under the settings. `key` names its operations."""

    def __init__(
        self, binding: Binding, name: str, acts: Sequence[Act], move: Move | None = None, key: object = None
    ) -> None:
        self.name, self.move, self.key = name, move, key or name
        self.held: Held = frozenset()
        self.held_emitting: Held = frozenset()
        self.gives_way: tuple[Expr, ...] = ()
        self._binding = binding
        self._budget = binding.budget
        self._acts = tuple(acts)
        message = binding.world.messages[move.receive] if move is not None and move.receive is not None else None
        self._received = (QueueChange("pop", message.channel),) if message is not None else ()
        self._codes: list[Code] = []  # made when the move is first taken: many a scene comes to few of them
        self._ways: dict[Path, MoveWay] = {}

    def _code(self, lose: int) -> Code:
        binding = self._binding
        return binding.codes.of(self.key, self._acts, self._received, binding.lossy, lose)

    def taken(self, values: Values) -> list[Option]:
        """The options; none while it has to give way to another move."""
        if self.gives_way and any(when.run(values) for when in self.gives_way):
            return []
        return self.options(values)

    def options(self, values: Values) -> list[Option]:
        """The way without a loss, then one for each lossy send while the budget of losses lasts."""
        if not self._codes:
            self._codes.append(self._code(-1))
        code, after = self._codes[0], bytearray(values)
        path = code.paths[code.run(after)]
        assert path is not None
        found = [(self._ways.get(path) or self._way(path), bytes(after))]
        if self._budget >= 0 and path.sends and values[self._budget]:
            found += self._losing(values, path.sends)
        return found

    def _losing(self, values: Values, sends: int) -> Iterator[Option]:
        while len(self._codes) <= sends:
            self._codes.append(self._code(len(self._codes) - 1))
        for code in self._codes[1 : sends + 1]:
            after = bytearray(values)
            path = code.paths[code.run(after)]
            if path is not None:
                after[self._budget] -= 1
                yield self._way(path), bytes(after)

    def _way(self, path: Path) -> MoveWay:
        way = self._ways.get(path)
        if way is None:
            move, emits = self.move, path.event is not None
            assumed = move is not None and isinstance(move.fair, str) and self._binding.settings.assumed(move.fair)
            fair = (move is None or move.fair is True or assumed) and path.lost is None
            way = self._ways[path] = MoveWay(
                Label(self.name, path.lost), path.changes, path.event, self.held_emitting if emits else self.held, fair,
                bool(self._received) or move is None,
            )  # fmt: skip
        return way


class Binding:
    """`options`, `received`, `fired`: all that can happen in a world, but for what the queues hold."""

    def __init__(
        self,
        spec: SpecInterface,
        world: World,
        settings: WorldSettings,
        ghosts: Sequence[Variable] = (),
        codes: Codes | None = None,
    ) -> None:
        self.spec, self.world, self.settings = spec, world, settings
        self.codes = codes or Codes(world)
        self.hooks = self.codes.hooks
        self.variables = (*world.variables, *ghosts)
        self.problems = Problems()
        moves = (m for m in world.moves if all(self.holds(n) for n in m.needs))
        self.moves = (*(each for move in moves for each in told_apart(move, spec.vocabulary)), *self._of_application())
        self._check()
        self.problems.raise_if_any()
        self.lossy = world.loss is not None and settings.assumed(world.loss[1])
        self.budget = world.variable(world.loss[0]).index if self.lossy and world.loss is not None else -1
        mailboxes = {c.index for c in world.channels if c.mailbox}
        self._in_mailbox = frozenset(m.name for m in world.messages.values() if m.channel in mailboxes)
        ready = [self._readied(m) for m in self.moves]
        self._spontaneous = [r for r in ready if r.move is not None and r.move.receive is None]
        self._enabled = guards([_when(r) for r in self._spontaneous])
        self._receiving: dict[str, list[tuple[Callable[[Values], int] | None, _Ready]]] = {}
        for each in ready:
            if each.move is not None and each.move.receive is not None:
                when = None if each.move.when is ALWAYS else each.move.when.run
                self._receiving.setdefault(each.move.receive, []).append((when, each))
        self._deadlines = {name: self._deadline(name) for name in spec.deadlines}
        self._sequences: dict[tuple[tuple[str, str | None], ...], _Ready] = {}

    def holds(self, need: Need) -> bool:
        """Does the spec have this feature, do the settings have this assumption?"""
        feature = self.world.features.get(need.name)
        if feature is not None:
            found = feature.vocabulary in self.spec.vocabulary.names
        else:
            found = self.settings.assume.get(need.name, "no") == need.value
        return found != need.negated

    def _of_application(self) -> Iterator[Move]:
        """What an application may say or ask for at any time, and nothing in this world says."""
        emits = {act.event for move in self.world.moves for act in emitted(move.acts)}
        for word in self.spec.vocabulary.alphabet:
            if word.is_said and emits.isdisjoint((word.name, word.of)):
                acts = (EmitEvent(word.name, word.place, word.of),)
                yield Move(word.name, "request", False, ALWAYS, None, acts, (), place=word.place)

    def _readied(self, move: Move) -> _Ready:
        names = {n for name, ways in move.gives_way.items() if self.settings.assumed(name) for n in ways}
        acts = (*move.acts, *self.hooks.get(("move", move.origin or move.name), ()))
        key = (move.origin, *(act.event for act in emitted(move.acts))) if move.origin else None
        ready = _Ready(self, move.name, acts, move, key)
        ready.gives_way = tuple(m.when for m in self.moves if m.name in names)
        ready.held = self._held(move.hold_back, False)
        ready.held_emitting = self._held(move.hold_back, move.receive is None)
        return ready

    def _held(self, hold_back: Mapping[str, tuple[str, ...] | None], emits: bool) -> Held:
        """What `emits` without having received anything waits for the mailbox, too."""
        found = set(self._in_mailbox if emits else ())
        for assumption, messages in hold_back.items():
            if self.settings.assumed(assumption):
                if messages is None:
                    return None
                found.update(messages)
        return frozenset(found)

    def _deadline(self, name: str) -> _Ready:
        """A deadline; it gives way to the moves it waits for."""
        timers = self.world.timers
        patience = [p for p in timers.patience if self.settings.assumed(p.assume) and name in (p.deadlines or (name,))]
        names = {move for p in patience for move in p.moves}
        ready = _Ready(self, f"timer.{name}", (EmitEvent(f"timer.{name}"),))
        ready.gives_way = tuple(m.when for m in self.moves if m.name in names)
        ready.held_emitting = self._held(timers.hold_back, True)
        return ready

    @property
    def timers_wait(self) -> bool:
        """Does no deadline fire while anything is in flight?"""
        return all(ready.held_emitting is None for ready in self._deadlines.values())

    def _check(self) -> None:
        alphabet = self.spec.vocabulary.events
        for move in self.moves:
            for act in emitted(move.acts):
                if act.event not in alphabet:
                    hint = suggestion(act.event, alphabet)
                    self.problems.add(act.place, "unknown-event", f"no event '{act.event}' in '{self.spec.name}'", hint)
        for effect in self.spec.vocabulary.effects:
            if effect not in self.world.effects and self.spec.vocabulary.effects[effect].to != APPLICATION:
                self.problems.add(
                    self.world.place,
                    "unknown-effect",
                    f"the world does not answer the effect '{effect}'",
                    "add it under 'effects:', with [] if nothing comes of it",
                )

    def unheard(self) -> tuple[Problem, ...]:
        """Events of the vocabulary that nothing in this world brings about: what is said about them is empty."""
        found = {t.event for m in self.world.moves for t in emitted(m.acts)}
        found |= {t.event for m in self.moves for t in emitted(m.acts)}
        found |= {e.instead for e in self.spec.vocabulary.events.values() if e.instead is not None}
        return tuple(
            Problem(e.place, "never-emitted", f"the world never emits '{e.name}'", severity="warning")
            for e in self.spec.vocabulary.alphabet
            if e.name not in found and e.source != "internal"
        )

    def initial(self) -> Values:
        budgets = self.world.budgets
        return bytes(
            min(self.settings.bounds[budgets[v.name]], len(v.domain) - 1) if v.name in budgets else v.initial
            for v in self.variables
        )

    # --- what can happen ----------------------------------------------------------------------------------------------

    def options(self, values: Values) -> list[Option]:
        """Everything that can happen without a message being received."""
        found: list[Option] = []
        for index in self._enabled(values):
            found += self._spontaneous[index].taken(values)
        return found

    def received(self, values: Values, message: str) -> list[Option]:
        """Everything that can happen with `message` at the head of its queue."""
        found: list[Option] = []
        for when, ready in self._receiving.get(message, ()):
            if when is None or when(values):
                found += ready.taken(values)
        return found

    def fired(self, values: Values, deadline: str) -> list[Option]:
        """A deadline's event; nothing while what it waits for is about to happen."""
        return self._deadlines[deadline].taken(values)

    def effects(self, values: Values, effects: tuple[tuple[str, str | None], ...]) -> list[Option]:
        """What the world makes of effects, in order; the first option loses nothing."""
        ready = self._sequences.get(effects)
        if ready is None:
            acts: list[Act] = []
            for name, literal in effects:
                acts += (*self.world.effects.get(name, ()), *self._following(name, literal))
            ready = self._sequences[effects] = _Ready(self, "effects", acts, key=effects)
        return ready.options(values)

    def _following(self, effect: str, literal: str | None) -> Sequence[Act]:
        """What ghosts make of it: of any of its kind, of one with this argument; or what is said to follow instead."""
        said = [] if literal is None else list(dict.fromkeys([self._counted(effect, literal), literal]))
        names = [effect, *(f"{effect}({each})" for each in said)]
        instead = [self.hooks["instead", name] for name in names if ("instead", name) in self.hooks]
        return instead[-1] if instead else [act for name in names for act in self.hooks.get(("effect", name), ())]

    def _counted(self, effect: str, literal: str) -> str:
        """The argument that the world knows: an instruction of a spec's own is something that is to be said."""
        word, own = self.spec.vocabulary.effects[effect], self.spec.vocabulary.own_words(effect)
        return own if own in word.choices and literal not in word.choices else literal


def _when(ready: _Ready) -> Expr:
    assert ready.move is not None
    return ready.move.when


def told_apart(move: Move, vocabulary: Vocabulary) -> Iterator[Move]:
    """The move, once for each variant that the vocabulary makes of an event that it emits."""
    names = list(dict.fromkeys(act.event for act in emitted(move.acts) if act.event in vocabulary.refined))
    kinds = [
        [*([name] if name in vocabulary.events else []), *(word.name for word in vocabulary.refined[name])]
        for name in names
    ]
    for number, chosen in enumerate(itertools.product(*kinds)):
        said = {name: each for name, each in zip(names, chosen, strict=True) if name != each}
        if not said:
            yield move
            continue
        acts = _saying(move.acts, said)
        name = (
            f"{move.name} ({', '.join(said.values())})" if number else move.name
        )  # others may wait for it by its name
        yield attrs.evolve(move, name=name, acts=acts, origin=move.name)


def _saying(acts: Sequence[Act], said: Mapping[str, str]) -> tuple[Act, ...]:
    found: list[Act] = []
    for act in acts:
        if isinstance(act, EmitEvent) and act.event in said:
            found.append(EmitEvent(said[act.event], act.place, act.event))
        elif isinstance(act, Test):
            found.append(attrs.evolve(act, then=_saying(act.then, said), otherwise=_saying(act.otherwise, said)))
        else:
            found.append(act)
    return tuple(found)


def emitted(acts: Sequence[Act]) -> Iterator[EmitEvent]:
    """Every event that operations can emit."""
    for act in acts:
        if isinstance(act, EmitEvent):
            yield act
        elif isinstance(act, Test):
            yield from emitted((*act.then, *act.otherwise))
