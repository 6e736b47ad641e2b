"""The Realtime protocol as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from adapters.audio.formats import AudioFormat
from adapters.providers.connection import SessionConnection
from adapters.providers.json_wire import tokens_of
from adapters.providers.provider import ConnectionListener, HistoryItem, ProviderUsage, WireEvent, WireNote
from adapters.providers.realtime.codec import RealtimeCodec
from adapters.providers.realtime.confirmation import confirmation
from adapters.providers.realtime.endpoint import RealtimeEndpoint
from adapters.providers.realtime.protocol import RestoredAnswers, encode, encode_history, note_of
from adapters.providers.realtime.realtime_server import FORMATS
from adapters.providers.realtime.session import SessionSettings, session_object
from adapters.providers.websocket_provider import WebSocketProvider

_HISTORY_IDS: Final = "ts_history"


@attrs.frozen(kw_only=True)
class RealtimeProvider(WebSocketProvider[RealtimeEndpoint, SessionSettings]):
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    PROTOCOL = "realtime"

    restored_answers: RestoredAnswers = "messages"

    @property
    def server_name(self) -> str:
        return self.endpoint.server.name

    @property
    def audio_in(self) -> AudioFormat:
        return FORMATS[self.session.input_format]

    @property
    def audio_out(self) -> AudioFormat:
        return FORMATS[self.session.output_format]

    def connection(self, listener: ConnectionListener) -> SessionConnection:
        codec = RealtimeCodec(self.endpoint.server, self.session.input_format)
        return SessionConnection(self.endpoint, listener, codec, self.limits)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return encode(effect_name, args, self.session, self.endpoint.server)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return encode_history(items, self.endpoint.dialect, _HISTORY_IDS, self.restored_answers)

    def note(self, event: WireEvent) -> WireNote | None:
        session = event.get("session")
        if event.get("type") == "session.updated" and isinstance(session, Mapping):
            asked = session_object(self.session, self.endpoint.server)
            return confirmation(asked, session, self.audio_in, self.audio_out)
        return note_of(event)

    def usage(self, event: WireEvent) -> ProviderUsage | None:
        response = event.get("response") if event.get("type") == "response.done" else None
        tokens = tokens_of(response.get("usage")) if isinstance(response, Mapping) else {}
        return ProviderUsage(None, tokens) if tokens else None
