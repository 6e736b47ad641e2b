"""Identifiers as the real server makes them, from a seed. No clock, no global randomness.

Source: docs/facts/realtime_api.md section 10: event_/sess_/conv_/item_/resp_ and 21 base62 characters, call_ and 16.
"""

from __future__ import annotations

import random
import string

_BASE62 = string.digits + string.ascii_letters
_PADDED_TO = 16  # `obfuscation` fills a delta up to this many characters in every recorded trace


class Ids:
    """One connection's generator: the same seed and connection give the same ids in the same order."""

    def __init__(self, seed: int, connection: int) -> None:
        self._random = random.Random(f"{seed}/{connection}")

    def _make(self, prefix: str, length: int = 21) -> str:
        return prefix + "".join(self._random.choices(_BASE62, k=length))

    def event(self) -> str:
        return self._make("event_")

    def session(self) -> str:
        return self._make("sess_")

    def conversation(self) -> str:
        return self._make("conv_")

    def item(self) -> str:
        return self._make("item_")

    def response(self) -> str:
        return self._make("resp_")

    def call(self) -> str:
        return self._make("call_", 16)

    def obfuscation(self, delta: str) -> str:
        return self._make("", -len(delta) % _PADDED_TO)
