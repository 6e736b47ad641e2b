"""The caller's leg of a call whose audio is elsewhere: nothing to play or to hear, an end to ask for.

What the caller hears and presses comes from the provider's session, to which the call attaches by `data.session_id`.
A call that a webhook has announced rings: it is accepted or refused, and what we took the provider is told the end of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from adapters.lines.gone import Gone
from adapters.lines.line import AudioSource, CallData, LegListener
from adapters.lines.refusal import CallRefusal
from adapters.lines.sideband.control import SidebandControl, SidebandControlError, sip_status

log = structlog.get_logger(__name__)

RATE_HZ: Final = 8_000
"""Of frames that nobody asks for."""


class SidebandLeg:
    """Of one call. `control` None: whoever has the audio ends the call; we only leave it."""

    peer: Final = ("sideband", 0)
    keeps_lead: Final = False
    lead_ms: Final = 0
    frames_unsent: Final = 0
    rate_hz: Final = RATE_HZ

    def __init__(
        self,
        data: CallData,
        control: SidebandControl | None,
        deadline_s: float,
        on_gone: Callable[[], None],
        *,
        rings: bool = False,
    ) -> None:
        self.call_id = data.session_id
        self.data = data
        self.rings = rings
        """The caller hears a ringing tone: `accept` it, or `refuse`."""
        self._control = control
        self._deadline_s = deadline_s
        self._on_gone = on_gone
        self._listener: LegListener | None = None
        self._gone: Gone | None = None
        self._is_ours = rings
        """Nobody but us ends it, whatever becomes of our side."""
        self._refused_as = ""
        self._is_left = False
        """Its caller is not ours any more: told the end, sent elsewhere, or gone."""

    def play_from(self, source: AudioSource | None) -> None:
        """Nobody asks a source: the provider plays."""

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener; it hears of the end alone."""
        self._listener = listener
        if self._gone is not None:
            listener.on_gone(self._gone)

    def flush(self) -> None:
        """What is under way is the provider's."""

    async def accept(self, session: Mapping[str, object]) -> None:
        """The caller is let into this session. SidebandControlError: not, and `refuse` or `settle` is what is left."""
        try:
            await self._asked().accept(self.call_id, session)
        except SidebandControlError as error:
            self._is_left = error.is_over
            self.rings = not error.is_unknown  # one that may have been accepted is ended, which a ringing one cannot be
            raise
        self.rings = False

    async def refer(self, target: str) -> None:
        """The caller is sent to a URI, and is nobody of ours any more. SidebandControlError."""
        try:
            await self._asked().refer(self.call_id, target)
        except SidebandControlError as error:
            if error.is_over:
                self._is_left = True
                self.leave(Gone.CALLER_HUNG_UP)
            raise
        self._is_left = True

    def refuse(self, reason: str, why: str = "") -> None:
        """Not taken. An application that has brought the call is told by its way in, a caller who hears a ringing tone
        by `settle`."""
        log.warning("sideband_call_refused", call_id=self.call_id, why=reason)
        self._refused_as = why
        self._is_left = self._is_left or why == CallRefusal.LIVE_CALL  # somebody else of ours has the caller
        self.leave(Gone.REFUSED)

    async def hang_up(self) -> None:
        """Asks the provider to end the call; one that cannot be asked, or does not answer, is left as it is."""
        if self._gone is None and self._control is not None:
            await self._end(self._control)
        self.leave(Gone.HUNG_UP)

    async def settle(self) -> None:
        """The last of a call that was ours to take: its caller is not left with a ringing tone, or with nobody."""
        if self._is_ours and self._control is not None:
            await self._end(self._control)

    def leave(self, reason: Gone) -> None:
        """The call is over here. Once."""
        if self._gone is None:
            self._gone = reason
            self._on_gone()
            if self._listener is not None:
                self._listener.on_gone(reason)

    def _asked(self) -> SidebandControl:
        if self._control is None:
            raise SidebandControlError("the provider cannot be told: install turnspec[sideband]")
        return self._control

    async def _end(self, control: SidebandControl) -> None:
        """Once, and only of a caller who is still ours."""
        if self._is_left:
            return
        self._is_left = True
        if self.rings:
            await self._told("reject", control.reject(self.call_id, sip_status(self._refused_as)))
        else:
            await self._told("hang_up", control.hang_up(self.call_id))

    async def _told(self, what: str, telling: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(telling, self._deadline_s)
        except TimeoutError:
            log.warning(f"sideband_{what}_failed", call_id=self.call_id, why=f"none in {self._deadline_s:g} s")
        except Exception as error:
            log.warning(f"sideband_{what}_failed", call_id=self.call_id, why=str(error) or type(error).__name__)
