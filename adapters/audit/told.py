"""Events that a log tells by their names, or in words: no JSON, so no fields but what the words say.

Which words stand for which event is a table, words.yaml. They count only where the log does not have the event itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import attrs
import yaml

from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS
from fsm.audit.record import CLOSED

Event = Mapping[str, object]
_TABLE: Final = Path(__file__).parent / "words.yaml"
_BEFORE: Final = frozenset(
    {"received", "receive", "recv", "got", "sent", "send", "sending", "event", "events", "message", "msg", "type",
     "name", "openai", "realtime", "server", "client", "ws", "websocket", "incoming", "outgoing", "inbound",
     "outbound", "in", "out", "unhandled", "handling", "processing", "emit", "emitted", "new", "on", "debug", "info",
     "trace", "warning", "warn", "error", "log", "verbose", "azure", "provider", "data", "rx", "tx"}
)  # fmt: skip
"""Words that may stand right before the name of an event that has happened."""
_NAME: Final = re.compile(r"(?<![\w./-])([a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)+)(?![\w/-]|\.\w)")
_LISTED: Final = re.compile(_NAME.pattern + r"|(?<!\w)(?P<error>error)(?!\w)")
_WORD: Final = re.compile(r"([A-Za-z_]+)\W*$")
_LIST: Final = re.compile(r"[\s,;|>→\"'`\[\]-]*(?:->)?[\s,;|>→\"'`\[\]-]*")
_LONGEST: Final = 600  # of a line that may tell an event
_HINTS: Final = (
    "session", "response", "speech", "speaking", "buffer", "conversation", "cancel", "truncat", "audio content",
    "parameter", "voice", "rate_limits", "mcp_",
)  # fmt: skip
"""A word of each name and each phrase: most lines of a log have none of them."""
_FEWEST: Final = 3  # names that make a list


def is_known(kind: object) -> bool:
    """Is it the name of an event of the wire?"""
    return isinstance(kind, str) and "." in kind and (kind in SERVER_FIELDS or kind in CLIENT_FIELDS)


def name_in(text: str) -> str:
    """The event a text names: the name stands alone, or words that say that it came stand before it. "" if none."""
    if len(text) > _LONGEST:
        return ""
    found = next((m for m in _NAME.finditer(text) if is_known(m[1])), None)
    if found is None or text[found.end() :].strip(" \t\r\n.:;,!\"'`()[]{}>*-|=") != "":
        return ""
    before = text[: found.start()].rstrip(" \t\"'`([{<:=>-|*.,")
    word = _WORD.search(before)
    if word is not None and before.endswith(word[1]) and word[1].lower() not in _BEFORE:
        spaced = before[: word.start()].rstrip().endswith((":", "]", "-", "|")) and text[found.start() - 1 :][:1] == " "
        return found[1] if spaced and ":" in text[word.end() : found.start()] else ""
    return found[1]


def names_in(text: str) -> list[str]:
    """The events of a list of names, three or more; [] if it is not one."""
    found = list(_LISTED.finditer(text))
    known = [m[0] for m in found if is_known(m[0])]
    first = next((at for at, m in enumerate(found) if is_known(m[0])), 0)
    names = found[first:]
    if len(known) < _FEWEST or len(known) < 0.6 * len(names):
        return []
    gaps = (text[a.end() : b.start()] for a, b in pairwise(names))
    return [m[0] for m in names] if all(_LIST.fullmatch(gap) for gap in gaps) else []


@attrs.frozen
class _Phrase:
    """Words of somebody's program, and the event they stand for."""

    says: re.Pattern[str]
    event: str


@cache
def _phrases() -> Sequence[_Phrase]:
    table = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return [
        _Phrase(re.compile(says, re.IGNORECASE), str(row["event"])) for row in table["phrases"] for says in row["says"]
    ]


def _may_tell(text: str) -> bool:
    low = text.lower()
    return any(hint in low for hint in _HINTS)


def words_in(text: str) -> Event | None:
    """The event that is told in words by a program of the table, None if there is none."""
    if len(text) > _LONGEST or not _may_tell(text):
        return None
    for phrase in _phrases():
        found = phrase.says.search(text)
        if found is not None:
            return _event(phrase.event, found.groupdict())
    return None


def _event(kind: str, said: Mapping[str, str | None]) -> Event:
    made: dict[str, object] = {"type": kind}
    for path, value in said.items():
        if value is None:
            continue
        *before, last = path.split("__")
        at = made
        for name in before:
            at = at.setdefault(name, {})  # type: ignore[assignment]  # made here
        at[last] = int(value) if last.endswith("_ms") else value
    return made


def is_providers(message: str) -> bool:
    """Is it a sentence that the provider says in an error?"""
    said = words_in(message)
    return said is not None and said["type"] == "error"


def told(text: str) -> Iterator[Event]:
    """The events of a text by name, else in words."""
    if not _may_tell(text):
        return
    names = names_in(text)
    if names:
        yield from ({"type": name} for name in names)
        return
    name = name_in(text)
    if name:
        yield {"type": name}
        return
    said = words_in(text)
    if said is not None and said["type"] != CLOSED:
        yield said
