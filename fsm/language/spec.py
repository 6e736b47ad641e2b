"""A lifecycle spec as typed values: states, rows, choices, groups, deadlines. Every other room of fsm works on it.

Never here: reading text (.spec_reader), checking slots (.typestate), running (fsm.machine.reaction).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

import attrs

from fsm.language.expression import Expr, Variable
from fsm.language.problem import NOWHERE, Place
from fsm.language.vocabulary import EventWord, Vocabulary
from fsm.language.yaml_nodes import Node

Kind = Literal["go", "stay", "defer", "ignore", "refuse", "cannot_happen"]
MAX_CHOICES = 8  # on the way of one step; a longer way is a circle
STATE = 0  # the position of the state in a configuration; slots follow, then context


@attrs.frozen
class Assign:
    """`name = expr`, `name += 1`: saturates at the domain's ends; past the upper one the overflow event is raised."""

    variable: Variable
    expr: Expr
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Emit:
    """An effect; its literal argument is written, or read from a variable when the step is taken."""

    effect: str
    literal: str | None
    variable: Variable | None
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)

    @property
    def literals(self) -> tuple[str, ...]:
        """All that its argument can be. Of a variable the first value stands for nothing."""
        if self.variable is not None:
            return self.variable.domain[1:]
        return (self.literal,) if self.literal is not None else ()


@attrs.frozen
class Presume:
    """A move of the vocabulary to a presumed value."""

    name: str
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Restart:
    """Starts a running deadline anew."""

    deadline: str
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Branch:
    """Operations under a condition."""

    condition: Expr
    then: tuple[Operation, ...]
    otherwise: tuple[Operation, ...]
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


Operation = Assign | Emit | Presume | Restart | Branch


@attrs.frozen
class Row:
    """One answer to an event: under `guard` (None: none of the other rows) do `operations`, go to `target`."""

    id: str
    kind: Kind
    guard: Expr | None
    operations: tuple[Operation, ...]
    target: str | None
    reason: str
    place: Place = attrs.field(default=NOWHERE, eq=False)
    always: bool = False


@attrs.frozen
class Cell:
    """The rows of one (state, event); `group` names where they were written, if not in the state itself.

    `exact`: the event was named, not matched by a pattern. `kin`: what it is first was named.
    """

    rows: tuple[Row, ...]
    group: str | None
    exact: bool
    place: Place = attrs.field(default=NOWHERE, eq=False)
    kin: bool = False

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """What is more specific wins."""
        return (self.group is None, self.exact, self.kin)


STATE_TAGS: Mapping[str, str] = {
    "quiet": "Nobody has the floor and nothing is owed: a call that is to end when it can ends here.",
    "floor_caller": "The caller speaks.",
    "ending": "The call is coming to its end; a final state is one anyway.",
}
"""What programs may ask of a state. Its name is for people."""


@attrs.frozen
class State:
    """Who has the floor. `bound` limits the slot values that may be found here."""

    name: str
    about: str
    entry: tuple[Operation, ...]
    exit: tuple[Operation, ...]
    bound: Mapping[str, frozenset[int]]
    final: bool
    tags: frozenset[str] = frozenset()
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Choice:
    """A decision that rows may target: total and without overlap."""

    name: str
    rows: tuple[Row, ...]
    place: Place = attrs.field(default=NOWHERE, eq=False)


STATED_WAITS: Final = ("retry_after_ms",)
"""What an event's data may say of how long to wait, in ms (the ledger's `stated_wait_ms`)."""


@attrs.frozen
class Deadline:
    """A timer that runs while its condition holds; if it `restarts`, a change of what that reads starts it anew.

    `at_least`: a field of an event's data (one of STATED_WAITS). Started by an event that has it, the timer runs for so
    many milliseconds if that is longer than `after_ms`. `setting`: the limit of an operator that it is instead.
    """

    name: str
    after_ms: int
    condition: Expr
    restarts: bool = True
    at_least: str | None = None
    setting: str | None = None
    place: Place = attrs.field(default=NOWHERE, eq=False)

    @property
    def event(self) -> str:
        return f"timer.{self.name}"


@attrs.frozen
class Group:
    """States that share rows."""

    name: str
    states: tuple[str, ...]
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class OwnWord:
    """What a spec says by a name of its own: a file of audio, an instruction; "" where the configuration has it.

    `said`: the words of which somebody makes the file.
    """

    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)
    said: str = ""


@attrs.frozen
class Refusal:
    """A turn-detection setting that contradicts the spec."""

    key: str
    value: str | None
    reason: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class TurnDetection:
    """What the spec demands of the provider: `none` (manual turns), settings it needs, settings it refuses."""

    manual: bool = False
    needs: Mapping[str, str] = attrs.field(factory=dict)
    refuses: tuple[Refusal, ...] = ()
    place: Place = attrs.field(default=NOWHERE, eq=False)


NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class Spec:
    """A loaded spec. `variables[0]` is the state; a configuration is a tuple of value indexes in this order."""

    name: str
    about: str
    file: str
    version: int
    vocabulary: Vocabulary
    variables: tuple[Variable, ...]
    states: Mapping[str, State]
    choices: Mapping[str, Choice]
    groups: Mapping[str, Group]
    deadlines: Mapping[str, Deadline]
    cells: Mapping[tuple[str, str], Cell]
    initial: str
    turn_detection: TurnDetection
    happy_path: tuple[str, ...] = ()
    without_greeting: Mapping[str, str] = attrs.field(factory=dict)
    """The context a call without a greeting begins with, where that differs from the initial values."""
    settings: Mapping[str, str] = attrs.field(factory=dict)
    """What an operator may set, and the context variable whose value at the start of a call it is."""
    call_data: frozenset[str] = frozenset()
    """Of these settings: what the line may say about a call instead, by the same name."""
    latches: frozenset[str] = frozenset()
    """Variables of the context that are set once, if at all, and never reset."""
    prompts: Mapping[str, OwnWord] = attrs.field(factory=dict)
    """Recordings of its own, by name; a file is relative to the file that names it (`place`)."""
    say: Mapping[str, OwnWord] = attrs.field(factory=dict)
    """Instructions of its own, by name."""
    verify: Node | None = attrs.field(default=None, eq=False, repr=False)
    """What it says about its own verification; read with its world (fsm.verify.environment)."""
    figures: Mapping[str, int] = attrs.field(factory=dict)
    """Its numbers by name."""

    @cached_property
    def slots(self) -> tuple[Variable, ...]:
        return self.variables[1 : 1 + len(self.vocabulary.slots)]

    @cached_property
    def context(self) -> tuple[Variable, ...]:
        return self.variables[1 + len(self.vocabulary.slots) :]

    @cached_property
    def slot_index(self) -> Mapping[str, int]:
        return {v.name: v.index for v in self.slots}

    def start_context(self, *, has_greeting: bool, settings: Mapping[str, str] = NO_SETTINGS) -> dict[str, str]:
        """What `TurnSpecMachine.start` is given: the one rule for calls, journals and checks."""
        chosen = {self.settings[setting]: value for setting, value in settings.items()}
        return chosen if has_greeting else dict(self.without_greeting) | chosen

    def with_limits(self, limits_s: Mapping[str, float]) -> Spec:
        """This spec with an operator's limits, in seconds: each deadline whose `setting` is one of them."""
        chosen = {
            name: attrs.evolve(each, after_ms=round(limits_s[each.setting] * 1000))
            for name, each in self.deadlines.items()
            if each.setting is not None and each.setting in limits_s
        }
        return attrs.evolve(self, deadlines={**self.deadlines, **chosen})

    def values_at_start(self, context: Mapping[str, str] = NO_SETTINGS) -> list[int]:
        """The configuration a call begins with, before its first step; `context` by name, e.g. {"owed": "none"}."""
        values = [v.initial for v in self.variables]
        for name, value in context.items():
            variable = self.variable(name)
            values[variable.index] = variable.value(value)
        return values

    def operations(self) -> Iterator[Operation]:
        """All that it does anywhere, actions written out, branches as they are."""
        rows = (row for cell in self.cells.values() for row in cell.rows)
        choices = (row for choice in self.choices.values() for row in choice.rows)
        for row in (*rows, *choices):
            yield from row.operations
        for state in self.states.values():
            yield from (*state.entry, *state.exit)

    def emits(self) -> Iterator[Emit]:
        """Every place at which it wants something done, actions written out."""
        return emitted(self.operations())

    @cached_property
    def clocks(self) -> frozenset[str]:
        """The deadlines that run on as long as their condition holds: nothing starts them anew."""
        anew = {each.deadline for each in leaves(self.operations()) if isinstance(each, Restart)}
        return frozenset(d.name for d in self.deadlines.values() if not d.restarts and d.name not in anew)

    def tagged(self, tag: str) -> frozenset[str]:
        """The states with a tag of STATE_TAGS; a final state is `ending`, too."""
        assert tag in STATE_TAGS, tag
        return frozenset(s.name for s in self.states.values() if tag in s.tags or (tag == "ending" and s.final))

    @cached_property
    def audible(self) -> tuple[tuple[int, frozenset[int]], ...]:
        """Where in a configuration, and with which values, the caller hears something of ours."""
        slots = self.vocabulary.audible
        return tuple((self.slot_index[name], values) for name, values in slots.items() if values)

    def variable(self, name: str) -> Variable:
        return next(v for v in self.variables if v.name == name)

    @property
    def events(self) -> tuple[str, ...]:
        """Every event a state may have to answer, in the order of the vocabulary, timers last."""
        return (*(e.name for e in self.vocabulary.alphabet), *(d.event for d in self.deadlines.values()))


def leaves(operations: Iterable[Operation]) -> Iterator[Assign | Emit | Presume | Restart]:
    """Each of them, and those of branches."""
    for each in operations:
        if isinstance(each, Branch):
            yield from leaves((*each.then, *each.otherwise))
        else:
            yield each


def emitted(operations: Iterable[Operation]) -> Iterator[Emit]:
    """Every effect among them, those of branches too."""
    return (each for each in leaves(operations) if isinstance(each, Emit))


def word_for(spec: Spec, event: str, values: Sequence[int]) -> tuple[EventWord | None, str, bool]:
    """The word an event is in these slots, its name, and whether it can be: follows `instead`."""
    name = event
    for _ in range(MAX_CHOICES):
        word = spec.vocabulary.events.get(name)
        if word is None or word.admits(spec.slot_index, values):
            return word, name, True
        if word.instead is None:
            return word, name, False
        name = word.instead
    return None, event, False
