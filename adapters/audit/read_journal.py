"""Reader of turnspec's own journals: wire lines, and what our playout and our effects say of what was heard.

Never here: replaying (turnspec replay). A line that cannot be read is passed over and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import orjson

from adapters.audit.events import Found, Recorder
from adapters.audit.times import Time
from fsm.audit.record import CLOSED, FLUSHED, LOCAL_FACTS

NAME: Final = "turnspec journal"
_FACTS: Final = frozenset({"playout.started", *LOCAL_FACTS})


def fits(head: bytes) -> bool:
    """Does a log begin as a journal does?"""
    first = _parsed(head.split(b"\n", 1)[0])
    return isinstance(first, dict) and first.get("kind") == "header" and "spec" in first


def read(lines: Iterable[tuple[int, bytes]], recorder: Recorder) -> Iterator[tuple[int, Found]]:
    """Every event of a journal, and its line."""
    for number, text in lines:
        line = _parsed(text)
        if not isinstance(line, dict):
            recorder.skipped += bool(text.strip())
            continue
        for found in _found(line):
            yield number, found


def _found(line: Mapping[str, object]) -> Iterator[Found]:
    time = line.get("t_ms")
    at = Time(float(time)) if isinstance(time, int | float) else None
    if line.get("kind") == "wire":
        event = line.get("event")
        if isinstance(event, Mapping):
            yield Found(event, "client" if line.get("direction") == "out" else "server", at)
    elif line.get("kind") == "step":
        yield from _facts(line, at)


def _facts(line: Mapping[str, object], at: Time | None) -> Iterator[Found]:
    """What a step shows that is on no wire: a close, audio that is heard, a flush."""
    name, data = line.get("event"), line.get("data")
    body = data if isinstance(data, Mapping) else {}
    if name == "provider.closed":
        yield Found({"type": CLOSED, "code": body.get("code"), "reason": body.get("reason", "")}, "local", at)
    elif name in _FACTS:
        yield Found({**body, "type": name}, "local", at)
    effects = line.get("effects")
    for effect in effects if isinstance(effects, list) else ():
        if isinstance(effect, Mapping) and effect.get("name") == "flush_playout":
            args = effect.get("args")
            yield Found({**(args if isinstance(args, Mapping) else {}), "type": FLUSHED}, "local", at)


def _parsed(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
