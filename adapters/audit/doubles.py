"""Events that a log has twice: two loggers saw them, or a reconnect repeats them. An event id counts once."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Final

Event = Mapping[str, object]
_KEPT: Final = 4000
_NEAR: Final = 4  # lines between an event without an id and itself
_PATHS: Final = ("response_id", "item_id", "delta", "transcript", "call_id", "text")
_PARTS: Final = ("response", "item", "error", "session")


class SeenEvents:
    """Which events of a log have been seen. Bounded; a new session may use the ids of the one before."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._last: deque[Event] = deque(maxlen=_NEAR)
        self._repeats = False

    def learn(self, events: Sequence[Event]) -> None:
        """Does the log have its events twice, also those that carry no id?"""
        keys = [_key(str(event.get("type")), event, "") for event in events if _id(event)]
        self._repeats = len(keys) >= _NEAR and len(set(keys)) <= 0.6 * len(keys)

    def again(self, kind: str, event: Event, call: str) -> bool:
        """Has this event been seen?"""
        if not _id(event):
            repeated = self._repeats and event in self._last
            self._last.append(event)
            if repeated:
                self._last.clear()
            return repeated
        key = _key(kind, event, call)
        if key in self._seen:
            return True
        if kind == "session.created":
            self._seen.clear()
        self._seen[key] = None
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return False


def _id(event: Event) -> str:
    found = event.get("event_id")
    return found if isinstance(found, str) else ""


def _key(kind: str, event: Event, call: str) -> int:
    """The id, and what else tells apart two events of a server that gives every event the same one."""
    parts = [part.get("id") or part.get("call_id") or part.get("message") for name in _PARTS
             if isinstance(part := event.get(name), Mapping)]  # fmt: skip
    said = [value if isinstance(value := event.get(path), str) else "" for path in _PATHS]
    return hash((kind, call, _id(event), *said, *(str(part) for part in parts)))
