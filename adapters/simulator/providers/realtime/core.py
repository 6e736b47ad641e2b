"""One simulated Realtime session, sans I/O: client frames and the time go in, frames with their times come out.

No socket, no clock, no task. `receive_*` and `advance` return what leaves until then; `next_deadline` says when to
call `advance` again. Source: docs/facts/realtime_api.md, above all sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from adapters.simulator.providers.realtime import errors, faults, shapes
from adapters.simulator.providers.realtime.checks import Check
from adapters.simulator.providers.realtime.conversation import SimulatedConversation
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.faults import FaultPlan
from adapters.simulator.providers.realtime.input_audio import InputAudio
from adapters.simulator.providers.realtime.items import Items
from adapters.simulator.providers.realtime.mcp import McpServers
from adapters.simulator.providers.realtime.media import MediaPlayout
from adapters.simulator.providers.realtime.outbox import Closing, Ids, Outbox, Outgoing
from adapters.simulator.providers.realtime.provider_scenario import ProviderScenario
from adapters.simulator.providers.realtime.provider_settings import ProviderSettings, UpgradeRefusal
from adapters.simulator.providers.realtime.responses import SimulatedResponses
from adapters.simulator.providers.realtime.scripted_model import ScriptedModel
from adapters.simulator.providers.realtime.session import SimulatedSession
from adapters.simulator.providers.realtime.session_context import Seen, SessionContext, SessionStats
from adapters.simulator.providers.realtime.simulated_accent import SimulatedAccent
from adapters.simulator.providers.realtime.wire_audio import to_pcm
from adapters.simulator.providers.schedule import Schedule

Handler = Callable[[Json, float], None]
_APPENDS = ("input_audio_buffer.append", "session.input_audio_buffer.append")
_EPOCH_S = 1_790_000_000  # connection time zero for a core that nobody tells the time


class ProviderCore:
    """A session from the upgrade on. `refusal`: of the upgrade; then one error and the close, and no session."""

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        scenario: ProviderScenario | None = None,
        *,
        model: str = "gpt-realtime",
        transcribes: bool = False,
        connection: int = 1,
        now_s: float = 0.0,
        refusal: UpgradeRefusal | None = None,
    ) -> None:
        settings, scenario = settings or ProviderSettings(), scenario or ProviderScenario()
        self._began_s = now_s
        self._accent = None if settings.server is None else SimulatedAccent(settings.server)
        self._context = _assemble(settings, scenario, None if transcribes else model, connection, self._accent)
        self._schedule, self._outbox, self.stats = self._context.schedule, self._context.outbox, self._context.stats
        self._mcp = McpServers(self._context)
        self._responses = SimulatedResponses(self._context, self._mcp)
        self._input = InputAudio(self._context, self._responses.interrupt, self._turn_ended)
        self._responses.on_default_done = lambda _now_s, audio_ms: self._input.expect_idleness(audio_ms)
        self._items = Items(self._context, self._responses, self._mcp)
        self._shapes = self._event_shapes()
        self._handlers = self._table()
        self._media = self._play_audio() if settings.plays_audio else None
        self._created = self._configured = False
        self._early: list[Json] = []
        self._reading_from_s = now_s
        self.closing: Closing | None = None
        self._outbox.on_moment = self._strike
        self._begin(now_s, refusal)

    def _play_audio(self) -> MediaPlayout:
        """The audio is nobody's on the wire: it is played here."""
        media = MediaPlayout(
            lambda now_s, kind, response_id: self._outbox.emit(now_s, kind, response_id=response_id),
            self._schedule.at,
            lambda: self._context.session.output_format,
            lambda: bool((self._context.session.turn_detection or {}).get("interrupt_response")),
        )
        self._outbox.passes = media.said
        self._handlers = {**self._handlers, "output_audio_buffer.clear": lambda _event, now_s: media.clear(now_s)}
        self._shapes = {**self._shapes, "output_audio_buffer.clear": lambda event, _path: event}
        return media

    def hear(self, pcm: bytes, now_s: float) -> list[Outgoing]:
        """20 ms or so of what the caller says, 24 kHz PCM, over WebRTC or SIP."""
        self._schedule.run_until(now_s)
        if self._created and self.closing is None and pcm:
            self._input.hear(pcm, now_s)
        return self.advance(now_s)

    def sound(self) -> bytes:
        """The next 20 ms of what the caller hears, 24 kHz PCM; b"": nothing."""
        part = self._media.sound(20) if self._media is not None else b""
        return to_pcm(part, self._context.session.output_format)

    def hello(self) -> str:
        """What a client is told that has the session's media, when its data channel opens."""
        event = {
            "type": "session.created",
            "event_id": self._context.ids.event(),
            "session": self._context.session.config,
        }
        return orjson.dumps(event).decode()

    def configure(self, session: Json, now_s: float) -> None:
        """The session of an HTTP request, before anybody is there to be told. WireError: why not."""
        if not session:
            return
        checked = self._shapes["session.update"]({"type": "session.update", "session": session}, "")["session"]
        self._mcp.check(checked.get("tools", ()), "session.tools")
        self._context.session.update(checked, beta=False, voice_locked=False)
        self._schedule.at(now_s + self._context.latency.session_created_s, self._import_tools)

    def _import_tools(self, now_s: float) -> None:
        self._mcp.define(self._context.session.config.get("tools") or (), now_s)

    @property
    def plays_audio(self) -> bool:
        """As over WebRTC and SIP."""
        return self._media is not None

    def press(self, digit: str, now_s: float) -> None:
        """The caller presses a key, over SIP."""
        self._outbox.emit(now_s, "input_audio_buffer.dtmf_event_received", event=digit, received_at=int(now_s))

    def _event_shapes(self) -> Mapping[str, Check]:
        if self._context.session.transcribes:
            return shapes.TRANSCRIPTION_EVENTS
        return shapes.BETA_EVENTS if self._context.beta else shapes.GA_EVENTS

    def _table(self) -> dict[str, Handler]:
        return {
            "session.update": self._update_session,
            "session.close": lambda _event, now_s: self._outbox.close(now_s, 1000, ""),
            **dict.fromkeys(_APPENDS, self._append),
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": lambda _event, now_s: self._input.clear(now_s),
            "conversation.item.create": self._items.create,
            "conversation.item.truncate": self._items.truncate,
            "conversation.item.delete": self._items.delete,
            "conversation.item.retrieve": self._items.retrieve,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    def _begin(self, now_s: float, refusal: UpgradeRefusal | None) -> None:
        if refusal:
            self._context.reject(now_s, refusal.problem, None)
            self._outbox.close(now_s, refusal.code, f"{refusal.problem.type}.{refusal.problem.code}")
            return
        self._schedule.at(now_s + self._context.latency.session_created_s, self._create_session)
        self._schedule.at(now_s + self._context.settings.session_max_s, self._expire)
        for at_s, fault in self._context.plan.at_times():
            self._schedule.at(now_s + at_s, lambda due_s, fault=fault: self._strike(fault, due_s))  # type: ignore[misc]

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
        self._schedule.run_until(now_s)
        if self.closing is None and self._accent is not None and isinstance(event, dict):
            try:
                event = self._accent.heard(event)
            except WireError as problem:
                return self._refuse(event, problem, now_s)
        if self.closing is None:
            self._arrive(event, max(now_s + self._context.latency.uplink_s, self._reading_from_s), now_s)
        return self.advance(now_s)

    def advance(self, now_s: float) -> list[Outgoing]:
        """Everything that leaves until now, in order. After a close nothing more does."""
        self._schedule.run_until(now_s)
        leaving: list[Outgoing] = []
        for out in self._outbox.take(now_s):
            leaving.append(out)
            if out.event is not None:
                self.stats.sent.append(Seen(out.at_s, str(out.event.get("type")), _without_audio(out.event)))
            if out.closing:
                self.end(out.closing.code, out.closing.reason)
                break
        return leaving

    def next_deadline(self) -> float | None:
        """When to call `advance` next, absolute; None: nothing is planned."""
        deadlines = [
            at_s for at_s in (self._schedule.next_deadline(), self._outbox.next_deadline()) if at_s is not None
        ]
        return min(deadlines, default=None)

    def reading_from_s(self) -> float:
        """Before this time nothing is to be read from the socket (a fault)."""
        return self._reading_from_s

    def end(self, code: int | None, reason: str) -> None:
        """The connection is gone, by whomever."""
        if self.closing is None:
            self.closing = Closing(code or 1006, reason)
            self.stats.close_code, self.stats.close_reason = code, reason
        self._schedule.clear()
        self._outbox.drop_all()

    # --- arrivals ---------------------------------------------------------------------------------------------------

    def _refuse_frame(self, problem: WireError, now_s: float) -> list[Outgoing]:
        self._schedule.run_until(now_s)
        self._context.reject(now_s, problem, None)
        return self.advance(now_s)

    def _refuse(self, event: Json, problem: WireError, now_s: float) -> list[Outgoing]:
        """What this server does not take."""
        self._note(event, now_s)
        event_id = event.get("event_id")
        self._context.reject(now_s, problem, event_id if isinstance(event_id, str) else None)
        return self.advance(now_s)

    def _arrive(self, event: Any, due_s: float, now_s: float) -> None:
        if isinstance(event, dict):
            treatment = self._context.plan.on_client_event(event)
            due_s += treatment.delay_s
            for moment in treatment.moments:
                self._strike(moment, now_s)
            if treatment.lost or treatment.refusal:
                self._note(event, now_s)
                if treatment.refusal:
                    self._refuse_event(event, treatment.refusal, now_s)
                return
        if due_s > now_s:
            self._schedule.at(due_s, lambda at_s: self._process(event, at_s))
        else:
            self._process(event, now_s)

    def _refuse_event(self, event: Json, refusal: faults.RefuseClient, now_s: float) -> None:
        event_id = event.get("event_id")
        problem = WireError(refusal.code, refusal.message, refusal.param)
        self._context.reject(now_s, problem, event_id if isinstance(event_id, str) else None)

    def _process(self, event: Any, now_s: float) -> None:
        if not isinstance(event, dict):
            self._context.reject(now_s, errors.invalid_json(), None)
            return
        self._note(event, now_s)
        if self._created:
            self._handle(event, now_s)
        elif not any(self._context.plan.of(faults.DeafBeforeCreated)):
            self._early.append(event)

    def _note(self, event: Json, now_s: float) -> None:
        kind = event.get("type")
        is_append = kind in _APPENDS
        if not is_append:
            self.stats.received.append(Seen(now_s, str(kind), event))
        elif self.stats.first_append_s is None:
            self.stats.first_append_s = now_s
        if not self._configured and (is_append or kind == "response.create"):
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
            if not isinstance(kind, str) or kind not in self._handlers:
                raise errors.unknown_event(kind)
            self._handlers[kind](self._shapes[kind](event, ""), now_s)
        except WireError as problem:
            self._context.reject(now_s, problem, event_id)

    # --- session ----------------------------------------------------------------------------------------------------

    def _create_session(self, now_s: float) -> None:
        self._created = True
        self._outbox.emit(now_s, "session.created", session=self._context.session.config)
        if self._context.beta:
            conversation = {"id": self._context.conversation.id, "object": "realtime.conversation"}
            self._outbox.emit(now_s, "conversation.created", conversation=conversation)
        early, self._early = self._early, []
        for event in early:
            self._handle(event, now_s)

    def _update_session(self, event: Json, now_s: float) -> None:
        refusal = self._context.plan.next_update_refusal()
        if refusal:
            raise WireError(refusal.code, refusal.message, refusal.param)
        session = self._context.session
        if not session.transcribes:
            self._mcp.check(event["session"].get("tools", ()), "session.tools")
        session.update(event["session"], beta=self._context.beta, voice_locked=self._responses.spoke)
        for overruled in self._context.plan.of(faults.OverruleUpdate):
            session.config = faults.with_paths(session.config, overruled.set)
        self._configured = True
        self._input.detection_changed()
        self._outbox.emit(now_s, "session.updated", session=session.config)
        self._import_tools(now_s)

    def _expire(self, now_s: float) -> None:
        problem = errors.session_expired(self._context.settings.session_max_s)
        self._context.complain(now_s, problem)
        self._outbox.close(now_s, 1001, problem.message)

    # --- audio and responses ----------------------------------------------------------------------------------------

    def _append(self, event: Json, now_s: float) -> None:
        self.stats.appends += 1
        self._input.append(event, now_s)

    def _commit(self, _event: Json, now_s: float) -> None:
        if self._context.session.turn_detection is not None:
            self._blame("commit while the server detects turns")
        self._input.commit(now_s)

    def _turn_ended(self, now_s: float) -> None:
        self._input.forget_idleness()
        if not self._context.session.transcribes:
            self._responses.create_automatically(now_s)

    def _create_response(self, event: Json, now_s: float) -> None:
        if self._context.session.transcribes:
            raise errors.no_responses_here()
        self.stats.creates += 1
        options = event.get("response")
        beside = options is not None and options.get("conversation") == "none"
        crossing = None if beside else self._context.plan.next_crossing()
        if crossing:
            event_id = event.get("event_id")

            def refuse(problem: WireError, at_s: float) -> None:
                self._context.reject(at_s, problem, event_id, guilty=False)

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
                self._outbox.close(now_s, fault.code, fault.reason)
            case faults.Inject():
                self._outbox.send_raw(now_s, fault)
            case faults.Flood():
                self._outbox.flood(now_s, fault)
            case faults.StallSending():
                self._outbox.stall(now_s, fault.for_s)
            case faults.StallReading():
                self._reading_from_s = max(self._reading_from_s, now_s + fault.for_s)


def _assemble(
    settings: ProviderSettings,
    scenario: ProviderScenario,
    model: str | None,
    connection: int,
    accent: SimulatedAccent | None,
) -> SessionContext:
    """The shared things of one session. No model: it transcribes."""
    ids = Ids(settings.seed, connection)
    plan = FaultPlan(scenario.faults, connection)
    latency = scenario.latency or settings.latency
    scripted = {name: getattr(scenario, name) for name in ("session_max_s", "skew_ms", "truncation_tolerance_ms")}
    settings = attrs.evolve(settings, **{name: value for name, value in scripted.items() if value is not None})
    expires_at_s = (settings.epoch_s or _EPOCH_S) + int(settings.session_max_s)
    outbox = Outbox(ids, plan, beta=settings.dialect == "beta", downlink_s=latency.downlink_s)
    if accent is not None:
        outbox.accent = accent.said
    session = SimulatedSession(ids.session(), model or "", expires_at_s, transcribes=model is None)
    if settings.server is not None and settings.server.detection:  # off, until somebody asks for it
        session.config["audio"]["input"]["turn_detection"] = None
    return SessionContext(
        settings=settings,
        scenario=scenario,
        latency=latency,
        ids=ids,
        schedule=Schedule(),
        plan=plan,
        outbox=outbox,
        session=session,
        conversation=SimulatedConversation(ids.conversation()),
        model=ScriptedModel(scenario),
        stats=SessionStats(connection),
    )


def _without_audio(event: Json) -> Json:
    delta = event.get("delta")
    if isinstance(delta, str) and "audio.delta" in str(event.get("type")):
        return {name: value for name, value in event.items() if name != "delta"} | {"audio_chars": len(delta)}
    return event
