"""An event loop in a thread of its own, so that a plain test can wait for a call and a bridge may have any loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from fsm.errors import LocalError

T = TypeVar("T")
CLOSE_S = 10.0


class KitUseError(LocalError, RuntimeError):
    """The kit cannot be used so, and how it can."""


class LoopThread:
    """`run(coroutine)` from any other thread; `close()` ends the loop and what is left on it."""

    def __init__(self) -> None:
        self.loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._serve, name="turnspec-kit", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], instead: str = "") -> T:
        """Waits for it. KitUseError: so long that an async test must do something instead."""
        if instead and self.would_block():
            work.close()
            raise KitUseError(f"this would block the event loop of an async test: {instead}")
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def run_async(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for who has a loop of his own."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    @staticmethod
    def would_block() -> bool:
        """Is this called on a loop?"""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CLOSE_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()
