"""Deepgram's Voice Agent as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from adapters.audio.formats import AudioFormat
from adapters.providers.deepgram.connection import AgentConnection
from adapters.providers.deepgram.protocol import encode, encode_history, note_of
from adapters.providers.deepgram.session import WIRE_FORMATS, DeepgramSettings
from adapters.providers.endpoint import Endpoint, checked_key
from adapters.providers.provider import ConnectionListener, HistoryItem, WireEvent, WireNote
from adapters.providers.websocket_provider import WebSocketProvider

AGENT_URL: Final = "wss://agent.deepgram.com/v1/agent/converse"


def agent_endpoint(api_key: str | None, base_url: str = AGENT_URL) -> Endpoint:
    """A key is a `Token` here; None is for a server on one's own network."""
    headers = {} if api_key is None else {"Authorization": f"Token {checked_key(api_key)}"}
    return Endpoint(base_url, headers)


@attrs.frozen(kw_only=True)
class AgentProvider(WebSocketProvider[Endpoint, DeepgramSettings]):
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    PROTOCOL = "deepgram"
    server_name = "deepgram"

    @property
    def audio_in(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.format]

    @property
    def audio_out(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.format]

    def facts(self) -> dict[str, object]:
        """What a configuration may show of it, beside what all have."""
        deferred = ", ".join(sorted(self.session.deferred)) or "-"
        return {"format": self.session.format, "tools that wait for the end of a turn": deferred}

    def connection(self, listener: ConnectionListener) -> AgentConnection:
        return AgentConnection(self.endpoint, listener, self.limits)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return encode(effect_name, args, self.session)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return encode_history(items, self.session)

    def note(self, event: WireEvent) -> WireNote | None:
        return note_of(event)
