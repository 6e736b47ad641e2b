"""Logs of the process: structlog as JSON or for a console, nothing secret in a line, and no line that harms a call.

Every value becomes plain data (texts, numbers, lists, mappings, all bounded) and is cleared of secrets before it is
written; whatever goes wrong on the way is counted and swallowed. Never here: what is worth logging.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO, cast

import attrs
import orjson
import structlog

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.providers.realtime.protocol import AUDIO_DELTAS, WireEvent
from fsm.journal.scrub import HIDDEN, scrub
from fsm.machine.machine import Step

# An exact secret shorter than this would take envelopes out of everything.
_SECRET_CHARS: Final = 6
_MAX_DEPTH: Final = 5
_MAX_ITEMS: Final = 50
_MAX_CHARS: Final = 8_000
# At DEBUG these print headers, so also the key.
_HEADER_PRINTERS: Final = (
    "websockets", "websockets.client", "websockets.server", "adapters.providers.realtime.websockets", "http.client",
    "asyncio",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class LogSettings:
    """`wire`: every event of the provider's wire is a line, by its type and small fields; never audio."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    wire: bool = False


class Redactor:
    """Takes secrets out of texts: the ones it is given, and whatever looks like one (`sk-...`, `Bearer ...`)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted((each for each in set(secrets) if len(each) >= _SECRET_CHARS), key=len, reverse=True)

    def text(self, text: str) -> str:
        clean = scrub(self._without_known(text))
        return clean if isinstance(clean, str) else HIDDEN

    def _without_known(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def _plain(self, value: object, depth: int = 0) -> object:
        """The value as JSON can hold it, bounded, without known secrets. Objects become their repr, bytes a size."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**63 else str(value)
        if isinstance(value, str):
            return self._bounded(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if depth >= _MAX_DEPTH:
            return "..."
        if isinstance(value, Mapping):
            pairs = list(value.items())[:_MAX_ITEMS]
            return {self._key(key): self._plain(item, depth + 1) for key, item in pairs}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        return self._bounded(_repr(value))

    def _key(self, key: object) -> str:
        return self.text(self._bounded(str(key)))

    def _bounded(self, text: str) -> str:
        clean = self._without_known(text)
        if not clean.isascii():  # half of a surrogate pair cannot be written
            clean = clean.encode("utf-8", "replace").decode()
        return clean if len(clean) <= _MAX_CHARS else f"{clean[:_MAX_CHARS]}... ({len(clean)} characters)"

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The processor of structlog: value by value, so that a bad one costs itself alone."""
        return {str(key): self._of_line(str(key), value) for key, value in line.items()}

    def _of_line(self, key: str, value: object) -> object:
        try:
            named = scrub(self._plain({key: value}))  # by name, too: api_key, authorization, ...
            return named.get(key, HIDDEN) if isinstance(named, dict) else HIDDEN
        except Exception as error:
            return f"<not loggable: {type(error).__name__}>"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"


class _Counter:
    """How many lines could not be written; the first one says so on stderr."""

    def __init__(self) -> None:
        self.failures = 0

    def note(self, name: object, error: BaseException) -> None:
        self.failures += 1
        if self.failures == 1:
            with contextlib.suppress(Exception):
                sys.stderr.write(f'{{"event": "log_line_lost", "error": "{type(error).__name__}"}}\n')
        del name


lost = _Counter()


def _safe_method(write: Callable[..., object], is_enabled: bool) -> Callable[..., None]:
    """A log method that takes any keys, `event` and `level` too, and raises nothing."""

    def method(self: Any, event: object = "", /, *args: object, **values: object) -> None:
        if not is_enabled:
            return
        try:
            safe = {f"{key}_" if key in _METHOD_NAMES else key: value for key, value in values.items()}
            text = str(event)
            if args:
                text = f"{text} {args!r}"  # structlog would interpolate, and raise where that fails
            write(self, text, **safe)
        except Exception as error:
            lost.note(event, error)

    return method


# Names that structlog's own functions take (a TypeError as keys of a line), or put into a line themselves.
_METHOD_NAMES: Final = frozenset({"self", "event", "method_name", "level", "timestamp"})


def safe_logger_class(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    """structlog's filtering logger with methods that never raise."""
    base = structlog.make_filtering_bound_logger(level)
    least = logging.getLevelNamesMapping()[level.upper()]
    ranks = {"debug": 10, "info": 20, "msg": 20, "warning": 30, "warn": 30, "error": 40, "exception": 40,
             "critical": 50, "fatal": 50}  # fmt: skip
    methods = {name: _safe_method(_writer(name), rank >= least) for name, rank in ranks.items()}
    return cast(type[structlog.typing.FilteringBoundLogger], type("SafeLogger", (base,), methods))


def _writer(name: str) -> Callable[..., object]:
    level = {"msg": "info", "warn": "warning", "exception": "error", "fatal": "critical"}.get(name, name)

    def write(self: Any, text: str, /, **values: object) -> object:
        if name == "exception":
            values.setdefault("exc_info", True)
        return self._proxy_to_logger(level, text, **values)

    return write


def _as_json(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    first = {key: line.pop(key) for key in ("timestamp", "level", "event", "call_id") if key in line}
    return orjson.dumps({**first, **line}, default=_repr).decode()


class _Lines:
    """Writes whole lines; a stream that fails (a closed pipe) is nobody's end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except Exception as error:
            lost.note(text, error)

    log = debug = info = warn = warning = error = critical = fatal = msg


class _Nowhere(io.TextIOBase):
    """Takes everything and keeps nothing."""

    def write(self, text: str, /) -> int:
        return len(text)


class _ToStructlog(logging.Handler):
    """What libraries log, as lines of ours: the same format, the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        log = structlog.get_logger(record.name)
        method = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(log, method)("library_log", logger=record.name, message=text, exc_info=record.exc_info or None)


class _NoHeaders(logging.Filter):
    """Refuses what a library says below WARNING, whatever level somebody gives its logger later."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


def configure(settings: LogSettings, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard library's logging for the process. `stream` is stderr unless given."""
    stream = stream or sys.stderr or cast(TextIO, _Nowhere())  # a process may have been started without a stderr
    if settings.format == "json":
        render: Any = _as_json
    else:
        formatter = structlog.dev.plain_traceback  # the pretty one prints local variables
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=formatter)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Redactor(secrets),
            render,
        ],
        wrapper_class=safe_logger_class(settings.level),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(logging.WARNING)
    for name in _HEADER_PRINTERS:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        if not any(isinstance(each, _NoHeaders) for each in library.filters):
            library.addFilter(_NoHeaders())


# --- the wire, event by event -----------------------------------------------------------------------------------------

_SMALL: Final = (
    "event_id", "item_id", "response_id", "previous_item_id", "output_index", "content_index", "audio_start_ms",
    "audio_end_ms", "name", "transcript", "text", "delta",
)  # fmt: skip
_INNER: Final[Mapping[str, tuple[str, ...]]] = {
    "error": ("type", "code", "message", "param", "event_id"),
    "response": ("id", "status"),
    "item": ("id", "type", "role", "status", "name", "call_id"),
    "session": ("id", "model"),
}
_FIELD_CHARS: Final = 200


class WireLog:
    """An observer of a call that logs each wire event by its type and small fields. Audio never passes here."""

    def __init__(self, call_id: str) -> None:
        self._log = structlog.get_logger(__name__).bind(call_id=call_id)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        """Steps have a line of their own, at debug."""

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None:
        self._log.info("wire", direction=direction, at_ms=at_ms, type=event.get("type"), **_small(event))

    def ended(self, summary: Summary) -> None:
        """The call logs its summary itself."""


def _small(event: WireEvent) -> dict[str, object]:
    found: dict[str, object] = {}
    is_audio = event.get("type") in AUDIO_DELTAS
    for key in _SMALL:
        value = event.get(key)
        if isinstance(value, str | int) and not (is_audio and key == "delta"):
            found[key] = value[:_FIELD_CHARS] if isinstance(value, str) else value
    if isinstance(event.get("call_id"), str):
        found["tool_call_id"] = event["call_id"]
    for outer, keys in _INNER.items():
        inner = event.get(outer)
        if isinstance(inner, Mapping):
            small = {key: inner[key] for key in keys if isinstance(inner.get(key), str | int)}
            found[outer] = {key: v[:_FIELD_CHARS] if isinstance(v, str) else v for key, v in small.items()}
    return found
