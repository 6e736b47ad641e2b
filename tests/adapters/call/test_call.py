"""One call without a line or a provider: its loop, its end, its drain and those who watch it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import attrs
import pytest
import structlog

from adapters.call.call import Call, CallServices
from adapters.call.mailbox import Envelope
from adapters.call.observers import Observer
from adapters.call.settings import CallLimits, CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.line import AudioSource, CallData, LegListener
from adapters.providers.connection import ConnectionLimits
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.simulator.providers.realtime import ProviderServer
from fsm.machine.machine import Event, Step
from tests.adapters.call.rig import Watcher, machine

pytestmark = pytest.mark.virtual_time

NOBODY = "ws://127.0.0.1:1/"


class Phone:
    """A line that plays at 50 frames a second, and is gone when it is hung up."""

    call_id = "c1"
    data = CallData()
    rate_hz = 8000
    keeps_lead = False
    lead_ms = 0
    frames_unsent = 0

    def __init__(self) -> None:
        self.source: AudioSource | None = None
        self.listener: LegListener | None = None
        self.hang_ups = 0
        self.frames: list[bytes | None] = []

    def play_from(self, source: AudioSource | None) -> None:
        self.source = source

    def listen(self, listener: LegListener) -> None:
        self.listener = listener

    def flush(self) -> None: ...

    def refuse(self, reason: str, why: str = "") -> None: ...

    async def hang_up(self) -> None:
        self.hang_ups += 1
        await asyncio.sleep(0.02)
        self.gone("hung_up")

    def gone(self, reason: str = "caller_hung_up") -> None:
        assert self.listener is not None
        self.listener.on_gone(reason)

    async def ticks(self) -> None:
        while True:
            if self.source is not None:
                self.source.tick()
                self.frames.append(self.source.pull())
            await asyncio.sleep(0.02)


@attrs.define
class Placed:
    """A call that runs."""

    call: Call
    phone: Phone
    watcher: Watcher
    running: asyncio.Task[Summary]

    def variants(self) -> list[str]:
        return [step.variant for _, step in self.watcher.steps]

    async def until(self, reached: Callable[[Step], bool]) -> None:
        async with asyncio.timeout(600):
            while not any(reached(step) for _, step in self.watcher.steps):  # noqa: ASYNC110  a watcher sets no event
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def placed(url: str = NOBODY, observers: tuple[Observer, ...] = (), **settings: Any) -> AsyncIterator[Placed]:
    provider = RealtimeProvider(
        endpoint=openai_endpoint("m", "sk-test", base_url=url),
        session=SessionSettings(model="m"),
        limits=ConnectionLimits(system_proxy=False),
    )
    phone, watcher = Phone(), Watcher()
    with ThreadPoolExecutor(1) as threads:
        chosen = CallSettings(**{"greeting": "Greet.", **settings})
        services = CallServices(machine(), provider, chosen, {}, threads, FileWriterThread())
        call = Call("c1", phone, services, [*observers, watcher])
        ticking = asyncio.create_task(phone.ticks())
        running = asyncio.create_task(call.run())
        await asyncio.sleep(0)
        try:
            yield Placed(call, phone, watcher, running)
        finally:
            running.cancel()
            ticking.cancel()
            await asyncio.gather(running, ticking, return_exceptions=True)
            assert phone.source is None, "the line asks nobody any more"


# --- the mailbox of a call --------------------------------------------------------------------------------------------


async def test_a_hang_up_of_the_caller_comes_through_a_full_mailbox() -> None:
    async with placed(limits=CallLimits(mailbox_events=2)) as place:
        await place.until(lambda step: step.variant == "call.started")
        for _ in range(10):
            place.call.on_key("5")
        place.phone.gone()
        assert len(place.call._mailbox.waiting("caller.hung_up")) == 1
        summary = await place.running
    assert summary.mailbox_dropped == 8, "the keys alone"


async def test_deadlines_end_a_call_whose_provider_says_nothing() -> None:
    """Unreachable as often as it is tried, then an apology that is not there, then the line."""
    async with placed() as place:
        summary = await place.running
    assert place.phone.hang_ups == 1
    assert summary.connects == 3 and summary.end_reason.startswith("provider.unreachable")


# --- those who watch --------------------------------------------------------------------------------------------------


class Raising:
    """An observer that is broken."""

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        raise RuntimeError(f"{step.variant} {envelope.cause} {at_ms}")

    def wire(self, direction: Literal["in", "out"], event: WireEvent, at_ms: int) -> None:
        raise RuntimeError(f"{direction} {event} {at_ms}")

    def ended(self, summary: Summary) -> None:
        raise RuntimeError(str(summary))


async def test_an_observer_that_raises_is_logged_by_name_and_neither_the_call_nor_another_one_notices() -> None:
    with structlog.testing.capture_logs() as logs:
        async with ProviderServer() as provider, placed(provider.url, (Raising(),)) as place:
            await place.until(lambda step: step.variant == "playout.started.current")
            place.phone.gone()
            summary = await place.running
    failures = [each for each in logs if each["event"] == "observer_failed"]
    assert {each["observer"] for each in failures} == {"Raising"}
    assert len(failures) == len(place.watcher.steps) + len(place.watcher.wires) + 1
    assert summary.end_reason == "caller.hung_up: caller_hung_up" and summary.violations == 0


async def test_what_cannot_happen_and_does_is_logged_with_its_cell_counted_and_survived() -> None:
    with structlog.testing.capture_logs() as logs:
        async with placed() as place:
            await place.until(lambda step: step.variant == "call.started")
            place.call._mailbox.put(Event("retries.overflowed"), "test")  # before there is a session to count in
            await place.until(lambda step: step.outcome == "impossible")
            place.phone.gone()
            summary = await place.running
    (line,) = [each for each in logs if each["event"] == "protocol_violation"]
    assert (line["variant"], line["state"], line["log_level"]) == ("retries.overflowed", "connecting", "warning")
    assert line["reason"] == "counts of a session are cleared when it ends"
    assert summary.violations == 1 and summary.end_reason == "caller.hung_up: caller_hung_up"


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_a_call_that_is_cancelled_leaves_no_task_no_timer_and_no_place_at_the_line() -> None:
    before = len(asyncio.all_tasks()), len(running_timers())
    async with ProviderServer() as provider:
        async with placed(provider.url) as place:
            await place.until(lambda step: step.variant == "playout.started.current")
            place.running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await place.running
            assert place.call._timers._running == {} and place.call._executor._tasks == set()
            assert place.call.summary.duration_ms > 0 and place.call.summary.played is not None
        await asyncio.sleep(1)
    assert (len(asyncio.all_tasks()), len(running_timers())) == before


def running_timers() -> list[asyncio.TimerHandle]:
    loop: Any = asyncio.get_running_loop()
    return [each for each in loop._scheduled if not each.cancelled()]


async def test_nothing_is_played_or_heard_after_the_end() -> None:
    async with placed() as place:
        await place.until(lambda step: step.variant == "call.started")
        place.phone.gone()
        await place.running
        steps = len(place.watcher.steps)
        assert place.phone.source is None
        place.call.on_audio(bytes(320), 8000)
        place.call.on_key("1")
        place.call.on_gone("again")
        place.call.hang_up("late")
        place.call.leave("late")
        await asyncio.sleep(1)
        assert len(place.watcher.steps) == steps


# --- the drain --------------------------------------------------------------------------------------------------------


async def test_a_call_that_is_to_leave_says_its_sentence_and_then_asks_to_end_once() -> None:
    async with ProviderServer() as provider, placed(provider.url) as place:
        await place.until(lambda step: step.variant == "playout.started.current")
        place.call.leave("enough")
        place.call.leave("enough")
        summary = await place.running
    requests = [step for _, step in place.watcher.steps if step.event.name == "operator.hang_up_requested"]
    assert len(requests) == 1 and requests[0].before == "configured"
    assert summary.end_reason == "operator.hang_up_requested: enough"
    assert summary.played is not None and summary.played.played_ms == summary.played.generated_ms > 1000


async def test_a_call_at_rest_leaves_at_once() -> None:
    loop = asyncio.get_running_loop()
    async with ProviderServer() as provider, placed(provider.url, greeting=None) as place:
        await place.until(lambda step: step.snapshot.state == "configured" and not step.snapshot.armed)
        await asyncio.sleep(5)
        began_s = loop.time()
        place.call.leave("enough")
        await place.running
        assert loop.time() - began_s < 0.5


async def test_a_call_that_is_asked_to_leave_before_it_began_leaves_when_it_can() -> None:
    async with ProviderServer() as provider, placed(provider.url, greeting=None) as place:
        place.call.leave("enough")
        summary = await place.running
    assert summary.end_reason == "operator.hang_up_requested: enough"
    assert "configured" in summary.states


async def test_an_event_that_waits_in_the_mailbox_comes_before_the_end() -> None:
    """A wish to have something said, made in the same moment, is heard first."""
    async with ProviderServer() as provider, placed(provider.url, greeting=None) as place:
        await place.until(lambda step: step.snapshot.state == "configured" and not step.snapshot.armed)
        await asyncio.sleep(5)
        place.call.say("One moment.")
        place.call.leave("enough")
        summary = await place.running
    assert summary.creates == {"say": 1}
    assert summary.played is not None and summary.played.played_ms == summary.played.generated_ms > 0
