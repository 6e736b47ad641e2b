"""The calls of this process whose audio is elsewhere: begun by id. Never how somebody asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import structlog

from adapters.lines.gone import Gone
from adapters.lines.handlers import CallHandlers
from adapters.lines.line import CallData
from adapters.lines.refusal import CallRefusal
from adapters.lines.sideband.control import SidebandControl, sip_status
from adapters.lines.sideband.leg import SidebandLeg

log = structlog.get_logger(__name__)

OnSideband: TypeAlias = Callable[[SidebandLeg], Awaitable[object] | None]

MOST_TURNED_AWAY: Final = 100
"""Callers who are told at one time that they are not taken; who comes beyond that hears the tone until he tires."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Attachments:
    """`attach` for each call, `close` at the end. A call is one by its id, however often it is asked for."""

    def __init__(
        self,
        on_call: OnSideband,
        keeps_out: Callable[[], str | None] = lambda: None,
        control: SidebandControl | None = None,
        *,
        most: int = 200,
        hang_up_s: float = 2.0,
    ) -> None:
        self._on_call = on_call
        self._keeps_out = keeps_out
        self._control = control
        self._most = most
        self._hang_up_s = hang_up_s
        self._legs: dict[str, SidebandLeg] = {}
        self._handlers = CallHandlers()
        self._turning_away: set[str] = set()
        self._is_closing = False

    @property
    def live(self) -> int:
        return len(self._legs)

    def refusal(self, session_id: str) -> str | None:
        """Why a call would not be taken now, by name."""
        if session_id in self._legs:
            return CallRefusal.LIVE_CALL
        if self._is_closing:
            return CallRefusal.DRAIN
        if len(self._legs) >= self._most:
            return CallRefusal.LIMIT
        return CallRefusal.BUSY if self._keeps_out() else None

    def attach(
        self, session_id: str, *, caller_id: str = "", dialled: str = "", variables: Mapping[str, str] = _NOTHING,
        rings: bool = False,
    ) -> str | None:  # fmt: skip
        """None: the call has begun; or why it has not. `rings`: it has to be accepted, or its caller turned away."""
        if (why := self.refusal(session_id)) is not None:
            return why
        data = CallData(caller_id, dialled, MappingProxyType(dict(variables)), session_id)
        leg = SidebandLeg(data, self._control, self._hang_up_s, lambda: self._departed(session_id), rings=rings)
        self._legs[session_id] = leg
        self._handlers.begin(session_id, lambda: self._handle(leg), lambda: leg.leave(Gone.HANDLER_FAILED))
        return None

    def turn_away(self, session_id: str, why: str) -> None:
        """A caller who hears a ringing tone is told, by a status of SIP, that the call is not taken. Never waits."""
        if self._control is None or session_id in self._turning_away or len(self._turning_away) >= MOST_TURNED_AWAY:
            log.warning("sideband_call_left_ringing", call_id=session_id, why=why)
            return
        self._turning_away.add(session_id)
        telling = self._reject(self._control, session_id, why)
        self._handlers.begin(session_id, lambda: telling, lambda: None)

    def drain(self) -> None:
        """No more calls; those that are there go on."""
        self._is_closing = True

    async def close(self, deadline_s: float) -> None:
        """No more calls; those that go on have so long."""
        self.drain()
        await self._handlers.close(deadline_s)
        for leg in list(self._legs.values()):
            leg.leave(Gone.SERVER_CLOSING)

    async def _handle(self, leg: SidebandLeg) -> None:
        """A call that the provider has ended has no line left to say so."""
        try:
            handling = self._on_call(leg)
            if handling is not None:
                await handling
        finally:
            leg.leave(Gone.HUNG_UP)
            await leg.settle()

    async def _reject(self, control: SidebandControl, session_id: str, why: str) -> None:
        try:
            await control.reject(session_id, sip_status(why))
        except Exception as error:
            log.warning("sideband_reject_failed", call_id=session_id, why=str(error) or type(error).__name__)
        finally:
            self._turning_away.discard(session_id)

    def _departed(self, session_id: str) -> None:
        self._legs.pop(session_id, None)
