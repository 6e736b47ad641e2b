"""Faults as data: what goes wrong, on which event, how. Value types only; fault_plan.py carries them out.

In a scenario file each is a mapping whose key `fault` names the kind (see KINDS). Common keys: `connection` (1 is the
first the server accepted; absent: every one), `nth` (1 is the first match; absent: every match), `where` (fields of
the event by dotted path, e.g. `response.status: completed`).
"""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any, Literal

import attrs


@attrs.frozen(kw_only=True)
class Fault:
    connection: int | None = None


@attrs.frozen(kw_only=True)
class OnEvent(Fault):
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
class IgnoreClient(OnEvent):
    """The client event is received and nothing happens."""


@attrs.frozen(kw_only=True)
class DelayClient(OnEvent):
    """The client event is processed `by_s` late; later ones overtake it."""

    by_s: float


@attrs.frozen(kw_only=True)
class RefuseUpdate(Fault):
    """The nth session.update is answered with this error and changes nothing."""

    nth: int | None = None
    code: str | None = "unknown_parameter"
    message: str = "Unknown parameter: 'session.audio'."
    param: str | None = "session.audio"


@attrs.frozen(kw_only=True)
class CrossCreate(Fault):
    """The client's nth response.create crosses a response of the provider's own and is rejected.

    `hold_s`: wait that long for a response that the turn detection makes; then, or at once for 0, make one without
    any turn. `error_first`: the rejection is sent before that response's `response.created`.
    """

    nth: int | None = 1
    hold_s: float = 0.0
    error_first: bool = False


@attrs.frozen(kw_only=True)
class DeafBeforeCreated(Fault):
    """What the client sends before session.created is ignored."""


@attrs.frozen(kw_only=True)
class AtMoment(Fault):
    """Fires once: `at_s` after the connection, after the nth server event `after`, or client event `after_client`."""

    at_s: float | None = None
    after: str | None = None
    after_client: str | None = None
    nth: int = 1
    where: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if [self.at_s, self.after, self.after_client].count(None) != 2:
            raise ValueError("exactly one of at_s, after, after_client says when")


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
class StallSending(AtMoment):
    """The server sends nothing for `for_s`; then everything, in order."""

    for_s: float


@attrs.frozen(kw_only=True)
class StallReading(AtMoment):
    """The server reads nothing for `for_s`; then everything, in order."""

    for_s: float


@attrs.frozen(kw_only=True)
class HttpStatus(Fault):
    """The upgrade is answered with this status, e.g. 401 or 503."""

    status: int = attrs.field(validator=attrs.validators.in_({each.value for each in http.HTTPStatus}))


@attrs.frozen(kw_only=True)
class SlowUpgrade(Fault):
    """The upgrade is answered `by_s` late."""

    by_s: float


@attrs.frozen(kw_only=True)
class SilentPing(Fault):
    """The server neither sends WebSocket pings nor answers any."""


KINDS: dict[str, type[Fault]] = {
    "lose": Lose,
    "delay": Delay,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "mutate": Mutate,
    "ignore_client": IgnoreClient,
    "delay_client": DelayClient,
    "refuse_update": RefuseUpdate,
    "cross_create": CrossCreate,
    "deaf_before_created": DeafBeforeCreated,
    "close": Close,
    "inject": Inject,
    "stall_sending": StallSending,
    "stall_reading": StallReading,
    "http_status": HttpStatus,
    "slow_upgrade": SlowUpgrade,
    "silent_ping": SilentPing,
}
