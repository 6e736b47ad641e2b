"""A call that goes on under another spec: what of it is the call's, and not the lost session's, moves along. Pure.

Asked when the one spec has left its session and is about to open another, which is where the other spec begins. What
was of the session is at its beginning there by then, so what both know by the same name may be taken as it is. Two
things may have other names or values there: what is owed to the caller (what a call without a greeting does not owe),
and the ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from fsm.language.ledger import Data
from fsm.language.spec import Spec
from fsm.machine.machine import Event, Snapshot


@attrs.frozen
class Takeover:
    """What the other spec's machine begins with, by name (TurnSpecMachine.take_over), and what still waits."""

    values: Mapping[str, str]
    ids: Mapping[str, str]
    waiting: tuple[Event, ...]


def take_over(
    old: Spec, snapshot: Snapshot, new: Spec, start: Mapping[str, str], *, is_said_again: bool = False
) -> Takeover:
    """From `old`, which stands in `snapshot`, to `new`; `start`: what any call of it begins with (start_context).

    `is_said_again`: the provider will hear the caller's turn and answer it by itself; asked as well, it would twice.
    """
    said = {each.name: each.domain[snapshot.control.values[each.index]] for each in (*old.slots, *old.context)}
    kept = {name: said[name] for name in (*_same_slots(old, new), *_same_context(old, new))}
    waiting: Mapping[str, Data] = snapshot.data
    return Takeover(
        {**start, **kept, **(new.without_greeting if is_said_again else _owed(old, said, new))},
        old.vocabulary.ledger.carried(snapshot.ledger),
        tuple(Event(name, waiting.get(name, {})) for name in snapshot.control.waiting),
    )


def _same_slots(old: Spec, new: Spec) -> Iterator[str]:
    """Those of one and the same vocabulary: the line, the playout, a transfer. A protocol's own are never."""
    written = {each.name: each.place for each in new.slots}
    return (each.name for each in old.slots if written.get(each.name) == each.place)


def _same_context(old: Spec, new: Spec) -> Iterator[str]:
    known = {each.name: each.domain for each in new.context}
    return (each.name for each in old.context if known.get(each.name) == each.domain)


def _owed(old: Spec, said: Mapping[str, str], new: Spec) -> Mapping[str, str]:
    """By the value's name; one that the other spec does not tell apart is the most that may be owed there: its last."""
    names = tuple(zip(old.without_greeting, new.without_greeting, strict=False))
    owed = {there: (said[here], new.variable(there).domain) for here, there in names}
    return {name: value if value in domain else domain[-1] for name, (value, domain) in owed.items()}
