"""One Realtime session's wire (`WireCodec`): the protocol's own, or with the accent of the server's row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.providers.connection import Decoded
from adapters.providers.endings import OPENAI
from adapters.providers.json_wire import parsed, wire_text
from adapters.providers.provider import DecodeFailure, WireEvent
from adapters.providers.realtime.accent import accent_of, packed
from adapters.providers.realtime.protocol import append_event, decode, fatal_error, with_audio
from adapters.providers.realtime.realtime_server import GA, RealtimeServer
from adapters.websocket.frames import Payload


class RealtimeCodec:
    """Of one connection."""

    fatal_ends = OPENAI
    has_binary_audio = False

    def __init__(self, server: RealtimeServer = GA, input_format: str = "pcmu") -> None:
        self._accent = accent_of(server)
        pack = packed(input_format)
        self.append = append_event if pack is None else lambda audio: append_event(pack(audio))

    def opened(self) -> Iterable[WireEvent]:
        return () if self._accent is None else self._accent.opened()

    def told(self, event: Mapping[str, object]) -> Iterable[bytes]:
        if self._accent is None:
            return (wire_text(event),)
        return [wire_text(each) for each in self._accent.said(dict(event))]

    def heard(self, payload: Payload, now_s: float, *, binary: bool) -> Iterable[Decoded]:  # noqa: ARG002 no clock here
        if self._accent is None:
            return (decode(payload, binary=binary),)
        value = parsed(payload, binary=binary)
        if isinstance(value, DecodeFailure):
            return (value,)
        return [with_audio(event, len(payload)) for event in self._accent.heard(value)]

    def fatal_error(self, event: WireEvent) -> str | None:
        return fatal_error(event)
