"""A caller for a simulated call: plays a script over a real connection of any line and reports what it was like.

The wire is `simulator.lines`, the script `script`, what is heard `hearing`, what is said `voice`. Here is only the
playing: one step after the other, each wait with its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from adapters.simulator.caller import script as steps
from adapters.simulator.caller.hearing import CallerHearing
from adapters.simulator.caller.report import CallerEnding, CallerEvent, CallerNote, CallerReport, make_report
from adapters.simulator.caller.script import CallerSettings, Script, Step
from adapters.simulator.caller.voice import Voice, load_utterances
from adapters.simulator.lines.audiosocket import dial_audiosocket
from adapters.simulator.lines.telephone import CallEndedError, OnEvent, Telephone

__all__ = ["CallerReport", "CallerSettings", "OnEvent", "Script", "run_call", "run_caller"]

log = structlog.get_logger(__name__)

MOST_EVENTS = 10_000
ROUNDING_MS = 0.01  # a frame that is due to the float's last digit would cost a wait one more frame


Dial: TypeAlias = Callable[[uuid.UUID, CallerSettings, OnEvent], Awaitable[Telephone]]
"""Makes a call of that id. OSError, TimeoutError: there is none."""


async def run_caller(
    host: str,
    port: int,
    script: Script,
    settings: CallerSettings,
    on_event: OnEvent | None = None,
    *,
    call_id: uuid.UUID | None = None,
) -> CallerReport:
    """`run_call` over AudioSocket."""
    return await run_call(partial(dial_audiosocket, host, port), script, settings, on_event, call_id=call_id)


async def run_call(
    dial: Dial,
    script: Script,
    settings: CallerSettings,
    on_event: OnEvent | None = None,
    *,
    call_id: uuid.UUID | None = None,
) -> CallerReport:
    """One call from connect to close. It ends when the script or the server ends it; every wait has a deadline.

    `on_event(name, data)` hears, as it happens: connected, began_speaking {file}, spoke {file, began_ms}, pressed
    {digit}, put_on_hold, taken_off_hold, heard_agent, agent_silent, waited_in_vain {step, text}, ended {how,
    dropped}; each with `at_ms`.
    A server that cannot be reached is a dropped call. ValueError, OSError: a file of the script cannot be read.
    """
    utterances = load_utterances(script, settings.rate_hz)
    call_id = call_id or uuid.uuid4()
    events: list[CallerEvent] = []
    emit = _kept(events, _safely(on_event))
    try:
        phone = await asyncio.wait_for(dial(call_id, settings, emit), settings.connect_deadline_ms / 1000)
    except (OSError, TimeoutError) as error:
        ending = CallerEnding("dropped", 0.0, f"cannot connect: {str(error) or 'no answer in time'}")
        return make_report(
            call_id=call_id, settings=settings, ending=ending, hearing=CallerHearing(settings), voice=Voice(settings)
        )
    emit("connected", {"at_ms": 0.0, "call_id": str(call_id)})
    playing = _Playing(phone, settings, utterances, emit)
    try:
        await playing.play(script)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(phone.closed), settings.close_deadline_ms / 1000)
    finally:
        phone.abandon()
    ending = phone.ending or CallerEnding("caller", phone.now_ms)
    emit("ended", {"at_ms": ending.at_ms, "how": ending.how, "dropped": ending.dropped})
    return make_report(
        call_id=call_id,
        settings=settings,
        ending=ending,
        hearing=phone.hearing,
        voice=phone.voice,
        notes=tuple(playing.notes),
        steps_done=playing.steps_done,
        server_closed_ms=phone.server_closed_ms,
        events=tuple(events),
    )


def _kept(events: list[CallerEvent], emit: OnEvent) -> OnEvent:
    """A script has few steps, and of the agent's beginnings and ends there are as many as a person could hear."""

    def keep(name: str, data: Mapping[str, object]) -> None:
        at_ms = data.get("at_ms")
        if len(events) < MOST_EVENTS:
            events.append(CallerEvent(at_ms if isinstance(at_ms, float) else 0.0, name, dict(data)))
        emit(name, data)

    return keep


def _safely(on_event: OnEvent | None) -> OnEvent:
    """A display that fails is logged, and the call goes on."""

    def emit(name: str, data: Mapping[str, object]) -> None:
        if on_event is None:
            return
        try:
            on_event(name, data)
        except Exception:
            log.exception("on_event_failed", name=name)

    return emit


class _Playing:
    """A script and how far it is."""

    def __init__(
        self, phone: Telephone, settings: CallerSettings, utterances: Mapping[Path, bytes], emit: OnEvent
    ) -> None:
        self.notes: list[CallerNote] = []
        self.steps_done = 0
        self._phone = phone
        self._settings = settings
        self._utterances = utterances
        self._emit = emit

    async def play(self, script: Script) -> None:
        """Returns when the call is over, or as good as over: hung up and the server's FIN still to come."""
        with contextlib.suppress(CallEndedError):
            for step in script.steps:
                await _PLAY[type(step)](self, step)
                self.steps_done += 1
                if self._phone.ending is not None:
                    return
        self._phone.hang_up()

    async def _until(self, is_true: Callable[[], bool], step: Step, within_ms: float) -> bool:
        """Looks at every frame. False: not within the deadline, which is noted. CallEndedError: it never will."""
        deadline_ms = self._phone.now_ms + within_ms
        while not is_true():
            if self._phone.now_ms >= deadline_ms - ROUNDING_MS:
                self._note(f"{type(step).__name__}: not within {within_ms:g} ms")
                return False
            await self._phone.tick()
        return True

    def _note(self, text: str) -> None:
        self.notes.append(CallerNote(self._phone.now_ms, self.steps_done, text))
        log.info("caller_waited_in_vain", step=self.steps_done, what=text)
        self._emit("waited_in_vain", {"at_ms": self._phone.now_ms, "step": self.steps_done, "text": text})

    async def _speak(self, file: Path) -> None:
        began_ms = self._phone.now_ms
        self._emit("began_speaking", {"at_ms": began_ms, "file": file.stem})
        self._phone.voice.say(self._utterances[file])
        while self._phone.voice.is_speaking:
            await self._phone.tick()
        self._emit("spoke", {"at_ms": self._phone.now_ms, "file": file.stem, "began_ms": began_ms})

    async def _say(self, step: steps.Say) -> None:
        await self._speak(step.file)

    async def _wait(self, step: steps.WaitMs) -> None:
        until_ms = self._phone.now_ms + step.ms
        while self._phone.now_ms < until_ms - ROUNDING_MS:
            await self._phone.tick()

    async def _wait_speaking(self, step: steps.WaitAgentSpeaking) -> None:
        await self._until(lambda: self._speaking_ms() is not None, step, step.within_ms)

    async def _wait_silent(self, step: steps.WaitAgentSilent) -> None:
        speech = self._phone.hearing.speech
        for_ms = step.for_ms - ROUNDING_MS
        await self._until(lambda: speech.silent_ms(self._phone.now_ms) >= for_ms, step, step.within_ms)

    async def _press(self, step: steps.Press) -> None:
        self._phone.is_pressing = True
        await self._wait(steps.WaitMs(self._settings.digit_ms))
        self._phone.press(step.digit)
        self._phone.is_pressing = False
        self._emit("pressed", {"at_ms": self._phone.now_ms, "digit": step.digit})

    async def _interrupt(self, step: steps.Interrupt) -> None:
        after_ms = max(step.after_ms - ROUNDING_MS, ROUNDING_MS)
        if await self._until(lambda: (self._speaking_ms() or 0.0) >= after_ms, step, step.within_ms):
            await self._speak(step.file)

    async def _hold(self, step: steps.Hold) -> None:
        self._phone.hold(b"" if step.music is None else self._utterances[step.music])
        self._emit("put_on_hold", {"at_ms": self._phone.now_ms})
        try:
            await self._wait(steps.WaitMs(step.ms))
        finally:
            self._phone.take_off_hold()
        self._emit("taken_off_hold", {"at_ms": self._phone.now_ms})

    async def _hang_up(self, step: steps.HangUp) -> None:
        del step
        self._phone.hang_up()

    async def _reset(self, step: steps.Reset) -> None:
        del step
        self._phone.reset()

    async def _until_hung_up(self, step: steps.UntilHungUp) -> None:
        with contextlib.suppress(CallEndedError):
            await self._until(lambda: self._phone.ending is not None, step, step.within_ms)

    def _speaking_ms(self) -> float | None:
        return self._phone.hearing.speech.speaking_ms(self._phone.now_ms)


_PLAY: Mapping[type[Any], Callable[[_Playing, Any], Awaitable[None]]] = {
    steps.Say: _Playing._say,
    steps.WaitMs: _Playing._wait,
    steps.WaitAgentSpeaking: _Playing._wait_speaking,
    steps.WaitAgentSilent: _Playing._wait_silent,
    steps.Press: _Playing._press,
    steps.Interrupt: _Playing._interrupt,
    steps.Hold: _Playing._hold,
    steps.HangUp: _Playing._hang_up,
    steps.Reset: _Playing._reset,
    steps.UntilHungUp: _Playing._until_hung_up,
}
