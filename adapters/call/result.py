"""How a call ended, in words that a dialplan branches on. Never why in detail: that is in the summary.

`completed`, `provider_failed`, `transfer:KEY`, and keys that an agent or an application has set. What was refused was
no call; its result is the server's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.call.words import printable

COMPLETED: Final = "completed"
TRANSFER: Final = "transfer:"
PROVIDER_FAILED: Final = "provider_failed"
MAX_KEYS: Final = 32
_KEY_CHARS: Final = 64


class CallResult:
    """Of one call. `word` is what it is once the call has ended."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._transfer = ""
        self._ending = COMPLETED

    @property
    def word(self) -> str:
        return f"{TRANSFER}{self._transfer}" if self._transfer else self._ending

    @property
    def is_settled(self) -> bool:
        """Known before the call has ended: the caller is being put through, or the provider is lost."""
        return bool(self._transfer) or self._ending != COMPLETED

    @property
    def values(self) -> Mapping[str, str]:
        """What was set, by key."""
        return MappingProxyType(self._values)

    def set(self, key: str, value: str) -> bool:
        """One line of bounded length each. False: it is not kept, for there is no key or there are too many."""
        key = printable(key)[:_KEY_CHARS]
        if not key or (key not in self._values and len(self._values) >= MAX_KEYS):
            return False
        self._values[key] = printable(value)
        return True

    def transfers(self, key: str) -> None:
        """The caller is put through: stored before it is done, for the dialplan may ask at once."""
        self._transfer = key

    def stays(self) -> None:
        """The transfer has failed."""
        self._transfer = ""

    def failed(self) -> None:
        """The provider could not be had, or could not go on."""
        self._ending = PROVIDER_FAILED
