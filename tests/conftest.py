"""What every room's tests share: event loops, Hypothesis without a clock, recorded calls."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping

import pytest
from hypothesis import HealthCheck, settings

from tests import recordings
from tests.virtual_time import VirtualTimeLoop

LONGEST_S = {True: 1200, False: 120}  # on a loop whose clock jumps, on a real one


os.environ["TURNSPEC_CACHE"] = "off"  # no test counts on what another one has checked, or writes to a user's folder


# No test fails because a machine is slow: neither a deadline for an example nor the health check by the clock.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: run on a loop whose clock jumps when everybody waits")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.SelectorEventLoop}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """A wait for what never comes is a failure, and not a test run without an end."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = _bounded(item.obj, LONGEST_S[item.get_closest_marker("virtual_time") is not None])


def _bounded(test: Callable[..., Awaitable[None]], longest_s: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def bounded(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(longest_s):
            await test(*args, **kwargs)

    return bounded


@pytest.fixture(params=recordings.SOURCES)
def recorded(request: pytest.FixtureRequest) -> recordings.Recorded:
    """A recorded call by name: from its order of events, and from the recording itself where that is."""
    return recordings.Recorded(request.param)
