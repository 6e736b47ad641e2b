"""The seam of a protocol's ledger: all that loader, machine, wire, scenarios and audit may ask of it.

A ledger turns ids into variants (identities) and ids into arguments (recipes). A vocabulary names it, `ledger: NAME`;
from there on everybody has the object and nobody imports the module (fsm.machine.ledgers has the registry, which the
loader gets as an argument). The value it keeps of a call is immutable and opaque here, but for what a reader of calls
needs of each of them (CallIds).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import attrs

Data = Mapping[str, object]
"""Of an event, as it came in."""
Args = Mapping[str, object]
"""Of an effect."""
Fresh = Callable[[str], str]
"""`fresh("item")` gives an id nobody has seen: `item_1`, `item_2`, ..."""


class CallIds(Protocol):
    """The ids of a call, as a snapshot holds them."""

    @property
    def create(self) -> str | None:
        """The event id of our request for a response that is still to be answered."""

    @property
    def running(self) -> tuple[str, ...]:
        """The call ids of tools that run."""


Ids = TypeVar("Ids")
Classify = Callable[[Ids, Data], tuple[str, Ids]]
Role = Callable[[str, Ids, Fresh], Data | None]
Made = tuple[tuple[Args, ...], Ids]
Make = Callable[[str, Ids, str | None, Data], Made[Ids]]


@attrs.frozen
class Identity(Generic[Ids]):
    """How an event is told apart by its ids: `identity: NAME` of a vocabulary, with exactly these variants."""

    variants: tuple[str, ...]
    classify: Classify[Ids]
    """(ids, data) -> (variant, ids after it). Pure; never raises for what comes in."""
    role: Role[Ids]
    """(variant, ids, fresh) -> data with which an event is that variant; None: these ids do not allow it."""


@attrs.frozen
class Recipe(Generic[Ids]):
    """How an effect's arguments are made: `recipe: NAME` of a vocabulary, with exactly these arguments."""

    args: tuple[str, ...]
    make: Make[Ids]
    """(effect, ids, literal, data of the event) -> (arguments of each effect made, ids after it). Pure."""
    own: Literal["", "prompts", "say"] = ""
    """What its argument may name besides the vocabulary's choices: the recordings or the instructions of the spec."""


@attrs.frozen(eq=False)
class LedgerProtocol(Generic[Ids]):
    """The ledger of one provider protocol."""

    name: str
    identities: Mapping[str, Identity[Ids]]
    recipes: Mapping[str, Recipe[Ids]]
    begin: Callable[[str], Ids]
    """The ids of a new call; the argument is the key that opens and closes the caller's turn, empty if none does."""
    effect_of: Callable[[str], str | None]
    """The effect that an event id of ours stands for; None: it is not ours."""
    decisive: Callable[[Ids], tuple[object, ...]]
    """What of the ids decides which variants can come next, as a few finite values."""
    stated_wait_ms: Callable[[Data], int | None] = lambda _: None
    """How long a wire event asks to wait, where it says so in words only; None: it does not."""
    carried: Callable[[Ids], Mapping[str, str]] = lambda _: {}
    """What of the ids is the call's and no session's, as texts: it moves along to another ledger."""
    carry: Callable[[Ids, Mapping[str, str]], Ids] = lambda ids, _: ids
    """The way back: (ids of a new call, what another ledger has `carried`) -> ids."""
    fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """What the facts carry that are not of the wire, by event, as far as a vocabulary may tell variants apart by it."""
    values: Mapping[tuple[str, str], tuple[str, ...]] = attrs.field(factory=dict)
    """By event and field: all that the field can be, where that is a closed set."""


class NoIds(NamedTuple):
    """Of a call whose vocabulary names no ledger."""

    create: None = None
    running: tuple[str, ...] = ()


NO_LEDGER = LedgerProtocol[NoIds]("", {}, {}, lambda _: NoIds(), lambda _: None, lambda _: ())

Ledgers = Mapping[str, LedgerProtocol[Any]]
"""The ledgers there are, by name."""
