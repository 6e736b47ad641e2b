"""Files of calls (journals, recordings): each made anew, all written by one thread. Never what is written."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

CLOSE_S: Final = 5.0
REST_S: Final = 0.05
"""Of the writer, when it has nothing left: what comes meanwhile wakes no thread, and hundreds of calls cost one."""
_FILES_PER_NAME: Final = 1000
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


def private_folder(path: Path) -> Path:
    """The folder, made for this user alone if it is not there. OSError: it cannot be."""
    path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    return path


def opened_new(path: Path) -> tuple[int, Path]:
    """A descriptor to write to, and the path it got: `call.wav`, else `call.2.wav` and so on. OSError: it cannot be.

    Nobody else can read it. Asterisk may use an id again, and the earlier file stays as it is.
    """
    chosen = path
    for number in range(2, _FILES_PER_NAME):
        try:
            return os.open(chosen, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE), chosen
        except FileExistsError:
            chosen = path.with_suffix(f".{number}{path.suffix}")
    raise FileExistsError(0, "too many files of this name", str(path))


class FileWriterThread:
    """The thread that owns the files of one kind in a process. It starts with the first task.

    At most `max_waiting_bytes` wait to be written; a batch beyond that is refused.
    """

    def __init__(self, name: str = "recordings", max_waiting_bytes: int = 32_000_000) -> None:
        self._name = name
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._waiting_bytes = 0
        self._max_waiting_bytes = max_waiting_bytes
        self._thread: threading.Thread | None = None

    @property
    def waiting_bytes(self) -> int:
        """Of what is to be written."""
        return self._waiting_bytes

    def submit(self, task: Callable[[], None]) -> None:
        """Opening and closing: never refused, there are two of them per call."""
        if self._thread is None:
            self._closing.clear()
            # A daemon: a hung disk must not keep the process; close() is the orderly way.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._tasks.put(task)

    def submit_batch(self, size_bytes: int, task: Callable[[], None]) -> bool:
        """False: refused, too much waits."""
        with self._lock:
            if self._waiting_bytes + size_bytes > self._max_waiting_bytes:
                return False
            self._waiting_bytes += size_bytes

        def write() -> None:
            try:
                task()
            finally:
                with self._lock:
                    self._waiting_bytes -= size_bytes

        self.submit(write)
        return True

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Writes what waits and ends the thread. Blocks: for the end of the process. False: not done in time."""
        if self._thread is None:
            return True
        self._tasks.put(None)
        self._closing.set()
        self._thread.join(timeout_s)
        done = not self._thread.is_alive()
        self._thread = None
        return done

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:
                log.exception("file_write_failed", thread=self._name)
            if self._tasks.empty():
                self._closing.wait(REST_S)
