"""Which line of a spec decides: rules name words of the language, the loaded spec knows where they stand.

No line number is written here. A word the chosen spec does not have is looked for in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from fsm.audit.record import visible
from fsm.language.problem import NOWHERE, Place
from fsm.language.spec import Branch, Emit, Operation, Row, Spec


@attrs.frozen
class SpecLink:
    """A word of a spec: an effect, event, deadline, slot or context variable, a cell (state, event), the row of a
    choice that emits an effect, a refused turn-detection setting. `says` is what stands there, in words."""

    kind: str
    name: str
    says: str
    event: str = ""


@attrs.frozen
class Forbids:
    """A line of a spec that would not have let it happen."""

    spec: str
    place: Place
    says: str
    quote: str = attrs.field(default="", converter=visible)

    @property
    def where(self) -> str:
        return f"{self.place.file}:{self.place.line}"


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
    if link.kind == "effect":
        effect = spec.vocabulary.effects.get(link.name)
        return effect.place if effect else None
    if link.kind == "event":
        event = spec.vocabulary.events.get(link.name)
        return event.place if event else None
    if link.kind == "deadline":
        deadline = spec.deadlines.get(link.name)
        return deadline.place if deadline else None
    if link.kind == "variable":
        return next((v.place for v in spec.variables if v.name == link.name), None)
    if link.kind == "refusal":
        return next((r.place for r in spec.turn_detection.refuses if r.key == link.name), None)
    if link.kind == "cell":
        cell = spec.cells.get((link.name, link.event))
        return cell.rows[0].place if cell else None
    choice = spec.choices.get(link.name)
    rows = choice.rows if choice else ()
    return next((row.place for row in rows if _emits(row, link.event)), None)


def _emits(row: Row, effect: str) -> bool:
    return any(_in(op, effect) for op in row.operations)


def _in(op: Operation, effect: str) -> bool:
    if isinstance(op, Branch):
        return any(_in(each, effect) for each in (*op.then, *op.otherwise))
    return isinstance(op, Emit) and op.effect == effect


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
