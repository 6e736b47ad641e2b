"""A worker: a process with a `TurnspecServer` that listens nowhere. Its supervisor hands it connections, asks it about
its calls, and ends it; it never outlives its supervisor.

`python -m adapters.server.workers.worker LINK HANDOVER LOOP PARENT`, with two open descriptors: as the supervisor does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import structlog

from adapters import logs
from adapters.server.generation import Generation
from adapters.server.loops import new_loop
from adapters.server.server import Employment, TurnspecServer
from adapters.server.service import END_S
from adapters.server.signals import Watchdog, end_loop
from adapters.server.workers.handover import HandoverReceiver
from adapters.server.workers.link import Link, Said
from adapters.server.workers.shared_store import AskedStore
from adapters.settings.config import Settings, load_settings
from fsm.errors import RemoteError
from fsm.language.problem import SpecError

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG: Final = 1
_FLUSH_S: Final = 1.0
_ORPHAN_S: Final = 3.0
"""For goodbyes, where the supervisor is gone and the system has not ended us with it."""


class NoSuchQuestionError(RemoteError):
    """The supervisor asks something that this worker does not know."""


class Worker:
    """`run` until the supervisor says so, or is gone."""

    def __init__(self, link_sock: socket.socket, handover_sock: socket.socket) -> None:
        self._link_sock = link_sock
        self._handover_sock = handover_sock
        self._link = Link(self._told, self._asked)
        self._begin: Said | None = None
        self._begun = asyncio.Event()
        self._stop = asyncio.Event()
        self._drain_s: float | None = None
        self._config = Path()
        self._server: TurnspecServer | None = None
        self._prepared: Generation | None = None

    async def run(self) -> int:
        """The exit code."""
        await self._link.open(self._link_sock)
        over = asyncio.get_running_loop().create_task(self._over(), name="supervisor's end")
        try:
            await self._begun.wait()
            return await self._serve(self._begin) if self._begin is not None else 1
        finally:
            over.cancel()
            self._link.close()
            with contextlib.suppress(TimeoutError):  # what was told is to be read
                await asyncio.wait_for(self._link.over.wait(), _FLUSH_S)

    async def _over(self) -> None:
        """The supervisor is gone: there is nothing to begin, and all ends."""
        await self._link.over.wait()
        self._begun.set()
        self._stop.set()

    async def _serve(self, begin: Said) -> int:
        self._config = Path(begin["config"])
        structlog.contextvars.bind_contextvars(worker=begin["worker"])
        try:
            settings = load_settings(self._config, given=begin["texts"])
        except SpecError as error:
            self._link.tell("failed", problems=[str(each) for each in error.problems])
            return 1
        logs.configure(settings.log, settings.secrets)
        employment = Employment(
            store=AskedStore(self._link),
            on_provider_seen=lambda complaint: self._link.tell("seen", complaint=complaint),
            deletes_old_files=begin["deletes_old_files"],
        )
        self._server = server = TurnspecServer(settings, employment=employment)
        server.watch.on_changed = lambda is_busy: self._link.tell("busy", is_busy=is_busy)
        receiver = HandoverReceiver(
            self._handover_sock, server.adopt, lambda count: self._link.tell("taken", count=count), server.has_newcomers
        )
        try:
            await server.start()
            receiver.start()
            self._link.tell("ready")
            await self._stop.wait()
        except OSError as error:
            self._link.tell("failed", problems=[str(error)])
            return 1
        finally:
            await self._close(server)
            receiver.close()
        return 0

    async def _close(self, server: TurnspecServer) -> None:
        watchdog = Watchdog()
        is_orphan = self._link.over.is_set()
        drain_s = server.settings.shutdown_s if self._drain_s is None else self._drain_s
        watchdog.arm(_ORPHAN_S if is_orphan else drain_s + END_S)
        if is_orphan:
            log.error("supervisor_gone")
            server.force()
        orphaned = asyncio.ensure_future(self._orphaned(server))
        await server.close(drain_s)
        orphaned.cancel()
        watchdog.disarm()

    async def _orphaned(self, server: TurnspecServer) -> None:
        await self._link.over.wait()
        server.force()

    # --- what the supervisor says -------------------------------------------------------------------------------------

    def _told(self, what: str, said: Said) -> None:
        if what == "begin":
            self._begin = said
            self._begun.set()
        elif what == "stop":
            self._drain_s = said["drain_s"]
            self._stop.set()
        elif what == "force" and self._server is not None:
            self._server.force()
        elif what == "abandon":
            self._prepared = None

    async def _asked(self, what: str, said: Said) -> object:
        server = self._server
        if server is None:
            raise NoSuchQuestionError("this worker has not begun yet")
        inside = server.inside
        match what:
            case "calls":
                listed, more = await inside.calls(said["after"], said["at_most"])
                return [[attrs.asdict(each) for each in listed], more]
            case "call":
                return _plain(await inside.call(said["id"]))
            case "request":
                return attrs.asdict(await inside.request(said["id"], said["name"], said["data"]))
            case "outcome":
                call = server.calls.get(said["id"])
                return None if call is None else {"word": call.outcome, "values": dict(call.result.values)}
            case "measured":
                return (await inside.measured()).decode()
            case "prepare":
                return await self._prepare(server, said["texts"])
            case "commit":
                return self._commit(server)
        raise NoSuchQuestionError(what)

    async def _prepare(self, server: TurnspecServer, texts: dict[str, str]) -> list[str]:
        """What is wrong with it; nothing is changed yet."""
        try:
            settings: Settings = await asyncio.to_thread(load_settings, self._config, given=texts)
            self._prepared = await server.prepared(settings)
        except SpecError as error:
            return [str(each) for each in error.problems]
        except (OSError, ValueError) as error:
            return [str(error)]
        return []

    def _commit(self, server: TurnspecServer) -> bool:
        """False: nothing was prepared."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return False
        server.renew(prepared)
        logs.configure(prepared.settings.log, server.secrets)
        return True


def _plain(value: attrs.AttrsInstance | None) -> dict[str, Any] | None:
    return None if value is None else attrs.asdict(value)


def die_with_parent(parent: int) -> None:
    """The system ends us when the process that began us ends, whatever we are doing then. Source: prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


def main(arguments: list[str]) -> int:
    link, handover, loop_name, parent = arguments
    die_with_parent(int(parent))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal and systemd signal the whole group:
        signal.signal(number, signal.SIG_IGN)  # the supervisor says what is to be done
    loop = new_loop("uvloop" if loop_name == "uvloop" else "asyncio")
    asyncio.set_event_loop(loop)

    async def run() -> int:
        return await Worker(socket.socket(fileno=int(link)), socket.socket(fileno=int(handover))).run()

    code = 1
    try:
        code = loop.run_until_complete(run())
    except Exception:  # a bare traceback would pass by the redaction of the logs
        log.exception("worker_failed")
    end_loop(loop)
    return code


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(ended)  # a plain tool that never returns keeps its thread
