"""One Gemini Live session's socket: any other's, but for what waits."""

from __future__ import annotations

import itertools
from typing import Final

from adapters.providers.connection import ConnectionLimits, Decoded, SessionConnection
from adapters.providers.endpoint import Endpoint
from adapters.providers.gemini.codec import GeminiCodec
from adapters.providers.provider import ConnectionListener

_serial: Final = itertools.count(1)


class GeminiConnection(SessionConnection):
    """Nothing is sent between the setup and `setupComplete`, nor audio while a call holds the model up."""

    def __init__(
        self, endpoint: Endpoint, listener: ConnectionListener, limits: ConnectionLimits, *, holds_audio_at_tools: bool
    ) -> None:
        codec = GeminiCodec(f"gemini{next(_serial)}", holds_audio_at_tools=holds_audio_at_tools)
        super().__init__(endpoint, listener, codec, limits)
        self._gemini = codec

    def send_audio(self, payload: bytes) -> bool:
        """As the socket's. What is held is not dropped."""
        admitted = self._gemini.admitted(payload)
        return super().send_audio(admitted) if admitted else True

    def _tell(self, decoded: Decoded) -> None:
        """What has waited is sent before the listener hears that it may speak."""
        if isinstance(decoded, dict) and decoded.get("type") == "setupComplete" and self._wire is not None:
            for text in self._gemini.due():
                self.counters.controls_sent += self._write(self._wire, text)
        super()._tell(decoded)
