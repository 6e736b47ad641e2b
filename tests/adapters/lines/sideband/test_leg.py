"""The leg of a call whose audio is elsewhere, and the calls of a process: ends, refusals, bounds."""

from __future__ import annotations

import asyncio

import pytest

from adapters.lines.line import CallData
from adapters.lines.sideband.attachments import Attachments
from adapters.lines.sideband.leg import SidebandLeg

pytestmark = pytest.mark.virtual_time


class Told:
    """A provider that is told what to do with a call; it fails, or takes its time."""

    def __init__(self, failure: Exception | None = None, takes_s: float = 0.0) -> None:
        self.said: list[str] = []
        self._failure, self._takes_s = failure, takes_s

    async def hang_up(self, session_id: str) -> None:
        self.said.append(session_id)
        await asyncio.sleep(self._takes_s)
        if self._failure is not None:
            raise self._failure

    async def reject(self, session_id: str) -> None: ...

    async def refer(self, session_id: str, target: str) -> None: ...


class Gones:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def on_audio(self, pcm: bytes, rate_hz: int) -> None: ...

    def on_key(self, digit: str) -> None: ...

    def on_gone(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.mark.parametrize("control", [Told(), Told(OSError("no route")), Told(takes_s=60.0)])
async def test_the_provider_is_asked_once_to_end_the_call_and_the_leg_is_gone_in_any_case(control: Told) -> None:
    left: list[bool] = []
    leg, listener = SidebandLeg(CallData(session_id="rtc_1"), control, 2.0, lambda: left.append(True)), Gones()
    leg.listen(listener)
    await leg.hang_up()
    await leg.hang_up()
    assert (control.said, listener.reasons, left) == (["rtc_1"], ["hung_up"], [True])


async def test_who_listens_too_late_hears_the_end() -> None:
    leg, listener = SidebandLeg(CallData(session_id="rtc_1"), None, 2.0, lambda: None), Gones()
    leg.play_from(None)
    leg.flush()
    leg.refuse("busy")
    leg.listen(listener)
    assert listener.reasons == ["refused"]


async def test_so_many_calls_at_most_each_once_and_none_once_it_closes() -> None:
    async def endless(_leg: SidebandLeg) -> None:
        await asyncio.sleep(1_000)

    busy: list[str] = []
    attachments = Attachments(endless, lambda: busy[0] if busy else None, most=2)
    assert [attachments.attach(each) for each in ("a", "a", "b", "c")] == [None, "live_call", None, "limit"]
    await attachments.close(0.1)
    assert attachments.live == 0 and attachments.attach("d") == "drain"


async def test_a_server_that_takes_no_call_takes_none_here() -> None:
    attachments = Attachments(lambda _leg: None, lambda: "busy")
    assert attachments.attach("a") == "busy"


async def test_a_handler_that_fails_leaves_no_call_behind() -> None:
    async def broken(_leg: SidebandLeg) -> None:
        raise RuntimeError("broken")

    attachments = Attachments(broken)
    assert attachments.attach("a") is None
    await asyncio.sleep(0.01)
    assert attachments.live == 0
