"""What events, effects and presumptions mean: the slots they need and move. The typed form.

A slot is a thing a conversation has exactly one of (the provider session, the response, our create in flight ...). Only
what stands here moves a slot; a spec reads them. Never here: states, transitions, ids (see fsm.machine.ledgers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from fsm.language.expression import Variable
from fsm.language.ledger import NO_LEDGER, LedgerProtocol
from fsm.language.problem import NOWHERE, Place

APPLICATION = "application"
"""Who a fact is from, and an effect is for, that a vocabulary adds without Python of ours."""
FAILURE_FIELDS = ("reason", "text")
"""What is said of an effect of an application's that has failed: which kind of failure (a word), and the rest."""
PLAIN = "plain"
"""The recipe of an effect without arguments; no ledger is needed for it."""


@attrs.frozen
class Word:
    """An event variant, an effect or a presumption: when it is legal and how it moves the slots (by value index)."""

    name: str
    when: Mapping[str, frozenset[int]] = attrs.field(factory=dict, eq=False)
    moves: Mapping[str, Mapping[int, int]] = attrs.field(factory=dict, eq=False)
    place: Place = attrs.field(default=NOWHERE, eq=False)

    def admits(self, slots: Mapping[str, int], v: Sequence[int]) -> bool:
        """Is it legal where `v` is the configuration and `slots` maps slot names to positions in it?"""
        return all(v[slots[slot]] in allowed for slot, allowed in self.when.items())

    def move(self, slots: Mapping[str, int], v: list[int]) -> None:
        for slot, table in self.moves.items():
            index = slots[slot]
            v[index] = table.get(v[index], v[index])


@attrs.frozen
class EventWord(Word):
    """A variant of an event. `noise` says why it never reaches a state; `instead` what it is when `when` fails.

    `otherwise` is a reason: where `when` fails the event is ignored for it; without one that is a protocol violation.
    """

    base: str = ""
    source: str = "wire"
    noise: str | None = None
    otherwise: str | None = None
    instead: str | None = None
    data: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """Of what an application says: its fields and their types (fsm.language.request_data)."""
    where: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, eq=False)
    """The fields that make it this variant, with the values they have then (fsm.language.variants)."""
    of: str = ""
    """What it is first: a variant of the ledger's, or the event that is split."""
    noted: bool = True
    """False: the ledger takes no note of it."""

    @property
    def is_request(self) -> bool:
        """A request may be refused; a fact may not."""
        return self.source == "request"

    @property
    def is_said(self) -> bool:
        """Does an application say it, as a request or as a fact?"""
        return self.source in ("request", APPLICATION)


@attrs.frozen
class EffectWord(Word):
    """An effect. `sends` names the wire effect if it differs; `choices` the literals it takes.

    `to` is provider, local or application; `recipe` (the ledger) makes its arguments, named `args`; an error about it
    becomes event `rejected`. An application gets the fields `args` of the event for which the effect is emitted.
    """

    to: str = "local"
    recipe: str = PLAIN
    args: tuple[str, ...] = ()
    sends: str = ""
    choices: tuple[str, ...] = ()
    rejected: str | None = None
    optional: bool = False
    """For the application: nothing need be bound to it; the spec hears that it failed."""


@attrs.frozen
class Presumption(Word):
    """What a deadline may take for granted; a move to an explicit value."""


@attrs.frozen
class WireForm:
    """How a wire event becomes a machine event: the paths of its fields, perhaps once for each element of a list."""

    event: str
    fields: Mapping[str, str]
    each: str | None = None
    where: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen
class ErrorForm:
    """A wire error known by code, else by how its message opens, else by the parameter it blames."""

    event: str
    code: str | None
    message: str | None
    param: str | None


def result_of(effect: str, kind: str) -> str:
    """The event that says that an application's effect is `done` or has `failed`."""
    return f"application.{effect}.{kind}"


@attrs.frozen
class Vocabulary:
    """Everything the words of a spec mean. `events` is keyed by variant name, in the order of the file."""

    names: tuple[str, ...]
    slots: tuple[Variable, ...]
    waits: Mapping[str, frozenset[int]]
    events: Mapping[str, EventWord]
    effects: Mapping[str, EffectWord]
    presumptions: Mapping[str, Presumption]
    wire: Mapping[str, tuple[WireForm, ...]]
    errors: tuple[ErrorForm, ...]
    noise: Mapping[str, str]
    identities: Mapping[str, str]
    ledger: LedgerProtocol[Any] = attrs.field(default=NO_LEDGER, repr=lambda ledger: repr(ledger.name))
    """Knows its identities and recipes."""
    audible: Mapping[str, frozenset[int]] = attrs.field(factory=dict)
    """Of each slot, the values in which the caller hears something of ours."""

    @property
    def requests(self) -> frozenset[str]:
        """The names by which somebody may ask something of a call."""
        return frozenset(event.base or event.name for event in self.events.values() if event.is_request)

    @cached_property
    def sayable(self) -> frozenset[str]:
        """What an application may say to a call: requests and its own facts. What came of an effect only we say."""
        return self.said - self.results.keys()

    @cached_property
    def said(self) -> frozenset[str]:
        """The same with what came of the application's effects, where the vocabulary has words for it."""
        return frozenset(event.base or event.name for event in self.events.values() if event.is_said)

    @cached_property
    def results(self) -> Mapping[str, str]:
        """The events that say what came of an application's effect, each with that effect."""
        names = [word.name for word in self.effects.values() if word.to == APPLICATION]
        return {result_of(name, kind): name for name in names for kind in ("done", "failed")}

    def data_of(self, said: str) -> Mapping[str, str]:
        """The fields that an application says and their types; the same for all variants."""
        words = (event for event in self.events.values() if event.is_said and (event.base or event.name) == said)
        return next((word.data for word in words), {})

    @cached_property
    def refined(self) -> Mapping[str, tuple[EventWord, ...]]:
        """The variants told apart by what an event carries, by what it is first; the one for the rest comes last."""
        found: dict[str, list[EventWord]] = {}
        for word in self.events.values():
            if word.of:
                found.setdefault(word.of, []).append(word)
        return {of: tuple(sorted(words, key=lambda word: not word.where)) for of, words in found.items()}

    def own_words(self, effect: str) -> str:
        """Which words of the spec's own an effect's argument may be: "prompts", "say", "" for none."""
        recipe = self.ledger.recipes.get(self.effects[effect].recipe)
        return recipe.own if recipe is not None else ""

    @property
    def alphabet(self) -> tuple[EventWord, ...]:
        """The events a state has to answer."""
        return tuple(e for e in self.events.values() if e.noise is None)
