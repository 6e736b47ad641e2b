"""What events, effects and presumptions mean: the slots they need and move. The typed form.

A slot is a thing a conversation has exactly one of (the provider session, the response, our create in flight ...). Only
what stands here moves a slot; a spec reads them. Never here: states, transitions, ids (see fsm.machine.ledgers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from fsm.language.expression import Variable
from fsm.language.ledger import NO_LEDGER, LedgerProtocol
from fsm.language.problem import NOWHERE, Place

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

    @property
    def is_request(self) -> bool:
        """A request may be refused; a fact may not."""
        return self.source == "request"


@attrs.frozen
class EffectWord(Word):
    """An effect. `sends` names the wire effect if it differs; `choices` the literals it takes.

    `to` is provider or local; `recipe` (the ledger) makes its arguments, named `args`; an error about it becomes event
    `rejected`.
    """

    to: str = "local"
    recipe: str = PLAIN
    args: tuple[str, ...] = ()
    sends: str = ""
    choices: tuple[str, ...] = ()
    rejected: str | None = None


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
    def alphabet(self) -> tuple[EventWord, ...]:
        """The events a state has to answer."""
        return tuple(e for e in self.events.values() if e.noise is None)
