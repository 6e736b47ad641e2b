"""A call as tools and applications see it: who calls, and what may be asked of it. Never its state, never its sockets.

A request is an event of the spec's vocabulary; the spec accepts it or refuses it with its own reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

import attrs

from fsm.machine.machine import Event, Step

ANSWER_S: Final = 5.0
"""The longest wait for what a spec says to a request: a call answers at once, unless it has more to do than it can."""


@attrs.frozen
class Answer:
    """Whether a request was accepted; if not, why."""

    accepted: bool
    reason: str = ""


def answer_of(step: Step) -> Answer:
    """What the spec said to a request. One that waits for its moment is accepted."""
    return Answer(step.outcome not in ("refused", "ignored", "impossible"), step.reason)


ENDED: Final = Answer(False, "the call is over")
OVERDUE: Final = Answer(False, f"the call did not answer within {ANSWER_S:g} s")
Ask = Callable[[Event, Callable[[Answer], None]], None]
"""Hands a request to the call, on its loop; the answer is given there, too."""


class ActiveCall:
    """One call, for a tool that has a parameter of this type. Safe in every thread."""

    def __init__(
        self,
        ask: Ask,
        call_id: str = "",
        agent: str = "",
        caller_id: str = "",
        dialled: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """What is known about the call is as the line said it; "" where it did not."""
        self.id = call_id
        self.agent = agent
        self.caller_id = caller_id
        self.dialled = dialled
        self.variables: Mapping[str, str] = dict(variables or {})
        self._ask = ask
        self._loop = asyncio.get_running_loop()

    def request(self, name: str, /, **data: object) -> Answer:
        """Asks something of the call and waits for its answer: for tools that are plain functions.

        Data has the fields and types that the vocabulary declares for the request.

        RuntimeError: called on the call's own loop, which it would hold; there it is `await call.requested(...)`.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            raise RuntimeError("on the loop: await call.requested(...) instead of call.request(...)")
        answered: Future[Answer] = Future()
        try:
            self._loop.call_soon_threadsafe(self._ask, Event(name, data), _into(answered))
            return answered.result(ANSWER_S)
        except TimeoutError:
            return OVERDUE
        except RuntimeError:  # the loop is closed, and the call with it
            return ENDED

    async def requested(self, name: str, /, **data: object) -> Answer:
        """The same for tools that are coroutine functions."""
        return await self.asked(name, data)

    async def asked(self, name: str, data: Mapping[str, object]) -> Answer:
        """The same with data of any names."""
        answered: Future[Answer] = Future()
        self._ask(Event(name, data), _into(answered))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answered), ANSWER_S)
        except TimeoutError:
            return OVERDUE

    def set_result(self, key: str, value: str) -> Answer:
        """One value of the call's result: `request` by the name of it."""
        return self.request("application.result_given", key=key, value=value)


def _into(answered: Future[Answer]) -> Callable[[Answer], None]:
    def answer(given: Answer) -> None:
        if not answered.done():
            answered.set_result(given)

    return answer
