"""One Voice Agent session's socket: any other's, but that the wire is never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from adapters.providers.connection import ConnectionLimits, Decoded, SessionConnection
from adapters.providers.deepgram.reader import AgentReader
from adapters.providers.endpoint import Endpoint
from adapters.providers.provider import ConnectionEnding, ConnectionListener

KEEP_ALIVE_S: Final = 4.0
"""Sessions were closed after 8 s without a message (docs/facts/deepgram_agent.md section 7)."""


class AgentConnection(SessionConnection):
    """While no caller audio goes out (a line that is muted, or sends none) it says that it is still there."""

    def __init__(self, endpoint: Endpoint, listener: ConnectionListener, limits: ConnectionLimits) -> None:
        super().__init__(endpoint, listener, AgentReader(), limits)
        self._keep_alive: asyncio.TimerHandle | None = None
        self._frames_before = 0

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._stop()
        await super().close(code, reason)

    def _tell(self, decoded: Decoded) -> None:
        if isinstance(decoded, Mapping) and decoded.get("type") == "SettingsApplied":
            self._wait()
        super()._tell(decoded)

    def _report_closed(self, ending: ConnectionEnding) -> None:
        self._stop()
        super()._report_closed(ending)

    def _wait(self) -> None:
        self._stop()
        self._frames_before = self.counters.frames_sent
        self._keep_alive = self._loop.call_later(KEEP_ALIVE_S, self._be_there)

    def _be_there(self) -> None:
        if self.counters.frames_sent == self._frames_before:
            self._send_control({"type": "KeepAlive"})
        self._wait()

    def _stop(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.cancel()
            self._keep_alive = None
