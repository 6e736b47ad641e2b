"""The world in Promela, from its typed form: what fsm.world.binding and fsm.verify.tables do, written a second time.

Never here: the controller (tools.promela.controller), anything the explorer worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from fsm.language.expression import Expr
from fsm.language.spec import Deadline, Spec
from fsm.verify.property import Properties
from fsm.world.binding import WorldSettings, emitted
from fsm.world.world import Act, Clear, EmitEvent, Move, Need, Put, Rename, Send, Test, World
from tools.promela.text import Lines, cases, clamped, expression, identifier, loop, when

MAX_EFFECT_SENDS = 8  # lossy sends of all effects of one event; the model asserts that they are enough


@attrs.frozen
class PromelaWay:
    """A move or a deadline: when it is there, what it does, what holds it back if it emits something."""

    name: str
    guard: str
    acts: Lines
    emitting_blocked: str
    answers: bool
    sends: int
    tells: bool
    fair: bool = True


class WorldText:
    """The parts of a model that are the world's. `event` names an event of the controller."""

    def __init__(self, spec: Spec, world: World, properties: Properties, settings: WorldSettings) -> None:
        self.spec, self.world, self.settings, self.hooks = spec, world, settings, properties.hooks
        self.variables = (*world.variables, *properties.ghosts)
        self.names = [identifier("w_", v.name) for v in self.variables]
        self.moves = [m for m in world.moves if all(self.holds(n) for n in m.needs)]
        self.lossy = world.loss is not None and settings.assumed(world.loss[1])
        self.budget = self.name(world.variable(world.loss[0]).index) if self.lossy and world.loss else "0"
        self.counter = "sends"
        caps = [settings.capacities.get(c.name, c.capacity) for c in world.channels]
        self.limits = [(n, n + max(c.reserve, n)) for n, c in zip(caps, world.channels, strict=True)]

    def holds(self, need: Need) -> bool:
        """Is what a move or a property needs there?"""
        feature = self.world.features.get(need.name)
        if feature is not None:
            return (feature.vocabulary in self.spec.vocabulary.names) != need.negated
        return (self.settings.assume.get(need.name, "no") == need.value) != need.negated

    def name(self, index: int) -> str:
        return self.names[index]

    def expr(self, expr: Expr) -> str:
        return expression(expr, self.name)

    # --- declarations -------------------------------------------------------------------------------------------------

    def constants(self) -> Lines:
        return [f"#define {identifier('M_', m.name)} {m.code}" for m in self.world.messages.values()]

    def declared(self) -> list[tuple[str, int, int, str]]:
        """(name, cells or 0, initial value, what it is)."""
        found = []
        for name, v in zip(self.names, self.variables, strict=True):
            bound = self.world.budgets.get(v.name)
            start = v.initial if bound is None else min(self.settings.bounds[bound], len(v.domain) - 1)
            found.append((name, 0, start, f"{v.kind}: {', '.join(v.domain)}"))
        for channel, (_, most) in zip(self.world.channels, self.limits, strict=True):
            found.append((f"q_{channel.index}", most, 0, f"what is in flight: {channel.name}"))
            found.append((f"n_{channel.index}", 0, 0, "how many"))
        return found

    # --- queues -------------------------------------------------------------------------------------------------------

    def _push(self, message: str) -> Lines:
        m = self.world.messages[message]
        narrow, wide = self.limits[m.channel]
        room = f"n_{m.channel} < (wide -> {wide} : {narrow})"
        return when(
            room, [f"q_{m.channel}[n_{m.channel}] = {identifier('M_', m.name)};", f"n_{m.channel}++;"], ["cut = 1;"]
        )

    @staticmethod
    def _pop(channel: int) -> Lines:
        q, n = f"q_{channel}", f"n_{channel}"
        return ["i = 1;", *loop(f"i < {n}", [f"{q}[i - 1] = {q}[i];", "i++;"]), f"{n}--;", f"{q}[{n}] = 0;"]

    @staticmethod
    def _clear(channel: int) -> Lines:
        return ["i = 0;", *loop(f"i < n_{channel}", [f"q_{channel}[i] = 0;", "i++;"]), f"n_{channel} = 0;"]

    def _rename(self, act: Rename) -> Lines:
        channel = self.world.messages[act.old].channel
        q, n, old = f"q_{channel}", f"n_{channel}", identifier("M_", act.old)
        stops = (
            when(" || ".join(f"{q}[i] == {identifier('M_', m)}" for m in act.before), ["open = 0;"])
            if act.before
            else []
        )
        if act.new is not None:
            hit = when(f"open && {q}[i] == {old}", [f"{q}[i] = {identifier('M_', act.new)};"])
            return ["i = 0; open = 1;", *loop(f"i < {n}", [*stops, *hit, "i++;"])]
        keep = when(f"!(open && {q}[i] == {old})", [f"{q}[j] = {q}[i];", "j++;"])
        tail = ["i = j;", *loop(f"i < {n}", [f"{q}[i] = 0;", "i++;"]), f"{n} = j;"]
        return ["i = 0; j = 0; open = 1;", *loop(f"i < {n}", [*stops, *keep, "i++;"]), *tail]

    def _in_flight(self, messages: Iterable[str]) -> list[str]:
        found = []
        for name in sorted(messages):
            m = self.world.messages[name]
            cells = range(self.limits[m.channel][1])
            found += [f"q_{m.channel}[{i}] == {identifier('M_', name)}" for i in cells]
        return found

    def _blocked(self, hold_back: Mapping[str, tuple[str, ...] | None], told: bool) -> str:
        """A condition: something is in flight that holds this back."""
        tests = [f"n_{c.index} > 0" for c in self.world.channels if c.mailbox and told]
        for assumption, messages in hold_back.items():
            if self.settings.assumed(assumption) and messages is None:
                return "(" + " || ".join(f"n_{c.index} > 0" for c in self.world.channels) + ")"
            if self.settings.assumed(assumption):
                tests += self._in_flight(messages or ())
        return "(" + (" || ".join(tests) or "false") + ")"

    # --- operations ---------------------------------------------------------------------------------------------------

    def acts(self, acts: Sequence[Act]) -> Lines:
        lines: Lines = []
        for act in acts:
            if isinstance(act, Put):
                lines += clamped(self.name(act.variable.index), len(act.variable.domain) - 1, self.expr(act.expr))
            elif isinstance(act, Send):
                lines += self._sent(act)
            elif isinstance(act, Test):
                lines += when(self.expr(act.condition), self.acts(act.then), self.acts(act.otherwise))
            elif isinstance(act, EmitEvent):
                lines += [f"ev = {identifier('E_', act.event)};"]
            elif isinstance(act, Clear):
                lines += self._clear(act.channel)
            else:
                lines += self._rename(act)
        return lines

    def _sent(self, act: Send) -> Lines:
        message = self.world.messages[act.message]
        lines = [*self._push(act.message), *self.acts(self.hooks.get(("sent", act.message), ()))]
        if self.lossy and message.lossy:
            lines = [
                f"{self.counter}++;",
                *when(f"{self.counter} == loses", ["gone = 1;", *self.acts(message.lost)], lines),
            ]
        if act.times is None:
            return lines
        return [f"k = {self.name(act.times.index)};", *loop("k > 0", [*lines, "k--;"])]

    def effect(self, name: str, literals: Mapping[str, int]) -> Lines:
        """What the world makes of an effect; `fl[z]` says which of the literals it has."""
        lines = self.acts((*self.world.effects.get(name, ()), *self.hooks.get(("effect", name), ())))
        found = [(x, self._said(name, x)) for x in literals]
        return [*lines, *cases([(f"fl[z] == {identifier('L_', x)}", self.acts(acts)) for x, acts in found if acts])]

    def literals(self) -> dict[str, list[str]]:
        """By effect, the arguments that somebody listens to."""
        found: dict[str, list[str]] = {}
        for kind, name in self.hooks:
            effect, _, literal = name.partition("(")
            if kind == "effect" and literal:
                found.setdefault(effect, []).append(literal.rstrip(")"))
        own = {effect: self.spec.vocabulary.own_words(effect) for effect in found}
        return {effect: [*known, *(self.spec.say if own[effect] in known else ())] for effect, known in found.items()}

    def _said(self, effect: str, literal: str) -> Sequence[Act]:
        """What somebody makes of an argument; an instruction of the spec's own is something that is to be said, too."""
        word, own = self.spec.vocabulary.effects[effect], self.spec.vocabulary.own_words(effect)
        is_own = own in word.choices and literal in self.spec.say and literal not in word.choices
        names = [own, literal] if is_own else [literal]
        return [act for name in names for act in self.hooks.get(("effect", f"{effect}({name})"), ())]

    def heard(self) -> Lines:
        """What remembers events."""
        found = [(name, acts) for (kind, name), acts in self.hooks.items() if kind == "event"]
        known = {*self.spec.vocabulary.events, *(d.event for d in self.spec.deadlines.values())}
        return cases([(f"ev == {identifier('E_', n)}", self.acts(acts)) for n, acts in found if n in known])

    # --- ways ---------------------------------------------------------------------------------------------------------

    def move(self, move: Move) -> PromelaWay:
        acts = (*move.acts, *self.hooks.get(("move", move.name), ()))
        names = {n for assumption, ways in move.gives_way.items() if self.settings.assumed(assumption) for n in ways}
        tests = [self.expr(move.when), *self._yields(names), f"!{self._blocked(move.hold_back, False)}"]
        lines: Lines = []
        if move.receive is not None:
            message = self.world.messages[move.receive]
            tests.insert(0, f"q_{message.channel}[0] == {identifier('M_', message.name)}")
            lines = self._pop(message.channel)
        blocked = self._blocked(move.hold_back, move.receive is None)
        emits = next(emitted(acts), None) is not None
        return PromelaWay(
            move.name, " && ".join(tests), [*lines, *self.acts(acts)], blocked, move.receive is not None,
            self._most(acts), emits, move.fair is True or self.settings.assumed(str(move.fair)),
        )  # fmt: skip

    def deadline(self, deadline: Deadline, condition: str) -> PromelaWay:
        timers = self.world.timers
        patience = [p for p in timers.patience if self.settings.assumed(p.assume)]
        names = {m for p in patience if not p.deadlines or deadline.name in p.deadlines for m in p.moves}
        blocked = self._blocked(timers.hold_back, True)
        guard = " && ".join([condition, *self._yields(names), f"!{blocked}"])
        return PromelaWay(
            deadline.event, guard, [f"ev = {identifier('E_', deadline.event)};"], "(false)", True, 0, True
        )

    def _yields(self, names: Iterable[str]) -> Lines:
        """Not while one of these could be taken."""
        wanted = set(names)
        return [f"!({self.expr(m.when)})" for m in self.moves if m.name in wanted]

    def _most(self, acts: Sequence[Act]) -> int:
        """The most lossy sends of operations."""
        count = 0
        for act in acts:
            if isinstance(act, Send) and self.lossy and self.world.messages[act.message].lossy:
                count += len(act.times.domain) - 1 if act.times is not None else 1
            elif isinstance(act, Test):
                count += max(self._most(act.then), self._most(act.otherwise))
        return count

    def ways(self, expr: Callable[[Expr], str]) -> list[PromelaWay]:
        """All that can happen: moves, then deadlines. `expr` writes a condition of the controller."""
        return [
            *(self.move(m) for m in self.moves),
            *(self.deadline(d, expr(d.condition)) for d in self.spec.deadlines.values()),
        ]
