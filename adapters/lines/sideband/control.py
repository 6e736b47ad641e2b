"""What the provider can be told of a call that it has: the interface, its failures, SIP's words for a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from adapters.lines.refusal import CallRefusal
from fsm.errors import RemoteError

DECLINED: Final = 603
_STATUS: Final[Mapping[str, int]] = {
    CallRefusal.LIMIT: 486,
    CallRefusal.CALLS_PER_PEER: 486,
    CallRefusal.BUSY: 486,
    CallRefusal.DRAIN: 503,
    CallRefusal.NO_PROVIDER: 480,
    CallRefusal.NOT_ACCEPTED: 480,
    CallRefusal.SPEC_UNFIT: 480,
    CallRefusal.UNKNOWN_AGENT: 404,
}


class SidebandControlError(RemoteError):
    """What was not done, and why. `is_over`: there is no such call any more. `is_unknown`: it may have been done."""

    def __init__(self, message: str, *, is_over: bool = False, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_over = is_over
        self.is_unknown = is_unknown


class SidebandControl(Protocol):
    """Each returns once it is done, within a deadline of its own. SidebandControlError."""

    async def accept(self, session_id: str, session: Mapping[str, object]) -> None:
        """The caller, who hears a ringing tone, is let into this session."""

    async def reject(self, session_id: str, status: int) -> None:
        """The caller, who hears a ringing tone, is told this status of SIP; one who has hung up is fine."""

    async def refer(self, session_id: str, target: str) -> None:
        """The caller is sent to a URI (`tel:`, `sip:`)."""

    async def hang_up(self, session_id: str) -> None:
        """The call ends; one that is over is fine."""


def sip_status(why: str) -> int:
    """What a caller's telephone is told of a refusal, by its name: busy, or unavailable (a trunk's next route)."""
    return _STATUS.get(why, DECLINED)
