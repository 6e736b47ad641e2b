"""From an object of a log to a record: finds the event in its wrapping, its side, time and call; takes the audio out.

What holds no event of a Realtime conversation gives nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from adapters.audit.hints import CALL_KEYS, Names, calls_in, calls_in_text, side_in, side_in_text
from adapters.audit.literals import objects, parsed
from adapters.audit.times import LogClock, Time, of_mapping, of_text
from fsm.audit.names import CLIENT_FIELDS, CLIENT_TYPES, SERVER_FIELDS, direction_of
from fsm.audit.record import CLOSED, Direction, Record, audio_bytes
from fsm.journal.scrub import scrub
from fsm.language.vocabulary import Vocabulary

Json = Mapping[str, object]
_WRAPPINGS: Final = ("event", "message", "msg", "payload", "data", "body", "frame", "record", "json", "raw", "args")
_CLOSES: Final = re.compile(
    r"(?:(?:on|ws|web_?socket|socket|session|connection|provider|server|client|peer)[._ ]?)*"
    r"(?:close|closed|closing|disconnect|disconnected)",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"\d{1,5}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z][a-z_]*(?:\.[a-z_]+)+")
_FAMILY: Final = re.compile(
    r"(?:session|transcription_session|conversation|response|input_audio_buffer|output_audio_buffer|rate_limits|mcp_\w+)"
    r"\..+"
)
_TYPE_BEFORE: Final = re.compile(r"([a-z_]+(?:\.[a-z_]+)*)[\"'`\])]*[\s:=,|>-]*$")
_ENTRY: Final = frozenset({"level", "levelname", "lvl", "severity", "logger"})
"""What an entry of a log has beside the event's own fields."""
_OWN_CODES: Final = frozenset(
    {"conversation_already_has_active_response", "response_cancel_not_active", "input_audio_buffer_commit_empty",
     "cannot_update_voice", "invalid_tool_call_id", "beta_api_shape_disabled"}
)  # fmt: skip
_DEPTH: Final = 6
_PREFIX_CHARS: Final = 240


@attrs.frozen
class FoundEvent:
    """An event in its wrapping: `side`, `at` (of any origin) and the names of its call as the wrapping has them."""

    event: Json
    side: Direction | None = None
    at: Time | None = None
    calls: Names = attrs.field(factory=dict)
    whole: bool = True

    def within(self, side: Direction | None, at: Time | None, calls: Names) -> FoundEvent:
        """The same with what its wrapping adds."""
        return FoundEvent(self.event, self.side or side, self.at or at, {**calls, **self.calls}, self.whole)


def unwrap(value: object, depth: int = _DEPTH) -> FoundEvent | None:
    """The event in an object, however it is wrapped; None if there is none, or more than one."""
    if isinstance(value, str | bytes):
        return _in_string(value, depth)
    if not isinstance(value, dict) or depth < 0:
        return None
    kind = value.get("type")
    if isinstance(kind, str) and _is_event(value, kind) and not _is_wrapping(value, kind):
        event: Json = _of_entry(value, kind) if _ENTRY.intersection(value) else value
        calls = calls_in(value) if event is not value else {}
        whole = event is value or len(event) > 1
        return FoundEvent(event, side_in(value, own=True), of_mapping(value), calls, whole)
    close = _close(value)
    if close is not None:
        return FoundEvent(close, "local", of_mapping(value), calls_in(value))
    for key in _WRAPPINGS:
        inner = _inner(value, value[key], depth) if key in value else None
        if inner is not None:
            return inner.within(side_in(value), of_mapping(value), calls_in(value))
    bare = _named_event(value) or _error_of(value)
    if bare is None:
        return None
    return FoundEvent(bare, "server", of_mapping(value), calls_in(value), whole=len(bare) > 1)


def _named_event(value: Json) -> Json | None:
    """An entry of a log that names an event and may have its fields: `{"event_type": "response.done", ...}`."""
    kind = value.get("event_type")
    return _of_entry(value, kind) if isinstance(kind, str) and kind in SERVER_FIELDS else None


def _of_entry(value: Json, kind: str) -> Json:
    """The fields of the event alone, where those of the log's own entry stand beside them."""
    fields = SERVER_FIELDS.get(kind) or CLIENT_FIELDS.get(kind)
    if fields is None:
        return value
    return {"type": kind, **{key: value[key] for key in value if key in fields or key == "event_id"}}


def _error_of(value: Json) -> Json | None:
    """The body of an error, logged without its event: with an `event_id`, or a code that only this protocol has."""
    kind, code, message = value.get("type"), value.get("code"), value.get("message")
    if not isinstance(kind, str) or not kind.endswith("error") or not isinstance(message, str) or "code" not in value:
        return None
    return {"type": "error", "error": value} if "event_id" in value or code in _OWN_CODES else None


def _inner(value: Json, inner: object, depth: int) -> FoundEvent | None:
    """What is in a wrapping that is named so; one that says a side may hold an event of a type nobody knows."""
    found = unwrap(inner, depth - 1)
    if found is not None or not isinstance(inner, dict):
        return found
    known = isinstance(inner.get("type"), str) and side_in(
        {k: v for k, v in value.items() if k in ("dir", "direction")}
    )
    return FoundEvent(inner) if known else None


def every(value: object, depth: int = _DEPTH) -> Iterator[FoundEvent]:
    """Every event in an object or a list, wherever it is in it."""
    found = unwrap(value)
    if found is not None:
        yield found
    elif depth < 0:
        return
    elif isinstance(value, dict):
        for key, child in value.items():
            if isinstance(child, dict | list) or (isinstance(child, str) and key not in _WRAPPINGS):
                for each in every(child, depth - 1):
                    yield each.within(side_in(value), of_mapping(value), calls_in(value))
    elif isinstance(value, list):
        for child in value:
            if isinstance(child, dict | list):
                yield from every(child, depth - 1)


def _in_string(text: str | bytes, depth: int) -> FoundEvent | None:
    """An event in a string: JSON as it is, or with words before it."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if "type" not in text or depth < 0:
        return None
    head = text.lstrip()[:1]
    value = parsed(text) if head == "{" else None
    if isinstance(value, dict):
        return unwrap(value, depth - 1)
    return next(in_text(text, "", depth - 1), None)


def in_text(text: str, before: str, depth: int = _DEPTH) -> Iterator[FoundEvent]:
    """Every event in a text; `before` is what stood on the line before."""
    for piece in objects(text):
        value = _typed(piece.value, piece.before)
        for found in (unwrap(value, depth),) if depth < _DEPTH else every(value):
            if found is not None:
                prefix = (piece.before if piece.before.strip() else before)[-_PREFIX_CHARS:]
                found = attrs.evolve(found, whole=found.whole and piece.whole)
                yield found.within(side_in_text(prefix), of_text(prefix), calls_in_text(prefix))


def _typed(value: object, before: str) -> object:
    """An event whose type stands before its JSON: `S>C  response.done  {"response": ...}`."""
    named = _TYPE_BEFORE.search(before) if isinstance(value, dict) and "type" not in value else None
    kind = named[1] if named is not None else ""
    fields = SERVER_FIELDS.get(kind) or CLIENT_FIELDS.get(kind) or frozenset()
    return {"type": kind, **value} if isinstance(value, dict) and fields.intersection(value) else value


def _is_event(value: Json, kind: str) -> bool:
    """Is it an event of a Realtime conversation? Any family's; others by the id each event has."""
    if kind == "error" or kind in CLIENT_TYPES or kind in SERVER_FIELDS or _FAMILY.fullmatch(kind):
        return True
    return isinstance(value.get("event_id"), str) and (kind == "ping" or _TYPE.fullmatch(kind) is not None)


def _is_wrapping(value: Json, kind: str) -> bool:
    """A log's own type beside an event: `{"type": "ws.receive", "event": {"type": ...}}`."""
    if kind == "error":
        return not isinstance(value.get("error"), dict)
    if kind in CLIENT_TYPES:
        return False
    if _CLOSES.fullmatch(kind):
        return True
    inner = value.get("event") or value.get("payload") or value.get("data")
    return isinstance(inner, dict) and isinstance(inner.get("type"), str)


def _close(value: Json) -> Json | None:
    """A close, as a log reports it: a word for it, with a code or a reason."""
    words = (value.get("kind"), value.get("type"), value.get("event"), value.get("msg"), value.get("message"))
    if not any(len(word) < 40 and _CLOSES.fullmatch(word) for word in words if isinstance(word, str)):
        return None
    inner = next((v for key in _WRAPPINGS if isinstance(v := value.get(key), dict)), {})
    code = next((c for key in ("code", "close_code", "status") for c in (value.get(key), inner.get(key)) if c), None)
    reason = next((r for key in ("reason", "close_reason") for r in (value.get(key), inner.get(key)) if r), "")
    is_code = (isinstance(code, int) and 0 <= code < 100_000) or (isinstance(code, str) and _CODE.fullmatch(code))
    return {"type": CLOSED, "code": int(code) if is_code else None, "reason": str(reason)}  # type: ignore[call-overload]


class RecordMaker:
    """Makes records of what the readers of one log find."""

    def __init__(self, vocabulary: Vocabulary, file: str) -> None:
        self._vocabulary = vocabulary
        self._file = file
        self._clock = LogClock()
        self._sides: dict[str, Direction | None] = {}
        self._call_key = ""
        self._call = ""
        self.skipped = 0

    def learn(self, found: Sequence[FoundEvent]) -> None:
        """What the first events of a log show of all of it: the unit of its times, the name by which it tells calls
        apart (one that has a value of its own for each event does not)."""
        self._clock.learn(each.at for each in found)
        self._call_key = next((key for key in CALL_KEYS if _tells_calls_apart(key, found)), "")

    def record(self, line: int, found: FoundEvent) -> Record | None:
        """A record, or None for what is not an event. A known type says whose it is, whatever the log says."""
        kind = found.event.get("type")
        if not isinstance(kind, str):
            self.skipped += 1
            return None
        at_ms = self._clock.since_first(found.at)
        call = self._call = found.calls.get(self._call_key) or self._call
        if found.side == "local":
            return Record(self._file, line, "local", at_ms, kind, found.event, call)
        if kind not in self._sides and len(self._sides) < 1000:
            self._sides[kind] = direction_of(self._vocabulary, kind)
        side = self._sides.get(kind) or found.side or "server"
        return Record(self._file, line, side, at_ms, kind, without_audio(kind, found.event), call, found.whole)


def _tells_calls_apart(key: str, found: Sequence[FoundEvent]) -> bool:
    """Has a name few values, and do both sides speak under each of them (if there are two)?"""
    sides: dict[str, set[bool]] = {}
    named = [each for each in found if key in each.calls]
    for each in named:
        sides.setdefault(each.calls[key], set()).add(each.event.get("type") in CLIENT_TYPES)
    apart = len(sides) > 1 and all(len(both) == 1 for both in sides.values()) and len(set.union(*sides.values())) > 1
    return len(named) > len(found) / 4 and len(sides) <= max(len(named) / 4, 1) and not apart


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
