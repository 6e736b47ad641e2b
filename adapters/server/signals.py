"""The signals of a serving process: what begins its end, what does not, and that it comes. Never how calls end.

Python's own handlers, not the loop's: they are called also where a tool keeps the loop for itself, and start the thread
that ends the process then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

AT_ONCE: Final = 3
"""The so-manieth signal waits for nobody."""
_SHOWN_FRAMES: Final = 8


class Watchdog:
    """Ends the process if nothing else does: a tool may hold its loop, or never let go of its task."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def arm(self, after_s: float) -> None:
        """Anew, where it is armed."""
        self.disarm()
        self._timer = threading.Timer(after_s, self._bite, (after_s,))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _bite(self, after_s: float) -> None:
        try:
            log.error("process_does_not_end", after_s=after_s, busy_with=_busy_with())
        finally:
            os._exit(1)


def _busy_with() -> list[str]:
    """Where the main thread is, without a value of it."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    calls = traceback.extract_stack(frame)[-_SHOWN_FRAMES:] if frame is not None else []
    return [f"{each.filename}:{each.lineno} {each.name}" for each in calls]


@contextlib.contextmanager
def stop_signals(
    on_stop: Callable[[], None], end_s: float, on_reload: Callable[[], None] | None = None
) -> Iterator[None]:
    """SIGTERM and SIGINT call `on_stop` in the loop, and the process has `end_s` from each of them to end.

    SIGHUP does the same where the process has a terminal, for that is what its end looks like. Where it has none,
    SIGHUP calls `on_reload`; without one it is logged and nothing else. Under nohup it stays ignored.
    """
    loop = asyncio.get_running_loop()
    watchdog = Watchdog()
    count = 0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count >= AT_ONCE:
            os._exit(128 + number)
        watchdog.arm(end_s)
        loop.call_soon_threadsafe(on_stop)

    def reload(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(on_reload or _no_reload)

    wanted: dict[signal.Signals, Any] = {signal.SIGTERM: stop, signal.SIGINT: stop}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted[signal.SIGHUP] = stop if _has_terminal() else reload
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        watchdog.disarm()
        for number, handler in before.items():
            signal.signal(number, handler)


def _no_reload() -> None:
    log.warning("signal_ignored", signal="SIGHUP", why="nothing is read again here: restart to read the configuration")


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def end_loop(loop: asyncio.AbstractEventLoop, deadline_s: float = 1.0) -> bool:
    """What `asyncio.run` does at its end, within a deadline. False: a task or a thread of the loop does not end."""

    async def ended() -> set[asyncio.Task[Any]]:
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in tasks:
            task.cancel()
        return (await asyncio.wait(tasks, timeout=deadline_s))[1] if tasks else set()

    left = loop.run_until_complete(ended())
    if left:
        log.error("tasks_ignore_cancellation", tasks=sorted(task.get_name() for task in left))
        return False
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return True
