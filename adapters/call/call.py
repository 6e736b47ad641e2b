"""One call: its parts put together, and the one loop that turns facts into effects. Decisions are the spec's.

Everything a call owns (sockets, tasks, timers, the place in the tick) is gone when `run` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import attrs
import structlog

from adapters.audio.agent_audio import AgentAudioPath
from adapters.audio.caller_audio import CallerAudioPath, UnansweredAudio
from adapters.audio.formats import Transcoder
from adapters.audio.half_duplex import HalfDuplex
from adapters.audio.playout import Playout
from adapters.audio.prompt import PromptPlayer
from adapters.audio.recorder import Recorder
from adapters.audio.silence import SilenceWatch
from adapters.audio.speech import LOCAL_SPEECH, VoiceActivityDetector
from adapters.audio.uplink import Uplink
from adapters.call.claims import ProviderClaims
from adapters.call.drain import Drain, hang_up_request
from adapters.call.executor import CallComponents, Executor, discard
from adapters.call.history import History
from adapters.call.mailbox import Envelope, Mailbox
from adapters.call.observers import Observer, Observers
from adapters.call.provider_listener import ProviderListener
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.call.timers import Timers
from adapters.files import FileWriterThread
from adapters.lines.line import CallLeg
from adapters.providers.provider import Difference, Provider, WireEvent
from adapters.tools import ToolRunner
from fsm.journal.journal import WAITED
from fsm.machine.machine import Event, Step, TurnSpecMachine

log = structlog.get_logger(__name__)


_COMPLAINTS = frozenset(
    {"session.update_rejected", "provider.refused", "create_rejected", "create_failed", "commit_rejected",
     "item_rejected", "provider.unreachable"}
)  # fmt: skip
"""Events an operator wants to read of, with the provider's own words."""
_WORDS = ("code", "message", "param", "reason", *attrs.fields_dict(Difference))


_OVERLOOKED = "timer.speech_overdue"
"""We heard the caller, and the provider did not report it: noted once in a call."""


@attrs.frozen
class CallServices:
    """What the calls of a process share."""

    machine: TurnSpecMachine
    provider: Provider
    settings: CallSettings
    prompts: Mapping[str, bytes]
    threads: ThreadPoolExecutor
    recordings: FileWriterThread


class Call:
    """`await Call(...).run()`: returns the summary when the call is over and all it owned is gone."""

    def __init__(self, call_id: str, leg: CallLeg, services: CallServices, observers: Iterable[Observer] = ()) -> None:
        self.call_id = call_id
        self.log = log.bind(call_id=call_id)
        self._leg = leg
        self._services = services
        self._machine = services.machine
        self._observers = Observers(observers, self.log)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._mailbox = Mailbox(services.settings.limits.mailbox_events)
        self._timers = Timers(self._mailbox)
        self._history = History()
        transcoder = Transcoder(services.provider.audio_in, services.provider.audio_out, leg.rate_hz)
        self._caller_audio = self._new_caller_audio(transcoder)
        self._agent_audio = self._new_agent_audio(transcoder)
        self._claims = ProviderClaims(self._agent_audio, self._caller_audio, self.log)
        self._executor = self._new_executor()
        self._drain = Drain(self._machine, self._mailbox, lambda: self._agent_audio.is_playing)
        self.summary = Summary(self._machine.spec)
        self._overlooked = False

    def _new_caller_audio(self, transcoder: Transcoder) -> CallerAudioPath:
        settings, payload = self._services.settings, transcoder.provider_in
        limits = settings.limits
        silence = SilenceWatch(self._fact, hold_ms=limits.silence_hold_ms, threshold_dbfs=limits.silence_threshold_dbfs)
        manual, kept_ms = self._machine.spec.turn_detection.manual, limits.caller_audio_kept_ms
        uplink = Uplink(payload, discard, self._fact, keep_ms=0 if manual else kept_ms)
        unanswered = UnansweredAudio(payload, kept_ms)
        recorder = None
        if settings.recording_dir is not None:
            path = settings.recording_dir / f"{self.call_id}.wav"
            recorder = Recorder(self._services.recordings, path, rate_hz=self._leg.rate_hz)
        threshold_dbfs = limits.silence_threshold_dbfs
        half_duplex = HalfDuplex(payload, threshold_dbfs=threshold_dbfs) if settings.half_duplex else None
        speech = None
        if LOCAL_SPEECH in self._machine.spec.vocabulary.events:  # whoever does not ask for it does not pay for it
            speech = VoiceActivityDetector(
                self._fact, min_speech_ms=limits.min_speech_ms, threshold_dbfs=threshold_dbfs
            )  # fmt: skip
        return CallerAudioPath(
            transcoder, uplink, silence, unanswered, recorder, half_duplex, speech, self._known_fact,
            holds_turns=manual,
        )  # fmt: skip

    def _new_agent_audio(self, transcoder: Transcoder) -> AgentAudioPath:
        limits = self._services.settings.limits
        playout = Playout(
            self._fact,
            rate_hz=self._leg.rate_hz,
            max_queued_ms=limits.agent_audio_queued_ms,
            sound_dbfs=limits.silence_threshold_dbfs,
        )
        prompts = PromptPlayer(self._services.prompts, playout.format.frame_bytes, self._fact)
        return AgentAudioPath(transcoder, playout, prompts)

    def _new_executor(self) -> Executor:
        settings = self._services.settings
        tools = ToolRunner(settings.tools, self._tool_returned, self._services.threads)
        components = CallComponents(
            self._services.provider, self._leg, self._caller_audio, self._agent_audio, tools, self._history,
            self._new_provider_listener, self._wire_out, self._unseen_response_ids,
        )  # fmt: skip
        return Executor(settings, components, self.log)

    def _new_provider_listener(self) -> ProviderListener:
        return ProviderListener(
            self._services.provider, self._machine.spec.vocabulary, self._mailbox, self._agent_audio,
            self._caller_audio, self._history, self._claims, self._wire_in, self.log,
        )  # fmt: skip

    async def run(self) -> Summary:
        """Runs the call to its end. Cancelling it ends the call at once, and still leaves nothing behind."""
        try:
            await self._loop_of_the_call()
        finally:
            await self._close()
        return self.summary

    async def _loop_of_the_call(self) -> None:
        settings = self._services.settings
        context = self._machine.spec.start_context(has_greeting=settings.greeting is not None, settings=settings.turns)
        manual = self._machine.spec.turn_detection.manual
        steps = self._machine.start(talk_key=settings.talk_key if manual else "", **context)
        self._leg.listen(self)
        self._leg.play_from(self._next_frame)
        self._take(steps, Envelope(steps[0].event, "start"))
        while not (snapshot := steps[-1].snapshot).is_final:
            self._drain.look(snapshot)
            envelope = await self._mailbox.next()
            steps = self._machine.advance(snapshot, envelope.event)
            self._take(steps, envelope)

    def _take(self, steps: tuple[Step, ...], envelope: Envelope) -> None:
        """Acts on an envelope and on what had waited for it."""
        self._act(steps[0], envelope)
        for step in steps[1:]:
            self._act(step, Envelope(step.event, WAITED))

    def _act(self, step: Step, envelope: Envelope) -> None:
        at_ms = self._at_ms()
        self.summary.count(step, envelope, at_ms)
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
        self._timers.close()
        self._leg.play_from(None)
        await self._executor.close()
        self._caller_audio.close()
        self.summary.duration_ms = self._at_ms()
        self.summary.mailbox_dropped = self._mailbox.dropped
        self.summary.frames_unsent = self._leg.frames_unsent
        self.summary.played = self._agent_audio.stats
        self._observers.ended(self.summary)
        self.log.info("call_ended", **self.summary.as_json())

    # --- the line: a LegListener --------------------------------------------------------------------------------------

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        self._caller_audio.hear(pcm, rate_hz)

    def on_key(self, digit: str) -> None:
        self._mailbox.put(Event("caller.pressed_key", {"digit": digit}), "line")

    def on_gone(self, reason: str) -> None:
        self._mailbox.put(Event("caller.hung_up", {"reason": reason}), "line", never_drop=True)

    def _next_frame(self) -> bytes | None:
        """The 20 ms that begin now, for the line; None is silence."""
        frame = self._agent_audio.pull()
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
