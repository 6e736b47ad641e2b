"""What a process complains of that nobody handled: exceptions in the log, in tasks and callbacks, resources not closed.

One ear for the process, since all of these have no other address.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from typing import Any, Final

from adapters import logs
from adapters.logs import LogSettings

_TOLD_TO_THE_MODEL: Final = frozenset({"tool_failed"})
"""Exceptions that are somebody else's, and handled."""
_FAILURES: Final = frozenset(
    {"library_log", "task_overdue", "tasks_ignore_cancellation", "process_does_not_end", "not_all_written",
     "effect_not_encodable", "call_handlers_ignore_cancellation", "tool_ignores_cancellation"}
)  # fmt: skip
"""Lines that say that something of ours failed, whether they carry an exception or not."""


class _Lines(io.StringIO):
    """A log whose lines are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def write(self, text: str) -> int:
        line = json.loads(text) if text.startswith("{") else {}
        if _is_failure(line):
            self.bad.append(_shown(line))
        return len(text)


def _is_failure(line: dict[str, Any]) -> bool:
    event = str(line.get("event"))
    if event in _TOLD_TO_THE_MODEL:
        return False
    if event == "library_log":
        return line.get("level") == "error" or line.get("logger") == "py.warnings"
    return "exception" in line or event in _FAILURES


def _shown(line: dict[str, Any]) -> str:
    event = line.get("message") if line.get("event") == "library_log" else line.get("event")
    trace = str(line.get("exception", "")).strip().splitlines()
    place = next((each.strip() for each in reversed(trace) if each.strip().startswith("File ")), "")
    return " | ".join(filter(None, [str(event)[:400], trace[-1] if trace else "", place]))


class Complaints:
    """`listen()` once a process; `taken()` gives what came since, and forgets it."""

    def __init__(self) -> None:
        self._lines = _Lines()

    def listen(self) -> None:
        logs.configure(LogSettings(level="warning"), (), self._lines)
        logging.captureWarnings(True)
        warnings.simplefilter("always", ResourceWarning)
        warnings.simplefilter("always", RuntimeWarning)  # a coroutine that was never awaited
        sys.unraisablehook = self._unraisable

    def taken(self) -> list[str]:
        found, self._lines.bad = self._lines.bad, []
        return list(dict.fromkeys(found))

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        self._lines.bad.append(f"in {args.object!r}"[:200] + f" | {type(args.exc_value).__name__}: {args.exc_value}")
