"""The Realtime protocol as a `Provider`: an endpoint, a session and the limits of a connection. Never about turns.

And as the provider of a session whose audio runs elsewhere (docs/facts/realtime_api.md section 6, sideband): no
`session.created` comes, so the open socket is as good as one. The formats are settled between the provider and whoever
has the audio, so our update says none. The provider plays the answers and cuts its own items; our interruption is
`output_audio_buffer.clear`. The session outlives our socket with all that was said in it, so nothing is restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from adapters.audio.formats import AudioFormat
from adapters.providers.connection import SessionConnection
from adapters.providers.json_wire import tokens_of
from adapters.providers.provider import (
    CallsAddress,
    ConnectionListener,
    HistoryItem,
    ProviderUsage,
    SessionConfirmed,
    WireEvent,
    WireNote,
)
from adapters.providers.realtime.codec import RealtimeCodec
from adapters.providers.realtime.confirmation import confirmation
from adapters.providers.realtime.endpoint import RealtimeEndpoint, attached_endpoint, calls_address
from adapters.providers.realtime.protocol import RestoredAnswers, encode, encode_history, note_of
from adapters.providers.realtime.realtime_server import FORMATS
from adapters.providers.realtime.session import SessionSettings, session_object
from adapters.providers.websocket_provider import WebSocketProvider

_HISTORY_IDS: Final = "ts_history"
OPENED: Final[WireEvent] = {"type": "session.created"}
CLEAR: Final[WireEvent] = {"type": "output_audio_buffer.clear"}


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

    def attached(self, session_id: str) -> AttachedRealtime:
        endpoint = attached_endpoint(self.endpoint, session_id)
        answers = self.restored_answers
        return AttachedRealtime(endpoint=endpoint, session=self.session, limits=self.limits, restored_answers=answers)

    def calls_address(self) -> CallsAddress:
        return calls_address(self.endpoint)

    def session_to_accept(self) -> WireEvent:
        """With the model, which is in no URL of that call."""
        session = _without_formats(session_object(self.session, self.endpoint.server))
        return {**session, "model": self.session.model}

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


class AttachedCodec(RealtimeCodec):
    """Of a socket on which the session says nothing of its beginning."""

    def opened(self) -> Iterable[WireEvent]:
        return (dict(OPENED),)


@attrs.frozen(kw_only=True)
class AttachedRealtime(RealtimeProvider):
    """Of one call."""

    def connection(self, listener: ConnectionListener) -> SessionConnection:
        codec = AttachedCodec(self.endpoint.server, self.session.input_format)
        return SessionConnection(self.endpoint, listener, codec, self.limits)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        if effect_name == "flush_playout":
            return dict(CLEAR)
        event = encode(effect_name, args, self.session, self.endpoint.server)
        if effect_name == "update_session":
            event["session"] = _without_formats(event["session"])
        return event

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        del items
        return []

    def note(self, event: WireEvent) -> WireNote | None:
        session = event.get("session")
        if event.get("type") != "session.updated" or not isinstance(session, Mapping):
            return note_of(event)
        asked = _without_formats(session_object(self.session, self.endpoint.server))
        shown = confirmation(asked, _without_formats(session), self.audio_in, self.audio_out)
        return SessionConfirmed(self.audio_in, self.audio_out, shown.differences)


def _without_formats(session: object) -> dict[str, object]:
    """A session as shown or asked for, without what is said of audio formats."""
    kept = dict(session) if isinstance(session, Mapping) else {}
    audio = kept.get("audio")
    if isinstance(audio, Mapping):
        ways = {way: _without_format(said) for way, said in audio.items()}
        kept["audio"] = {way: said for way, said in ways.items() if said}
        if not kept["audio"]:
            del kept["audio"]
    return kept


def _without_format(said: object) -> object:
    return {key: value for key, value in said.items() if key != "format"} if isinstance(said, Mapping) else said
