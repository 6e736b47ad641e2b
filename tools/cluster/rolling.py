"""A rolling restart of all nodes while calls come and go: one after the other by SIGTERM, as an upgrade does it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import attrs

from tools.cluster.calls import DialledCall, dial
from tools.cluster.programs import NODES, ClusterRig

END_S: Final = 180.0
_SPREAD: Final = (0.6, 0.8, 1.0, 1.2, 1.4)
"""Calls are not all of one length."""


@attrs.define
class RollingReport:
    """What came of the calls, and how long it took."""

    calls: list[DialledCall] = attrs.field(factory=list)
    seconds: float = 0.0
    codes: list[int] = attrs.field(factory=list)
    """Exit codes of the nodes that were replaced."""

    @property
    def lost(self) -> list[DialledCall]:
        """Calls that a caller noticed something of: cut, tried again, or without a result."""
        return [each for each in self.calls if each.cut or each.tries != 1 or each.result != "completed"]


async def rolling_restart(rig: ClusterRig, calls: int, talk_s: float, say: Callable[[str], None]) -> RollingReport:
    """So many calls at any time, each followed by the next, until every node has been replaced."""
    report, done = RollingReport(), asyncio.Event()
    began_s = time.monotonic()

    async def caller(number: int) -> None:
        await asyncio.sleep(talk_s * number / calls)
        while not done.is_set():
            length_s = talk_s * _SPREAD[len(report.calls) % len(_SPREAD)]
            report.calls.append(await dial(rig.audiosocket, rig.door, length_s))

    callers = [asyncio.create_task(caller(number)) for number in range(calls)]
    try:
        await asyncio.sleep(talk_s)
        for name in NODES:
            node = rig.nodes[name]
            say(f"{time.monotonic() - began_s:6.1f} s: SIGTERM to node {name}; calls so far: {len(report.calls)}")
            node.begin_end()
            report.codes.append(await asyncio.to_thread(node.wait_ended, END_S))
            node.start()
            await asyncio.to_thread(node.wait_ready)
            await asyncio.to_thread(rig.wait_up, NODES)
    finally:
        done.set()
        await asyncio.gather(*callers)
    report.seconds = time.monotonic() - began_s
    return report
