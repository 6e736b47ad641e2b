"""One GPT-Live session's socket: any other's, but for how it is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from adapters.audio.formats import AudioFormat
from adapters.providers.connection import ConnectionLimits, Decoded, SessionConnection
from adapters.providers.endpoint import Endpoint
from adapters.providers.live.reader import LiveReader
from adapters.providers.provider import ConnectionListener

CLOSED_WITHIN_S: Final = 1.0
"""For `session.closed`, which says what the session has cost; whoever waits longer loses more than that."""


class LiveConnection(SessionConnection):
    """`close()` asks the provider to close the session first: without that its usage stays unconfirmed."""

    def __init__(
        self, endpoint: Endpoint, listener: ConnectionListener, audio: AudioFormat, limits: ConnectionLimits
    ) -> None:
        super().__init__(endpoint, listener, LiveReader(audio), limits)
        self._has_started = False
        self._session_closed = asyncio.Event()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """As the socket's; a session that has started is closed before that."""
        if self._has_started and self.is_open and not self._session_closed.is_set():
            self._send_control({"type": "session.close"})
            try:
                await asyncio.wait_for(self._session_closed.wait(), CLOSED_WITHIN_S)
            except TimeoutError:
                self._log.info("session_not_closed", within_s=CLOSED_WITHIN_S)
        await super().close(code, reason)

    def _tell(self, decoded: Decoded) -> None:
        if isinstance(decoded, Mapping):
            self._note_session(decoded.get("type"))
        super()._tell(decoded)

    def ended(self) -> None:
        self._session_closed.set()
        super().ended()

    def _note_session(self, kind: object) -> None:
        if kind == "session.started":
            self._has_started = True
        elif kind == "session.closed":
            self._session_closed.set()
