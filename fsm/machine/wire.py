"""Wire events of the provider as machine events, by the vocabulary's table. Never raises for what comes in.

Of no protocol, but in one form: a mapping with a `type`; an error is of type `error` and says its `code`, `message`,
`param` and the `event_id` of what it refuses in `error`. The codec of a provider that speaks otherwise turns what it
reads into this form. A field of the wrong type or absent is left out; an unknown type gives nothing. Which variant it
is comes later. Where the ledger reads a wait in an event's words, all facts of it have that as `retry_after_ms`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from fsm.language.vocabulary import Vocabulary, WireForm
from fsm.machine.machine import Event

Wire = Mapping[str, object]


def knows(vocabulary: Vocabulary, wire_type: str) -> bool:
    """Is this wire event in the vocabulary, as an event or as noise?"""
    return wire_type in vocabulary.wire or wire_type in vocabulary.noise or wire_type == "error"


def read_wire(vocabulary: Vocabulary, wire: Wire) -> tuple[Event, ...]:
    """The machine events in one wire event, in the order in which they are to be stepped."""
    wire_type = wire.get("type")
    if not isinstance(wire_type, str):
        return ()
    if wire_type == "error":
        return _waiting((_error(vocabulary, wire),), vocabulary.ledger.stated_wait_ms(wire))
    forms = vocabulary.wire.get(wire_type)
    if not forms:  # most of what comes: the words of a transcript, one by one
        return ()
    events = tuple(event for form in forms for event in _events(form, wire))
    return _waiting(events, vocabulary.ledger.stated_wait_ms(wire)) if events else ()


def _waiting(events: tuple[Event, ...], wait_ms: int | None) -> tuple[Event, ...]:
    """The events with the wait that was stated, if one was."""
    if wait_ms is None:
        return events
    return tuple(Event(name, {**data, "retry_after_ms": wait_ms}) for name, data in events)


def _events(form: WireForm, wire: Wire) -> Iterator[Event]:
    elements: list[object] = [wire]
    if form.each is not None:
        found = at_path(wire, form.each)
        elements = list(found) if isinstance(found, list | tuple) else [found]
    for element in elements:
        if isinstance(element, Mapping) and all(_matches(element, k, v) for k, v in form.where.items()):
            yield Event(form.event, _fields(element, form.fields))


def _matches(element: Wire, path: str, allowed: tuple[str, ...]) -> bool:
    value = at_path(element, path)
    return (value if isinstance(value, str) else "") in allowed


def _fields(element: Wire, paths: Mapping[str, str]) -> dict[str, object]:
    found = {name: at_path(element, path) for name, path in paths.items()}
    return {name: value for name, value in found.items() if isinstance(value, str | int) or name == "tag"}


def at_path(value: object, path: str) -> object:
    """The value at a dotted path; `#`: a list's length, `?key`: 1 if it has the key, else 0; None: it leads nowhere."""
    for part in path.split("."):
        if part == "#":
            return len(value) if isinstance(value, list | tuple) else None
        if not isinstance(value, Mapping):
            return None
        if part.startswith("?"):
            return int(part[1:] in value)
        value = value.get(part)
    return value


@attrs.frozen
class _Error:
    code: str
    message: str
    param: str
    event_id: str


def _error(vocabulary: Vocabulary, wire: Wire) -> Event:
    body = wire.get("error")
    fields = {k: v for k, v in body.items() if isinstance(v, str)} if isinstance(body, Mapping) else {}
    error = _Error(*(fields.get(name, "") for name in ("code", "message", "param", "event_id")))
    data = {k: fields[k] for k in ("code", "message", "param", "event_id") if k in fields}
    return Event(_error_event(vocabulary, error), data)


def _error_event(vocabulary: Vocabulary, error: _Error) -> str:
    """By code, else by how the message opens, else by the effect whose event id it carries, else by parameter."""
    for form in vocabulary.errors:
        if form.code is not None and form.code == error.code:
            return form.event
    for form in vocabulary.errors:
        if form.message is not None and error.message.startswith(form.message):
            return form.event
    effect = vocabulary.ledger.effect_of(error.event_id)
    for word in vocabulary.effects.values():
        if effect in (word.name, word.sends) and word.rejected is not None:
            return word.rejected
    for form in vocabulary.errors:
        if form.param is not None and (error.param == form.param or error.param.startswith(form.param + ".")):
            return form.event
    return "error.unrelated"
