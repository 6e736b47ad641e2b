"""From an object of a log to a record: finds the event in its wrapping, its side, time and call; takes the audio out.

What holds no event of a Realtime conversation gives nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import attrs

from adapters.audit.doubles import SeenEvents
from adapters.audit.hints import CALL_KEYS, Names, calls_in, calls_in_text, side_in, side_in_text, side_of
from adapters.audit.literals import objects, pairs, parsed
from adapters.audit.plain import nested, plain
from adapters.audit.times import LogClock, Time, of_mapping, of_text
from adapters.audit.told import is_known, is_providers, name_in, names_in
from fsm.audit.realtime_events import CLIENT_FIELDS, CLIENT_TYPES, SERVER_FIELDS, direction_of
from fsm.audit.record import CLOSED, Direction, Record, audio_bytes
from fsm.audit.turn_owner import EITHER_SIDE
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
_TYPE_BEFORE: Final = re.compile(r"(?<![\w.])([a-z_]+(?:\.[a-z_]+)*)(?![\w.])")
_NEAR: Final = 60  # characters between the type of an event and its fields
_NEAR_TOP: Final = 4  # levels, and so many things on each
_FIRST_FEW: Final = 12
_NAMED: Final = (
    "event_type",
    "eventType",
    "event_name",
    "eventName",
    "event",
    "name",
    "kind",
    "msg",
    "message",
    "type",
)
"""Keys under which an entry of a log names its event, and has its fields elsewhere."""
_FIELDS: Final = (
    "payload",
    "data",
    "body",
    "fields",
    "attributes",
    "event_data",
    "args",
    "content",
    "details",
    "extra",
)
_ENTRY: Final = frozenset({"level", "levelname", "lvl", "severity", "logger"})
"""What an entry of a log has beside the event's own fields."""
_BESIDE: Final = frozenset({"ts", "dir", "direction", "at", "timestamp", "time", "@timestamp"})
"""What stands beside the event's own fields, and is the log's."""
_OWN_CODES: Final = frozenset(
    {"conversation_already_has_active_response", "response_cancel_not_active", "input_audio_buffer_commit_empty",
     "cannot_update_voice", "invalid_tool_call_id", "beta_api_shape_disabled"}
)  # fmt: skip
_DEPTH: Final = 24  # twelve levels of objects, each in a list
_PAIRED: Final = ("type", "event.type", "event_type", "event", "event_name")
_TEXTS: Final = 6  # of a text in a text
_PREFIX_CHARS: Final = 240
_SHOWN_CHARS: Final = 160


@attrs.frozen
class FoundEvent:
    """An event in its wrapping: `side`, `at` (of any origin) and the names of its call as the wrapping has them."""

    event: Json
    side: Direction | None = None
    at: Time | None = None
    calls: Names = attrs.field(factory=dict)
    whole: bool = True
    told: bool = False  # by its name or in words: it counts only where the log does not have the event itself

    def within(self, side: Direction | None, at: Time | None, calls: Names) -> FoundEvent:
        """The same with what its wrapping adds."""
        return attrs.evolve(self, side=self.side or side, at=self.at or at, calls={**calls, **self.calls})


def unwrap(value: object, depth: int = _DEPTH) -> FoundEvent | None:
    """The event in an object, however it is wrapped; None if there is none, or more than one."""
    if isinstance(value, str | bytes):
        return _in_string(value, depth)
    if not isinstance(value, dict) or depth < 0:
        return None
    kind = value.get("type")
    if isinstance(kind, str) and _is_event(value, kind) and not _is_wrapping(value, kind):
        is_entry = not _ENTRY.isdisjoint(value)
        event: Json = _of_entry(value, kind) if is_entry or not _BESIDE.isdisjoint(value) else value
        calls = calls_in(value) if is_entry else {}
        whole = not is_entry or len(event) > 1
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
    is_told = len(bare) == 1
    side = side_in(value) or ("client" if bare["type"] in CLIENT_TYPES else "server")
    return FoundEvent(bare, side, of_mapping(value), calls_in(value), whole=not is_told, told=is_told)


def _named_event(value: Json) -> Json | None:
    """An entry of a log that names an event and may have its fields: `{"event_type": "response.done", ...}`."""
    for key in _NAMED:
        text = value.get(key)
        kind = name_in(text) if isinstance(text, str) else ""
        if not kind and text == "error" and key != "type":
            kind = "error"
        if kind:
            inner = next((each for name in _FIELDS if (each := _fields_of(kind, value.get(name)))), {})
            made = {**_of_entry(value, kind), **inner}
            return made if kind != "error" or isinstance(made.get("error"), dict) else None
    return None


def _fields_of(kind: str, value: object) -> Json:
    """What in an object, or a text of one, is a field of such an event."""
    inner = parsed(value) if isinstance(value, str) and value.lstrip()[:1] == "{" else value
    if not isinstance(inner, dict):
        return {}
    fields = SERVER_FIELDS.get(kind) or CLIENT_FIELDS.get(kind) or frozenset()
    return inner if fields.intersection(inner) else {}


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
    is_own = "event_id" in value or code in _OWN_CODES or is_providers(message)
    return {"type": "error", "error": value} if is_own else None


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
    is_flattened = depth == _DEPTH and isinstance(value, dict | list) and _is_flattened(value)
    if is_flattened:
        value = plain(value)
    found = unwrap(value)
    if is_flattened and found is not None and isinstance(kind := found.event.get("type"), str):
        found = attrs.evolve(found, event=_of_entry(found.event, kind))
    if found is not None and not found.told:
        yield found
        return
    inner = list(_in_parts(value, depth)) if depth >= 0 else []
    if inner or found is None:
        yield from inner
    else:
        yield found


def _is_flattened(value: object, depth: int = _NEAR_TOP) -> bool:
    """May there be keys that were flattened, or values of OpenTelemetry, near the top?"""
    if isinstance(value, list):
        return depth > 0 and any(_is_flattened(each, depth - 1) for each in value[:_FIRST_FEW])
    if not isinstance(value, dict):
        return False
    if any(isinstance(key, str) and ("." in key or key.startswith(("resource", "scope"))) for key in value):
        return True
    inner = islice(value.values(), _FIRST_FEW) if depth > 0 and "type" not in value else ()
    return any(_is_flattened(child, depth - 1) for child in inner)


def _in_parts(value: object, depth: int) -> Iterator[FoundEvent]:
    """The events in what an object or a list holds. A key, too, may say whose they are: `{"sent": ...}`."""
    if isinstance(value, dict):
        for key, child in value.items():
            if isinstance(child, dict | list) or (isinstance(child, str) and key not in _WRAPPINGS):
                side = side_of(str(key)) or side_in(value)
                for each in every(child, depth - 1):
                    yield each.within(side, of_mapping(value), calls_in(value))
    elif isinstance(value, list):
        if len(value) > 1 and all(isinstance(each, str) for each in value):
            for name in names_in(", ".join(value)):
                yield FoundEvent({"type": name}, whole=False, told=True)
        for child in value:
            if isinstance(child, dict | list) or (isinstance(child, str) and child.lstrip()[:1] == "{"):
                yield from every(child, depth - 1)


def _in_string(text: str | bytes, depth: int) -> FoundEvent | None:
    """An event in a string: JSON as it is, or with words before it."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    depth = min(depth, _TEXTS)
    if "type" not in text or depth < 0:
        return None
    head = text.lstrip()[:1]
    value = parsed(text) if head == "{" else None
    if isinstance(value, dict):
        return unwrap(value, depth - 1)
    return next(in_text(text, "", depth - 1), None)


def in_text(text: str, before: str, depth: int = _DEPTH) -> Iterator[FoundEvent]:
    """Every event in a text; `before` is what stood on the line before."""
    none = True
    for piece in objects(text):
        value = _typed(piece.value, piece.before)
        for found in (unwrap(value, depth),) if depth < _DEPTH else every(value):
            if found is not None and not (found.told and depth < _DEPTH):
                prefix = (piece.before if piece.before.strip() else before)[-_PREFIX_CHARS:]
                found, none = attrs.evolve(found, whole=found.whole and piece.whole), False
                yield found.within(side_in_text(prefix), of_text(prefix), calls_in_text(prefix))
    printed = _of_pairs(text) if none else None
    if printed is not None:
        prefix = text[:_PREFIX_CHARS]
        yield printed.within(side_in_text(prefix), of_text(prefix), calls_in_text(prefix))


def _of_pairs(text: str) -> FoundEvent | None:
    """An event whose fields stand on the line as `key=value`: flattened, or as `str()` of an SDK's object has it."""
    if "type=" not in text and "event=" not in text:
        return None
    made = pairs(text)
    kind = next((k for key in _PAIRED if isinstance(k := made.get(key), str) and (is_known(k) or k == "error")), "")
    if not is_known(kind) and not (kind == "error" and any(key.startswith("error") for key in made)):
        return None
    fields = next((each for name in _FIELDS if (each := _fields_of(kind, made.get(name)))), {})
    event = {**_of_entry(nested({**made, "type": kind}), kind), **fields}
    side = side_in(made, own=True)
    return FoundEvent(_lifted(event), side, of_mapping(made), calls_in(made), whole=len(event) > 2)


def _typed(value: object, before: str) -> object:
    """An event whose type stands before its JSON: `S>C  response.done  {"response": ...}`."""
    if not isinstance(value, dict):
        return value
    if "type" in value:
        return _lifted(value)
    near = _TYPE_BEFORE.findall(before[-_PREFIX_CHARS:])
    named = next((name for name in reversed(near) if name == "error" or is_known(name)), "")
    at = before.rfind(named) + len(named)
    fields = SERVER_FIELDS.get(named) or CLIENT_FIELDS.get(named) or frozenset()
    is_its = bool(named) and len(before) - at <= _NEAR and (fields.intersection(value) or "event_id" in value)
    return {"type": named, **value} if is_its else value


def _lifted(event: Json) -> Json:
    """An error of which the middle was elided: what is left of its body, as its body."""
    if event.get("type") != "error" or isinstance(event.get("error"), dict):
        return event
    body = {key: event[key] for key in ("code", "message", "param") if key in event}
    return (
        {"type": "error", "event_id": event.get("event_id"), "error": body} if body and "event_id" in event else event
    )


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
        self._once = SeenEvents()
        self._shown: set[str] = set()  # types of which the log has the event itself, or at least its name
        self.skipped = 0
        self.first_unread: tuple[int, str] | None = None

    def unread(self, line: int, text: str, lines: int = 1) -> None:
        """A line, or several, that were to hold an event, and hold none that can be read."""
        if not text.strip():
            return
        self.skipped += lines
        if self.first_unread is None:
            self.first_unread = (line, text.strip()[:_SHOWN_CHARS])

    def learn(self, found: Sequence[FoundEvent]) -> None:
        """What the first events of a log show of all of it: the unit of its times, the name by which it tells calls
        apart (one that has a value of its own for each event does not), whether it has each line twice."""
        self._clock.learn(each.at for each in found)
        self._call_key = next((key for key in CALL_KEYS if _tells_calls_apart(key, found)), "")
        self._once.learn([each.event for each in found if not each.told and each.side != "local"])
        self._shown.update(str(each.event.get("type")) for each in found if not each.told)

    def record(self, line: int, found: FoundEvent) -> Record | None:
        """A record, or None for what is not an event. A known type says whose it is, whatever the log says."""
        kind = found.event.get("type")
        if not isinstance(kind, str):
            self.unread(line, str(found.event)[:_SHOWN_CHARS])
            return None
        if found.told and kind in self._shown:
            return None
        at_ms = self._clock.since_first(found.at)
        call = self._call = found.calls.get(self._call_key) or self._call
        if found.side == "local":
            return Record(self._file, line, "local", at_ms, kind, found.event, call)
        if kind not in self._sides and len(self._sides) < 1000:
            self._sides[kind] = None if kind in EITHER_SIDE else direction_of(self._vocabulary, kind)
        side = self._sides.get(kind) or found.side or "server"
        if not found.told:
            self._shown.update((kind,) if len(self._shown) < 1000 else ())
            if self._once.again(kind, found.event, call):
                return None
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
