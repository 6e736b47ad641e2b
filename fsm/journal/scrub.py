"""What must not be in a journal: audio, keys, passwords. Takes them out of any JSON-like value. Never here: lines."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

_SECRET_KEYS = frozenset(
    {"authorization", "proxy-authorization", "api-key", "api_key", "apikey", "x-api-key", "openai-api-key",
     "client_secret", "secret", "password", "access_token", "refresh_token", "cookie"}
)  # fmt: skip
_SECRET_TEXT = re.compile(
    r"\b(?:sk|ek)[-_][A-Za-z0-9_\-*]{6,}|\b((?i:bearer)\s+)[^\s\"',]+|\b((?i:api[-_]?key|token)=)[^&\s\"']+"
)
_SUSPECT = re.compile(r"sk[-_]|ek[-_]|bearer|key=|token=", re.I)
HIDDEN = "***"
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


def scrub(value: object) -> object:
    """The value without audio (its length in its place) and without secrets. Doing it twice changes nothing."""
    return _scrub(value, "", False, 0)


def _scrub(value: object, wire_type: str, inside_headers: bool, depth: int) -> object:
    if isinstance(value, str):
        return HIDDEN if inside_headers else _text(value)
    if depth > MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        return "..."
    if isinstance(value, Mapping):
        here = value.get("type")
        kind = here if isinstance(here, str) else wire_type
        return {str(key): _field(str(key), item, kind, inside_headers, depth) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub(item, wire_type, inside_headers, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return value


def _field(key: str, value: object, wire_type: str, inside_headers: bool, depth: int) -> object:
    lower = key.lower()
    if lower in _SECRET_KEYS and value not in (None, ""):
        return HIDDEN
    if isinstance(value, str) and (lower == "audio" or (lower == "delta" and wire_type.endswith("audio.delta"))):
        return {"audio_bytes": len(value.rstrip("=")) * 3 // 4}
    return _scrub(value, wire_type, inside_headers or lower == "headers", depth + 1)


def _text(text: str) -> str:
    if _SUSPECT.search(text) is None:
        return text
    return _SECRET_TEXT.sub(lambda match: (match.group(1) or match.group(2) or "") + HIDDEN, text)
