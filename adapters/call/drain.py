"""The end of a call that an operator wants over soon: at a moment when the spec has nothing left to finish."""

from __future__ import annotations

from collections.abc import Callable

from adapters.call.mailbox import Mailbox
from fsm.machine.machine import Event, Snapshot, TurnSpecMachine


def hang_up_request(reason: str) -> Event:
    """An operator's wish that the call ends politely."""
    return Event("operator.hang_up_requested", {"reason": reason})


class Drain:
    """`begin`, then `look` between any two steps: the hang-up is requested once, when the call is at rest."""

    def __init__(self, machine: TurnSpecMachine, mailbox: Mailbox, is_playing: Callable[[], bool]) -> None:
        self._quiet = machine.spec.tagged("quiet")
        self._mailbox = mailbox
        self._is_playing = is_playing
        self._reason = ""
        self._snapshot: Snapshot | None = None

    def follow(self, machine: TurnSpecMachine) -> None:
        """The call goes on under another spec."""
        self._quiet, self._snapshot = machine.spec.tagged("quiet"), None

    def begin(self, reason: str) -> None:
        """The call is to end as soon as nobody speaks, is heard or waits for an answer."""
        self._reason = reason
        if self._snapshot is not None:
            self.look(self._snapshot)

    def look(self, snapshot: Snapshot) -> None:
        """The call waits for the next event in this snapshot."""
        self._snapshot = snapshot
        if self._reason and not self._mailbox and self._is_at_rest(snapshot):
            self._mailbox.put(hang_up_request(self._reason), "operator")
            self._reason = ""

    def _is_at_rest(self, snapshot: Snapshot) -> bool:
        """Nobody has the floor, nothing has a deadline, nothing is heard."""
        return snapshot.state in self._quiet and not snapshot.armed and not self._is_playing()
