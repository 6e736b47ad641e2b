"""A world as typed values: everything around the controller, as finite variables, guarded moves and bounded queues.

Never here: reading text (fsm.world.reader), being taken (fsm.world.code), rules of the controller (fsm.machine).
Messages are roles: what the controller's ledger of ids would make of them (fsm.machine.ledgers), never ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from fsm.language.expression import Expr, Variable
from fsm.language.problem import NOWHERE, Place

CLASSES = ("provider", "caller", "tool", "timer", "playout", "telephony", "request")


@attrs.frozen
class Message:
    """A role that travels in a channel. `code` counts from 1 in its channel; `lost` is done where a send is lost."""

    name: str
    channel: int
    code: int
    lossy: bool
    lost: tuple[Act, ...] = ()
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Channel:
    """A FIFO. A move that nothing was received for may fill it to `capacity`, an answer to `capacity + reserve`.

    `mailbox`: a move that emits an event and received no message waits until this queue is empty.
    """

    name: str
    index: int
    capacity: int
    reserve: int
    mailbox: bool = False
    about: str = ""
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Put:
    """`variable = expr`, kept within the domain."""

    variable: Variable
    expr: Expr
    text: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Send:
    """Puts a message at the end of its channel; `times` repeats it."""

    message: str
    times: Variable | None
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class EmitEvent:
    """Hands an event variant to the controller, which reacts at once. The last operation of a move.

    `of`: what the world calls it, where the vocabulary makes several variants of that.
    """

    event: str
    place: Place = attrs.field(default=NOWHERE, eq=False)
    of: str = ""


@attrs.frozen
class Clear:
    """Empties a channel."""

    channel: int
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Rename:
    """Changes the role of a message in flight (`new` None takes it out), up to the first of `before`."""

    old: str
    new: str | None
    before: tuple[str, ...]
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Test:
    """Operations under a condition."""

    __test__ = False  # not pytest's

    condition: Expr
    then: tuple[Act, ...]
    otherwise: tuple[Act, ...]
    place: Place = attrs.field(default=NOWHERE, eq=False)


Act = Put | Send | EmitEvent | Clear | Rename | Test


@attrs.frozen
class Need:
    """What must hold for a move to be there: a feature of the spec, or an assumption's value."""

    name: str
    value: str
    negated: bool = False


@attrs.frozen
class Move:
    """A thing that can happen. Under an assumption it waits: while a message of `hold_back` is in flight (None: any),
    while a move of `gives_way` can be taken. `fair` may name an assumption under which it is.
    """

    name: str
    kind: str
    fair: bool | str
    when: Expr
    receive: str | None
    acts: tuple[Act, ...]
    needs: tuple[Need, ...]
    hold_back: Mapping[str, tuple[str, ...] | None] = attrs.field(factory=dict, eq=False)
    gives_way: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, eq=False)
    about: str = ""
    place: Place = attrs.field(default=NOWHERE, eq=False)
    origin: str = ""
    """The world's own name of it, where it is one of several that a vocabulary makes of it."""


@attrs.frozen
class Assumption:
    """Something taken for granted, with its evidence; `values[0]` is 'not assumed'."""

    name: str
    values: tuple[str, ...]
    default: str
    about: str
    evidence: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class WorldBound:
    """A limit on how often something happens in a run."""

    name: str
    quick: int
    full: int
    about: str = ""
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Feature:
    """A fact about the spec: it speaks this vocabulary."""

    name: str
    vocabulary: str
    about: str = ""


@attrs.frozen
class ProviderSetting:
    """A key of the provider's turn detection: set, a spec that has the feature `of` must have `feature`, else not."""

    key: str
    feature: str
    of: str | None
    default: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class DeadlinePatience:
    """Under `assume`, these deadlines (none named: all) do not fire while one of these moves can be taken."""

    assume: str
    deadlines: tuple[str, ...]
    moves: tuple[str, ...]


@attrs.frozen
class WorldTimers:
    """When deadlines fire: as soon as they run, but held back under assumptions as a move is."""

    hold_back: Mapping[str, tuple[str, ...] | None] = attrs.field(factory=dict, eq=False)
    patience: tuple[DeadlinePatience, ...] = ()


@attrs.frozen
class Scene:
    """Assumptions and bounds that belong together; `sizes`: quick, full or both; `needs`: features of the spec.

    `chosen`: what an operator has set of the spec's own settings; it is of specs that have them.
    """

    name: str
    about: str
    assume: Mapping[str, str]
    bounds: Mapping[str, Mapping[str, int]]
    sizes: tuple[Literal["quick", "full"], ...]
    capacities: Mapping[str, int]
    needs: tuple[Need, ...] = ()
    chosen: Mapping[str, str] = attrs.field(factory=dict)
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class World:
    """A loaded world. `variables` are indexed from 0; a variable in `budgets` starts at the bound's value."""

    name: str
    about: str
    file: str
    variables: tuple[Variable, ...]
    budgets: Mapping[str, str]
    channels: tuple[Channel, ...]
    messages: Mapping[str, Message]
    moves: tuple[Move, ...]
    effects: Mapping[str, tuple[Act, ...]]
    features: Mapping[str, Feature]
    assumptions: Mapping[str, Assumption]
    bounds: Mapping[str, WorldBound]
    scenes: Mapping[str, Scene]
    timers: WorldTimers
    loss: tuple[str, str] | None
    settings: tuple[ProviderSetting, ...] = ()
    place: Place = attrs.field(default=NOWHERE, eq=False)

    def variable(self, name: str) -> Variable:
        return next(v for v in self.variables if v.name == name)
