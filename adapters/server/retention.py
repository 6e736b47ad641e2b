"""Files of calls that are older than they may be are deleted, every hour, in the thread that writes them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import structlog

from adapters.call.journal_writer import JournalWriter
from adapters.files import FileWriterThread
from adapters.settings.config import Settings

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
_DAY_S: Final = 86_400.0


def delete_older(folder: Path, suffix: str, keep_days: float, now_s: float) -> int:
    """Deletes files `*<suffix>` of the folder itself by the time they were last written to. How many there were."""
    deleted = 0
    try:
        for path in folder.glob(f"*{suffix}"):
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < now_s - keep_days * _DAY_S:
                path.unlink(missing_ok=True)
                deleted += 1
    except OSError as error:
        log.error("retention_failed", folder=str(folder), error=error.strerror)
    if deleted:
        log.info("retention_deleted", folder=str(folder), files=deleted, older_than_days=keep_days)
    return deleted


class Retention:
    """Of one folder. `start` deletes at once and every hour; `close` ends that."""

    def __init__(self, thread: FileWriterThread, folder: Path, suffix: str, keep_days: float) -> None:
        self._thread = thread
        self._folder, self._suffix, self._keep_days = folder, suffix, keep_days
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._thread.submit(lambda: _delete(self._folder, self._suffix, self._keep_days))
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self.start)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def retentions_of(settings: Settings, journals: JournalWriter | None, recordings: FileWriterThread) -> list[Retention]:
    """Those of a server's journals and recordings, begun."""
    call, found = settings.call, list[Retention]()
    if journals is not None and call.journal_dir is not None and settings.journal_keep_days is not None:
        found.append(Retention(journals.thread, call.journal_dir, ".jsonl", settings.journal_keep_days))
    if call.recording_dir is not None and settings.recording_keep_days is not None:
        found.append(Retention(recordings, call.recording_dir, ".wav", settings.recording_keep_days))
    for each in found:
        each.start()
    return found


def _delete(folder: Path, suffix: str, keep_days: float) -> None:
    delete_older(folder, suffix, keep_days, time.time())
