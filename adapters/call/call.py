"""One call: its parts put together, and the one loop that turns facts into effects. Decisions are the spec's.

Everything a call owns (sockets, tasks, timers, the place in the tick) is gone when `run` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import attrs
import structlog

from adapters.active_call import ENDED, ActiveCall, Answer, answer_of
from adapters.application import ApplicationEffects
from adapters.audio.agent_audio import AgentAudioPath, AgentPlayout
from adapters.audio.caller_audio import CallerAudioPath, UnansweredAudio
from adapters.audio.formats import Transcoder
from adapters.audio.half_duplex import HalfDuplex
from adapters.audio.played_elsewhere import PlayedElsewhere
from adapters.audio.playout import Playout
from adapters.audio.playout_counts import Piece
from adapters.audio.prompt import OPENING, PromptPlayer
from adapters.audio.recorder import Recorder
from adapters.audio.silence import SilenceWatch
from adapters.audio.speech import ECHO_AT_MOST_MS, LOCAL_SPEECH, SOUND_BEGAN, VoiceActivityDetector
from adapters.audio.under_way import UnderWay
from adapters.audio.uplink import Uplink
from adapters.call.claims import ProviderClaims
from adapters.call.drain import Drain, hang_up_request
from adapters.call.executor import CallComponents, Executor, discard
from adapters.call.history import History
from adapters.call.lifecycle import Lifecycle, Lifecycles
from adapters.call.mailbox import Envelope, Mailbox
from adapters.call.observers import Observer, Observers
from adapters.call.provider_listener import ProviderListener
from adapters.call.result import CallResult
from adapters.call.secret_keys import SecretKeys
from adapters.call.settings import CallSettings, min_speech_ms, start_context
from adapters.call.standing import Standing, StandingWatch
from adapters.call.summary import Summary
from adapters.call.timers import Timers
from adapters.call.transfers import PutThrough, TellResult, Transfers
from adapters.call.words import filler
from adapters.files import FileWriterThread
from adapters.lines.gone import Gone
from adapters.lines.line import CallData, CallLeg
from adapters.providers.provider import AttachableProvider, Difference, EncodingError, Provider, WireEvent
from adapters.tool_processes import ToolProcesses
from adapters.tools import ToolRunner
from fsm.journal.journal import WAITED
from fsm.language.request_data import complaint
from fsm.language.spec import Spec
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.takeover import take_over

log = structlog.get_logger(__name__)


_COMPLAINTS = frozenset(
    {"session.update_rejected", "provider.refused", "create_rejected", "create_failed", "commit_rejected",
     "item_rejected", "provider.unreachable"}
)  # fmt: skip
"""Events an operator wants to read of, with the provider's own words."""
_WORDS = ("code", "message", "param", "reason", *attrs.fields_dict(Difference))


TAKEOVER = "takeover"
"""The cause of what a call brings along when it goes on under another spec."""
KEPT = "uplink.kept"
"""A spec without this word leaves it to its provider to answer what is said to it again."""
_OVERLOOKED = "timer.speech_overdue"
"""We heard the caller, and the provider did not report it: noted once in a call."""


@attrs.frozen
class CallServices:
    """What the calls of a process share."""

    machine: TurnSpecMachine
    provider: Provider
    settings: CallSettings
    prompts: Mapping[str, bytes]
    """By name, at the leg's rate."""
    threads: ThreadPoolExecutor
    recordings: FileWriterThread
    agent: str = "default"
    put_through: PutThrough | None = None
    """How a caller is put through to somebody else; None: by the dialplan, which reads the result."""
    processes: ToolProcesses | None = None
    """For tools that run in one."""
    tell_result: TellResult | None = None
    """Who is told how a call ends before its line is; None: whoever wants to know asks."""
    digest: str = ""
    """Of the machine's spec."""
    elsewhere: Mapping[str, Lifecycle] = attrs.field(factory=dict)
    """Where a call goes on when its provider's protocol is not that of the machine's spec: by protocol."""

    def lifecycles(self, fill: Callable[[str], str]) -> Lifecycles:
        """Of one call."""
        first = Lifecycle(self.machine, self.settings, self.digest).with_words(fill)
        return Lifecycles(first, {name: each.with_words(fill) for name, each in self.elsewhere.items()})


def _attached(provider: Provider, session_id: str) -> Provider:
    if not isinstance(provider, AttachableProvider):
        raise EncodingError(f"{provider.label}: a session of this protocol cannot be attached to")
    return provider.attached(session_id)


class Call:
    """`await Call(...).run()`: returns the summary when the call is over and all it owned is gone."""

    def __init__(
        self,
        call_id: str,
        leg: CallLeg,
        services: CallServices,
        observers: Iterable[Observer] = (),
        data: CallData | None = None,
    ) -> None:
        """`data`: what is known about the call; without it, what the line says."""
        self.call_id = call_id
        self.agent = services.agent
        self.data = leg.data if data is None else data
        fill = filler(call_id, services.agent, self.data)
        provider = services.provider.with_words(fill)
        if self.data.session_id:
            provider = _attached(provider, self.data.session_id)
        services = attrs.evolve(services, provider=provider)
        self._lifecycles = services.lifecycles(fill)
        self.log = log.bind(call_id=call_id)
        self._leg = leg
        self._keeps_lead = leg.keeps_lead
        self._services = services
        self._observers = Observers(observers, self.log)
        self.result = CallResult()
        self._is_over = False
        data = self.data
        self.active = ActiveCall(self.ask, call_id, self.agent, data.caller_id, data.dialled, data.variables)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._mailbox = Mailbox(self._settings.limits.mailbox_events)
        self._timers = Timers(self._mailbox)
        self._keys = SecretKeys(self._mailbox)
        self._history = History()
        transcoder = Transcoder(services.provider.audio_in, services.provider.audio_out, leg.rate_hz)
        self._caller_audio = self._new_caller_audio(transcoder)
        self.on_audio = self._caller_audio.hear
        self._agent_audio: AgentPlayout = (
            PlayedElsewhere(self._fact, self._loop.call_later)
            if self.data.session_id
            else self._new_agent_audio(transcoder)
        )
        self._claims = ProviderClaims(self._agent_audio, self._caller_audio, self.log)
        self._executor = self._new_executor()
        self._drain = Drain(self._machine, self._mailbox, lambda: self._agent_audio.is_playing)
        self.summary = Summary(self._machine.spec, agent=services.agent, data=self.data)
        self._overlooked = False
        self._standing = StandingWatch(self._machine.spec)

    @property
    def _machine(self) -> TurnSpecMachine:
        return self._lifecycles.current.machine

    @property
    def _settings(self) -> CallSettings:
        return self._lifecycles.current.settings

    @property
    def spec(self) -> Spec:
        """The one that it is under now."""
        return self._machine.spec

    @property
    def events_waiting(self) -> int:
        """In its mailbox."""
        return len(self._mailbox)

    @property
    def standing(self) -> Standing:
        """Where it stands now."""
        return self._standing.look()

    @property
    def state(self) -> tuple[str, float]:
        """Its name, and the loop's time at which it was entered: all that a list of many calls wants to know."""
        snapshot = self._standing.snapshot
        return snapshot.state if snapshot is not None else self.spec.initial, self._standing.since_s

    @property
    def began_s(self) -> float:
        """By the loop's clock."""
        return self._began_s

    @property
    def outcome(self) -> str:
        """How it ended, in a dialplan's words; "" as long as that is open."""
        return self.result.word if self._is_over or self.result.is_settled or self.standing.is_ending else ""

    def ask(self, event: Event, answer: Callable[[Answer], None]) -> None:
        """A request of a tool or an application, or a fact of the application's: one that the spec knows. On the loop.

        `application.` may be left out.
        """
        if self._is_over:
            answer(ENDED)
            return
        vocabulary = self._machine.spec.vocabulary
        if event.name not in vocabulary.sayable and (full := f"application.{event.name}") in vocabulary.sayable:
            event = Event(full, event.data)
        if event.name not in vocabulary.sayable:
            answer(Answer(False, f"'{event.name}' is not a request that {self._machine.spec.name} knows"))
            return
        if wrong := complaint(vocabulary.data_of(event.name), event.data):
            answer(Answer(False, f"{event.name}: {wrong}"))
            return
        self._mailbox.put(
            event, "application", answered=lambda step: answer(ENDED if step is None else answer_of(step))
        )

    def _new_caller_audio(self, transcoder: Transcoder) -> CallerAudioPath:
        settings, payload = self._settings, transcoder.provider_in
        limits = settings.limits
        silence = SilenceWatch(self._fact, hold_ms=limits.silence_hold_ms, threshold_dbfs=limits.silence_threshold_dbfs)
        manual, kept_ms = self._machine.spec.turn_detection.manual, limits.caller_audio_kept_ms
        uplink = Uplink(payload, discard, self._fact, keep_ms=0 if manual else kept_ms)
        unanswered = UnansweredAudio(payload, kept_ms)
        recorder = None
        if settings.recording_dir is not None and not self.data.session_id:  # else no audio comes by: an empty file
            path = settings.recording_dir / f"{self.call_id}.wav"
            recorder = Recorder(self._services.recordings, path, rate_hz=self._leg.rate_hz)
        threshold_dbfs = limits.silence_threshold_dbfs
        half_duplex = HalfDuplex(payload, threshold_dbfs=threshold_dbfs) if settings.half_duplex else None
        speech = None
        if self._lifecycles.knows(LOCAL_SPEECH):  # whoever does not ask for it does not pay for it
            speech = VoiceActivityDetector(
                self._known_fact, min_speech_ms=min_speech_ms(self._lifecycles.listening, limits),
                threshold_dbfs=threshold_dbfs, reports_sounds=self._lifecycles.knows(SOUND_BEGAN),
            )  # fmt: skip
        return CallerAudioPath(
            transcoder, uplink, silence, unanswered, recorder, half_duplex, speech, self._known_fact,
            holds_turns=manual,
        )  # fmt: skip

    def _new_agent_audio(self, transcoder: Transcoder) -> AgentAudioPath:
        limits = self._settings.limits
        under_way: UnderWay[Piece] | None = UnderWay(self._fact) if self._keeps_lead else None
        playout = Playout(
            self._fact,
            rate_hz=self._leg.rate_hz,
            max_queued_ms=limits.agent_audio_queued_ms,
            sound_dbfs=limits.silence_threshold_dbfs,
            echo_tail_ms=ECHO_AT_MOST_MS if self._lifecycles.knows(SOUND_BEGAN) else 0,
            under_way=under_way,
        )
        on_finished = self._fact if under_way is None else under_way.report
        prompts = PromptPlayer(self._services.prompts, playout.format.frame_bytes, on_finished)
        audio = AgentAudioPath(transcoder, playout, prompts, under_way)
        if OPENING in self._services.prompts:
            opening = PromptPlayer(self._services.prompts, playout.format.frame_bytes, lambda _name, _data: None)
            opening.play(OPENING)
            audio.open_with(opening)
        return audio

    def _new_executor(self) -> Executor:
        settings, services = self._settings, self._services
        tools = ToolRunner(settings.tools, self._tool_returned, services.threads, self.active, services.processes)
        transfers = Transfers(
            self._leg, services.put_through, self.result, self._known_fact, self.log, services.tell_result
        )
        components = CallComponents(
            self._services.provider, self._leg, self._caller_audio, self._agent_audio, tools, self._history,
            self._new_provider_listener, transfers, self._new_application(), self.result, self._wire_out,
            self._unseen_response_ids, self._keys, self._lifecycles.goes_on_elsewhere, bool(self.data.session_id),
        )  # fmt: skip
        return Executor(settings, components, self.log)

    def _new_application(self) -> ApplicationEffects:
        services, vocabulary = self._services, self._machine.spec.vocabulary
        return ApplicationEffects(
            vocabulary, self._settings.effects, self._application_fact, services.threads, self.active
        )

    def _new_provider_listener(self) -> ProviderListener:
        return ProviderListener(
            self._services.provider, self._machine.spec.vocabulary, self._mailbox, self._agent_audio,
            self._caller_audio, self._history, self._claims, self._wire_in, self.log, self.summary.usage, self.on_key,
            self._session_gone if self.data.session_id else None,
        )  # fmt: skip

    async def run(self) -> Summary:
        """Runs the call to its end. Cancelling it ends the call at once, and still leaves nothing behind."""
        try:
            await self._loop_of_the_call()
        finally:
            await self._close()
        return self.summary

    async def _loop_of_the_call(self) -> None:
        settings = self._settings
        context = start_context(self._machine.spec, settings, self.data)
        manual = self._machine.spec.turn_detection.manual
        steps = self._machine.start(talk_key=settings.talk_key if manual else "", **context)
        self._leg.listen(self)
        self._leg.play_from(self)
        self._take(steps, Envelope(steps[0].event, "start"))
        while not (snapshot := steps[-1].snapshot).is_final:
            if self._lifecycles.is_due:
                steps = self._go_on_elsewhere(snapshot)
                continue
            self._drain.look(snapshot)
            envelope = await self._mailbox.next()
            steps = self._machine.advance(snapshot, envelope.event)
            self._take(steps, envelope)

    def _go_on_elsewhere(self, snapshot: Snapshot) -> tuple[Step, ...]:
        """Its next session is over another protocol: the call goes on under that one's spec."""
        before, lifecycle = self._lifecycles.change()
        spec = lifecycle.spec
        is_said_again = self._caller_audio.is_turn_kept and KEPT not in spec.vocabulary.events
        begins_with = start_context(spec, lifecycle.settings, self.data)
        taken = take_over(before.spec, snapshot, spec, begins_with, is_said_again=is_said_again)
        self._timers.close()
        self._drain.follow(lifecycle.machine)
        self._standing.spec = spec
        self.summary.follow(spec)
        self._executor.follow(lifecycle.settings, spec.vocabulary)
        self.log.warning("went_on_elsewhere", before=before.spec.name, spec=spec.name, begins_with=dict(taken.values))
        self._observers.took_over(lifecycle, taken, self._services.provider.label, self._at_ms())
        steps = lifecycle.machine.take_over(taken.values, taken.ids)
        self._take(steps, Envelope(steps[0].event, TAKEOVER))
        if self._caller_audio.is_turn_kept:
            self._known_fact(KEPT, {})
        for event in taken.waiting:
            self._mailbox.put(event, TAKEOVER)
        return steps

    def _take(self, steps: tuple[Step, ...], envelope: Envelope) -> None:
        """Acts on an envelope and on what had waited for it."""
        self._act(steps[0], envelope)
        if envelope.answered is not None:
            envelope.answered(steps[0])
        for step in steps[1:]:
            self._act(step, Envelope(step.event, WAITED))

    def _act(self, step: Step, envelope: Envelope) -> None:
        at_ms = self._at_ms()
        self._standing.take(step.snapshot, self._loop.time())
        self.summary.count(step, envelope, at_ms)
        if self.summary.provider_failed:
            self.result.failed()  # before we leave: the dialplan asks at once
        if step.outcome == "impossible":
            self.log.warning("protocol_violation", variant=step.variant, state=step.before, reason=step.reason)
        if step.event.name == _OVERLOOKED and step.outcome != "ignored" and not self._overlooked:
            self._overlooked = True
            self.log.warning("speech_not_reported", state=step.before)
        if step.event.name in _COMPLAINTS and step.outcome != "ignored":
            words = {key: step.event.data.get(key) for key in _WORDS}
            self.log.warning("provider_complained", about=step.event.name, **{k: v for k, v in words.items() if v})
        self.log.debug(
            "step", variant=step.variant, outcome=step.outcome, before=step.before, after=step.snapshot.state,
            effects=[effect.name for effect in step.effects], at_ms=at_ms,
        )  # fmt: skip
        self._observers.stepped(step, envelope, at_ms)
        for name in step.stop:
            self._timers.stop(name)
        for timer in step.start:
            self._timers.start(timer)
        for effect in step.effects:
            self._executor.submit(effect)

    async def _close(self) -> None:
        self._is_over = True
        self._mailbox.close()
        self._timers.close()
        self._leg.play_from(None)
        await self._executor.close()
        self._caller_audio.close()
        self._agent_audio.close()
        self.summary.duration_ms = self._at_ms()
        self.summary.mailbox_dropped = self._mailbox.dropped
        self.summary.frames_unsent = self._leg.frames_unsent
        self.summary.played = self._agent_audio.stats
        self._observers.ended(self.summary)
        self.log.info("call_ended", **self.summary.as_json())

    # --- the line: a LegListener --------------------------------------------------------------------------------------

    def on_key(self, digit: str) -> None:
        self._keys.press(digit)

    def on_gone(self, reason: str) -> None:
        self._mailbox.put(Event("caller.hung_up", {"reason": reason}), "line", never_drop=True)

    def _session_gone(self) -> None:
        """What we were attached to is no more: that is how a caller hangs up there."""
        self.on_gone(Gone.CALLER_HUNG_UP)

    # --- the line: an AudioSource -------------------------------------------------------------------------------------

    def tick(self) -> None:
        self._caller_audio.tick(self._agent_audio.advance(self._leg.lead_ms))

    def pull(self) -> bytes | None:
        frame = self._agent_audio.pull()
        if not self._keeps_lead:
            self._caller_audio.tick(frame)
        return frame

    # --- requests -----------------------------------------------------------------------------------------------------

    def hang_up(self, reason: str) -> None:
        """An operator's wish to end the call politely."""
        self._mailbox.put(hang_up_request(reason), "operator")

    def leave(self, reason: str) -> None:
        """An operator's wish to end the call as soon as nobody speaks, is heard or waits for an answer."""
        self._drain.begin(reason)

    def say(self, text: str) -> None:
        """An application's wish to have something said; it waits until nobody has the floor."""
        self._mailbox.put(Event("application.say_requested", {"text": text}), "application")

    # --- what the components report -----------------------------------------------------------------------------------

    def _fact(self, name: str, data: Mapping[str, object]) -> None:
        self._witness(name, data)
        self._mailbox.put(Event(name, data), "audio")

    def _known_fact(self, name: str, data: Mapping[str, object]) -> None:
        """One that not every vocabulary has a word for."""
        if name in self._machine.spec.vocabulary.events:
            self._fact(name, data)

    def _application_fact(self, name: str, data: Mapping[str, object]) -> None:
        """What came of an effect: as many as there are effects, and a spec may wait for it."""
        if not self._is_over:
            self._mailbox.put(Event(name, data), "effect", never_drop=True)

    def _witness(self, name: str, data: Mapping[str, object]) -> None:
        """What the caller has heard is what a later session is told, and what was answered is not said again."""
        items, response_id = data.get("items"), str(data.get("response_id"))
        match name:
            case "caller.spoke":  # whether the provider reports it or not
                self._caller_audio.turn_began()
            case "playout.flushed" | "playout.dropped" if isinstance(items, list):
                self._history.agent_cut(items)
            case "playout.silent":
                self._history.agent_silent(response_id)
            case "playout.heard":
                self._caller_audio.answer_heard(response_id)

    def _tool_returned(self, call_id: str, output: str) -> None:
        self._mailbox.put(Event("tool.returned", {"call_id": call_id, "output": output}), f"tool:{call_id}")

    def _unseen_response_ids(self) -> frozenset[str]:
        ids = (event.data.get("response_id") for event in self._mailbox.waiting("response.created"))
        return frozenset(identity for identity in ids if isinstance(identity, str))

    def _wire_in(self, event: WireEvent) -> None:
        self._observers.wire("in", event, self._at_ms())

    def _wire_out(self, event: WireEvent) -> None:
        self._observers.wire("out", event, self._at_ms())

    def _at_ms(self) -> int:
        return round((self._loop.time() - self._began_s) * 1000)
