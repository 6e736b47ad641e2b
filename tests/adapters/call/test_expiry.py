"""A session that will expire is announced before it does, once, and not after it is gone."""

from __future__ import annotations

import asyncio
import math

import pytest

from adapters.call.expiry import SessionExpiry

pytestmark = pytest.mark.virtual_time

WALL_S = 1_790_000_000.0


@pytest.mark.parametrize(
    ("expires_at_s", "after_s"),
    [
        (WALL_S + 3600, 3300), (WALL_S + 1800, 1500), (WALL_S + 60, 30), (None, 3300),
        (WALL_S - 5, 3300), (WALL_S + 1e9, 3300), (math.nan, 3300), (math.inf, 3300),
    ],
)  # fmt: skip
async def test_five_minutes_before_the_end_whatever_a_server_says_of_it(
    expires_at_s: float | None, after_s: float
) -> None:
    loop = asyncio.get_running_loop()
    expiry = SessionExpiry(lambda: None, lambda: WALL_S)
    expiry.session_began(expires_at_s)
    assert expiry._timer is not None
    assert expiry._timer.when() - loop.time() == pytest.approx(after_s)
    expiry.stop()


async def test_once() -> None:
    announced: list[bool] = []
    expiry = SessionExpiry(lambda: announced.append(True), lambda: WALL_S)
    expiry.session_began(WALL_S + 40)
    await asyncio.sleep(19)
    assert announced == []
    await asyncio.sleep(60)
    assert announced == [True]


async def test_a_session_that_is_gone_is_not_announced() -> None:
    announced: list[bool] = []
    expiry = SessionExpiry(lambda: announced.append(True), lambda: WALL_S)
    expiry.session_began(WALL_S + 30)
    expiry.session_began(WALL_S + 40)  # the same one, heard of again
    expiry.stop()
    expiry.stop()
    await asyncio.sleep(100)
    assert announced == []
