"""The caller's leg of a call whose audio is elsewhere: nothing to play or to hear, an end to ask for.

What the caller hears and presses comes from the provider's session, to which the call attaches by `data.session_id`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from adapters.lines.gone import Gone
from adapters.lines.line import AudioSource, CallData, LegListener

log = structlog.get_logger(__name__)

RATE_HZ: Final = 8_000
"""Of frames that nobody asks for."""


class SidebandControl(Protocol):
    """What the provider can be told of a call that it has. Each raises with the reason."""

    async def hang_up(self, session_id: str) -> None: ...

    async def reject(self, session_id: str) -> None: ...

    async def refer(self, session_id: str, target: str) -> None: ...


class SidebandLeg:
    """Of one call. `control` None: whoever has the audio ends the call; we only leave it."""

    peer: Final = ("sideband", 0)
    keeps_lead: Final = False
    lead_ms: Final = 0
    frames_unsent: Final = 0
    rate_hz: Final = RATE_HZ

    def __init__(
        self, data: CallData, control: SidebandControl | None, deadline_s: float, on_gone: Callable[[], None]
    ) -> None:
        self.call_id = data.session_id
        self.data = data
        self._control = control
        self._deadline_s = deadline_s
        self._on_gone = on_gone
        self._listener: LegListener | None = None
        self._gone: Gone | None = None

    def play_from(self, source: AudioSource | None) -> None:
        """Nobody asks a source: the provider plays."""

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener; it hears of the end alone."""
        self._listener = listener
        if self._gone is not None:
            listener.on_gone(self._gone)

    def flush(self) -> None:
        """What is under way is the provider's."""

    def refuse(self, reason: str) -> None:
        """Not taken. Whoever has brought the call is told by its way in."""
        log.warning("sideband_call_refused", call_id=self.call_id, why=reason)
        self.leave(Gone.REFUSED)

    async def hang_up(self) -> None:
        """Asks the provider to end the call; one that cannot be asked, or does not answer, is left as it is."""
        if self._gone is None and self._control is not None:
            try:
                await asyncio.wait_for(self._control.hang_up(self.call_id), self._deadline_s)
            except TimeoutError:
                log.warning("sideband_hang_up_failed", call_id=self.call_id, why=f"none in {self._deadline_s:g} s")
            except Exception as error:
                log.warning("sideband_hang_up_failed", call_id=self.call_id, why=str(error) or type(error).__name__)
        self.leave(Gone.HUNG_UP)

    def leave(self, reason: Gone) -> None:
        """The call is over here. Once."""
        if self._gone is None:
            self._gone = reason
            self._on_gone()
            if self._listener is not None:
                self._listener.on_gone(reason)
