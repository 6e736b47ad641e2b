"""Keys that the caller presses: facts for the machine, or, while they are secret, for the application alone.

A secret digit stays here until an effect for the application takes it: the fact of it says that a key was pressed and
not which one, so nothing that keeps or shows facts (journal, log, wire, pages) can know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.application import SECRET
from adapters.call.mailbox import Mailbox
from fsm.machine.machine import Event

PRESSED: Final = "caller.pressed_key"
SECRETLY: Final = "caller.pressed_secretly"
MOST: Final = 64
_SHOWN: Final = "*#"


class SecretKeys:
    """Of one call. `press` for every key of the line."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._digits: str | None = None

    def press(self, digit: str) -> None:
        event = Event(PRESSED, {"digit": digit})
        self._mailbox.put(event if self._digits is None else self._secretly(event), "line")

    def hide(self) -> None:
        """From here on keys are secret; those that nobody has looked at yet are, too."""
        self._digits = ""
        self._mailbox.exchange(PRESSED, self._secretly)

    def show(self) -> None:
        """From here on they are not; what was not taken is forgotten."""
        self._digits = None

    def clear(self) -> None:
        """Forgets what was pressed so far."""
        if self._digits is not None:
            self._digits = ""

    def filled(self, args: Mapping[str, object]) -> Mapping[str, object]:
        """The arguments of an effect, with the digits where it wants them."""
        return {**args, SECRET: self._digits or ""} if SECRET in args else args

    def _secretly(self, event: Event) -> Event:
        digit = str(event.data.get("digit", ""))
        if digit not in _SHOWN and self._digits is not None:
            self._digits = (self._digits + digit)[:MOST]
        return Event(SECRETLY, {"key": digit if digit in _SHOWN else "digit"})
