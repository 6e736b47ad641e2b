"""Gemini Live as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

import attrs

from adapters.audio.formats import PCM_24K, AudioFormat
from adapters.providers.endpoint import Endpoint, bearer_endpoint, checked_key, checked_url
from adapters.providers.gemini.connection import GeminiConnection
from adapters.providers.gemini.protocol import PCM_16K, encode, encode_history, note_of
from adapters.providers.gemini.session import GeminiSettings
from adapters.providers.provider import ConnectionListener, HistoryItem, WireEvent, WireNote
from adapters.providers.websocket_provider import WebSocketProvider


def gemini_endpoint(url: str, api_key: str | None) -> Endpoint:
    """The Developer API takes its key in the query, Vertex a token as a bearer. The path says which it is."""
    if api_key is None or "LlmBidiService" in checked_url(url).path:
        return bearer_endpoint(url, api_key)
    joint = "&" if checked_url(url).query else "?"
    return Endpoint(f"{url}{joint}key={quote(checked_key(api_key), safe='')}", {})


@attrs.frozen(kw_only=True)
class GeminiProvider(WebSocketProvider[Endpoint, GeminiSettings]):
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    PROTOCOL = "gemini"
    server_name = "gemini"

    @property
    def audio_in(self) -> AudioFormat:
        return PCM_16K

    @property
    def audio_out(self) -> AudioFormat:
        return PCM_24K

    def facts(self) -> dict[str, object]:
        """What a configuration may show of it, beside what all have."""
        return {"audio during calls": "waits" if self.session.holds_audio_at_tools else "goes on"}

    def connection(self, listener: ConnectionListener) -> GeminiConnection:
        return GeminiConnection(
            self.endpoint, listener, self.limits, holds_audio_at_tools=self.session.holds_audio_at_tools
        )

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return encode(effect_name, args, self.session)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return encode_history(items, self.session)

    def note(self, event: WireEvent) -> WireNote | None:
        return note_of(event)
