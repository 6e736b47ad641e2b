"""Calls that were announced: what is known about them before they come. Bounded in number and in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from adapters.lines.line import CallData
from adapters.server.agents import AGENT
from adapters.server.inside import Announcement

LIFETIME_S: Final = 120.0
MOST_ANNOUNCED: Final = 1_000


class Announcements:
    """By id; one for each call, used once. `now_s` is the loop's clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._waiting: OrderedDict[str, tuple[float, Announcement]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, announcement: Announcement) -> bool:
        """A second one for a call replaces the first. False: there are too many."""
        self._drop_old()
        self._waiting.pop(announcement.id, None)
        if len(self._waiting) >= MOST_ANNOUNCED:
            return False
        self._waiting[announcement.id] = (self._now_s() + LIFETIME_S, announcement)
        return True

    def take(self, call_id: str) -> Announcement | None:
        """That of a call that has come; it is used up."""
        self._drop_old()
        return self._waiting.pop(call_id, (0.0, None))[1]

    def _drop_old(self) -> None:
        now_s = self._now_s()
        while self._waiting:
            oldest = next(iter(self._waiting))
            if self._waiting[oldest][0] > now_s:
                return
            del self._waiting[oldest]


def joined(data: CallData, said: Announcement | None) -> CallData:
    """What the line says about a call that has come, with what was announced, which goes first."""
    if said is None:
        return data
    agent = {AGENT: said.agent} if said.agent else {}
    return CallData(
        caller_id=said.caller_id or data.caller_id,
        dialled=said.dialled or data.dialled,
        variables={**data.variables, **said.variables, **agent},
        session_id=data.session_id,
    )
