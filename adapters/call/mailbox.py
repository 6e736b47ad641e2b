"""The one queue of a call: facts go in from every side, the one loop takes them out. Never audio, never a decision.

Bounded. What does not fit is dropped and counted, and the call is asked to end politely: a mailbox that overflows means
that the machine no longer knows what happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from fsm.machine.machine import Event, Step

IN_A_ROW: Final = 32
OVERFLOW = Event("operator.hang_up_requested", {"reason": "mailbox_overflow"})


@attrs.frozen
class Envelope:
    """An event and what put it here: a wire event's id, a timer, a tool, the line."""

    event: Event
    cause: str = ""
    answered: Callable[[Step | None], None] | None = None
    """Told the step that is taken for it; None: there will be none."""


class Mailbox:
    """`put` from the loop's thread only; `next` by one consumer."""

    def __init__(self, bound: int = 1024) -> None:
        self._envelopes: deque[Envelope] = deque()
        self._bound = bound
        self._waiter: asyncio.Future[None] | None = None
        self._taken_in_a_row = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._envelopes)

    def put(
        self,
        event: Event,
        cause: str = "",
        never_drop: bool = False,
        answered: Callable[[Step | None], None] | None = None,
    ) -> None:
        """Never blocks. Over the bound the newest is dropped; the first time the call's end is asked for instead.

        `never_drop`: never dropped, since the call could not end without it. For what comes a bounded number of times.
        """
        if len(self._envelopes) >= self._bound and not never_drop:
            self.dropped += 1
            if answered is not None:
                answered(None)
            if self.dropped > 1:
                return
            event, cause, answered = OVERFLOW, "mailbox", None
        self._envelopes.append(Envelope(event, cause, answered))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def waiting(self, name: str) -> list[Event]:
        """The events of this name that nobody has taken out yet."""
        return [envelope.event for envelope in self._envelopes if envelope.event.name == name]

    def exchange(self, name: str, new: Callable[[Event], Event]) -> None:
        """Puts another event in the place of each of this name that nobody has taken out yet."""
        for index, envelope in enumerate(self._envelopes):
            if envelope.event.name == name:
                self._envelopes[index] = attrs.evolve(envelope, event=new(envelope.event))

    def close(self) -> None:
        """Nobody takes anything out any more: whoever waits for an answer is told."""
        while self._envelopes:
            answered = self._envelopes.popleft().answered
            if answered is not None:
                answered(None)

    async def next(self) -> Envelope:
        """The oldest envelope; waits for one. The call's deadlines arrive here too: this wait needs none of its own.

        After `IN_A_ROW` of them the other calls of the process have a turn, however many wait here.
        """
        self._taken_in_a_row += 1
        if self._taken_in_a_row >= IN_A_ROW:
            self._taken_in_a_row = 0
            await asyncio.sleep(0)
        while not self._envelopes:
            self._taken_in_a_row = 0
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._envelopes.popleft()
