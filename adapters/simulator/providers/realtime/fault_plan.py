"""Which fault strikes which event of one connection. It counts and decides; the wire carries it out. No time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from adapters.simulator.providers.realtime import faults as f
from adapters.simulator.providers.realtime.checks import Json

_Kind = TypeVar("_Kind", bound=f.Fault)
_MISSING = object()


@attrs.define(kw_only=True)
class Treatment:
    """What happens to one event. `again_s`: further copies, so long after it. `moments`: what it sets off."""

    event: Json
    lost: bool = False
    delay_s: float = 0.0
    hold: bool = False
    past: int = 0
    again_s: list[float] = attrs.field(factory=list)
    moments: list[f.AtMoment] = attrs.field(factory=list)


def _field(event: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(event, Mapping) or name not in event:
            return _MISSING
        event = event[name]
    return event


def _holds(event: Json, where: Mapping[str, Any]) -> bool:
    return all(_field(event, path) == wanted for path, wanted in where.items())


def _changed(event: Json, fault: f.Mutate) -> Json:
    changed = copy.deepcopy(event)
    for path, value in [*fault.set.items(), *((path, _MISSING) for path in fault.drop)]:
        *parents, last = path.split(".")
        place: Any = changed
        for name in parents:
            place = place.get(name) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            continue
        if value is _MISSING:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return changed


class FaultPlan:
    """The faults of one connection with their counters."""

    def __init__(self, faults: Sequence[f.Fault], connection: int) -> None:
        self._faults = [fault for fault in faults if fault.connection in (None, connection)]
        self._seen = [0] * len(self._faults)

    def of(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """The faults of one kind, whatever has happened."""
        return (fault for fault in self._faults if isinstance(fault, kind))

    def at_times(self) -> Iterator[tuple[float, f.AtMoment]]:
        """What happens at a time after the connection, in seconds."""
        return ((fault.at_s, fault) for fault in self.of(f.AtMoment) if fault.at_s is not None)

    def _strikes(self, index: int, nth: int | None) -> bool:
        self._seen[index] += 1
        return nth in (None, self._seen[index])

    def on_server_event(self, event: Json) -> Treatment:
        """Count a server event that is about to be sent and say what happens to it."""
        treatment = Treatment(event=event)
        for index, fault in enumerate(self._faults):
            if isinstance(fault, f.AtMoment):
                self._moment(index, fault, fault.after, event, treatment)
            elif (
                isinstance(fault, f.OnEvent)
                and not isinstance(fault, (f.IgnoreClient, f.DelayClient))
                and fault.type == event.get("type")
                and _holds(event, fault.where)
                and self._strikes(index, fault.nth)
            ):
                _treat(treatment, fault)
        return treatment

    def on_client_event(self, event: Json) -> Treatment:
        """Count a client event and say what happens to it."""
        treatment = Treatment(event=event)
        for index, fault in enumerate(self._faults):
            if isinstance(fault, f.AtMoment):
                self._moment(index, fault, fault.after_client, event, treatment)
            elif (
                isinstance(fault, (f.IgnoreClient, f.DelayClient))
                and fault.type == event.get("type")
                and _holds(event, fault.where)
                and self._strikes(index, fault.nth)
            ):
                treatment.lost |= isinstance(fault, f.IgnoreClient)
                treatment.delay_s += fault.by_s if isinstance(fault, f.DelayClient) else 0
        return treatment

    def _moment(self, index: int, fault: f.AtMoment, kind: str | None, event: Json, treatment: Treatment) -> None:
        matches = kind is not None and kind == event.get("type") and _holds(event, fault.where)
        if matches and self._strikes(index, fault.nth):
            treatment.moments.append(fault)

    def next_update_refusal(self) -> f.RefuseUpdate | None:
        """Count a session.update; the fault that refuses it."""
        return self._next(f.RefuseUpdate)

    def next_crossing(self) -> f.CrossCreate | None:
        """Count a response.create of the client; the fault that lets it cross."""
        return self._next(f.CrossCreate)

    def _next(self, kind: type[_Kind]) -> _Kind | None:
        struck: _Kind | None = None
        for index, fault in enumerate(self._faults):
            if isinstance(fault, kind) and self._strikes(index, getattr(fault, "nth", None)):
                struck = struck or fault
        return struck


def _treat(treatment: Treatment, fault: f.OnEvent) -> None:
    match fault:
        case f.Lose():
            treatment.lost = True
        case f.Delay():
            treatment.delay_s += fault.by_s
            treatment.hold |= fault.hold
        case f.Duplicate():
            treatment.again_s.append(fault.after_s)
        case f.Reorder():
            treatment.past = max(treatment.past, fault.past)
        case f.Mutate():
            treatment.event = _changed(treatment.event, fault)
