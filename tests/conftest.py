"""What every room's tests share: the choice of event loop, and where the recorded traces are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.virtual_time import VirtualTimeLoop

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: run on a loop whose clock jumps when everybody waits")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.SelectorEventLoop}


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of recorded wire traces; the test is skipped, loudly, where it is not."""
    if not TRACES.is_dir():
        pytest.skip(f"NO RECORDED TRACES at {TRACES}: conformance to the real wire was not tested")
    return TRACES
