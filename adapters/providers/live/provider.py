"""GPT-Live as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat
from adapters.providers.endpoint import Endpoint
from adapters.providers.live.connection import LiveConnection
from adapters.providers.live.protocol import encode, encode_history, note_of
from adapters.providers.live.session import LiveSettings
from adapters.providers.provider import ConnectionListener, HistoryItem, WireEvent, WireNote
from adapters.providers.websocket_provider import WebSocketProvider

WIRE_FORMATS: Final[Mapping[str, AudioFormat]] = {"pcmu": PCMU, "pcma": PCMA, "pcm16": PCM_24K}


@attrs.frozen(kw_only=True)
class LiveProvider(WebSocketProvider[Endpoint, LiveSettings]):
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    server_name = "live"

    @property
    def audio_in(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.format]

    @property
    def audio_out(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.format]

    def facts(self) -> dict[str, object]:
        """What a configuration may show of it, beside what all have."""
        work = f"{self.session.delegates} {self.session.delegate_model or ''}".strip()
        return {"format": self.session.format, "delegation": work}

    def connection(self, listener: ConnectionListener) -> LiveConnection:
        return LiveConnection(self.endpoint, listener, self.audio_out, self.limits)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return encode(effect_name, args, self.session)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return encode_history(items, self.session)

    def note(self, event: WireEvent) -> WireNote | None:
        return note_of(event)
