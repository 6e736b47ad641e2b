"""What the parts of one simulated session share, and what the session saw of its client: counts, types, times.

Never audio, never secrets.
"""

from __future__ import annotations

from collections import Counter

import attrs

from adapters.simulator.providers.realtime.conversation import ConversationItem, SimulatedConversation
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.faults import FaultPlan
from adapters.simulator.providers.realtime.outbox import Ids, Outbox
from adapters.simulator.providers.realtime.provider_scenario import ProviderScenario
from adapters.simulator.providers.realtime.provider_settings import Latency, ProviderSettings
from adapters.simulator.providers.realtime.scripted_model import ScriptedModel
from adapters.simulator.providers.realtime.session import SimulatedSession
from adapters.simulator.providers.schedule import Schedule


@attrs.define(kw_only=True)
class News:
    """What came into the conversation since the last response of it was created."""

    user: bool = False
    heard: str = ""
    idle: bool = False
    tools: list[str] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class SessionContext:
    """One session's shared things."""

    settings: ProviderSettings
    scenario: ProviderScenario
    latency: Latency
    ids: Ids
    schedule: Schedule
    plan: FaultPlan
    outbox: Outbox
    session: SimulatedSession
    conversation: SimulatedConversation
    model: ScriptedModel
    stats: SessionStats
    news: News = attrs.field(factory=News)

    @property
    def beta(self) -> bool:
        return self.settings.dialect == "beta"

    def reject(self, now_s: float, problem: WireError, event_id: str | None, *, guilty: bool = True) -> None:
        """Answer a client event with one `error`; the session goes on. `guilty`: the client could have known better."""
        self.stats.rejections[problem.code or "null"] += 1
        if guilty:
            self.stats.violations.append(problem.code or problem.message)
        self._send_error(now_s, problem, event_id)

    def complain(self, now_s: float, problem: WireError) -> None:
        """An `error` that answers no client event."""
        self.stats.own_errors[problem.code or "null"] += 1
        self._send_error(now_s, problem, None)

    def _send_error(self, now_s: float, problem: WireError, event_id: str | None) -> None:
        error = {
            "type": problem.type,
            "code": problem.code,
            "message": problem.message,
            "param": problem.param,
            "event_id": event_id,
        }
        self.outbox.emit(now_s, "error", error=error)

    def announce(self, now_s: float, item: ConversationItem, previous: str | None) -> None:
        """An item that came complete: added and, in GA, done."""
        self.outbox.emit(now_s, "conversation.item.added", previous_item_id=previous, item=item.wire())
        self.outbox.emit(now_s, "conversation.item.done", previous_item_id=previous, item=item.wire())


@attrs.frozen
class Seen:
    """One event: when, which type, and the event itself (of audio only its length: `audio_chars`)."""

    at_s: float
    type: str
    event: Json


@attrs.define
class SessionStats:
    """One session.

    `rejections`: errors that answer a client event, by code ("null" for none); `own_errors`: all others.
    `violations`: what a careful client never does. `notes`: what of the script could not be followed. `received`: every
    client event but the appends, which are counted.
    """

    connection: int
    creates: int = 0
    appends: int = 0
    first_append_s: float | None = None
    audio_ms: float = 0.0
    user_turns: int = 0
    responses: int = 0
    rejections: Counter[str] = attrs.field(factory=Counter)
    own_errors: Counter[str] = attrs.field(factory=Counter)
    violations: list[str] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    received: list[Seen] = attrs.field(factory=list)
    sent: list[Seen] = attrs.field(factory=list)
    close_code: int | None = None
    close_reason: str = ""

    def note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)

    def received_types(self) -> list[str]:
        """The types of the client's events in order, without the appends."""
        return [seen.type for seen in self.received]
