"""One effect about to be encoded, in any protocol. Never what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from adapters.providers.provider import EncodingError


@attrs.frozen
class EffectRequest:
    """Reads the arguments and names the one that is wrong (EncodingError)."""

    effect: str
    args: Mapping[str, object]

    def text(self, key: str) -> str:
        value = self.args.get(key)
        if not isinstance(value, str):
            raise EncodingError(f"{self.effect}.{key}: expected text, got {type(value).__name__}")
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self.args.get(key) is None else self.text(key)

    def natural(self, key: str) -> int:
        value = self.args.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise EncodingError(f"{self.effect}.{key}: expected a whole number from 0, got {value!r:.40}")
        return value
