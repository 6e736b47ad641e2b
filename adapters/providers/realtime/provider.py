"""The Realtime protocol as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from adapters.audio.formats import AudioFormat
from adapters.providers.provider import ConnectionListener, HistoryItem, WireEvent, WireNote
from adapters.providers.realtime.accent import packed
from adapters.providers.realtime.confirmation import confirmation
from adapters.providers.realtime.connection import ConnectionLimits, RealtimeConnection
from adapters.providers.realtime.endpoint import Endpoint
from adapters.providers.realtime.protocol import RestoredAnswers, encode, encode_history, note_of
from adapters.providers.realtime.realtime_server import FORMATS
from adapters.providers.realtime.session import SessionSettings, session_object
from adapters.websocket.client_socket import tls_context

_HISTORY_IDS: Final = "ts_history"


@attrs.frozen(kw_only=True)
class RealtimeProvider:
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    endpoint: Endpoint
    session: SessionSettings
    limits: ConnectionLimits = attrs.field(factory=ConnectionLimits)
    restored_answers: RestoredAnswers = "messages"

    @property
    def label(self) -> str:
        return self.endpoint.shown

    @property
    def audio_in(self) -> AudioFormat:
        return FORMATS[self.session.input_format]

    @property
    def audio_out(self) -> AudioFormat:
        return FORMATS[self.session.output_format]

    def with_words(self, fill: Callable[[str], str]) -> RealtimeProvider:
        told = self.session.instructions
        if told is None or (filled := fill(told)) == told:
            return self
        return attrs.evolve(self, session=attrs.evolve(self.session, instructions=filled))

    def warm_up(self) -> None:
        """Reads the CA bundle, which holds the loop for some 30 ms."""
        if self.endpoint.url.startswith("wss:"):
            tls_context()

    def connection(self, listener: ConnectionListener) -> RealtimeConnection:
        pack = packed(self.session.input_format)
        return RealtimeConnection(self.endpoint, listener, self.limits, pack)

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
