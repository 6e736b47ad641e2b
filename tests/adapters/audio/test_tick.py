"""The tick on a clock that only moves when told: schedule, catch-up, spreading, and what one call may do to others."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

import pytest
import structlog

from adapters.audio.tick import PERIOD_S, Lateness, Registration, Ticker


class FakeTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """The two methods of an event loop that are used; timers fire in order when time passes over them."""

    def __init__(self) -> None:
        self.now_s = 500.0
        self._timers: list[tuple[float, int, FakeTimer, Callable[[], None]]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[[], None], /) -> FakeTimer:
        timer = FakeTimer()
        heapq.heappush(self._timers, (when, next(self._order), timer, callback))
        return timer

    def pending(self) -> int:
        return sum(not timer.cancelled for _, _, timer, _ in self._timers)

    def advance(self, duration_s: float, late_s: float = 0.0) -> None:
        """Let time pass; every timer fires `late_s` after it is due."""
        end_s = self.now_s + duration_s
        while self._timers and self._timers[0][0] + late_s <= end_s + 1e-9:
            when, _, timer, callback = heapq.heappop(self._timers)
            if not timer.cancelled:
                self.now_s = max(self.now_s, when + late_s)
                callback()
        self.now_s = end_s

    def stall(self, duration_s: float) -> None:
        """The process stood still: time passed and no timer fired."""
        self.now_s += duration_s


class Calls(list[tuple[float, int]]):
    """A callback that remembers when it was called, and how many frames were due."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def __call__(self, frames_due: int) -> None:
        self.append((self._clock.time(), frames_due))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ticker(clock: FakeClock) -> Ticker:
    return Ticker(clock)


def test_fifty_frames_a_second_on_an_absolute_schedule(clock: FakeClock, ticker: Ticker) -> None:
    calls = Calls(clock)
    ticker.register(calls)
    clock.advance(60, late_s=0.0013)  # every timer late: nothing may add up
    assert len(calls) == 3000
    assert {frames for _, frames in calls} == {1}
    first_s = calls[0][0]
    assert all(abs(when - first_s - n * PERIOD_S) < 1e-6 for n, (when, _) in enumerate(calls))
    assert first_s - 500 < 0.0034


def test_the_first_frame_does_not_wait_half_a_period(clock: FakeClock, ticker: Ticker) -> None:
    waits = []
    for number in range(200):
        clock.advance(0.0137)
        calls = Calls(clock)
        began_s = clock.time()
        ticker.register(calls)
        clock.advance(0.0201)
        waits.append(calls[0][0] - began_s)
        assert number < 199 or sum(waits) / len(waits) < 0.006


def test_calls_that_come_at_once_are_spread_over_the_slots(clock: FakeClock, ticker: Ticker) -> None:
    everybody = [Calls(clock) for _ in range(200)]
    for calls in everybody:
        ticker.register(calls)
    assert len(ticker) == 200
    clock.advance(0.04)
    instants: dict[float, int] = {}
    for calls in everybody:
        instants[round(calls[0][0], 4)] = instants.get(round(calls[0][0], 4), 0) + 1
    assert len(instants) == 10
    assert max(instants.values()) - min(instants.values()) <= 10


@pytest.mark.parametrize(("stall_s", "due", "skipped"), [(0.021, 2, 0), (0.041, 3, 0), (0.061, 3, 1), (1.001, 3, 48)])
def test_after_a_stall_at_most_three_frames(
    clock: FakeClock, ticker: Ticker, stall_s: float, due: int, skipped: int
) -> None:
    calls = Calls(clock)
    place = ticker.register(calls)
    clock.advance(0.1)
    clock.now_s = calls[-1][0]
    calls.clear()
    clock.stall(0.02 + stall_s - 0.001 + 1e-6)
    clock.advance(0)
    assert [frames for _, frames in calls] == [due]
    assert place.skipped_frames == ticker.skipped_frames == skipped
    calls.clear()
    clock.advance(0.2)
    assert [frames for _, frames in calls] == [1] * 10  # and on the old schedule
    assert abs((calls[0][0] - 500) / 0.002 - round((calls[0][0] - 500) / 0.002)) < 1e-3


def test_who_comes_during_a_stall_is_not_owed_what_was_before(clock: FakeClock, ticker: Ticker) -> None:
    old, new = Calls(clock), Calls(clock)
    ticker.register(old)
    clock.advance(0.05)
    old.clear()
    clock.stall(0.5)
    ticker.register(new)
    clock.advance(0.021)
    assert old[0][1] == 3
    assert [frames for _, frames in new] == [1]


def test_an_exception_stops_nobody_else(clock: FakeClock, ticker: Ticker) -> None:
    def fail(frames_due: int) -> None:
        raise RuntimeError(f"{frames_due} too many")

    everybody = [Calls(clock) for _ in range(20)]
    for calls in everybody[:10]:
        ticker.register(calls)
    place = ticker.register(fail)
    for calls in everybody[10:]:
        ticker.register(calls)
    with structlog.testing.capture_logs() as logs:
        clock.advance(0.2)
    assert {len(calls) for calls in everybody} == {10}
    assert place.failures == ticker.failures == 10
    assert [entry["event"] for entry in logs] == ["tick_callback_failed"] * 4  # the 1st, 2nd, 4th and 8th
    assert {entry["log_level"] for entry in logs} == {"error"}


def test_a_call_that_raises_after_a_stall_stops_nobody_else(clock: FakeClock, ticker: Ticker) -> None:
    def fail(frames_due: int) -> None:
        raise RuntimeError(f"the call is broken at {frames_due}")

    place, calls = ticker.register(fail), Calls(clock)
    ticker.register(calls)
    clock.stall(0.5)
    with structlog.testing.capture_logs() as logs:
        clock.advance(0.041)
    assert [frames for _, frames in calls][:2] == [3, 1]
    assert place.failures == ticker.failures >= 2
    assert [each["event"] for each in logs[:2]] == ["tick_stalled", "tick_callback_failed"]


def test_leaving_and_coming_during_a_tick(clock: FakeClock, ticker: Ticker) -> None:
    places: list[Registration] = []
    seen: list[str] = []
    late = Calls(clock)

    def leave(name: str) -> Callable[[int], None]:
        def callback(frames_due: int) -> None:
            del frames_due
            seen.append(name)
            for place in places:
                place.unregister()
            if not late and len(ticker) == 0:
                ticker.register(late)

        return callback

    places += [ticker.register(leave(f"call {number}")) for number in range(30)]
    clock.advance(0.1)
    assert seen == ["call 0"]  # it ended everybody, also those of its own slot, and itself
    assert len(late) in (4, 5)
    places[0].unregister()  # twice is harmless
    assert len(ticker) == 1


def test_the_ticker_sleeps_when_nobody_is_there(clock: FakeClock, ticker: Ticker) -> None:
    assert clock.pending() == 0
    calls = Calls(clock)
    places = [ticker.register(calls) for _ in range(100)]
    assert clock.pending() == 10
    for place in places:
        place.unregister()
    assert clock.pending() == 0 and len(ticker) == 0
    clock.advance(10)
    assert calls == []
    ticker.register(calls)
    clock.advance(0.0201)
    assert [frames for _, frames in calls] == [1]
    ticker.close()
    assert clock.pending() == 0


def test_lateness_is_what_the_frames_were_late(clock: FakeClock, ticker: Ticker) -> None:
    ticker.register(Calls(clock))
    clock.advance(19.801, late_s=0.0005)
    clock.advance(0.2, late_s=0.007)
    assert ticker.lateness.count == 1000
    assert ticker.lateness.percentile_ms(50) == pytest.approx(0.5, abs=0.11)
    assert ticker.lateness.percentile_ms(99.9) == pytest.approx(7, abs=0.11)
    assert ticker.lateness.worst_ms == pytest.approx(7, abs=0.01)


def test_the_histogram_is_bounded_and_knows_the_worst() -> None:
    lateness = Lateness()
    assert lateness.percentile_ms(99) == 0.0
    for late_ms in range(100):
        lateness.add(late_ms / 1000)
    lateness.add(-0.001)
    lateness.add(3.5)
    assert lateness.percentile_ms(50) == pytest.approx(50, abs=1.2)
    assert lateness.percentile_ms(100) == 3500
    assert lateness.summary()["count"] == 102
    assert set(lateness.summary()) == {"p50_ms", "p99_ms", "p99_9_ms", "worst_ms", "count"}


@pytest.mark.virtual_time
async def test_on_an_event_loop() -> None:
    ticker = Ticker()
    frames: list[int] = []
    ticker.register(frames.append)
    await asyncio.sleep(2.001)
    ticker.close()
    assert sum(frames) in (100, 101) and set(frames) == {1}
