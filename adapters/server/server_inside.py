"""The server as its door sees it: `Inside` over the live calls, what was announced and how calls ended."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import attrs

from adapters.active_call import ANSWER_S, ENDED, OVERDUE, Answer
from adapters.call.call import Call
from adapters.lines.refusal import CallRefusal
from adapters.logs import Redactor
from adapters.server.inside import (
    Announced,
    Announcement,
    CallInside,
    CallOutcome,
    Degraded,
    FieldType,
    LiveCall,
    NotReady,
    ReloadVerdict,
    RequestForm,
    RequestVerdict,
)
from adapters.server.readiness import ProviderHealth, not_ready
from adapters.server.reload import Reloads
from adapters.server.store import CallStore
from adapters.settings.config import AgentSettings, Settings
from fsm.language.request_data import OPTIONAL, complaint
from fsm.machine.machine import Event

MOST_ASKED: Final = 16
"""Requests of one call without an answer: its mailbox has room for more, and is not to be filled from here."""
_SECRET_NAMES: Final = ("key", "token", "secret", "password")
_HIDDEN: Final = "***"
LIVE: Final = Announced(why="live", cause="this call is live already")
NO_CALL: Final = RequestVerdict("unknown", "there is no call of this id")
OVER: Final = RequestVerdict("ended", ENDED.reason)


class ServerInside:
    """What the door is given. All of it on the loop of the calls, and none of it waits for a call but `request`."""

    def __init__(
        self,
        calls: Mapping[str, Call],
        settings: Settings,
        store: CallStore,
        health: ProviderHealth,
        reasons: Callable[[], Sequence[NotReady]],
        keeps_out: Callable[[], str | None],
        measured: Callable[[], bytes],
        reloads: Reloads,
        passed_over: Callable[[], Sequence[str]] = lambda: (),
        attach: Callable[[str], str | None] = lambda _session_id: "nothing attaches here",
    ) -> None:
        """`reasons`: why no call should come, beside the provider. `passed_over`: providers, by new calls. `attach`
        begins a call whose audio is elsewhere, or says why not."""
        self._calls = calls
        self.renew(settings)
        self._store = store
        self._health = health
        self._reasons = reasons
        self._keeps_out = keeps_out
        self._measured = measured
        self._reloads = reloads
        self._passed_over = passed_over
        self._attach = attach
        self._asked: Counter[str] = Counter()

    def renew(self, settings: Settings) -> None:
        """What new calls begin with from now on."""
        self._agents = {each.name: each for each in settings.agents}
        self._redactor = Redactor(settings.secrets)

    def degraded(self) -> Sequence[Degraded]:
        passed_over = [Degraded("provider_passed_over", why) for why in self._passed_over()]
        return [*self._store.degraded(), *passed_over]

    async def reload(self) -> ReloadVerdict:
        return await self._reloads.ask()

    def reloaded(self) -> ReloadVerdict | None:
        return self._reloads.last

    async def not_ready(self) -> Sequence[NotReady]:
        return await not_ready(self._reasons(), self._health)

    async def measured(self) -> bytes:
        return self._measured()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def calls(self, after: str, at_most: int) -> tuple[Sequence[LiveCall], int]:
        ids = [call_id for call_id in self._calls if call_id > after]
        chosen = heapq.nsmallest(at_most, ids)
        return [self._live(self._calls[call_id]) for call_id in chosen], len(ids) - len(chosen)

    async def call(self, call_id: str) -> CallInside | None:
        call = self._calls.get(call_id)
        if call is None:
            return None
        standing, result = call.standing, call.result
        return CallInside(
            call=self._live(call),
            slots=standing.slots,
            context=standing.context,
            deadlines=standing.deadlines,
            variables={self._text(name): self._value(name, value) for name, value in call.data.variables.items()},
            result=call.outcome,
            results={key: self._text(value) for key, value in result.values.items()},
        )

    def _live(self, call: Call) -> LiveCall:
        now_s, (state, since_s) = asyncio.get_running_loop().time(), call.state
        return LiveCall(
            id=call.call_id,
            agent=call.agent,
            state=state,
            age_s=round(now_s - call.began_s, 3),
            state_age_s=round(now_s - since_s, 3),
            caller_id=self._text(call.data.caller_id),
            dialled=self._text(call.data.dialled),
        )

    def _value(self, name: str, value: str) -> str:
        """A variable called like a secret is one."""
        return _HIDDEN if any(word in name.lower() for word in _SECRET_NAMES) else self._text(value)

    def _text(self, text: str) -> str:
        return self._redactor.text(text)

    # --- announcements ------------------------------------------------------------------------------------------------

    async def announce(self, announcement: Announcement) -> Announced:
        if why := self._keeps_out():
            return Announced(why="draining", cause=why)
        if announcement.id in self._calls:
            return LIVE
        if announcement.agent and announcement.agent not in self._agents:
            return no_such_agent(self._agents)
        kept = await announced_at(self._store, attrs.evolve(announcement, attaches=False))
        if announcement.attaches and not kept.why and (why := self._attach(announcement.id)) is not None:
            return Announced(why="live" if why == CallRefusal.LIVE_CALL else "full", cause=f"it is not taken: {why}")
        return kept

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(self, call_id: str, name: str, data: Mapping[str, object]) -> RequestVerdict:
        call = self._calls.get(call_id)
        if call is None:
            return await absent_from(self._store, call_id)
        vocabulary = call.spec.vocabulary
        if name not in vocabulary.sayable:
            return RequestVerdict("no_such_request", f"this is not a request that {call.spec.name} knows")
        if wrong := complaint(vocabulary.data_of(name), data):
            return RequestVerdict("untyped", wrong)
        if self._asked[call_id] >= MOST_ASKED:
            return RequestVerdict("busy", f"{MOST_ASKED} requests wait for this call's answer")
        return _verdict(await self._answered(call, Event(name, data)))

    async def _answered(self, call: Call, event: Event) -> Answer:
        """Counted until the call itself has answered: one that is overdue is still in its mailbox."""
        call_id = call.call_id
        self._asked[call_id] += 1
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answer(given: Answer) -> None:
            self._asked[call_id] -= 1
            if self._asked[call_id] <= 0:
                del self._asked[call_id]
            if not answered.done():
                answered.set_result(given)

        call.ask(event, answer)
        try:
            return await asyncio.wait_for(answered, ANSWER_S)
        except TimeoutError:
            return OVERDUE

    # --- results ------------------------------------------------------------------------------------------------------

    async def holder(self, call_id: str) -> str:
        return await self._store.holder(call_id)

    async def result(self, call_id: str) -> CallOutcome | None:
        kept, call = await self._store.result(call_id), self._calls.get(call_id)
        if kept is not None:  # kept before the line is told, so that nobody asks too early
            return CallOutcome(kept.word, kept.values)
        return CallOutcome(call.outcome, dict(call.result.values), is_live=True) if call is not None else None

    def requests(self) -> Sequence[RequestForm]:
        return request_forms(self._agents.values())


def request_forms(agents: Iterable[AgentSettings]) -> list[RequestForm]:
    """Of all agents; where two vocabularies differ about one, the first agent's is shown."""
    found: dict[str, RequestForm] = {}
    for agent in agents:
        vocabulary = agent.spec.vocabulary
        for name in sorted(vocabulary.sayable - found.keys()):
            declared = vocabulary.data_of(name)
            fields = {field: cast(FieldType, kind.removeprefix(OPTIONAL)) for field, kind in declared.items()}
            optional = frozenset(field for field, kind in declared.items() if kind.startswith(OPTIONAL))
            found[name] = RequestForm(name, fields, optional)
    return list(found.values())


async def announced_at(store: CallStore, announcement: Announcement) -> Announced:
    """Unless another node has the call."""
    if node := await store.holder(announcement.id):
        return Announced(why="live", cause=f"this call is live already, on node {node}")
    return await store.announce(announcement)


async def absent_from(store: CallStore, call_id: str) -> RequestVerdict:
    """Why a call that is not live here cannot be asked."""
    if node := await store.holder(call_id):
        return RequestVerdict("elsewhere", f"node {node} has this call")
    return OVER if await store.result(call_id) is not None else NO_CALL


def no_such_agent(known: Iterable[str]) -> Announced:
    return Announced(why="no_such_agent", cause=f"there is no such agent (known: {', '.join(sorted(known))})")


def _verdict(answer: Answer) -> RequestVerdict:
    if answer.accepted:
        return RequestVerdict()
    if answer is ENDED:
        return OVER
    return RequestVerdict("overdue" if answer is OVERDUE else "refused", answer.reason or "the spec gives no reason")
