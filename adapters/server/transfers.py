"""Who puts a caller through, by the line of the call: Asterisk by AMI or ARI, Twilio by its REST, the provider of a
sideband by a refer, else the dialplan.

A key that says nothing about where to go is the dialplan's: it reads the call's result once we have left.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from adapters.call.result import TRANSFER
from adapters.control.control import CallControl, CallHandle, ControlError
from adapters.control.factory import control_of
from adapters.lines.line import CallLeg
from adapters.lines.sideband.leg import SidebandLeg
from adapters.lines.twilio.connection import TwilioConnection
from adapters.settings.config import Settings

if TYPE_CHECKING:
    from adapters.lines.twilio.rest import TwilioRest

log = structlog.get_logger(__name__)

CLOSE_S = 2.0


class ServerTransfers:
    """Of a server: `start` in its loop, `close` at its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._control: CallControl | None = None
        self._rest: TwilioRest | None = None

    def start(self) -> None:
        """Connects what is configured, without waiting for it. ControlError, ImportError: an extra is missing."""
        self._control = control_of(self._settings.control)
        if self._control is not None:
            self._control.start()
        twilio = self._settings.twilio
        if twilio is not None and self._settings.dials:
            from adapters.lines.twilio.rest import RestSettings, TwilioRest

            self._rest = TwilioRest(RestSettings(account_sid=twilio.account_sid, auth_token=twilio.auth_token))

    async def close(self) -> None:
        """Nothing is left of them, within a deadline."""
        for each in (self._control, self._rest):
            if each is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(each.close(), CLOSE_S)

    async def put_through(self, leg: CallLeg, key: str) -> None:
        """`PutThrough` of every call. Raises with the reason."""
        if isinstance(leg, SidebandLeg):
            await leg.refer(self._refer_target(key))
        elif isinstance(leg, TwilioConnection):
            target = self._settings.dials.get(key)
            if self._rest is not None and target is not None:
                await self._rest.transfer(leg.call_id, target)
        elif self._control is not None and key in self._settings.control.targets:
            with contextlib.suppress(ControlError):  # what fails here fails in the transfer, too, and is told there
                await self.tell_result(leg, f"{TRANSFER}{key}")
            await self._control.transfer(_handle(leg), key)

    async def tell_result(self, leg: CallLeg, word: str) -> None:
        """`TellResult` of every call: a variable of the caller's channel, where Asterisk's manager can set it.

        ControlError. ARI could set it in Stasis alone (docs/facts/asterisk_control.md section 5): there one asks.
        """
        if isinstance(leg, TwilioConnection | SidebandLeg):
            return
        if self._control is None or self._settings.control.ami is None:
            return
        try:
            await self._control.set_variable(_handle(leg), self._settings.control.result_variable, word)
        except ControlError as error:
            if not error.gone:  # a caller who has hung up needs no variable
                raise

    def _refer_target(self, key: str) -> str:
        """As a URI. Nothing comes after a sideband that could put a caller through in our place."""
        target = self._settings.dials.get(key)
        if target is None:
            raise ControlError(f"transfers.{key} has no 'dial:' to refer the caller to")
        return target.address if target.noun == "Sip" else f"tel:{target.address}"


def _handle(leg: CallLeg) -> CallHandle:
    return CallHandle(leg.call_id, leg.data.variables.get("channel_id", ""))
