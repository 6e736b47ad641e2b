"""What one session saw of its client, for tests and reports: counts, types, times. Never audio, never secrets."""

from __future__ import annotations

from collections import Counter

import attrs

from adapters.simulator.providers.realtime.checks import Json


@attrs.frozen
class Seen:
    """One event: when, which type, and the event itself (of audio only its length: `audio_chars`)."""

    at_s: float
    type: str
    event: Json


@attrs.define
class SessionStats:
    """One session.

    `rejections`: errors that answer a client event, by code ("null" for none); `own_errors`: all others.
    `violations`: what a careful client never does. `received`: every client event but the appends, which are counted.
    """

    connection: int
    creates: int = 0
    appends: int = 0
    first_append_s: float | None = None
    audio_ms: float = 0.0
    user_turns: int = 0
    responses: int = 0
    rejections: Counter[str] = attrs.field(factory=Counter)
    own_errors: Counter[str] = attrs.field(factory=Counter)
    violations: list[str] = attrs.field(factory=list)
    received: list[Seen] = attrs.field(factory=list)
    sent: list[Seen] = attrs.field(factory=list)
    close_code: int | None = None
    close_reason: str = ""

    def received_types(self) -> list[str]:
        """The types of the client's events in order, without the appends."""
        return [seen.type for seen in self.received]

    def sent_types(self) -> list[str]:
        """The types of the server's events in order, as they left; a run of the same delta counts once."""
        types = [seen.type for seen in self.sent]
        return [kind for i, kind in enumerate(types) if not (kind.endswith(".delta") and i and types[i - 1] == kind)]
