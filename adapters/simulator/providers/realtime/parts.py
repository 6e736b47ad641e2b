"""What the parts of one simulated session share: settings, ids, agenda, wire, session, conversation. No behaviour."""

from __future__ import annotations

import attrs

from adapters.simulator.providers.realtime.agenda import Agenda
from adapters.simulator.providers.realtime.conversation import Conversation, Item
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.fault_plan import FaultPlan
from adapters.simulator.providers.realtime.ids import Ids
from adapters.simulator.providers.realtime.model import Model
from adapters.simulator.providers.realtime.scenario import Scenario
from adapters.simulator.providers.realtime.session import Session
from adapters.simulator.providers.realtime.settings import Latency, ProviderSettings
from adapters.simulator.providers.realtime.stats import SessionStats
from adapters.simulator.providers.realtime.wire import Wire


@attrs.define(kw_only=True)
class News:
    """What came into the conversation since the last response of it was created."""

    user: bool = False
    heard: str = ""
    idle: bool = False
    tools: list[str] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class Parts:
    """One session's shared things."""

    settings: ProviderSettings
    scenario: Scenario
    latency: Latency
    ids: Ids
    agenda: Agenda
    plan: FaultPlan
    wire: Wire
    session: Session
    conversation: Conversation
    model: Model
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
        self.wire.emit(now_s, "error", error=error)

    def announce(self, now_s: float, item: Item, previous: str | None) -> None:
        """An item that came complete: added and, in GA, done."""
        self.wire.emit(now_s, "conversation.item.added", previous_item_id=previous, item=item.wire())
        self.wire.emit(now_s, "conversation.item.done", previous_item_id=previous, item=item.wire())
