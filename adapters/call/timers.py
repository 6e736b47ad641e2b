"""The machine's deadlines on the loop's clock: armed and disarmed by steps, put into the mailbox. Never a decision.

A timer that was disarmed after it fired is still in the mailbox; its epoch lets the machine know it for stale.
"""

from __future__ import annotations

import asyncio

from adapters.call.mailbox import Mailbox
from fsm.machine.machine import Event, Timer


class Timers:
    """At most one running timer for each deadline of the spec."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._loop = asyncio.get_running_loop()
        self._running: dict[str, asyncio.TimerHandle] = {}

    def start(self, timer: Timer) -> None:
        """Arms a deadline; one of the same name is replaced."""
        self.stop(timer.name)
        event = Event(f"timer.{timer.name}", {"epoch": timer.epoch})
        self._running[timer.name] = self._loop.call_later(timer.after_ms / 1000, self._fire, timer.name, event)

    def stop(self, name: str) -> None:
        handle = self._running.pop(name, None)
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        """Nothing fires after this."""
        for name in list(self._running):
            self.stop(name)

    def _fire(self, name: str, event: Event) -> None:
        self._running.pop(name, None)
        self._mailbox.put(event, f"timer:{name}", never_drop=True)
