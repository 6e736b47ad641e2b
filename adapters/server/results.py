"""How calls ended, kept for those who ask later: a dialplan, mostly a moment later. Bounded in number and in time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from adapters.call.words import printable

KEPT_S: Final = 3_600.0
MOST_RESULTS: Final = 10_000
REFUSED: Final = "refused:"


@attrs.frozen
class KeptResult:
    word: str
    values: Mapping[str, str]
    until_s: float


class Results:
    """Of calls that are over, by id. The oldest goes first; `now_s` is the loop's clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[str, KeptResult] = OrderedDict()
        self._unread: set[str] = set()
        self.all_read = asyncio.Event()
        """Is there none that nobody has asked for yet?"""
        self.all_read.set()
        self._last_kept_s = float("-inf")

    def since_last_s(self) -> float:
        """How long it is since one was kept."""
        return self._now_s() - self._last_kept_s

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, call_id: str, word: str, values: Mapping[str, str]) -> None:
        self.forget(call_id)
        self._kept[call_id] = KeptResult(word, MappingProxyType(dict(values)), self._now_s() + KEPT_S)
        self._last_kept_s = self._now_s()
        self._unread.add(call_id)
        self.all_read.clear()
        self._drop_old()

    def refuse(self, call_id: str, reason: str) -> None:
        """It never was a call of ours: why not, on one line."""
        self.keep(call_id, REFUSED + (printable(reason) or "no reason given"), {})

    def forget(self, call_id: str) -> None:
        """A new call has this id."""
        self._kept.pop(call_id, None)
        self._read(call_id)

    def of(self, call_id: str) -> KeptResult | None:
        self._drop_old()
        self._read(call_id)
        return self._kept.get(call_id)

    def _read(self, call_id: str) -> None:
        self._unread.discard(call_id)
        if not self._unread:
            self.all_read.set()

    def _drop_old(self) -> None:
        now_s = self._now_s()
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= MOST_RESULTS and self._kept[oldest].until_s > now_s:
                return
            self.forget(oldest)
