"""The life of a serving process, alone or with workers: what its service manager is told, signals, and the notice
before the drain, in which a balancer hears that it leaves and calls go on. Never how calls end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from adapters.server.reload import Reloads
from adapters.server.signals import stop_signals
from adapters.server.systemd import ServiceManager
from adapters.settings.config import Settings

log = structlog.get_logger(__name__)

END_S: Final = 12.0
"""After the drain of a shutdown: nothing of it takes longer, unless a tool holds the loop."""
HEARD_S: Final = 3.0
"""So long without a call, and the balancer has heard of it."""
LOOK_S: Final = 0.1
"""How often it is looked whether there is one."""


class Service(Protocol):
    """What runs until it is told to stop."""

    forced: asyncio.Event
    """Nobody waits for calls any more."""
    is_leaving: bool
    """No further call should come; one that does is taken."""

    @property
    def live_calls(self) -> int: ...

    def force(self) -> None: ...

    async def close(self) -> None: ...


async def run_service(
    service: Service, settings: Settings, reloads: Reloads, start: Callable[[asyncio.Event], Awaitable[None]]
) -> None:
    """`start`s it, and closes it after SIGTERM or SIGINT; a second one ends the wait for its calls. SIGHUP reloads.

    `start` is given what says that it need not go on. OSError: it cannot start.
    """
    stop = asyncio.Event()

    def on_stop() -> None:
        if stop.is_set():
            service.force()
        stop.set()

    manager = ServiceManager()
    reloads.on_running = lambda is_running: manager.reloading() if is_running else manager.ready()
    with stop_signals(on_stop, settings.notice_s + settings.shutdown_s + END_S, reloads.begin):
        try:
            await start(stop)
            if not stop.is_set():
                manager.ready()
            await stop.wait()
            manager.stopping()
            reloads.on_running = lambda _is_running: None
            service.is_leaving = True
            await give_notice(settings.notice_s, lambda: service.live_calls, service.forced)
        finally:
            await service.close()
            manager.close()


async def give_notice(notice_s: float, calls: Callable[[], int], forced: asyncio.Event) -> None:
    """At most `notice_s`; less once there has been no call for as long as a balancer takes, or somebody forces it."""
    if not notice_s:
        return
    loop = asyncio.get_running_loop()
    log.info("leaving", calls=calls(), notice_s=notice_s)
    now_s = idle_since_s = loop.time()
    until_s = now_s + notice_s
    while now_s < min(until_s, idle_since_s + HEARD_S) and not forced.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(forced.wait(), LOOK_S)
        now_s = loop.time()
        if calls():
            idle_since_s = now_s
