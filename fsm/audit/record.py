"""What an audit reads: one event of a log, and what of it is kept as evidence.

Audio is never in an event: a reader leaves `{"audio_bytes": n}` in its place, as the journal does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import attrs

from fsm.machine.wire import at_path

Direction = Literal["client", "server", "local"]
"""`local` is what happened on neither side of the wire: a close, a playout fact of our own journal."""

CLOSED = "closed"  # a local record: the socket ended, with `code` and `reason`
STARTED = "call.started"  # a local record: what a journal's header says of how our machine was started
ENDED = "call.ended"  # a local record: the last line of a journal
FLUSHED = "effect.flush_playout"  # a local record: the client dropped what it had not yet played
PLAYOUT = frozenset(
    f"playout.{what}" for what in ("started", "heard", "silent", "progressed", "drained", "flushed", "dropped")
)
"""Local records: what a playout of ours reports of the agent's audio, which no log of the wire can."""
LOCAL_FACTS = frozenset(
    {"caller.pressed_key", "caller.spoke", "caller.silent", "caller.hung_up", "uplink.committable",
     "operator.hang_up_requested", "application.say_requested"}
)  # fmt: skip  # what a journal knows and no wire does: our machine is fed with it, rules are not


_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_LARGEST = 1e15  # of a number that means anything: milliseconds, bytes, tokens


def visible(text: str) -> str:
    """A text of a log as it can be shown anywhere: what moves a cursor, colours, reorders or cannot be encoded is
    written as an escape, breaks of lines as spaces."""
    return _HIDDEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    if found[0] in "\t\n\r":
        return " "
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


@attrs.frozen
class Evidence:
    """A line of a log that shows something: where it is, when (ms since the log began), what it says in short."""

    file: str = attrs.field(converter=visible)
    line: int
    at_ms: float | None
    type: str = attrs.field(converter=visible)
    event_id: str = attrs.field(default="", converter=visible)
    text: str = attrs.field(default="", converter=visible)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@attrs.frozen
class Record:
    """One event. `at_ms` counts from the first time seen in the log, None where the log has no times; `call` names
    its call in a log of several; what the log has cut off is not `whole`: what it does not say, it may have said."""

    file: str
    line: int
    direction: Direction
    at_ms: float | None
    type: str
    event: Mapping[str, object]
    call: str = ""
    whole: bool = True

    def text(self, path: str) -> str:
        """The text at a dotted path, "" if there is none."""
        value = at_path(self.event, path)
        return value if isinstance(value, str) else ""

    def number(self, path: str) -> float | None:
        """The number at a dotted path, None if there is none, or one that means nothing."""
        value = at_path(self.event, path)
        return float(value) if _is_number(value) and not is_nonsense(value) else None  # type: ignore[arg-type]

    def nonsense(self) -> list[str]:
        """Top fields that hold a number of which nobody can make anything."""
        return [key for key, value in self.event.items() if is_nonsense(value)]

    def evidence(self) -> Evidence:
        return Evidence(self.file, self.line, self.at_ms, self.type, self.text("event_id"), _short(self))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_nonsense(value: object) -> bool:
    """Is it a number beyond all bounds? A JSON text may hold one of any length, or Infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return True
    return isinstance(value, int | float) and abs(value) > _LARGEST


_TELLING = (
    "error.message", "response.id", "response_id", "item.call_id", "item_id", "call_id", "reason", "transcript", "name",
)  # fmt: skip


def _short(record: Record) -> str:
    for path in _TELLING:
        found = record.text(path)
        if found:
            return found if len(found) <= 160 else found[:159] + "…"
    return ""


def audio_bytes(value: object) -> int:
    """The length a reader left in the place of audio; a base64 text that was not taken out counts by its length."""
    if isinstance(value, Mapping):
        found = value.get("audio_bytes")
        return found if isinstance(found, int) and 0 <= found <= _LARGEST else 0
    return len(value.rstrip("=")) * 3 // 4 if isinstance(value, str) else 0


def clock(at_ms: float | None) -> str:
    """A time of a log as m:ss.mmm."""
    if at_ms is None:
        return "--:--"
    minutes, rest = divmod(max(at_ms, 0.0), 60_000)
    return f"{int(minutes)}:{rest / 1000:06.3f}"


def seconds(ms: float) -> str:
    """A length of time for a sentence."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
