"""The mailbox: order, its bound, and what happens at the bound."""

import asyncio

import pytest

from adapters.call.mailbox import IN_A_ROW, OVERFLOW, Envelope, Mailbox
from adapters.call.timers import Timers
from fsm.machine.machine import Event, Timer

pytestmark = pytest.mark.virtual_time


async def test_envelopes_come_out_in_order_and_a_wait_ends_with_the_next_envelope() -> None:
    mailbox = Mailbox()
    mailbox.put(Event("a"), "first")
    assert await mailbox.next() == Envelope(Event("a"), "first")
    waiting = asyncio.ensure_future(mailbox.next())
    await asyncio.sleep(1)
    mailbox.put(Event("b"))
    assert await waiting == Envelope(Event("b"), "")


async def test_over_the_bound_the_newest_is_dropped_and_the_end_of_the_call_is_asked_for_once() -> None:
    mailbox = Mailbox(bound=3)
    for name in "abcdef":
        mailbox.put(Event(name))
    assert [(await mailbox.next()).event.name for _ in range(4)] == ["a", "b", "c", OVERFLOW.name]
    assert mailbox.dropped == 3
    assert len(mailbox) == 0


async def test_deadlines_and_the_hang_up_come_through_a_full_mailbox() -> None:
    mailbox = Mailbox(bound=2)
    timers = Timers(mailbox)
    timers.start(Timer("closing_overdue", 100, 3))
    for name in "abcd":
        mailbox.put(Event(name))
    await asyncio.sleep(1)
    mailbox.put(Event("caller.hung_up"), "line", never_drop=True)
    names = [(await mailbox.next()).event.name for _ in range(len(mailbox))]
    assert names == ["a", "b", OVERFLOW.name, "timer.closing_overdue", "caller.hung_up"]


async def test_a_cancelled_wait_loses_no_envelope() -> None:
    mailbox = Mailbox()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mailbox.next(), 1)
    mailbox.put(Event("a"))
    assert (await mailbox.next()).event.name == "a"


async def test_a_timer_tells_its_epoch_and_a_stopped_one_tells_nothing() -> None:
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.start(Timer("late", 500, 7))
    timers.start(Timer("gone", 100, 8))
    timers.stop("gone")
    await asyncio.sleep(1)
    assert len(mailbox) == 1
    assert (await mailbox.next()).event == Event("timer.late", {"epoch": 7})


async def test_a_timer_started_again_fires_once_with_the_new_epoch() -> None:
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.start(Timer("late", 500, 7))
    await asyncio.sleep(0.3)
    timers.start(Timer("late", 500, 9))
    await asyncio.sleep(0.4)
    assert len(mailbox) == 0
    await asyncio.sleep(0.4)
    assert (await mailbox.next()).event.data == {"epoch": 9}
    timers.start(Timer("late", 500, 10))
    timers.close()
    await asyncio.sleep(1)
    assert len(mailbox) == 0


async def test_a_mailbox_that_never_empties_leaves_the_others_their_turn() -> None:
    mailbox, turns = Mailbox(), 0
    for number in range(4 * IN_A_ROW):
        mailbox.put(Event(f"e{number}"))

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(neighbour())
    names = [(await mailbox.next()).event.name for _ in range(4 * IN_A_ROW)]
    assert names == [f"e{number}" for number in range(4 * IN_A_ROW)]
    assert turns >= 3
    task.cancel()
