"""What a process holds at a moment: tasks, timers, descriptors, threads. And what is still there when it should not be.

Descriptors are read from /proc: where that is not (macOS), they are not looked at.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

_DESCRIPTORS: Final = Path("/proc/self/fd")
_LOOK_S: Final = 0.05
_OF_CALLS: Final = ("adapters.", "fsm.", "_asyncio.Task", "websockets", "asyncio.selector_events")


@attrs.frozen(kw_only=True)
class Holdings:
    """What is held is kept alive here, so that nothing new gets its address."""

    tasks: Mapping[int, asyncio.Task[Any]]
    timers: Mapping[int, asyncio.TimerHandle]
    descriptors: frozenset[tuple[str, str]]
    threads: frozenset[int]

    def more_than(self, before: Holdings, *, of_process: bool = True) -> list[str]:
        """What is here and was not there then, in words. Threads are the process's: those that calls share stay."""
        found = [f"task {name}" for name in _named(self.tasks, before.tasks)]
        found += [f"timer {name}" for name in _named(self.timers, before.timers)]
        found += [f"descriptor {number} on {what}" for number, what in sorted(self.descriptors - before.descriptors)]
        if not of_process:
            return found
        threads = {each.ident: each.name for each in threading.enumerate()}
        return found + [f"thread {threads[each]}" for each in self.threads - before.threads if each in threads]


def holdings() -> Holdings:
    """Of the running loop and its process, now."""
    return Holdings(
        tasks={id(each): each for each in asyncio.all_tasks()},
        timers={id(each): each for each in _timers()},
        descriptors=frozenset(_descriptors()),
        threads=frozenset(each.ident for each in threading.enumerate() if each.ident is not None),
    )


async def left_over(before: Holdings, within_s: float, *, of_process: bool = True) -> list[str]:
    """What there is more than before, when it had time to go; empty as soon as nothing is."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while found := holdings().more_than(before, of_process=of_process):
        if loop.time() >= until_s:
            return found
        await asyncio.sleep(_LOOK_S)
    return []


def objects_by_type(most: int = 40) -> Counter[str]:
    """How many live objects of our own and of asyncio's kinds the collector knows, after a collection."""
    gc.collect()
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    ours = Counter({name: count for name, count in kinds.items() if name.startswith(_OF_CALLS)})
    return Counter(dict(ours.most_common(most)))


def _timers() -> Iterator[asyncio.TimerHandle]:
    """asyncio has no public way to ask for them. That of `left_over` itself is not there while it looks."""
    loop: Any = asyncio.get_running_loop()
    return (each for each in loop._scheduled if not each.cancelled())


def _named(now: Mapping[int, object], before: Mapping[int, object]) -> list[str]:
    return sorted(repr(each)[:240] for identity, each in now.items() if identity not in before)


def _descriptors() -> Iterator[tuple[str, str]]:
    if not _DESCRIPTORS.is_dir():
        return
    for each in _DESCRIPTORS.iterdir():
        try:
            yield each.name, str(each.readlink())
        except OSError:  # that of the listing itself
            continue
