"""What calls begin with: the agents of one configuration, and what they share. One that is superseded ends with its
last call, so that a live call keeps what it began with.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor

import attrs

from adapters.call.journal_writer import JournalWriter
from adapters.files import FileWriterThread, private_folder
from adapters.lines.chan_websocket.protocol import FORMATS
from adapters.server.agents import Agents
from adapters.server.circuits import Circuits
from adapters.server.transfers import ServerTransfers
from adapters.settings.config import Settings
from adapters.tool_processes import ToolProcesses


class Generation:
    """`warm_up` (which may block), then `start` in the loop; `began` and `ended` for each call; `close`."""

    def __init__(
        self,
        settings: Settings,
        threads: ThreadPoolExecutor,
        recordings: FileWriterThread,
        processes: ToolProcesses,
        circuits: Circuits,
    ) -> None:
        self.settings = settings
        self.transfers = ServerTransfers(settings)
        self.agents = Agents(
            settings.agents,
            threads,
            recordings,
            self.transfers.put_through,
            self.transfers.tell_result,
            processes,
            circuits,
        )
        self.journals: JournalWriter | None = None
        self._live = 0
        self._is_superseded = False
        self._closing: asyncio.Task[None] | None = None

    def warm_up(self) -> None:
        """What would hold the loop during the first call. ValueError, OSError: something cannot be read or made."""
        settings = self.settings
        rates_hz = set(settings.audiosocket.rates_hz)
        if settings.chan_websocket is not None:
            rates_hz |= {each.rate_hz for each in FORMATS.values()}
        self.agents.warm_up(rates_hz)
        if settings.call.recording_dir is not None:
            private_folder(settings.call.recording_dir)

    def start(self, journals: JournalWriter | None) -> None:
        """`journals`: of the process; what is hidden in them is ours to say. ControlError, ImportError: an extra is
        missing."""
        if journals is not None:
            self.journals = journals.beside(self.settings.secrets, self.settings.scrubber)
        self.transfers.start()

    def began(self) -> None:
        """A call of ours."""
        self._live += 1

    def ended(self) -> None:
        self._live -= 1
        self._look()

    def supersede(self) -> None:
        """No further calls are ours."""
        self._is_superseded = True
        self._look()

    @property
    def is_over(self) -> bool:
        return self._closing is not None and self._closing.done()

    def _look(self) -> None:
        if self._is_superseded and not self._live and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.transfers.close(), name="generation_ends")

    async def close(self) -> None:
        """Within a deadline."""
        if self._closing is None:
            await self.transfers.close()
        else:
            await self._closing


def changed_beyond(running: Settings, read: Settings) -> list[str]:
    """Keys that differ and that only a new process reads: what listens, what is counted, what is written where."""
    was, now = _of_a_process(running), _of_a_process(read)
    return [key for key, value in now.items() if was[key] != value]


def _of_a_process(settings: Settings) -> dict[str, object]:
    return {
        "listen and limits": _plain(settings.audiosocket),
        "chan_websocket": _plain(settings.chan_websocket),
        "twilio": _plain(settings.twilio),
        "sideband": settings.sideband,
        "http": _plain(settings.http),
        "serve": settings.serve,
        "limits.loop_lag_ms": settings.loop_lag_s,
        "limits.new_calls_s": settings.new_calls_s,
        "limits.shutdown_s": settings.shutdown_s,
        "limits.tool_threads": settings.tool_threads,
        "limits.tool_processes": settings.tool_processes,
        "journal.dir": settings.call.journal_dir,
        "journal.keep_days": settings.journal_keep_days,
        "recording.keep_days": settings.recording_keep_days,
    }


def _plain(section: attrs.AttrsInstance | None) -> object:
    """What can be compared: of a TLS context only whether there is one."""
    if section is None:
        return None
    values = attrs.asdict(section, recurse=False)
    return {key: True if isinstance(value, ssl.SSLContext) else value for key, value in values.items()}
