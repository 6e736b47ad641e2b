"""What `expect:` of a provider scenario may name: numbers of all sessions together, and events of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS

WORDS: Mapping[str, str] = MappingProxyType(
    {  # .provider_numbers counts them
        "sessions": "connections that were accepted",
        "turns": "turns of the caller that the provider heard to their end",
        "responses": "responses, whoever asked for them",
        "creates": "response.create of the client",
        "rejections": "events of the client that were rejected",
        "rejections_by_code": "of each error code, how many (null: an error without a code)",
        "careless": "what a careful client does not do, rejected or not",
        "tools": "calls of tools that the client answered",
        "caller_audio_s": "audio of the caller that came",
    }
)
EVENTS: frozenset[str] = frozenset((*CLIENT_FIELDS, *SERVER_FIELDS)) - {"input_audio_buffer.append"}
