"""Faults as data: what goes wrong, on which event, how; and which of them strikes which event of one connection.

In a scenario file each is a mapping whose key `fault` names the kind (see KINDS). Common keys: `connection` (1 is the
first the server accepted; absent: every one), `nth` (1 is the first match; absent: every match), `where` (fields of
the event by dotted path, e.g. `response.status: completed`). The plan counts and decides; outbox and core carry out.
"""

from __future__ import annotations

import copy
import http
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs

from adapters.simulator.providers.realtime.dialect import Json


@attrs.frozen(kw_only=True)
class PlannedFault:
    connection: int | None = None


@attrs.frozen(kw_only=True)
class OnEvent(PlannedFault):
    """Bound to events of one wire type."""

    type: str
    nth: int | None = None
    where: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Lose(OnEvent):
    """The server event is never sent."""


@attrs.frozen(kw_only=True)
class Delay(OnEvent):
    """The server event comes `by_s` later; with `hold`, so does everything after it (a slow line, order kept)."""

    by_s: float
    hold: bool = False


@attrs.frozen(kw_only=True)
class Duplicate(OnEvent):
    """The server event is sent a second time, `after_s` later."""

    after_s: float = 0.0


@attrs.frozen(kw_only=True)
class Reorder(OnEvent):
    """The server event lets the next `past` events pass (a second at most)."""

    past: int = 1


@attrs.frozen(kw_only=True)
class Mutate(OnEvent):
    """The server event is changed: dotted paths set to values, or dropped. `response.usage: null`, `delta: {}`."""

    set: Mapping[str, Any] = attrs.field(factory=dict)
    drop: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class OnClientEvent(OnEvent):
    """The same of an event that the client sends."""


@attrs.frozen(kw_only=True)
class IgnoreClient(OnClientEvent):
    """The client event is received and nothing happens."""


@attrs.frozen(kw_only=True)
class DelayClient(OnClientEvent):
    """The client event is processed `by_s` late; later ones overtake it."""

    by_s: float


@attrs.frozen(kw_only=True)
class RefuseClient(OnClientEvent):
    """The client event is answered with this error and changes nothing."""

    code: str | None = "invalid_value"
    message: str = "Invalid value."
    param: str | None = None


@attrs.frozen(kw_only=True)
class RefuseUpdate(PlannedFault):
    """The nth session.update is answered with this error and changes nothing."""

    nth: int | None = None
    code: str | None = "unknown_parameter"
    message: str = "Unknown parameter: 'session.audio'."
    param: str | None = "session.audio"


@attrs.frozen(kw_only=True)
class OverruleUpdate(PlannedFault):
    """Every session.update is accepted, and then some settings are as the server likes.

    `set` has dotted paths of the GA session; the server shows them in session.updated and acts by them. With
    `audio.output.format: {type: audio/pcm, rate: 24000}` it keeps PCM, with `audio.input.turn_detection: null` it
    detects no turns, with `tools: []` it drops the tools.
    """

    set: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class CrossCreate(PlannedFault):
    """The client's nth response.create crosses a response of the provider's own and is rejected.

    `hold_s`: wait that long for a response that the turn detection makes; then, or at once for 0, make one without
    any turn. `error_first`: the rejection is sent before that response's `response.created`.
    """

    nth: int | None = 1
    hold_s: float = 0.0
    error_first: bool = False


@attrs.frozen(kw_only=True)
class DeafBeforeCreated(PlannedFault):
    """What the client sends before session.created is ignored."""


@attrs.frozen(kw_only=True)
class AtMoment(PlannedFault):
    """Fires once: `at_s` after the connection, after the nth server event `after`, or client event `after_client`."""

    at_s: float | None = None
    after: str | None = None
    after_client: str | None = None
    nth: int = 1
    where: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if [self.at_s, self.after, self.after_client].count(None) != 2:
            raise ValueError("give exactly one of at_s, after, after_client")


def _close_code(_fault: object, _field: object, code: int) -> None:
    if code != 1006 and code not in (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)):
        raise ValueError(f"code {code}: no close frame may carry it; 1006 drops the TCP connection")


@attrs.frozen(kw_only=True)
class Close(AtMoment):
    """The server closes the socket. Code 1006: it drops the TCP connection without a word."""

    code: int = attrs.field(default=1011, validator=_close_code)
    reason: str = attrs.field(default="", validator=attrs.validators.max_len(120))


Garbage = Literal["invalid_json", "binary", "unknown_event", "not_an_object", "no_type", "empty", "custom"]


@attrs.frozen(kw_only=True)
class Inject(AtMoment):
    """The server sends what no server should: one of the named pieces, or `text` verbatim."""

    garbage: Garbage = "custom"
    text: str = ""


@attrs.frozen(kw_only=True)
class Flood(AtMoment):
    """The server sends `event` `count` times, evenly over `for_s`; `{n}` in a text of it is its number."""

    event: Mapping[str, Any]
    count: int = attrs.field(default=1_000, validator=[attrs.validators.ge(1), attrs.validators.le(100_000)])
    for_s: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class StallSending(AtMoment):
    """The server sends nothing for `for_s`; then everything, in order."""

    for_s: float


@attrs.frozen(kw_only=True)
class StallReading(AtMoment):
    """The server reads nothing for `for_s`; then everything, in order."""

    for_s: float


@attrs.frozen(kw_only=True)
class HttpStatus(PlannedFault):
    """The upgrade is answered with this status, e.g. 401 or 503."""

    status: int = attrs.field(validator=attrs.validators.in_({each.value for each in http.HTTPStatus}))


@attrs.frozen(kw_only=True)
class SlowUpgrade(PlannedFault):
    """The upgrade is answered `by_s` late."""

    by_s: float


@attrs.frozen(kw_only=True)
class SilentPing(PlannedFault):
    """The server neither sends WebSocket pings nor answers any."""


KINDS: dict[str, type[PlannedFault]] = {
    "lose": Lose,
    "delay": Delay,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "mutate": Mutate,
    "ignore_client": IgnoreClient,
    "delay_client": DelayClient,
    "refuse_client": RefuseClient,
    "refuse_update": RefuseUpdate,
    "overrule_update": OverruleUpdate,
    "cross_create": CrossCreate,
    "deaf_before_created": DeafBeforeCreated,
    "close": Close,
    "inject": Inject,
    "flood": Flood,
    "stall_sending": StallSending,
    "stall_reading": StallReading,
    "http_status": HttpStatus,
    "slow_upgrade": SlowUpgrade,
    "silent_ping": SilentPing,
}


_Kind = TypeVar("_Kind", bound=PlannedFault)
_MISSING = object()


@attrs.define(kw_only=True)
class Treatment:
    """What happens to one event. `again_s`: further copies, so long after it. `moments`: what it sets off."""

    event: Json
    lost: bool = False
    refusal: RefuseClient | None = None
    delay_s: float = 0.0
    hold: bool = False
    past: int = 0
    again_s: list[float] = attrs.field(factory=list)
    moments: list[AtMoment] = attrs.field(factory=list)


def _field(event: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(event, Mapping) or name not in event:
            return _MISSING
        event = event[name]
    return event


def _holds(event: Json, where: Mapping[str, Any]) -> bool:
    return all(_field(event, path) == wanted for path, wanted in where.items())


def with_paths(event: Json, values: Mapping[str, Any], drop: Sequence[str] = ()) -> Json:
    """A copy with dotted paths set, and others dropped; a path that leads nowhere changes nothing."""
    changed = copy.deepcopy(event)
    for path, value in [*values.items(), *((path, _MISSING) for path in drop)]:
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

    def __init__(self, faults: Sequence[PlannedFault], connection: int) -> None:
        self._faults = [fault for fault in faults if fault.connection in (None, connection)]
        self._seen = [0] * len(self._faults)

    def of(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """The faults of one kind, whatever has happened."""
        return (fault for fault in self._faults if isinstance(fault, kind))

    def at_times(self) -> Iterator[tuple[float, AtMoment]]:
        """What happens at a time after the connection, in seconds."""
        return ((fault.at_s, fault) for fault in self.of(AtMoment) if fault.at_s is not None)

    def _strikes(self, index: int, nth: int | None) -> bool:
        self._seen[index] += 1
        return nth in (None, self._seen[index])

    def on_server_event(self, event: Json) -> Treatment:
        """Count a server event that is about to be sent and say what happens to it."""
        treatment = Treatment(event=event)
        for index, fault in enumerate(self._faults):
            if isinstance(fault, AtMoment):
                self._moment(index, fault, fault.after, event, treatment)
            elif (
                isinstance(fault, OnEvent)
                and not isinstance(fault, OnClientEvent)
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
            if isinstance(fault, AtMoment):
                self._moment(index, fault, fault.after_client, event, treatment)
            elif (
                isinstance(fault, OnClientEvent)
                and fault.type == event.get("type")
                and _holds(event, fault.where)
                and self._strikes(index, fault.nth)
            ):
                treatment.lost |= isinstance(fault, IgnoreClient)
                treatment.delay_s += fault.by_s if isinstance(fault, DelayClient) else 0
                treatment.refusal = fault if isinstance(fault, RefuseClient) else treatment.refusal
        return treatment

    def _moment(self, index: int, fault: AtMoment, kind: str | None, event: Json, treatment: Treatment) -> None:
        matches = kind is not None and kind == event.get("type") and _holds(event, fault.where)
        if matches and self._strikes(index, fault.nth):
            treatment.moments.append(fault)

    def next_update_refusal(self) -> RefuseUpdate | None:
        """Count a session.update; the fault that refuses it."""
        return self._next(RefuseUpdate)

    def next_crossing(self) -> CrossCreate | None:
        """Count a response.create of the client; the fault that lets it cross."""
        return self._next(CrossCreate)

    def _next(self, kind: type[_Kind]) -> _Kind | None:
        struck: _Kind | None = None
        for index, fault in enumerate(self._faults):
            if isinstance(fault, kind) and self._strikes(index, getattr(fault, "nth", None)):
                struck = struck or fault
        return struck


def _treat(treatment: Treatment, fault: OnEvent) -> None:
    match fault:
        case Lose():
            treatment.lost = True
        case Delay():
            treatment.delay_s += fault.by_s
            treatment.hold |= fault.hold
        case Duplicate():
            treatment.again_s.append(fault.after_s)
        case Reorder():
            treatment.past = max(treatment.past, fault.past)
        case Mutate():
            treatment.event = with_paths(treatment.event, fault.set, fault.drop)
