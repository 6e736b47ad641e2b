"""What handles the calls of a listener: one task each, none of which outlives the listener. Never what a call says."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class CallHandlers:
    """`begin` for each call, `close` at the end. A handler that fails is logged, and its line is told."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def begin(
        self, call_id: str, handle: Callable[[], Awaitable[object] | None], on_failed: Callable[[], None]
    ) -> None:
        """In the receive loop; what `handle` returns to be awaited runs as a task."""
        try:
            handling = handle()
        except Exception:
            log.exception("call_handler_failed", call_id=call_id)
            on_failed()
            return
        if inspect.isawaitable(handling):
            task = asyncio.get_running_loop().create_task(_awaited(handling), name=f"call {call_id}")
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._ended, call_id, on_failed))

    async def close(self, deadline_s: float) -> None:
        """Waits for all of them, then cancels, then gives up and says so."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=deadline_s)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._tasks:
            log.error("call_handlers_ignore_cancellation", count=len(self._tasks))

    def _ended(self, call_id: str, on_failed: Callable[[], None], task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            on_failed()
        elif (failure := task.exception()) is not None:
            log.error("call_handler_failed", call_id=call_id, exc_info=failure)
            on_failed()


def _awaited(handling: Awaitable[object]) -> Coroutine[Any, Any, object]:
    async def run() -> object:
        return await handling

    return run()
