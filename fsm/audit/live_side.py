"""What a log shows of a session over GPT-Live: the work the model delegates, who was heard last. Bounded; values only.

Source: docs/facts/gpt_live.md sections 3 to 5. How an event changes it is in fsm.audit.tracking.live.
"""

from __future__ import annotations

import attrs

from fsm.audit.record import Evidence

CLIENT_TYPES = frozenset(
    {"session.start", "session.input_audio.append", "session.input_audio.mute", "session.input_audio.unmute",
     "session.instructions.append", "session.thinking.append", "session.commentary.append",
     "session.output_audio.fixture.play", "response.item.create"}
)  # fmt: skip
SERVER_TYPES = frozenset(
    {"session.started", "session.output_audio.delta", "session.output_transcript.delta",
     "session.input_transcript.delta", "session.delegation.created", "response.event", "session.instructions.appended",
     "session.thinking.appended", "session.commentary.appended", "session.input_audio.muted",
     "session.input_audio.unmuted", "session.output_audio.fixture.playing", "session.output_audio.fixture.played",
     "session.usage.updated", "session.closed", "info", "voice.began", "voice.ended"}
)  # fmt: skip


@attrs.define(eq=False)
class DelegatedCall:
    """A function call of a delegated response."""

    evidence: Evidence
    since_ms: float
    delegation: str
    name: str
    output: Evidence | None = None


@attrs.define(eq=False)
class LiveWork:
    """What the model waits for, in words: a delegation, or the response that continues it."""

    evidence: Evidence
    since_ms: float
    what: str


@attrs.define(eq=False)
class LiveSide:
    """`started` is None in a log of another protocol."""

    started: Evidence | None = None
    work: dict[str, LiveWork] = attrs.field(factory=dict)
    """By delegation; "": a response that the client has asked for."""
    calls: dict[str, DelegatedCall] = attrs.field(factory=dict)
    """By call id, until their response is continued."""
    voids: dict[str, DelegatedCall] = attrs.field(factory=dict)
    """Those of a response that has failed."""
    awaited: Evidence | None = None
    """What the model has not been heard after: words of the caller's, something it was asked to say."""
    awaited_ms: float = 0.0
    is_told: bool = False
    is_sounding: bool = False
    heard_ms: float | None = None
    """When the model was heard last; the caller's words lag behind what answers them."""
    voice_ended: dict[str, float] = attrs.field(factory=dict)
    """When the model was done with an utterance, by its id: what is still played of it is late."""
