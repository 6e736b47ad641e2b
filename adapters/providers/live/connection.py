"""One GPT-Live session's socket: that of the Realtime protocol, but for what is read of it and how it is left."""

from __future__ import annotations

import asyncio
from typing import Final

from adapters.audio.formats import AudioFormat
from adapters.providers.live.protocol import append_event
from adapters.providers.live.reader import LiveReader
from adapters.providers.provider import ConnectionListener
from adapters.providers.realtime.connection import ConnectionLimits, RealtimeConnection
from adapters.providers.realtime.endpoint import Endpoint

CLOSED_WITHIN_S: Final = 1.0
"""For `session.closed`, which says what the session has cost; whoever waits longer loses more than that."""


class LiveConnection(RealtimeConnection):
    """`close()` asks the provider to close the session first: without that its usage stays unconfirmed."""

    _append = staticmethod(append_event)

    def __init__(
        self, endpoint: Endpoint, listener: ConnectionListener, audio: AudioFormat, limits: ConnectionLimits
    ) -> None:
        super().__init__(endpoint, listener, limits)
        self._reader = LiveReader(audio)
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

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        """One message, which is several things where speech begins or ends in it."""
        for decoded in self._reader.read(bytes(payload), self._loop.time(), binary=binary):
            if self._cause is not None or self._ending is not None:
                return
            if isinstance(decoded, dict):
                self._note_session(decoded.get("type"))
            self._tell(decoded)

    def ended(self) -> None:
        self._session_closed.set()
        super().ended()

    def _note_session(self, kind: object) -> None:
        if kind == "session.started":
            self._has_started = True
        elif kind == "session.closed":
            self._session_closed.set()
