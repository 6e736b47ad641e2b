"""Reader of turnspec's own journals: wire lines, and what our playout and our effects say of what was heard.

Never here: replaying (turnspec replay). A line that cannot be read is passed over and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import orjson

from adapters.audit.events import Found, Recorder
from adapters.audit.times import Time
from fsm.audit.record import CLOSED, FLUSHED, LOCAL_FACTS, PLAYOUT, STARTED

NAME: Final = "turnspec journal"
_FACTS: Final = PLAYOUT | LOCAL_FACTS


_KINDS: Final = {"header": "spec", "step": "serial", "wire": "direction"}
"""What a line of each kind has."""


def fits(head: bytes) -> bool:
    """Does a log begin as a journal does? One whose begin was cut off begins with the rest of a line."""
    whole = head.split(b"\n")[:2]
    return any(isinstance(line, dict) and _KINDS.get(str(line.get("kind")), "") in line for line in map(_parsed, whole))


def spec_of(head: bytes) -> str:
    """The name of the spec a journal says it was written under, "" if it says none."""
    first = _parsed(head.split(b"\n", 1)[0])
    name = first.get("spec") if isinstance(first, dict) and first.get("kind") == "header" else None
    return name if isinstance(name, str) else ""


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
    elif line.get("kind") == "header":
        yield Found({**line, "type": STARTED}, "local", Time(0.0))


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
