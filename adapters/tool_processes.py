"""Processes for tools that may hold the interpreter, crash, or never return: they can be ended, and hold nobody else.

A process runs one call at a time and is kept for the next one; it is killed with all that it has started when its
call is cancelled or overdue. It is given a few variables of the environment, and those that the tool names. Bounded: at
most so many processes; whoever needs one more waits, within the tool's deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

import attrs
import orjson
import structlog

from fsm.errors import LocalError

log = structlog.get_logger(__name__)

MOST: Final = 8
_INHERITED: Final = (
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""And LC_*: what Python and its libraries need to find themselves, and no secret."""
_BEGIN: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from adapters.tool_child import main; main()"
_REPLY_MAX_BYTES: Final = 1_000_000
"""A tool's text of at most 64 KB, as JSON, with what escapes add."""
_GONE_S: Final = 2.0
"""After SIGKILL."""


class ToolProcessError(LocalError):
    """What went wrong in a tool's process, in the words that the model is told."""


@attrs.define(eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    names: tuple[str, ...]

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def ask(self, request: bytes) -> Mapping[str, str]:
        """ToolProcessError: the process is gone, or says what none of ours does."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(request + b"\n")
            await stdin.drain()
            line = await stdout.readline()
            if line:
                reply: Mapping[str, str] = orjson.loads(line)
                return reply
        except (OSError, ValueError):  # it has just ended; more than a reply can be, or no reply
            pass
        self.kill()
        raise ToolProcessError(f"its process ended ({await self._how()})")

    async def _how(self) -> str:
        code = await self.process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """It, and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Killed and reaped, its pipes closed."""
        self.kill()
        try:
            async with asyncio.timeout(_GONE_S):
                await self.process.wait()
        except TimeoutError:  # in an uninterruptible system call
            log.error("tool_process_does_not_end", pid=self.process.pid)
        if self.process.stdin is not None:
            self.process.stdin.close()


class ToolProcesses:
    """Those of a server, shared by its calls. None is started before a tool needs one; `close` ends all."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._gate = asyncio.Semaphore(most)
        self._idle: list[_Worker] = []
        self._live: set[_Worker] = set()
        self._beginning = 0
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Those there are, and those about to be."""
        return len(self._live) + self._beginning

    async def run(self, function: str, arguments: Mapping[str, object], names: tuple[str, ...] = ()) -> str:
        """`module:function` in a process that has the variables `names`. Cancelled, it is killed.

        ToolProcessError: the tool raised, in its words, or its process ended.
        """
        request = orjson.dumps({"function": function, "arguments": arguments})
        async with self._gate:
            worker = await self._worker(names)
            try:
                reply = await worker.ask(request)
            except BaseException:
                self._end(worker)
                raise
            self._idle.append(worker)
        if "error" in reply:
            error = ToolProcessError(reply["error"])
            error.add_note(reply.get("trace", ""))
            raise error
        return reply["output"]

    async def close(self) -> None:
        """Every process is killed, whatever it does."""
        for worker in list(self._live):
            self._end(worker)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _worker(self, names: tuple[str, ...]) -> _Worker:
        """One that waits, or a new one; where there are as many as may be, in place of one that waits for others."""
        for worker in [each for each in self._idle if not each.is_alive]:
            self._idle.remove(worker)
            self._end(worker)
        fitting = next((each for each in reversed(self._idle) if each.names == names), None)
        if fitting is not None:
            self._idle.remove(fitting)
            return fitting
        if self._idle and len(self) >= self._most:
            self._end(self._idle.pop(0))
        self._beginning += 1
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _BEGIN, orjson.dumps(sys.path).decode(),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=_environment(names), start_new_session=True, limit=_REPLY_MAX_BYTES,
            )  # fmt: skip
            worker = _Worker(process, names)
            self._live.add(worker)
        finally:
            self._beginning -= 1
        return worker

    def _end(self, worker: _Worker) -> None:
        """Killed now; reaped by a task of its own, since whoever asked may be cancelled."""
        worker.kill()
        self._live.discard(worker)
        task = asyncio.get_running_loop().create_task(worker.gone(), name="tool-process-end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _environment(names: tuple[str, ...]) -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("LC_") or name in names
    }
