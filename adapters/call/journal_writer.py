"""Journals on disk: what a call does, line by line, written by one thread for the whole process. Never a decision.

Lines are kept as they happen, written out (fsm.journal: no audio, no secret in them) and handed over every tenth of a
second: one after another they cost half of what each costs between a step and a frame. What waits for the disk is
bounded; lines over the bound are dropped, counted, and reported in the journal itself. A batch is one write, and half
of one is taken back, so that a file holds whole lines however the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import structlog

from adapters.call.lifecycle import Lifecycle
from adapters.call.mailbox import Envelope
from adapters.call.settings import CallSettings, start_context
from adapters.call.summary import Summary
from adapters.files import FileWriterThread, opened_new, private_folder
from adapters.lines.line import NO_DATA, CallData
from adapters.providers.provider import WireEvent
from fsm.journal.journal import EndLine, Header, Line, LostLine, TakeoverLine, WireLine, encode, step_line
from fsm.journal.scrub import KnownSecrets, Scrubber, scrub
from fsm.language.spec import Spec
from fsm.machine.machine import Step
from fsm.machine.takeover import Takeover

log = structlog.get_logger(__name__)

HAND_OVER_S: Final = 0.1
_BATCH_LINES: Final = 100


def header_of(
    spec: Spec,
    digest: str,
    settings: CallSettings,
    call_id: str,
    started_at: datetime,
    agent: str = "",
    data: CallData = NO_DATA,
) -> Header:
    """The first line: what `Call` starts the machine with, and what the line said about the call."""
    return Header(
        spec=spec.name,
        spec_file=spec.file,
        digest=digest,
        call_id=call_id,
        talk_key=settings.talk_key if spec.turn_detection.manual else "",
        context=start_context(spec, settings, data),
        started_at=started_at.isoformat(timespec="milliseconds"),
        agent=agent,
        caller_id=data.caller_id,
        dialled=data.dialled,
        variables=data.variables,
    )


class JournalWriter:
    """The journals of a process: `open` one for each call, `close` when all calls are gone."""

    def __init__(
        self,
        folder: Path,
        *,
        secrets: Iterable[str] = (),
        scrubber: Scrubber = scrub,
        max_waiting_bytes: int = 8_000_000,
    ) -> None:
        """`folder` is made if it is not there. OSError: it cannot be. `secrets`: known ones that look like nothing."""
        self._folder = private_folder(folder)
        self._secrets = KnownSecrets(secrets)
        self._scrubber = scrubber
        self._thread = FileWriterThread("journals", max_waiting_bytes)

    def beside(self, secrets: Iterable[str], scrubber: Scrubber) -> JournalWriter:
        """The same folder and thread, and something else to hide. It is not to be closed."""
        other = copy.copy(self)
        other._secrets, other._scrubber = KnownSecrets(secrets), scrubber
        return other

    def open(self, header: Header) -> CallJournal:
        """The observer of one call; its file is `<folder>/<call_id>.jsonl`, or `<call_id>.2.jsonl` and so on."""
        path = self._folder / f"{header.call_id}.jsonl"
        return CallJournal(self._thread, path, header, self._secrets, self._scrubber)

    @property
    def thread(self) -> FileWriterThread:
        """That of all journals."""
        return self._thread

    def close(self) -> bool:
        """Writes what waits and ends the thread. Blocks: for the end of the process. False: not done in time."""
        return self._thread.close()


class CallJournal:
    """An observer of one call. `close` is safe more than once; without `ended` before it there is no end line."""

    def __init__(
        self,
        thread: FileWriterThread,
        path: Path,
        header: Header,
        secrets: KnownSecrets,
        scrubber: Scrubber = scrub,
    ) -> None:
        self._thread = thread
        self._secrets = secrets
        self._scrubber = scrubber
        self._file = _LineFile(path)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._lines: list[Line] = []
        self._steps = 0
        self._unreported = 0  # dropped, and not yet in the journal as such
        self._dropped = 0
        self._at_ms = 0
        self._closed = False
        thread.submit(self._file.open)
        self._put(header)

    @property
    def closed(self) -> threading.Event:
        """Set when the file is closed."""
        return self._file.closed

    @property
    def dropped(self) -> int:
        """Lines of the call that are not in the file."""
        return self._dropped + self._file.dropped

    # --- as an observer -----------------------------------------------------------------------------------------------

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        self._at_ms = at_ms
        self._put(step_line(step, self._steps, at_ms, envelope.cause))
        self._steps += 1

    def took_over(self, lifecycle: Lifecycle, taken: Takeover, provider: str, at_ms: int) -> None:
        self._at_ms, self._steps = at_ms, 0
        spec = lifecycle.spec
        self._put(TakeoverLine(at_ms, spec.name, spec.file, lifecycle.digest, taken.values, taken.ids, provider))

    def wire(self, direction: Literal["in", "out"], event: WireEvent, at_ms: int) -> None:
        self._at_ms = at_ms
        self._put(WireLine(at_ms, direction, event))

    def ended(self, summary: Summary) -> None:
        self._hand_over()
        summary.journal_dropped = self.dropped
        self._put(EndLine(summary.duration_ms, summary.as_json()))
        self.close()

    def close(self) -> None:
        """Hands over the rest and has the file closed, in the writer's thread."""
        if self._closed:
            return
        self._closed = True
        self._hand_over(is_last=True)
        self._thread.submit(self._file.close)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _put(self, line: Line) -> None:
        if self._closed:
            self._dropped += 1
            return
        self._lines.append(line)
        if len(self._lines) >= _BATCH_LINES:
            self._hand_over()
        elif self._timer is None:
            self._timer = self._loop.call_later(HAND_OVER_S, self._hand_over)

    def _encoded(self, line: Line) -> bytes:
        return self._secrets.hidden_in(encode(line, self._scrubber)).encode() + b"\n"

    def _hand_over(self, is_last: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        count, unreported = len(lines), self._unreported
        if unreported:
            lines.insert(0, LostLine(self._at_ms, unreported, "more waited for the disk than may wait"))
        batch = b"".join(map(self._encoded, lines))
        if is_last:  # small, and once a call: never refused, or nobody would know what is missing
            self._thread.submit(lambda: self._file.write(batch, count))
            self._unreported = 0
        elif self._thread.submit_batch(len(batch), lambda: self._file.write(batch, count)):
            self._unreported = 0
        else:
            if not self._dropped:
                log.warning("journal_falls_behind", path=str(self._file.path))
            self._unreported += count
            self._dropped += count


class _LineFile:
    """The file itself; every method but the constructor runs in the writer's thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = threading.Event()
        self.dropped = 0
        self._file: int | None = None
        self._size_bytes = 0
        self._opened = opened_new

    def open(self) -> None:
        try:
            self._file, self.path = self._opened(self.path)
        except OSError as error:
            log.error("journal_not_written", path=str(self.path), error=error.strerror)

    def write(self, batch: bytes, lines: int) -> None:
        """One batch of whole lines. One that does not fit is taken back, and none follows."""
        if self._file is None:
            self.dropped += lines
            return
        try:
            rest = memoryview(batch)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._size_bytes += len(batch)
        except OSError as error:
            log.error("journal_not_written", path=str(self.path), error=error.strerror)
            self.dropped += lines
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size_bytes)
            self._release()

    def close(self) -> None:
        self._release()
        self.closed.set()

    def _release(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
