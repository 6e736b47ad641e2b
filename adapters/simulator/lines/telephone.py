"""What every simulated telephone has, whatever wire it hangs on: a clock, ears, a voice, and an end."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from adapters.simulator.caller.hearing import CallerHearing
from adapters.simulator.caller.report import CallerEnding, Ended
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.caller.voice import Voice
from fsm.errors import TurnspecError

OnEvent: TypeAlias = Callable[[str, Mapping[str, object]], None]
ROUNDING_S = 1e-6


class Jitter:
    """When the caller's frames come: each late by another amount, in order, the same in every call."""

    def __init__(self, most_ms: float) -> None:
        self._most_ms = most_ms
        self._random = random.Random(1)
        self._on_the_way: deque[tuple[float, float]] = deque()

    def put(self, at_ms: float) -> None:
        """The frame that begins then is sent by the telephone."""
        late_ms = self._random.uniform(0, self._most_ms) if self._most_ms else 0.0
        last_ms = self._on_the_way[-1][0] if self._on_the_way else 0.0
        self._on_the_way.append((max(at_ms + late_ms, last_ms), at_ms))

    def due(self, now_ms: float) -> Iterator[float]:
        """The beginnings of those that have come by then."""
        while self._on_the_way and self._on_the_way[0][0] <= now_ms:
            yield self._on_the_way.popleft()[1]


class CallEndedError(TurnspecError):
    """Raised to whoever waits for a tick of a call that is over."""


class Telephone:
    """Of one call. Times in ms since `_begin`. A wire says what a frame, a key and a hang-up are on it."""

    def __init__(self, settings: CallerSettings, emit: OnEvent) -> None:
        self.ending: CallerEnding | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hearing = CallerHearing(settings)
        self.voice = Voice(settings)
        self.is_pressing = False
        self.is_on_hold = False
        self.server_closed_ms: float | None = None
        self._settings = settings
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._frames = 0
        self._jitter = Jitter(settings.jitter_ms)
        self._agent_audible = False
        self._ticking: asyncio.TimerHandle | None = None
        self._pulse: asyncio.Future[None] | None = None

    @property
    def now_ms(self) -> float:
        return (self._loop.time() - self._began_s) * 1000

    async def tick(self) -> None:
        """Until the next frame is due. CallEndedError: there will be none."""
        if self.ending is not None:
            raise CallEndedError
        if self._pulse is None:
            self._pulse = self._loop.create_future()
        await asyncio.shield(self._pulse)
        if self.ending is not None:
            raise CallEndedError

    def hold(self, music: bytes) -> None:
        """Nothing of the agent is heard from here on; it gets the music instead of the caller, or nothing."""
        self.is_on_hold = True
        self.voice.hold(music)

    def take_off_hold(self) -> None:
        self.is_on_hold = False
        self.voice.take_off_hold()

    def press(self, digit: str) -> None:
        raise NotImplementedError

    def hang_up(self) -> None:
        """The caller does; the server is expected to close, too."""
        raise NotImplementedError

    def reset(self) -> None:
        """The connection is gone from one moment to the next."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Nobody is interested in this call any more."""
        raise NotImplementedError

    def _send_frame(self, at_ms: float) -> None:
        """What the caller says in the frame that begins then."""
        raise NotImplementedError

    def _look(self, now_s: float) -> None:
        """At every frame: is there a reason to drop the call?"""

    def _begin(self) -> None:
        """Time counts from here on, and the caller's audio goes out."""
        self._began_s = self._loop.time()
        self._schedule()

    def _schedule(self) -> None:
        self._ticking = self._loop.call_at(self._began_s + self._frames * self._settings.ptime_ms / 1000, self._on_tick)

    def _on_tick(self) -> None:
        now_s = self._loop.time()
        elapsed_ms = (now_s - self._began_s + ROUNDING_S) * 1000
        due = math.floor(elapsed_ms / self._settings.ptime_ms) + 1
        while self._frames < due:
            self._jitter.put(self._frames * self._settings.ptime_ms)
            self._frames += 1
        for at_ms in self._jitter.due(elapsed_ms):
            if self.ending is None:
                self._send_frame(at_ms)
        self._look(now_s)
        if self.ending is None:
            self._notice_agent()
            self._schedule()
            self._wake()

    def _notice_agent(self) -> None:
        now_ms = self.now_ms
        is_audible = self.hearing.speech.speaking_ms(now_ms) is not None
        if is_audible != self._agent_audible:
            self._agent_audible = is_audible
            self._emit("heard_agent" if is_audible else "agent_silent", {"at_ms": now_ms})

    def _hear(self, at_ms: float, rate_hz: int, pcm: bytes) -> None:
        """What reaches the caller's ear."""
        self.hearing.hear(at_ms, rate_hz, pcm, is_on_hold=self.is_on_hold)
        if not self.is_on_hold:
            self.voice.hear(at_ms, rate_hz, pcm)

    def _note_closed(self) -> None:
        """The server has closed, after the caller hung up."""
        if self.ending is not None and self.ending.how == "caller" and self.server_closed_ms is None:
            self.server_closed_ms = self.now_ms - self.ending.at_ms

    def _end(self, how: Ended, dropped: str | None = None) -> None:
        if self.ending is None:
            self.ending = CallerEnding(how, self.now_ms, dropped)
        self._stop()

    def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._wake()

    def _wake(self) -> None:
        pulse, self._pulse = self._pulse, None
        if pulse is not None and not pulse.done():
            pulse.set_result(None)
