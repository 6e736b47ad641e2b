"""Which line of a spec decides: rules name words of the protocol, the loaded spec knows where they stand.

No line number is written here, and no name of a state, slot, context variable or choice: those are found by what they
do. A word the chosen spec does not have is looked for in the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import attrs

from fsm.audit.record import visible
from fsm.language.problem import NOWHERE, Place
from fsm.language.spec import Deadline, Row, Spec, emitted
from fsm.language.vocabulary import Word

LinkKind = Literal[
    "effect", "event", "deadline",  # where the word `name` is defined
    "answer",  # the row that answers the event `name`, in the states with `tag`: of several the one most states share
    "emitter",  # the row of a choice that emits the effect `name`
    "moved",  # the slot that the effect `name` moves
    "counter",  # the context variable whose overflow is the event `name`
    "greeting",  # the context variable that a call without a greeting begins with at another value
]  # fmt: skip


@attrs.frozen
class SpecLink:
    """Something in a spec, by its kind and a word of the protocol. `says` is what stands there, in words."""

    kind: LinkKind
    name: str
    says: str
    tag: str = ""


@attrs.frozen
class Forbids:
    """A line of a spec that would not have let it happen."""

    spec: str
    place: Place
    says: str
    quote: str = attrs.field(default="", converter=visible)

    @property
    def where(self) -> str:
        return self.place.lines


Quote = Callable[[Place], str]
"""`quote(place)`: the text of that line, "" if it is not to be had."""


def no_quote(place: Place) -> str:
    """Where the text of a spec is not at hand."""
    del place
    return ""


def find(specs: Sequence[Spec], links: Sequence[SpecLink], quote: Quote = no_quote) -> tuple[Forbids, ...]:
    """Every link in the first spec that has it."""
    found: list[Forbids] = []
    for link in links:
        for spec in specs:
            place = _place(spec, link)
            if place is not None and place != NOWHERE:
                found.append(Forbids(spec.name, place, _filled(spec, link), quote(place)))
                break
    return tuple(dict.fromkeys(found))


def _place(spec: Spec, link: SpecLink) -> Place | None:
    return next(iter(_FINDERS[link.kind](spec, link)), None)


def _answers(spec: Spec, link: SpecLink) -> list[Place]:
    """Most shared first; of those shared alike, in the order of the spec."""
    states = spec.tagged(link.tag) if link.tag else spec.states
    cells = (spec.cells.get((state, link.name)) for state in spec.states if state in states)
    return [place for place, _ in Counter(cell.rows[0].place for cell in cells if cell).most_common()]


def _emitters(spec: Spec, link: SpecLink) -> Iterator[Place]:
    rows = (row for choice in spec.choices.values() for row in choice.rows)
    return (row.place for row in rows if _emits(row, link.name))


def _moved(spec: Spec, link: SpecLink) -> Iterator[Place]:
    effect = spec.vocabulary.effects.get(link.name)
    return (spec.variable(slot).place for slot in (effect.moves if effect else ()))


def _defined(words: Mapping[str, Word | Deadline], link: SpecLink) -> list[Place]:
    return [words[link.name].place] if link.name in words else []


_FINDERS: Mapping[LinkKind, Callable[[Spec, SpecLink], Iterable[Place]]] = {
    "effect": lambda spec, link: _defined(spec.vocabulary.effects, link),
    "event": lambda spec, link: _defined(spec.vocabulary.events, link),
    "deadline": lambda spec, link: _defined(spec.deadlines, link),
    "answer": _answers,
    "emitter": _emitters,
    "moved": _moved,
    "counter": lambda spec, link: (v.place for v in spec.context if v.overflow == link.name),
    "greeting": lambda spec, _link: (v.place for v in spec.context if v.name in spec.without_greeting),
}


def _emits(row: Row, effect: str) -> bool:
    return any(each.effect == effect for each in emitted(row.operations))


def _filled(spec: Spec, link: SpecLink) -> str:
    """`{when}`: what the slots must be for an effect; `{after}`: how long a deadline is."""
    when = after = ""
    effect = spec.vocabulary.effects.get(link.name)
    if effect is not None:
        slots = {slot.name: slot for slot in spec.slots}
        when = ", ".join(
            f"{name} {' or '.join(slots[name].domain[i] for i in sorted(values))}"
            for name, values in effect.when.items()
        )
    if link.name in spec.deadlines:
        after = f"{spec.deadlines[link.name].after_ms / 1000:g} s"
    return link.says.replace("{when}", when).replace("{after}", after)
