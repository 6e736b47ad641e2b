"""What the server shows to its door: calls, and what may be asked of them, as plain values. Never how it is done.

Whoever stands at the door (HTTP today; another process tomorrow) knows calls by these words alone: no call, no line, no
spec is imported for it. All of it is called on the loop of the calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, Protocol, get_args

import attrs

Why = Literal["unknown", "elsewhere", "ended", "refused", "untyped", "no_such_request", "overdue", "busy"]
Reason = Literal["not_listening", "draining", "busy", "worker_missing", "provider_unreachable", "no_provider"]
REASONS: Final = get_args(Reason)
Trouble = Literal["store_unreachable", "provider_passed_over"]
TROUBLES: Final = get_args(Trouble)
FieldType = Literal["text", "number", "flag"]
_NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class LiveCall:
    """One line of a list of calls."""

    id: str
    agent: str
    state: str
    age_s: float
    state_age_s: float
    """How long it has been in this state."""
    caller_id: str
    dialled: str


@attrs.frozen(kw_only=True)
class CallInside:
    """One call as it is now, without what is secret."""

    call: LiveCall
    slots: Mapping[str, str]
    context: Mapping[str, str]
    deadlines: Sequence[str]
    """Those that run."""
    variables: Mapping[str, str]
    """What the line or an announcement said about it."""
    result: str
    """"" as long as it is open how it ends."""
    results: Mapping[str, str]
    """Keys of one's own."""


@attrs.frozen(kw_only=True)
class Announcement:
    """A call that will come: what is known about it beforehand goes before what the line says."""

    id: str
    agent: str = ""
    caller_id: str = ""
    dialled: str = ""
    variables: Mapping[str, str] = _NOTHING
    attaches: bool = False
    """Its audio is elsewhere: it begins at once, as the second client of the provider's session of this id."""


@attrs.frozen
class Announced:
    """Whether an announcement is kept (`why` is "" then), and for how long."""

    lifetime_s: float = 0.0
    why: Literal["", "live", "no_such_agent", "full", "draining", "not_attachable"] = ""
    cause: str = ""
    is_shared: bool = True
    """Known to every node that calls may come to; False while that is not possible."""


@attrs.frozen
class RequestVerdict:
    """What came of a request. `why` is "" where it was accepted; else `cause` is the spec's own reason, or ours."""

    why: Why | Literal[""] = ""
    cause: str = ""


@attrs.frozen
class CallOutcome:
    """How a call ended (`word`; "" while that is open), and keys of one's own."""

    word: str
    values: Mapping[str, str] = _NOTHING
    is_live: bool = False


@attrs.frozen
class RequestForm:
    """An event that may be asked of a call, and its data: each field's type; those that may be left out."""

    name: str
    fields: Mapping[str, FieldType]
    optional: frozenset[str] = frozenset()
    about: str = ""


@attrs.frozen
class NotReady:
    """One reason why no further call should come here."""

    reason: Reason
    detail: str


@attrs.frozen(kw_only=True)
class ReloadVerdict:
    """What came of reading the configuration again; `why` is "" where it is what new calls begin with."""

    why: Literal["", "refused", "under_way", "unavailable"] = ""
    cause: str = ""
    problems: Sequence[str] = ()
    """Errors where it was refused, else warnings: with place and cure."""
    agents: Sequence[str] = ()
    needs_restart: Sequence[str] = ()
    """Keys that have changed, and that only a new process reads."""


@attrs.frozen
class Degraded:
    """Something that does not work now. Calls go on and may come."""

    reason: Trouble
    detail: str


class Inside(Protocol):
    """The server from inside. Nothing here raises for what somebody at the door has said."""

    async def not_ready(self) -> Sequence[NotReady]:
        """Empty: calls may come. Bounded by a deadline."""

    def degraded(self) -> Sequence[Degraded]:
        """What does not work while calls go on; no reason to send them elsewhere."""

    async def calls(self, after: str, at_most: int) -> tuple[Sequence[LiveCall], int]:
        """Those with a greater id, in the order of ids, and how many more there are."""

    async def call(self, call_id: str) -> CallInside | None:
        """None: it is not live here."""

    async def holder(self, call_id: str) -> str:
        """Which other node has it; "" if none."""

    async def announce(self, announcement: Announcement) -> Announced:
        """Keeps it until its call comes, for a bounded time."""

    async def request(self, call_id: str, name: str, data: Mapping[str, object]) -> RequestVerdict:
        """Asks the spec of a call, within a deadline."""

    async def result(self, call_id: str) -> CallOutcome | None:
        """None: there is no such call, or it was not ended by us, or that is too long ago."""

    async def measured(self) -> bytes:
        """All metrics, in Prometheus' text format."""

    def requests(self) -> Sequence[RequestForm]:
        """What may be asked of calls here."""

    async def reload(self) -> ReloadVerdict:
        """Reads the configuration again, for new calls. Within a deadline: where it takes longer it is `under_way`."""

    def reloaded(self) -> ReloadVerdict | None:
        """What came of the last one; None: there was none."""


MAX_NAME_CHARS: Final = 64
MAX_VALUE_CHARS: Final = 1_000
MAX_VARIABLES: Final = 64
"""Of an announcement."""
