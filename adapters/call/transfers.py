"""Putting the caller through: asked of whoever can do it, within a deadline; how it went is a fact. Never a decision.

Where nobody can (no ARI, AMI or REST is configured) the dialplan does it: the result says to whom, and we leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from adapters.call.result import CallResult
from adapters.lines.line import CallLeg

PUT_THROUGH_S: Final = 30.0
"""Less than the deadline of the bundled specs (`transfer_overdue`)."""

TELL_S: Final = 2.0
"""Less than what the end of a call has for its line; the caller hears silence so long."""

PutThrough = Callable[[CallLeg, str], Awaitable[None]]
"""Puts the caller of a leg through, by the key of a target. Raises with the reason, in plain words, if it cannot."""
TellResult = Callable[[CallLeg, str], Awaitable[None]]
"""Tells whoever goes on with the caller how the call ends, before the line does. Raises with the reason."""
Report = Callable[[str, Mapping[str, object]], None]


class Transfers:
    """Of one call. Facts: `transfer.completed` {key}, and `transfer.failed` {key, reason, text}: what is to be said."""

    def __init__(
        self,
        leg: CallLeg,
        put_through: PutThrough | None,
        result: CallResult,
        report: Report,
        log: structlog.typing.FilteringBoundLogger,
        tell_result: TellResult | None = None,
    ) -> None:
        self._leg = leg
        self._put_through = put_through
        self._result = result
        self._report = report
        self._log = log
        self._tell_result = tell_result

    async def begin(self, key: str) -> None:
        """Returns when it is known how it went."""
        reason = await self._failure(key)
        if reason is None:
            self._log.info("transferred", key=key)
            self._report("transfer.completed", {"key": key})
            return
        self._result.stays()
        self._log.warning("transfer_failed", key=key, reason=reason)
        text = f"The caller could not be put through to '{key}': {reason}. Say so, and ask how else you can help."
        self._report("transfer.failed", {"key": key, "reason": reason, "text": text})

    async def tell(self) -> None:
        """The result, to whoever goes on with the caller; that it is not told keeps no line open."""
        if self._tell_result is None:
            return
        try:
            await asyncio.wait_for(self._tell_result(self._leg, self._result.word), TELL_S)
        except TimeoutError:
            self._log.warning("result_not_told", reason=f"no answer within {TELL_S:g} s")
        except Exception as error:
            self._log.warning("result_not_told", reason=str(error) or type(error).__name__)

    async def _failure(self, key: str) -> str | None:
        if self._put_through is None:
            return None  # the dialplan reads the result once we have left
        try:
            await asyncio.wait_for(self._put_through(self._leg, key), PUT_THROUGH_S)
        except TimeoutError:
            return f"no answer within {PUT_THROUGH_S:g} s"
        except Exception as error:
            return str(error) or type(error).__name__
        return None
