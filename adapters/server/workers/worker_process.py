"""A worker as its supervisor sees it: its process, the way to it, how much it has to do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from adapters.server.workers import handover
from adapters.server.workers.link import Link, Said
from adapters.settings.kinds import LoopName

log = structlog.get_logger(__name__)

SETTLES_S: Final = 1.0
"""From the worker's having a connection to its call, which is known then; or it is none."""
KILL_S: Final = 1.0
"""For the end of a process whose link is gone."""
_MODULE: Final = "adapters.server.workers.worker"


class WorkerOwner(Protocol):
    """The supervisor, as its workers reach it."""

    def told(self, worker: WorkerProcess, what: str, said: Said) -> None: ...

    async def asked(self, worker: WorkerProcess, what: str, said: Said) -> object: ...


class WorkerProcess:
    """`start`, then `ended()` waits for its end, whatever becomes of it. `number` is its own: none comes again."""

    def __init__(self, number: int, slot: int, owner: WorkerOwner) -> None:
        self.number = number
        self.slot = slot
        """Its place among the workers, which the one that replaces it has as well."""
        self._owner = owner
        self.link = Link(self._told, self._asked)
        self.is_ready = False
        self.is_busy = False
        self.texts: Mapping[str, str] = {}
        """Of the configuration that its calls begin with."""
        self.problems: Sequence[str] = ()
        """Why it could not begin."""
        self.ready_or_over = asyncio.Event()
        self.chosen = 0
        """When it was given a connection last."""
        self._handed: deque[None] = deque()
        self._settling: deque[float] = deque()
        self._through: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self, loop_name: LoopName, config: str, texts: Mapping[str, str], deletes_old_files: bool) -> None:
        """OSError: there can be no further process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._through, takes = handover.pair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULE, str(theirs.fileno()), str(takes.fileno()), loop_name, str(os.getpid()),
                pass_fds=(theirs.fileno(), takes.fileno()), stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        except OSError:
            ours.close()
            self._through.close()
            raise
        finally:
            theirs.close()
            takes.close()
        self.texts = texts
        await self.link.open(ours)
        self.link.tell("begin", config=config, texts=texts, worker=self.slot, deletes_old_files=deletes_old_files)

    async def ended(self) -> int:
        """Its exit code. A process that has given up its link is given a moment, then killed."""
        process = self._process
        assert process is not None
        waits = [asyncio.ensure_future(process.wait()), asyncio.ensure_future(self.link.over.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            self.is_ready = False
            self.ready_or_over.set()
            if not waits[0].done():
                await asyncio.wait(waits[:1], timeout=KILL_S)
            if not waits[0].done():
                self.kill()
            await waits[0]
        finally:
            for each in waits:
                each.cancel()
            self.link.close()
            if self._through is not None:
                self._through.close()
        return process.returncode if process.returncode is not None else 1

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    # --- connections --------------------------------------------------------------------------------------------------

    def load(self, now_s: float, calls: int) -> int:
        """Its calls, and connections that may become some."""
        while self._settling and self._settling[0] <= now_s - SETTLES_S:
            self._settling.popleft()
        return calls + len(self._handed) + len(self._settling)

    def hand_over(self, line: str, sock: socket.socket, chosen: int) -> bool:
        """False: it takes none just now."""
        if self._through is None or not handover.hand_over(self._through, line, sock):
            return False
        self._handed.append(None)
        self.chosen = chosen
        return True

    def has_taken(self, count: int, now_s: float) -> None:
        """So many connections are out of its queue."""
        for _ in range(min(count, len(self._handed))):
            self._handed.popleft()
            self._settling.append(now_s)

    def has_claimed(self) -> None:
        """One of them is a call."""
        if self._settling:
            self._settling.popleft()
        elif self._handed:
            self._handed.popleft()

    # --- what it says -------------------------------------------------------------------------------------------------

    def _told(self, what: str, said: Said) -> None:
        if what == "ready":
            self.is_ready = True
            self.ready_or_over.set()
        elif what == "failed":
            self.problems = said["problems"]
        elif what == "busy":
            self.is_busy = said["is_busy"]
        elif what == "taken":
            self.has_taken(said["count"], asyncio.get_running_loop().time())
        self._owner.told(self, what, said)

    async def _asked(self, what: str, said: Said) -> Any:
        if what == "claim":
            self.has_claimed()
        return await self._owner.asked(self, what, said)
