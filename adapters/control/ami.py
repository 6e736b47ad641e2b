"""Call control by Asterisk's manager: works on every channel, also while AudioSocket() runs on it.

The user of manager.conf needs `write = call` and nothing else (docs/facts/asterisk_control.md section 4): Status lists
the channels with their variables, Getvar asks whether the target exists, Redirect, Setvar and Hangup act. The answer to
a Redirect says that it is queued; the end of the media says that it has happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from adapters.control.ami_codec import AmiMessage
from adapters.control.ami_connection import AmiConnection
from adapters.control.channels import ListedChannel, callers
from adapters.control.control import (
    CallHandle,
    ControlError,
    DialplanTarget,
    checked_channel,
    checked_variable,
    looked_up,
)
from adapters.control.settings import AmiSettings, ControlSettings

_GONE: Final = ("no such channel", "channel does not exist", "channel not up")
_NORMAL_CLEARING: Final = "16"
_MEDIA_VARIABLE: Final = "AUDIOSOCKET_UUID"


class AmiControl:
    """A CallControl. `start` connects and keeps connected; an operation in a gap waits for the next connection."""

    def __init__(self, settings: ControlSettings, ami: AmiSettings) -> None:
        self._settings = settings
        self.connection = AmiConnection(ami)

    def start(self) -> None:
        self.connection.start()

    async def close(self) -> None:
        await self.connection.close()

    async def transfer(self, call: CallHandle, target: str) -> None:
        place = looked_up(self._settings.targets, target)
        async with self._deadline(f"the transfer to '{target}'"):
            channel = await self._callers(call)
            await self._must_exist(channel, place, target)
            where = (("Context", place.context), ("Exten", place.exten), ("Priority", place.priority))
            await self._act("Redirect", ("Channel", channel), *where)

    async def hang_up(self, call: CallHandle) -> None:
        async with self._deadline("the hang-up"):
            try:
                channel = await self._callers(call)
                await self._act("Hangup", ("Channel", channel), ("Cause", _NORMAL_CLEARING))
            except ControlError as error:
                if not error.gone:
                    raise

    async def set_variable(self, call: CallHandle, name: str, value: str) -> None:
        checked_variable(name, value)
        async with self._deadline(f"setting {name}"):
            channel = await self._callers(call)
            await self._act("Setvar", ("Channel", channel), ("Variable", name), ("Value", value))

    # --- steps

    @asynccontextmanager
    async def _deadline(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                yield
        except TimeoutError:
            trouble = f": {self.connection.trouble}" if not self.connection.is_up else ""
            cause = f"{what} had no answer from Asterisk's manager in {self._settings.deadline_s:g} s{trouble}"
            raise ControlError(cause, is_uncertain=self.connection.is_up) from None

    async def _callers(self, call: CallHandle) -> str:
        """The name of the caller's channel. Asked anew each time: channels are renamed, bridged and replaced."""
        variables = f"{self._settings.uuid_variable},{_MEDIA_VARIABLE}"
        response, *events = await self.connection.ask("Status", [("Variables", variables)], is_list=True)
        _check("Status", response)
        listed = (_channel(event) for event in events if event.get("Event") == "Status")
        return checked_channel(callers(listed, call).name)

    async def _must_exist(self, channel: str, place: DialplanTarget, key: str) -> None:
        """A Redirect into nothing is accepted, and drops the caller."""
        function = f"DIALPLAN_EXISTS({place.context},{place.exten},{place.priority})"
        response = await self._act("Getvar", ("Channel", channel), ("Variable", function))
        if response.get("Value") == "0":
            where = f"{place.context},{place.exten},{place.priority}"
            raise ControlError(f"the target '{key}' is {where}, and Asterisk's dialplan has no such place")

    async def _act(self, action: str, *headers: tuple[str, str]) -> AmiMessage:
        response = (await self.connection.ask(action, headers))[0]
        _check(action, response)
        return response


def _channel(event: AmiMessage) -> ListedChannel:
    pairs = (text.partition("=") for text in event.all("Variable"))
    return ListedChannel(
        name=event.get("Channel"),
        unique_id=event.get("Uniqueid"),
        application=event.get("Application"),
        data=event.get("Data"),
        uuids=frozenset(value for _, _, value in pairs if value),
        bridge=event.get("BridgeID"),
    )


def _check(action: str, response: AmiMessage) -> None:
    """ControlError unless the manager said yes, with the cure where there is one."""
    if response.get("Response") == "Success":
        return
    said = response.get("Message")[:200] or "no reason given"
    if "permission denied" in said.lower():
        said += " (manager.conf: this user needs 'write = call')"
    raise ControlError(f"Asterisk refused {action}: {said}", gone=any(each in said.lower() for each in _GONE))
