"""The seam of call control: what may be done with the caller's channel, with which targets, and how it fails.

A target is a key of `transfers:`, never a number or a name that somebody else has chosen: what a model says is looked
up and refused. Every operation has one deadline for all of its steps, and each failure says what the call still has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from fsm.errors import LocalError, RemoteError

_PLACE: Final = re.compile(r"[A-Za-z0-9_*#+.-]{1,79}")
_PRIORITY: Final = re.compile(r"[1-9][0-9]{0,5}|[A-Za-z][A-Za-z0-9_-]{0,39}")
VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,78}")
_CHANNEL: Final = re.compile(r"[A-Za-z0-9][^\x00-\x20\x7f]{0,255}")
_CONTROL_CHARS: Final = re.compile(r"[\x00-\x1f\x7f]")
MAX_VALUE_BYTES: Final = 900
"""Asterisk's manager reads lines of 1,024 bytes."""


class ControlError(RemoteError):
    """An operation failed, with its cause and what cures it. `gone`: there is no such call any more.

    `is_uncertain`: it was asked for, and no answer came: it may have happened.
    """

    def __init__(self, cause: str, *, gone: bool = False, is_uncertain: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.gone = gone
        self.is_uncertain = is_uncertain


class TargetError(LocalError):
    """A place in the dialplan is written wrong."""


@attrs.frozen
class CallHandle:
    """What a line knows of a call for whoever must find its channel."""

    call_id: str
    """The UUID that both sides know."""
    channel: str = ""
    """Name or unique id of the line's own channel, where the line says it (chan_websocket's MEDIA_START)."""


@attrs.frozen
class DialplanTarget:
    """Where a transfer goes: a place in the dialplan. Raises TargetError."""

    context: str
    exten: str
    priority: str = "1"

    def __attrs_post_init__(self) -> None:
        for name, text, pattern in (
            ("context", self.context, _PLACE), ("exten", self.exten, _PLACE), ("priority", self.priority, _PRIORITY),
        ):  # fmt: skip
            if not pattern.fullmatch(text):
                hint = ": it is an extension of the dialplan, not a channel" if "/" in text else ""
                raise TargetError(f"'{text}' cannot be the {name} of a place in the dialplan{hint}")

    @classmethod
    def parsed(cls, text: str) -> DialplanTarget:
        """`context,exten` or `context,exten,priority`. Raises TargetError."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) not in (2, 3):
            raise TargetError("a place in the dialplan is expected here: context,exten or context,exten,priority")
        return cls(*parts)


class CallControl(Protocol):
    """One way to reach channels. Raises ControlError, at the latest at the deadline of its settings."""

    async def transfer(self, call: CallHandle, target: str) -> None:
        """To the target of that key: accepted, not done yet; the end of the call's media is the proof."""

    async def hang_up(self, call: CallHandle) -> None:
        """The caller's channel. One that is gone already is a success."""

    async def set_variable(self, call: CallHandle, name: str, value: str) -> None:
        """A variable of the caller's channel, never a global one."""

    def start(self) -> None:
        """Begins to connect, if there is something to keep connected; returns at once."""

    async def close(self) -> None:
        """Nothing is left of it. Operations that run fail."""


def looked_up(targets: Mapping[str, DialplanTarget], key: str) -> DialplanTarget:
    """The dialplan's place of a key. What is not a key is refused, whoever said it."""
    target = targets.get(key)
    if target is None:
        known = ", ".join(sorted(targets)) or "nobody"
        raise ControlError(f"{key[:80]!r} is not a key of transfers that says where to go (known: {known})")
    return target


def checked_channel(channel: str) -> str:
    """Names come from peers, too, and AMI takes one that begins with a slash for a pattern over all channels."""
    if not _CHANNEL.fullmatch(channel):
        raise ControlError(f"{channel[:80]!r} cannot be the name of a channel")
    return channel


def checked_variable(name: str, value: str) -> None:
    """A plain variable, no function of the dialplan; the value fits into one line of the manager's."""
    if not VARIABLE.fullmatch(name):
        raise ControlError(f"{name[:80]!r} cannot be the name of a channel variable")
    if _CONTROL_CHARS.search(value):
        raise ControlError(f"the value for {name} has control characters in it")
    if (size := len(value.encode())) > MAX_VALUE_BYTES:
        raise ControlError(f"the value for {name} has {size} bytes, Asterisk takes {MAX_VALUE_BYTES}")
