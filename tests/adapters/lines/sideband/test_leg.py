"""The leg of a call whose audio is elsewhere, and the calls of a process: ends, refusals, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from adapters.lines.line import CallData
from adapters.lines.refusal import CallRefusal
from adapters.lines.sideband import attachments as module
from adapters.lines.sideband.attachments import Attachments
from adapters.lines.sideband.control import SidebandControlError
from adapters.lines.sideband.leg import SidebandLeg

pytestmark = pytest.mark.virtual_time


class Told:
    """A provider that is told what to do with a call; it fails, or takes its time."""

    def __init__(self, failure: Exception | None = None, takes_s: float = 0.0) -> None:
        self.said: list[object] = []
        self._failure, self._takes_s = failure, takes_s

    async def hang_up(self, session_id: str) -> None:
        await self._tell(session_id)

    async def accept(self, session_id: str, session: Mapping[str, object]) -> None:
        await self._tell("accept", session_id, session["model"])

    async def reject(self, session_id: str, status: int) -> None:
        await self._tell("reject", session_id, status)

    async def refer(self, session_id: str, target: str) -> None:
        await self._tell("refer", session_id, target)

    async def _tell(self, *said: object) -> None:
        self.said.append(said[0] if len(said) == 1 else said)
        await asyncio.sleep(self._takes_s)
        if self._failure is not None:
            raise self._failure


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


SESSION = {"type": "realtime", "model": "m"}
OVER = SidebandControlError("accept: the provider says 404", is_over=True)
UNKNOWN = SidebandControlError("accept: no answer", is_unknown=True)
NOT = SidebandControlError("accept: the provider says 400")


async def none_left(attachments: Attachments) -> None:
    async with asyncio.timeout(10):
        while attachments.live:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)


async def test_a_ringing_call_is_accepted_and_ended_by_us() -> None:
    control = Told()

    async def held(leg: SidebandLeg) -> None:
        assert leg.rings
        await leg.accept(SESSION)
        assert not leg.rings
        await leg.hang_up()

    attachments = Attachments(held, control=control)
    assert attachments.attach("rtc_1", rings=True) is None
    await none_left(attachments)
    assert control.said == [("accept", "rtc_1", "m"), "rtc_1"]


@pytest.mark.parametrize(
    ("why", "status"), [(CallRefusal.BUSY, 486), (CallRefusal.DRAIN, 503), (CallRefusal.UNKNOWN_AGENT, 404), ("", 603)]
)
async def test_a_ringing_call_that_is_refused_is_told_so_by_a_status(why: str, status: int) -> None:
    control = Told()
    attachments = Attachments(lambda leg: leg.refuse("not now", why), control=control)
    assert attachments.attach("rtc_1", rings=True) is None
    await none_left(attachments)
    assert control.said == [("reject", "rtc_1", status)]
    assert attachments.attach("rtc_2") is None
    await none_left(attachments)
    assert len(control.said) == 1, "whoever has brought a call by its id ends it himself"


@pytest.mark.parametrize(
    ("failure", "then"), [(OVER, []), (UNKNOWN, ["rtc_1"]), (NOT, [("reject", "rtc_1", 480)])], ids=str
)
async def test_a_caller_who_was_not_let_in_is_told_what_fits(failure: Exception, then: list[object]) -> None:
    """A caller who has hung up nothing; one who may have been let in the end; one who still hears the tone a status."""
    control = Told(failure)

    async def refused(leg: SidebandLeg) -> None:
        try:
            await leg.accept(SESSION)
        except SidebandControlError as error:
            leg.refuse(str(error), CallRefusal.NOT_ACCEPTED)

    attachments = Attachments(refused, control=control)
    assert attachments.attach("rtc_1", rings=True) is None
    await none_left(attachments)
    assert control.said == [("accept", "rtc_1", "m"), *then]


async def test_a_call_that_another_process_has_is_not_ended_by_a_second_delivery() -> None:
    control = Told()
    attachments = Attachments(lambda leg: leg.refuse("on node b", CallRefusal.LIVE_CALL), control=control)
    assert attachments.attach("rtc_1", rings=True) is None
    await none_left(attachments)
    assert control.said == []


async def test_a_call_of_ours_whose_handler_fails_is_ended() -> None:
    control = Told()

    async def broken(leg: SidebandLeg) -> None:
        await leg.accept(SESSION)
        raise RuntimeError("broken")

    attachments = Attachments(broken, control=control)
    assert attachments.attach("rtc_1", rings=True) is None
    await none_left(attachments)
    assert control.said == [("accept", "rtc_1", "m"), "rtc_1"]


async def test_a_caller_who_was_sent_elsewhere_is_not_hung_up() -> None:
    control, listener = Told(), Gones()
    leg = SidebandLeg(CallData(session_id="rtc_1"), control, 2.0, lambda: None)
    leg.listen(listener)
    await leg.refer("tel:+49")
    await leg.hang_up()
    assert (control.said, listener.reasons) == ([("refer", "rtc_1", "tel:+49")], ["hung_up"])


async def test_a_refer_that_fails_leaves_the_call_and_one_of_a_call_that_is_over_is_the_hang_up() -> None:
    for failure, gone in ((NOT, []), (OVER, ["caller_hung_up"])):
        leg, listener = SidebandLeg(CallData(session_id="rtc_1"), Told(failure), 2.0, lambda: None), Gones()
        leg.listen(listener)
        with pytest.raises(SidebandControlError):
            await leg.refer("tel:+49")
        assert listener.reasons == gone


async def test_a_call_that_nobody_can_be_told_of_says_which_extra_is_missing() -> None:
    leg = SidebandLeg(CallData(session_id="rtc_1"), None, 2.0, lambda: None)
    with pytest.raises(SidebandControlError, match=r"turnspec\[sideband\]"):
        await leg.refer("tel:+49")
    attachments = Attachments(lambda _leg: None)
    attachments.turn_away("rtc_1", CallRefusal.LIMIT)
    await attachments.close(0.1)


async def test_so_many_are_turned_away_at_one_time_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TURNED_AWAY", 2)
    control = Told(takes_s=1.0)
    attachments = Attachments(lambda _leg: None, control=control)
    for each in ("a", "a", "b", "c"):
        attachments.turn_away(each, CallRefusal.LIMIT)
    await asyncio.sleep(2)
    attachments.turn_away("a", CallRefusal.DRAIN)
    await asyncio.sleep(2)
    assert control.said == [("reject", "a", 486), ("reject", "b", 486), ("reject", "a", 503)]
    failing = Attachments(lambda _leg: None, control=Told(NOT))
    failing.turn_away("a", CallRefusal.LIMIT)
    await failing.close(1.0)


async def test_a_drain_takes_no_call_and_leaves_those_that_are_there() -> None:
    async def endless(_leg: SidebandLeg) -> None:
        await asyncio.sleep(1_000)

    attachments = Attachments(endless)
    assert attachments.attach("a") is None
    attachments.drain()
    assert (attachments.attach("b"), attachments.refusal("a"), attachments.live) == ("drain", "live_call", 1)
    await attachments.close(0.1)
