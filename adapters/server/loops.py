"""The event loop that calls run on, by its name in the configuration."""

from __future__ import annotations

import asyncio

from adapters.settings.kinds import LoopName


def new_loop(name: LoopName) -> asyncio.AbstractEventLoop:
    """ImportError: uvloop is not installed."""
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()
