"""What must not be in a journal: audio, keys, passwords. Takes them out of any JSON-like value. Never here: lines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

import attrs

_Item = TypeVar("_Item")

_SECRET_KEYS = frozenset(
    {"authorization", "proxy-authorization", "api-key", "api_key", "apikey", "x-api-key", "openai-api-key",
     "client_secret", "secret", "password", "access_token", "refresh_token", "cookie"}
)  # fmt: skip
_SECRET_TEXT = re.compile(
    r"\b(?:sk|ek)[-_][A-Za-z0-9_\-*]{6,}|\b((?i:bearer)\s+)[^\s\"',]+|\b((?i:api[-_]?key|token)=)[^&\s\"']+"
)
_SUSPECT = re.compile(r"sk[-_]|ek[-_]|bearer|key=|token=", re.I)
HIDDEN = "***"
_JSON_TEXTS: Final = frozenset({"arguments", "output"})
_LONGEST_WORD: Final = 256
MAX_DEPTH = 40  # what is nested deeper is cut: a provider may not bring the journal down


class KnownSecrets:
    """Secrets that do not look like one (an Azure key that a tool's exception quotes), taken out of any text."""

    LEAST_CHARS = 6
    """A shorter one would take letters out of everything."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        chosen = (each for each in set(secrets) if len(each) >= self.LEAST_CHARS)
        self._longest_first = sorted(chosen, key=len, reverse=True)  # one may be the beginning of another

    def hidden_in(self, text: str) -> str:
        for secret in self._longest_first:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text


@attrs.frozen(kw_only=True)
class Scrubber:
    """What must not be in a file, beside audio and what looks like a secret: all that an operator names.

    `keys`: names of fields, in lower case, whose values are hidden, also within a tool's arguments and output (JSON in
    a text). `patterns`: what of any text is hidden. `longest`: characters of a text, the rest is cut and counted;
    `most`: values of one event, what comes after them is cut. Time is linear in what is kept.
    """

    keys: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    longest: int | None = None
    most: int | None = None

    def __call__(self, value: object) -> object:
        return _Pass(self).value(value, "", False, 0)


class _Pass:
    """One value on its way through a scrubber."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._left = scrubber.most

    def value(self, value: object, wire_type: str, inside_headers: bool, depth: int) -> object:
        if isinstance(value, str):
            return HIDDEN if inside_headers else self._text(value)
        if not isinstance(value, Mapping | list | tuple):
            return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no word for it
        if depth > MAX_DEPTH or self._is_spent():
            return "..."
        if isinstance(value, Mapping):
            here = value.get("type")
            kind = here if isinstance(here, str) else wire_type
            kept = self._first(value.items())
            found = {str(key): self._field(str(key), item, kind, inside_headers, depth) for key, item in kept}
            return found if len(found) == len(value) else found | {"...": f"{len(value) - len(found)} more"}
        items = [self.value(item, wire_type, inside_headers, depth + 1) for item in self._first(value)]
        return items if len(items) == len(value) else [*items, f"... {len(value) - len(items)} more"]

    def _is_spent(self) -> bool:
        return self._left is not None and self._left <= 0

    def _first(self, items: Iterable[_Item]) -> Iterator[_Item]:
        for item in items:
            if self._left is not None:
                if self._left <= 0:
                    return
                self._left -= 1
            yield item

    def _field(self, key: str, value: object, wire_type: str, inside_headers: bool, depth: int) -> object:
        lower = key.lower()
        if (lower in _SECRET_KEYS or lower in self._scrubber.keys) and value not in (None, ""):
            return HIDDEN
        if isinstance(value, str):
            if lower == "audio" or (lower == "delta" and wire_type.endswith("audio.delta")):
                return {"audio_bytes": len(value.rstrip("=")) * 3 // 4}
            if lower in _JSON_TEXTS and self._scrubber.keys:
                value = self._json_text(value)
        return self.value(value, wire_type, inside_headers or lower == "headers", depth + 1)

    def _json_text(self, text: str) -> str:
        if self._scrubber.longest is not None and len(text) > self._scrubber.longest:
            return HIDDEN  # it will not be whole, and half of it cannot be read
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if not isinstance(value, dict | list):
            return text
        return json.dumps(self.value(value, "", False, 0), ensure_ascii=False)

    def _text(self, text: str) -> str:
        kept = shortened(text, self._scrubber.longest)
        for pattern in self._scrubber.patterns:
            kept = pattern.sub(HIDDEN, kept)
        return kept if _SUSPECT.search(kept) is None else _SECRET_TEXT.sub(_hidden, kept)


scrub: Final = Scrubber()
"""The value without audio (its length in its place) and without secrets. Doing it twice changes nothing."""


def shortened(text: str, longest: int | None) -> str:
    """At most so many characters, and how many there were. No word is cut: half a secret would not look like one."""
    if longest is None or len(text) <= longest:
        return text
    kept = text[:longest]
    end = max(*map(kept.rfind, " \n\t\"',;&"), longest - _LONGEST_WORD, 0)
    return f"{kept[:end]}... ({len(text)} characters)"


def _hidden(match: re.Match[str]) -> str:
    return (match.group(1) or match.group(2) or "") + HIDDEN
