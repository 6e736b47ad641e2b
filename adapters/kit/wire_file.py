"""The wire of simulated sessions as a file of JSON lines that `turnspec audit` reads: one event a line, never audio.

    {"time": "2026-11-29T17:40:01.250Z", "connection": 1, "direction": "out", "event": {"type": "response.create"}}

`out` is what the client sent. Of audio there is its length; the client's appends are left out.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from adapters.simulator.providers.realtime import Seen, SessionStats


class WireFile:
    """Written as the sessions go on: `write_new` takes what has come since. OSError: the file cannot be made."""

    def __init__(self, path: Path, now_s: float) -> None:
        self.path = path
        self._epoch_s = time.time() - now_s
        self._file = path.open("wb")
        self._seen: dict[int, tuple[int, int]] = {}

    def write_new(self, stats: Sequence[SessionStats]) -> None:
        fresh: list[tuple[float, bytes]] = []
        for each in stats:
            received, sent = self._seen.get(each.connection, (0, 0))
            fresh += [(seen.at_s, self._line(each, "out", seen)) for seen in each.received[received:]]
            fresh += [(seen.at_s, self._line(each, "in", seen)) for seen in each.sent[sent:]]
            self._seen[each.connection] = (len(each.received), len(each.sent))
        for _, line in sorted(fresh, key=lambda one: one[0]):
            self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, stats: SessionStats, direction: str, seen: Seen) -> bytes:
        at = datetime.datetime.fromtimestamp(self._epoch_s + seen.at_s, datetime.UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "connection": stats.connection,
            "direction": direction,
            "event": _audited(seen.event),
        }
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _audited(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Audio as its length, in the words of a journal."""
    chars = event.get("audio_chars")
    if not isinstance(chars, int):
        return event
    return {
        **{key: value for key, value in event.items() if key != "audio_chars"},
        "delta": {"audio_bytes": chars * 3 // 4},
    }
