"""How effects are written, in any protocol: one about to be encoded, and the row of a protocol's table for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import attrs

from adapters.providers.provider import EncodingError, WireEvent


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


_Request = TypeVar("_Request", bound=EffectRequest)


@attrs.frozen
class EffectEncoder(Generic[_Request]):
    """How an effect is written, and the arguments that are made for it: those the vocabulary declares (`args`)."""

    event: Callable[[_Request], WireEvent]
    args: tuple[str, ...]


def encoder_of(encoders: Mapping[str, EffectEncoder[_Request]], effect: str) -> EffectEncoder[_Request]:
    """EncodingError: the protocol has no such effect."""
    encoder = encoders.get(effect)
    if encoder is None:
        raise EncodingError(f"{effect}: not an effect of the provider's control side")
    return encoder
