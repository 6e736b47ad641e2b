"""The one 20 ms tick of a process: every call registers a callback here. Never a task, a sleep or a timer per call.

The calls are spread over ten slots 2 ms apart, so that they do not all write at the same instant and a new call need
not wait half a period for its first frame (docs/facts/performance.md, "Pacing"). Each slot has an absolute schedule on
the loop's clock, `epoch + slot * 2 ms + n * 20 ms`: a late tick does not shift the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from adapters.audio.formats import FRAME_MS

log = structlog.get_logger(__name__)

PERIOD_S: Final = FRAME_MS / 1000
SLOTS: Final = 10
CATCH_UP_FRAMES: Final = 3
"""The most frames made up for after a stall: the lead Asterisk takes (docs/facts/telephony.md section 2)."""

_SLOT_S = PERIOD_S / SLOTS
_EARLY = 1e-4  # of a period: timers may fire by the loop's clock resolution too early

_BIN_MS = 0.1
_BINS = 1000  # up to 100 ms; what is later counts in the last bin and in `worst_ms`


class Lateness:
    """How late things were. Counts in bins of 0.1 ms up to 100 ms: 8 KB however long it runs."""

    __slots__ = ("_bins", "count", "worst_ms")

    def __init__(self) -> None:
        self._bins = [0] * (_BINS + 1)
        self.count = 0
        self.worst_ms = 0.0

    def add(self, late_s: float) -> None:
        """Early counts as on time."""
        late_ms = late_s * 1000
        if late_ms > self.worst_ms:
            self.worst_ms = late_ms
        number = int(late_ms / _BIN_MS) if late_ms > 0 else 0
        self._bins[number if number < _BINS else _BINS] += 1
        self.count += 1

    def percentile_ms(self, percent: float) -> float:
        """Where so many percent lie below, to 0.1 ms: `percentile_ms(99.9)`. 0.0 when nothing is counted.

        Beyond 100 ms it is the worst value seen.
        """
        wanted = self.count * percent / 100
        seen = 0
        for index, count in enumerate(self._bins):
            seen += count
            if count and seen >= wanted:
                return self.worst_ms if index == _BINS else min(round((index + 1) * _BIN_MS, 1), self.worst_ms)
        return 0.0

    def summary(self) -> dict[str, float]:
        """p50_ms, p99_ms, p99_9_ms, worst_ms and count, for a log line."""
        return {
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
            "p99_9_ms": self.percentile_ms(99.9),
            "worst_ms": self.worst_ms,
            "count": self.count,
        }


class LoopTimer(Protocol):
    def cancel(self) -> None: ...


class LoopClock(Protocol):
    """What is used of an event loop."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> LoopTimer: ...


class Registration:
    """One call's place in the tick. `unregister` is safe at any time, also from within a tick; twice is harmless."""

    __slots__ = ("_slot", "active", "callback", "failures", "next_period", "skipped_frames")

    def __init__(self, slot: _Slot, callback: Callable[[int], None], next_period: int) -> None:
        self._slot = slot
        self.callback = callback
        self.next_period = next_period
        self.active = True
        self.failures = 0
        self.skipped_frames = 0  # beyond the catch-up, never to be sent

    def unregister(self) -> None:
        if self.active:
            self.active = False
            self._slot.remove(self)


class Ticker:
    """Calls every registered `callback(frames_due)` once per 20 ms; `frames_due` is 1, or up to 3 after a stall.

    An exception of a callback is logged, counted, and stops nobody else. With nobody registered no timer runs.
    """

    def __init__(self, clock: LoopClock | None = None) -> None:
        """`clock`: the running event loop of the first registration unless given."""
        self._clock = clock
        self._slots: list[_Slot] = []
        self.lateness = Lateness()
        self.skipped_frames = 0
        self.skips = 0
        self.failures = 0

    def __len__(self) -> int:
        return sum(len(slot.members) for slot in self._slots)

    def register(self, callback: Callable[[int], None]) -> Registration:
        """The first call comes when the slot is next due. A slot costs 2 ms per call it has more than the emptiest."""
        if self._clock is None:
            self._clock = asyncio.get_running_loop()
        now = self._clock.time()
        if not self._slots:
            self._slots = [_Slot(self, self._clock, now + (index + 1) * _SLOT_S) for index in range(SLOTS)]
        fewest = min(len(slot.members) for slot in self._slots)
        slot = min(self._slots, key=lambda slot: slot.wait_s(now) + (len(slot.members) - fewest) * _SLOT_S)
        return slot.add(callback, now)

    def close(self) -> None:
        """Unregister everybody."""
        for slot in self._slots:
            for member in slot.members.copy():
                member.unregister()


class _Slot:
    """The calls that share an instant, and the one timer that serves them."""

    __slots__ = ("_clock", "_epoch_s", "_ticker", "_timer", "members")

    def __init__(self, ticker: Ticker, clock: LoopClock, epoch_s: float) -> None:
        self._ticker = ticker
        self._clock = clock
        self._epoch_s = epoch_s
        self._timer: LoopTimer | None = None
        self.members: list[Registration] = []

    def period_at(self, now_s: float) -> int:
        """The number of the newest period that has begun."""
        return int((now_s - self._epoch_s) / PERIOD_S + 1 + _EARLY) - 1

    def wait_s(self, now_s: float) -> float:
        return self._begin_s(self.period_at(now_s) + 1) - now_s

    def add(self, callback: Callable[[int], None], now_s: float) -> Registration:
        member = Registration(self, callback, self.period_at(now_s) + 1)
        self.members.append(member)
        if self._timer is None:
            self._schedule(member.next_period)
        return member

    def remove(self, member: Registration) -> None:
        self.members.remove(member)
        if not self.members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_s(self, period: int) -> float:
        return self._epoch_s + period * PERIOD_S

    def _schedule(self, period: int) -> None:
        self._timer = self._clock.call_at(self._begin_s(period), self._fire)

    def _fire(self) -> None:
        time = self._clock.time
        period = self.period_at(time())
        self._schedule(period + 1)  # first, so that nothing below can end the tick
        begun_s, note_lateness = self._begin_s(period), self._ticker.lateness.add
        for member in tuple(self.members):
            if not member.active:
                continue
            if member.next_period != period:
                self._catch_up(member, period)
                continue
            note_lateness(time() - begun_s)
            member.next_period = period + 1
            try:
                member.callback(1)
            except Exception:
                self._note_failure(member)

    def _catch_up(self, member: Registration, period: int) -> None:
        """After a stall; or too early for a member that has just come."""
        due = period - member.next_period + 1
        if due <= 0:
            return
        self._ticker.lateness.add(self._clock.time() - self._begin_s(member.next_period))
        member.next_period = period + 1
        if due > CATCH_UP_FRAMES:
            self._skip(member, due - CATCH_UP_FRAMES)
            due = CATCH_UP_FRAMES
        try:
            member.callback(due)
        except Exception:
            self._note_failure(member)

    def _skip(self, member: Registration, frames: int) -> None:
        member.skipped_frames += frames
        ticker = self._ticker
        ticker.skipped_frames += frames
        ticker.skips += 1
        if ticker.skips & (ticker.skips - 1) == 0:  # 1st, 2nd, 4th, ...: one stall meets every call
            log.warning("tick_stalled", stalled_ms=(frames + CATCH_UP_FRAMES) * FRAME_MS, skips=ticker.skips)

    def _note_failure(self, member: Registration) -> None:
        self._ticker.failures += 1
        member.failures += 1
        if member.failures & (member.failures - 1) == 0:  # 1st, 2nd, 4th, ...: it may fail fifty times a second
            log.exception("tick_callback_failed", failures=member.failures)
