"""One call: its parts put together, and the one loop that turns facts into effects. Decisions are the spec's.

Everything a call owns (sockets, tasks, timers, the place in the tick) is gone when `run` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import attrs
import structlog

from adapters.audio.formats import Transcoder
from adapters.audio.gaps import SilenceFiller
from adapters.audio.playout import Playout
from adapters.audio.recorder import Recorder, RecordingWriter
from adapters.audio.silence import SilenceWatch
from adapters.audio.uplink import Uplink
from adapters.call.executor import CallComponents, Executor, discard
from adapters.call.history import History
from adapters.call.mailbox import Envelope, Mailbox
from adapters.call.prompt import PromptPlayer
from adapters.call.provider_listener import ProviderListener
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.call.timers import Timers
from adapters.call.turn_audio import UncommittedAudio
from adapters.providers.realtime.protocol import WireEvent
from adapters.tools import ToolRunner
from fsm.journal.journal import WAITED
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine

log = structlog.get_logger(__name__)


_COMPLAINTS = frozenset(
    {"session.update_rejected", "provider.refused", "create_rejected", "create_failed", "commit_rejected",
     "item_rejected", "provider.unreachable"}
)  # fmt: skip
"""Events an operator wants to read of, with the provider's own words."""

QUIET: Final = "configured"
"""The state in which nobody has the floor."""


class LegListener(Protocol):
    """Who hears the caller; told from the line's receive loop."""

    def on_audio(self, pcm: bytes, rate_hz: int) -> None: ...

    def on_key(self, digit: str) -> None: ...

    def on_gone(self, reason: str) -> None: ...


class Leg(Protocol):
    """A telephone line: AudioSocket's Connection is one."""

    @property
    def rate_hz(self) -> int: ...

    @property
    def frames_unsent(self) -> int: ...

    def play_from(self, source: Callable[[], bytes | None] | None) -> None: ...

    def listen(self, listener: LegListener) -> None: ...

    async def hang_up(self) -> None: ...


class Observer(Protocol):
    """Watches a call: the journal, a display. May not slow it down; what it raises is logged and ends nothing."""

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None: ...

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None: ...


@attrs.frozen
class CallServices:
    """What the calls of a process share."""

    machine: TurnSpecMachine
    settings: CallSettings
    prompts: Mapping[str, bytes]
    threads: ThreadPoolExecutor
    recordings: RecordingWriter


class Call:
    """`await Call(...).run()`: returns the summary when the call is over and all it owned is gone."""

    def __init__(self, call_id: str, leg: Leg, shared: CallServices, observers: Iterable[Observer] = ()) -> None:
        self.call_id = call_id
        self.log = log.bind(call_id=call_id)
        self._leg = leg
        self._shared = shared
        self._observers = list(observers)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._machine = shared.machine
        self._mailbox = Mailbox(shared.settings.limits.mailbox_events)
        self._timers = Timers(self._mailbox)
        self.summary = Summary(self._machine.spec)
        self._snapshot: Snapshot | None = None
        self._leaving = ""
        self._build()

    def _build(self) -> None:
        settings, limits = self._shared.settings, self._shared.settings.limits
        manual = self._machine.spec.turn_detection.manual
        self._transcoder = Transcoder(settings.audio_in, settings.audio_out, self._leg.rate_hz)
        self._playout = Playout(self._fact, rate_hz=self._leg.rate_hz, max_queued_ms=limits.agent_audio_queued_ms)
        self._prompts = PromptPlayer(self._shared.prompts, self._playout.format.frame_bytes, self._fact)
        self._silence = SilenceWatch(
            self._fact, hold_ms=limits.silence_hold_ms, threshold_dbfs=limits.silence_threshold_dbfs
        )
        self._history = History()
        self._recorder = self._new_recorder()
        self._uplink = Uplink(
            settings.audio_in, discard, self._fact,
            keep=not manual, keep_ms=limits.caller_audio_kept_ms,
        )  # fmt: skip
        self._turn_audio = UncommittedAudio(settings.audio_in, 0 if manual else limits.caller_audio_kept_ms)
        self._gaps = SilenceFiller(settings.audio_in, self._send_up)
        tools = ToolRunner(settings.tools, self._tool_returned, self._shared.threads)
        parts = CallComponents(
            self._leg, self._playout, self._prompts, self._transcoder, self._uplink, self._turn_audio, self._silence,
            tools, self._history, self._new_provider_listener, lambda event: self._observe_wire("out", event),
            self._unseen_response_ids,
        )  # fmt: skip
        self._executor = Executor(settings, parts, self.log)

    async def run(self) -> Summary:
        """Runs the call to its end. Cancelling it ends the call at once, and still leaves nothing behind."""
        try:
            await self._loop_of_the_call()
        finally:
            await self._close()
        return self.summary

    async def _loop_of_the_call(self) -> None:
        settings = self._shared.settings
        context = {} if settings.greeting is not None else {"owed": "none"}
        manual = self._machine.spec.turn_detection.manual
        steps = self._machine.start(talk_key=settings.talk_key if manual else "", **context)
        self._leg.listen(self)
        self._leg.play_from(self._next_frame)
        self._take(steps, Envelope(steps[0].event, "start"))
        while not (snapshot := steps[-1].snapshot).is_final:
            self._snapshot = snapshot
            if self._leaving:
                self._ask_to_end()
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
        if step.event.name in _COMPLAINTS and step.outcome != "ignored":
            told = {key: step.event.data.get(key) for key in ("code", "message", "param", "reason")}
            self.log.warning("provider_complained", about=step.event.name, **{k: v for k, v in told.items() if v})
        self.log.debug(
            "step", variant=step.variant, outcome=step.outcome, before=step.before, after=step.snapshot.state,
            effects=[effect.name for effect in step.effects], at_ms=at_ms,
        )  # fmt: skip
        self._observe("stepped", step, envelope, at_ms)
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
        if self._recorder is not None:
            self._recorder.close()
        self.summary.duration_ms = self._at_ms()
        self.summary.mailbox_dropped = self._mailbox.dropped
        self.summary.frames_unsent = self._leg.frames_unsent
        self.summary.played = self._playout.stats
        self._observe("ended", self.summary)
        self.log.info("call_ended", **self.summary.as_json())

    # --- facts --------------------------------------------------------------------------------------------------------

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        """A caller's frame, from the line: up to the provider within the same call."""
        self._send_up(self._transcoder.to_provider(pcm, rate_hz))
        self._gaps.heard()
        if self._silence.watching:
            self._silence.hear(pcm)
        if self._recorder is not None:
            self._recorder.hear(pcm, rate_hz)

    def _unseen_response_ids(self) -> frozenset[str]:
        ids = (event.data.get("response_id") for event in self._mailbox.waiting("response.created"))
        return frozenset(identity for identity in ids if isinstance(identity, str))

    def _send_up(self, payload: bytes) -> None:
        self._uplink.hear(payload)
        if self._uplink.is_open:
            self._turn_audio.remember(payload)

    def on_key(self, digit: str) -> None:
        self._mailbox.put(Event("caller.pressed_key", {"digit": digit}), "line")

    def on_gone(self, reason: str) -> None:
        self._mailbox.put(Event("caller.hung_up", {"reason": reason}), "line", never_drop=True)

    def hang_up(self, reason: str) -> None:
        """An operator's wish to end the call politely."""
        self._mailbox.put(Event("operator.hang_up_requested", {"reason": reason}), "operator")

    def leave(self, reason: str) -> None:
        """An operator's wish to end the call as soon as nobody speaks, is heard or waits for an answer."""
        self._leaving = reason
        self._ask_to_end()

    def _ask_to_end(self) -> None:
        """The request is made once, and at a moment when the spec has nothing left to finish."""
        snapshot = self._snapshot
        if self._leaving and snapshot is not None and not self._mailbox and self._is_at_rest(snapshot):
            self.hang_up(self._leaving)
            self._leaving = ""

    def _is_at_rest(self, snapshot: Snapshot) -> bool:
        """Nobody has the floor, nothing has a deadline, nothing is heard."""
        quiet = snapshot.state == QUIET or QUIET not in self._machine.spec.states
        return quiet and not snapshot.armed and not self._playout.is_playing

    def say(self, text: str) -> None:
        """An application's wish to have something said; it waits until nobody has the floor."""
        self._mailbox.put(Event("application.say_requested", {"text": text}), "application")

    def wire_in(self, event: WireEvent) -> None:
        """A wire event passes by, on its way to the mailbox."""
        self._history.hear(event)
        self._turn_audio.hear(event)
        self._observe_wire("in", event)

    def _fact(self, name: str, data: Mapping[str, object]) -> None:
        self._mailbox.put(Event(name, data), "audio")

    def _tool_returned(self, call_id: str, output: str) -> None:
        self._mailbox.put(Event("tool.returned", {"call_id": call_id, "output": output}), f"tool:{call_id}")

    def _new_provider_listener(self) -> ProviderListener:
        vocabulary = self._machine.spec.vocabulary
        return ProviderListener(vocabulary, self._mailbox, self._playout, self._transcoder, self, self.log)

    # --- the tick -----------------------------------------------------------------------------------------------------

    def _next_frame(self) -> bytes | None:
        """The 20 ms that begin now, for the line; None is silence."""
        frame = self._playout.pull()
        if frame is None:
            frame = self._prompts.pull()
        if self._uplink.is_open:
            self._gaps.tick()
        if self._silence.watching:
            self._silence.tick()
        if self._recorder is not None:
            self._recorder.tick(frame)
        return frame

    def _new_recorder(self) -> Recorder | None:
        folder: Path | None = self._shared.settings.recording_dir
        if folder is None:
            return None
        return Recorder(self._shared.recordings, folder / f"{self.call_id}.wav", rate_hz=self._leg.rate_hz)

    # --- observers ----------------------------------------------------------------------------------------------------

    def _at_ms(self) -> int:
        return round((self._loop.time() - self._began_s) * 1000)

    def _observe_wire(self, direction: str, event: WireEvent) -> None:
        if self._observers:
            self._observe("wire", direction, event, self._at_ms())

    def _observe(self, method: str, *args: object) -> None:
        for observer in self._observers:
            try:
                getattr(observer, method)(*args)
            except Exception:
                self.log.exception("observer_failed", observer=type(observer).__name__)
