"""One simulated Realtime session, sans I/O: client frames and the time go in, frames with their times come out.

No socket, no clock, no task. `receive_*` and `advance` return what leaves until then; `next_deadline` says when to
call `advance` again. Source: docs/facts/realtime_api.md, above all sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from adapters.simulator.providers.realtime import errors, faults
from adapters.simulator.providers.realtime.agenda import Agenda
from adapters.simulator.providers.realtime.checks import Json
from adapters.simulator.providers.realtime.conversation import Conversation
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.fault_plan import FaultPlan
from adapters.simulator.providers.realtime.gate import Refusal
from adapters.simulator.providers.realtime.ids import Ids
from adapters.simulator.providers.realtime.input_audio import InputAudio
from adapters.simulator.providers.realtime.items import Items
from adapters.simulator.providers.realtime.model import Model
from adapters.simulator.providers.realtime.parts import Parts
from adapters.simulator.providers.realtime.responses import Responses
from adapters.simulator.providers.realtime.scenario import Scenario
from adapters.simulator.providers.realtime.session import Session
from adapters.simulator.providers.realtime.settings import ProviderSettings
from adapters.simulator.providers.realtime.stats import Seen, SessionStats
from adapters.simulator.providers.realtime.wire import Closing, Outgoing, Wire

Handler = Callable[[Json, float], None]


class ProviderCore:
    """A session from the upgrade on. `refusal`: what the gate found; then one error and the close, and no session."""

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        scenario: Scenario | None = None,
        *,
        model: str = "gpt-realtime",
        connection: int = 1,
        now_s: float = 0.0,
        refusal: Refusal | None = None,
    ) -> None:
        settings, scenario = settings or ProviderSettings(), scenario or Scenario()
        self._began_s = now_s
        self._parts = _assemble(settings, scenario, model, connection)
        self._agenda, self._wire, self.stats = self._parts.agenda, self._parts.wire, self._parts.stats
        self._responses = Responses(self._parts)
        self._input = InputAudio(self._parts, self._responses.interrupt, self._turn_ended)
        self._responses.on_default_done = lambda _now_s, audio_ms: self._input.expect_idleness(audio_ms)
        self._items = Items(self._parts, self._responses)
        self._handlers = self._table()
        self._created = self._configured = False
        self._early: list[Json] = []
        self._reading_from_s = now_s
        self.closing: Closing | None = None
        self._wire.on_moment = self._strike
        self._begin(now_s, refusal)

    def _table(self) -> dict[str, Handler]:
        return {
            "session.update": self._update_session,
            "session.close": lambda _event, now_s: self._wire.close(now_s, 1000, ""),
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": lambda _event, now_s: self._input.clear(now_s),
            "conversation.item.create": self._items.create,
            "conversation.item.truncate": self._items.truncate,
            "conversation.item.delete": self._items.delete,
            "conversation.item.retrieve": self._items.retrieve,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    def _begin(self, now_s: float, refusal: Refusal | None) -> None:
        if refusal:
            self._parts.reject(now_s, refusal.problem, None)
            self._wire.close(now_s, refusal.code, f"{refusal.problem.type}.{refusal.problem.code}")
            return
        self._agenda.at(now_s + self._parts.latency.session_created_s, self._create_session)
        self._agenda.at(now_s + self._parts.settings.session_max_s, self._expire)
        for at_s, fault in self._parts.plan.at_times():
            self._agenda.at(now_s + at_s, lambda due_s, fault=fault: self._strike(fault, due_s))  # type: ignore[misc]

    # --- the face ---------------------------------------------------------------------------------------------------

    def receive_frame(self, frame: str | bytes, now_s: float) -> list[Outgoing]:
        """One WebSocket message of the client."""
        if isinstance(frame, bytes):
            return self._refuse_frame(errors.binary_frame(), now_s)
        try:
            event = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return self._refuse_frame(errors.invalid_json(), now_s)
        return self.receive(event, now_s)

    def receive(self, event: Any, now_s: float) -> list[Outgoing]:
        """One decoded client event."""
        self._agenda.run_until(now_s)
        if self.closing is None:
            self._arrive(event, max(now_s + self._parts.latency.uplink_s, self._reading_from_s), now_s)
        return self.advance(now_s)

    def advance(self, now_s: float) -> list[Outgoing]:
        """Everything that leaves until now, in order. After a close nothing more does."""
        self._agenda.run_until(now_s)
        leaving: list[Outgoing] = []
        for out in self._wire.take(now_s):
            leaving.append(out)
            if out.event is not None:
                self.stats.sent.append(Seen(out.at_s, str(out.event.get("type")), _without_audio(out.event)))
            if out.closing:
                self.end(out.closing.code, out.closing.reason)
                break
        return leaving

    def next_deadline(self) -> float | None:
        """When to call `advance` next, absolute; None: nothing is planned."""
        deadlines = [at_s for at_s in (self._agenda.next_deadline(), self._wire.next_deadline()) if at_s is not None]
        return min(deadlines, default=None)

    def reading_from_s(self) -> float:
        """Before this time nothing is to be read from the socket (a fault)."""
        return self._reading_from_s

    def end(self, code: int | None, reason: str) -> None:
        """The connection is gone, by whomever."""
        if self.closing is None:
            self.closing = Closing(code or 1006, reason)
            self.stats.close_code, self.stats.close_reason = code, reason
        self._agenda.clear()
        self._wire.drop_all()

    # --- arrivals ---------------------------------------------------------------------------------------------------

    def _refuse_frame(self, problem: WireError, now_s: float) -> list[Outgoing]:
        self._agenda.run_until(now_s)
        self._parts.reject(now_s, problem, None)
        return self.advance(now_s)

    def _arrive(self, event: Any, due_s: float, now_s: float) -> None:
        if isinstance(event, dict):
            treatment = self._parts.plan.on_client_event(event)
            due_s += treatment.delay_s
            for moment in treatment.moments:
                self._strike(moment, now_s)
            if treatment.lost:
                self._note(event, now_s)
                return
        if due_s > now_s:
            self._agenda.at(due_s, lambda at_s: self._process(event, at_s))
        else:
            self._process(event, now_s)

    def _process(self, event: Any, now_s: float) -> None:
        if not isinstance(event, dict):
            self._parts.reject(now_s, errors.invalid_json(), None)
            return
        self._note(event, now_s)
        if self._created:
            self._handle(event, now_s)
        elif not any(self._parts.plan.of(faults.DeafBeforeCreated)):
            self._early.append(event)

    def _note(self, event: Json, now_s: float) -> None:
        kind = event.get("type")
        if kind != "input_audio_buffer.append":
            self.stats.received.append(Seen(now_s, str(kind), event))
        elif self.stats.first_append_s is None:
            self.stats.first_append_s = now_s
        if not self._configured and kind in ("input_audio_buffer.append", "response.create"):
            self._blame(f"{kind} before session.updated")

    def _blame(self, what: str) -> None:
        if what not in self.stats.violations:
            self.stats.violations.append(what)

    def _handle(self, event: Json, now_s: float) -> None:
        event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
        try:
            kind = event.get("type")
            if kind is None:
                raise errors.missing_parameter("type")
            handler = self._handlers.get(kind) if isinstance(kind, str) else None
            if handler is None:
                raise errors.unknown_event(kind)
            handler(event, now_s)
        except WireError as problem:
            self._parts.reject(now_s, problem, event_id)

    # --- session ----------------------------------------------------------------------------------------------------

    def _create_session(self, now_s: float) -> None:
        self._created = True
        self._wire.emit(now_s, "session.created", session=self._parts.session.config)
        if self._parts.beta:
            conversation = {"id": self._parts.conversation.id, "object": "realtime.conversation"}
            self._wire.emit(now_s, "conversation.created", conversation=conversation)
        early, self._early = self._early, []
        for event in early:
            self._handle(event, now_s)

    def _update_session(self, event: Json, now_s: float) -> None:
        refusal = self._parts.plan.next_update_refusal()
        if refusal:
            raise WireError(refusal.code, refusal.message, refusal.param)
        if "session" not in event:
            raise errors.missing_parameter("session")
        session = self._parts.session
        session.update(event["session"], beta=self._parts.beta, voice_locked=self._responses.spoke)
        self._configured = True
        self._input.detection_changed()
        self._wire.emit(now_s, "session.updated", session=session.config)

    def _expire(self, now_s: float) -> None:
        problem = errors.session_expired(self._parts.settings.session_max_s)
        self._parts.complain(now_s, problem)
        self._wire.close(now_s, 1001, problem.message)

    # --- audio and responses ----------------------------------------------------------------------------------------

    def _append(self, event: Json, now_s: float) -> None:
        self.stats.appends += 1
        self._input.append(event, now_s)

    def _commit(self, _event: Json, now_s: float) -> None:
        if self._parts.session.turn_detection is not None:
            self._blame("commit while the server detects turns")
        self._input.commit(now_s)

    def _turn_ended(self, now_s: float) -> None:
        self._input.forget_idleness()
        self._responses.create_automatically(now_s)

    def _create_response(self, event: Json, now_s: float) -> None:
        self.stats.creates += 1
        options = event.get("response")
        beside = isinstance(options, dict) and options.get("conversation") == "none"
        crossing = None if beside else self._parts.plan.next_crossing()
        if crossing:
            event_id = event.get("event_id")

            def refuse(problem: WireError, at_s: float) -> None:
                self._parts.reject(at_s, problem, event_id, guilty=False)

            self._responses.cross(crossing, refuse, now_s)
            return
        missing = self._items.calls_without_output()
        if missing:
            self._blame(f"response.create without the outputs of {len(missing)} calls")
        self._responses.create_for_client(options, now_s)
        self._input.forget_idleness()

    def _cancel_response(self, event: Json, now_s: float) -> None:
        if event.get("response_id") is None:
            self._blame("response.cancel without response_id")
        self._responses.cancel_for_client(event.get("response_id"), now_s)

    # --- faults -----------------------------------------------------------------------------------------------------

    def _strike(self, fault: faults.AtMoment, now_s: float) -> None:
        match fault:
            case faults.Close():
                self._wire.close(now_s, fault.code, fault.reason)
            case faults.Inject():
                self._wire.send_raw(now_s, fault)
            case faults.StallSending():
                self._wire.stall(now_s, fault.for_s)
            case faults.StallReading():
                self._reading_from_s = max(self._reading_from_s, now_s + fault.for_s)


def _assemble(settings: ProviderSettings, scenario: Scenario, model: str, connection: int) -> Parts:
    ids = Ids(settings.seed, connection)
    plan = FaultPlan(scenario.faults, connection)
    latency = scenario.latency or settings.latency
    return Parts(
        settings=settings,
        scenario=scenario,
        latency=latency,
        ids=ids,
        agenda=Agenda(),
        plan=plan,
        wire=Wire(ids, plan, beta=settings.dialect == "beta", downlink_s=latency.downlink_s),
        session=Session(ids.session(), model, settings.epoch_s + int(settings.session_max_s)),
        conversation=Conversation(ids.conversation()),
        model=Model(scenario),
        stats=SessionStats(connection),
    )


def _without_audio(event: Json) -> Json:
    delta = event.get("delta")
    if isinstance(delta, str) and "audio.delta" in str(event.get("type")):
        return {name: value for name, value in event.items() if name != "delta"} | {"audio_chars": len(delta)}
    return event
