"""From an object of a log to a record: finds the event in its wrapping, its side, its time; takes the audio out.

Never here: lines and files. What holds no event of a Realtime conversation gives nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import orjson

from adapters.audit.times import Clock, of_mapping
from fsm.audit.names import CLIENT_TYPES, direction_of
from fsm.audit.record import CLOSED, Direction, Record, audio_bytes
from fsm.journal.scrub import scrub
from fsm.language.vocabulary import Vocabulary

Json = Mapping[str, object]
_WRAPPINGS: Final = ("event", "message", "msg", "payload", "data", "body", "frame", "record", "json", "raw", "args")
_SIDES: Final = ("dir", "direction", "from", "source", "side", "origin", "kind", "type", "role", "event")
_CLIENT: Final = frozenset(
    {"client", "out", "outgoing", "outbound", "send", "sent", "tx", "up", "c2s", "request", "wire_out", "->", ">>>"}
)
_SERVER: Final = frozenset(
    {"server", "in", "incoming", "inbound", "recv", "receive", "received", "rx", "down", "s2c", "provider", "openai",
     "wire_in", "<-", "<<<"}
)  # fmt: skip
_CLOSES: Final = re.compile(
    r"(?:(?:on|ws|web_?socket|socket|session|connection|provider|server|client|peer)[._ ]?)*"
    r"(?:close|closed|closing|disconnect|disconnected)", re.IGNORECASE,
)  # fmt: skip
_SHORT_TYPES: Final = frozenset({"error", "ping"})
_TYPE: Final = re.compile(r"[a-z][a-z_]*(?:\.[a-z_]+)+")
_DEPTH: Final = 4
_AUDIO: Final = frozenset({"audio", "delta"})


@attrs.frozen
class Found:
    """An event in its wrapping: `side` and `at_ms` (of any origin) as the wrapping has them."""

    event: Json
    side: Direction | None = None
    at_ms: float | None = None


def unwrap(value: object, depth: int = _DEPTH) -> Found | None:
    """The event in an object, however it is wrapped; None if there is none."""
    if isinstance(value, str | bytes):
        value = _parsed(value)
    if not isinstance(value, dict) or depth < 0:
        return None
    kind = value.get("type")
    if isinstance(kind, str) and (kind in _SHORT_TYPES or _TYPE.fullmatch(kind)) and not _is_wrapping(value, kind):
        return Found(value, _side(value, own=True), of_mapping(value))
    close = _close(value)
    if close is not None:
        return Found(close, "local", of_mapping(value))
    for key in _WRAPPINGS:
        inner = unwrap(value[key], depth - 1) if key in value else None
        if inner is not None:
            return Found(
                inner.event, inner.side or _side(value), of_mapping(value) if inner.at_ms is None else inner.at_ms
            )
    return None


def _is_wrapping(value: Json, kind: str) -> bool:
    """A log's own type beside an event: `{"type": "ws.receive", "event": {"type": ...}}`."""
    if kind in CLIENT_TYPES or kind == "error":
        return kind == "error" and not isinstance(value.get("error"), dict)
    if _CLOSES.fullmatch(kind):
        return True
    inner = value.get("event") or value.get("payload") or value.get("data")
    return isinstance(inner, dict) and isinstance(inner.get("type"), str)


def _parsed(text: str | bytes) -> object:
    head = text.lstrip()[:1]
    if head not in ("{", b"{"):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _close(value: Json) -> Json | None:
    """A close, as a log tells it: a word for it, with a code or a reason."""
    words = (value.get("kind"), value.get("type"), value.get("event"), value.get("msg"), value.get("message"))
    if not any(len(word) < 40 and _CLOSES.fullmatch(word) for word in words if isinstance(word, str)):
        return None
    inner = next((v for key in _WRAPPINGS if isinstance(v := value.get(key), dict)), {})
    code = next((c for key in ("code", "close_code", "status") for c in (value.get(key), inner.get(key)) if c), None)
    reason = next((r for key in ("reason", "close_reason") for r in (value.get(key), inner.get(key)) if r), "")
    number = int(code) if isinstance(code, int | float) or (isinstance(code, str) and code.isdigit()) else None
    return {"type": CLOSED, "code": number, "reason": str(reason)}


def _side(value: Json, own: bool = False) -> Direction | None:
    for key in _SIDES:
        word = value.get(key)
        if isinstance(word, str) and not (own and key in ("type", "event", "role", "from", "source")):
            side = side_of(word)
            if side is not None:
                return side
    return None


def side_of(word: str) -> Direction | None:
    """Whose a word of a log says an event is."""
    lower = word.strip().lower()
    if lower in _CLIENT:
        return "client"
    return "server" if lower in _SERVER else None


class Recorder:
    """Makes records of what the readers of one log find."""

    def __init__(self, vocabulary: Vocabulary, file: str) -> None:
        self._vocabulary = vocabulary
        self._file = file
        self._clock = Clock()
        self._sides: dict[str, Direction | None] = {}
        self.skipped = 0

    def record(self, line: int, found: Found) -> Record | None:
        """A record, or None for what is no event. A known type says whose it is, whatever the log says."""
        kind = found.event.get("type")
        if not isinstance(kind, str):
            self.skipped += 1
            return None
        at_ms = self._clock.since_first(found.at_ms)
        if found.side == "local":
            return Record(self._file, line, "local", at_ms, kind, found.event)
        if kind not in self._sides and len(self._sides) < 1000:
            self._sides[kind] = direction_of(self._vocabulary, kind)
        side = self._sides.get(kind) or found.side or "server"
        return Record(self._file, line, side, at_ms, kind, without_audio(kind, found.event))

    def records(self, line: int, value: object) -> Iterator[Record]:
        """What is in an object of a log."""
        found = unwrap(value)
        if found is None:
            self.skipped += 1
            return
        record = self.record(line, found)
        if record is not None:
            yield record


def without_audio(kind: str, event: Json) -> Json:
    """The event with its audio's length in place of the audio; secrets go, too."""
    if kind.endswith("audio.delta"):
        return {**event, "delta": {"audio_bytes": audio_bytes(event.get("delta"))}}
    if kind == "input_audio_buffer.append":
        return {**event, "audio": {"audio_bytes": audio_bytes(event.get("audio"))}}
    if kind.endswith(".delta"):
        return event
    clean = scrub(event)
    return clean if isinstance(clean, Mapping) else event
