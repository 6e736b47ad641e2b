"""Logs of the process: structlog as JSON or for a console, nothing secret in a line, and no line that harms a call.

Every value becomes plain data (texts, numbers, lists, mappings, all bounded) and is cleared of secrets before it is
written; whatever goes wrong on the way is counted and swallowed. Never here: what is worth logging.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import attrs
import orjson
import structlog

from fsm.journal.scrub import HIDDEN, KnownSecrets, scrub, shortened

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
        self._known = KnownSecrets(secrets)

    def text(self, text: str) -> str:
        clean = scrub(self._known.hidden_in(text))
        return clean if isinstance(clean, str) else HIDDEN

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
        clean = self._known.hidden_in(shortened(text, _MAX_CHARS))  # first: a text may be megabytes
        return clean if clean.isascii() else clean.encode("utf-8", "replace").decode()  # half of a surrogate pair

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

    def note(self, error: BaseException) -> None:
        self.failures += 1
        if self.failures == 1:
            with contextlib.suppress(Exception):
                sys.stderr.write(f'{{"event": "log_line_lost", "error": "{type(error).__name__}"}}\n')


lost = _Counter()

_RANKS: Final = {"debug": 10, "info": 20, "msg": 20, "warning": 30, "warn": 30, "error": 40, "exception": 40,
                 "critical": 50, "fatal": 50}  # fmt: skip
_LEVELS: Final = {"msg": "info", "warn": "warning", "exception": "error", "fatal": "critical"}
# Names that processors put into a line themselves.
_TAKEN: Final = frozenset({"event", "level", "timestamp"})


class SafeLogger(structlog.BoundLoggerBase):
    """structlog's own loggers raise where a key is called `event` or a text cannot be interpolated; this one never
    does. It takes any keys and values, and does nothing below the level of its process."""

    _logger: _Lines

    def _write(self, name: str, event: object, args: tuple[object, ...], values: dict[str, object]) -> None:
        if _RANKS[name] < self._logger.least:
            return
        try:
            safe = {f"{key}_" if key in _TAKEN else key: value for key, value in values.items()}
            if name == "exception":
                safe.setdefault("exc_info", True)
            text = f"{event} {args!r}" if args else str(event)  # structlog would interpolate, and raise if that fails
            (line,), _ = self._process_event(_LEVELS.get(name, name), text, safe)
            self._logger.write(line)
        except Exception as error:
            lost.note(error)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """`info`, `warning` ... and structlog's `ainfo`, `awarning` ..., which return at once as well."""
        if name in _RANKS:
            return lambda event="", /, *args, **values: self._write(name, event, args, values)
        if name[:1] == "a" and name[1:] in _RANKS:

            async def later(event: object = "", /, *args: object, **values: object) -> None:
                self._write(name[1:], event, args, values)

            return later
        raise AttributeError(f"a logger has no '{name}'")


def _as_json(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    first = {key: line.pop(key) for key in ("timestamp", "level", "event", "call_id") if key in line}
    return orjson.dumps({**first, **line}, default=_repr).decode()


class _Lines:
    """Where whole lines go; a stream that fails (a closed pipe) is nobody's end. `None`: a process without a stderr."""

    def __init__(self, stream: TextIO | None, least: int) -> None:
        self._stream = stream
        self.least = least

    def write(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(line + "\n")
            self._stream.flush()


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
    stream = stream or sys.stderr  # None: a process may have been started without one
    lines = _Lines(stream, _RANKS[settings.level])
    colours = stream is not None and stream.isatty()
    formatter = structlog.dev.plain_traceback  # the pretty one prints local variables
    console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=formatter)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Redactor(secrets),
            _as_json if settings.format == "json" else console,
        ],
        wrapper_class=SafeLogger,
        logger_factory=lambda *_: lines,
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
