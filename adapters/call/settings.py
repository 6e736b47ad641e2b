"""What one call needs to know, as values. Never where it was configured (adapters.settings.config)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat
from adapters.providers.realtime.connection import Limits
from adapters.providers.realtime.endpoint import Endpoint
from adapters.providers.realtime.session import SessionSettings
from adapters.tools import Tool

WIRE_FORMATS: Final[Mapping[str, AudioFormat]] = {"pcmu": PCMU, "pcma": PCMA, "pcm16": PCM_24K}


@attrs.frozen(kw_only=True)
class CallLimits:
    """Bounds and deadlines of one call."""

    mailbox_events: int = 1024
    caller_audio_kept_ms: int = 8000
    agent_audio_queued_ms: int = 600_000
    silence_hold_ms: int = 2000
    """Local silence after which the caller's turn is presumed to be over; longer than the provider's own wait."""
    silence_threshold_dbfs: float = -45.0
    hang_up_s: float = 5.0


@attrs.frozen(kw_only=True)
class CallSettings:
    """Shared by all calls of a server; nothing here changes while calls run."""

    endpoint: Endpoint
    session: SessionSettings
    greeting: str | None = None
    """What to say first, as an instruction to the model; None: nothing, the caller speaks first."""
    talk_key: str = "*"
    """The key that opens and closes a turn, where the spec has the caller hold turns."""
    tools: Mapping[str, Tool] = attrs.field(factory=dict)
    journal_dir: Path | None = None
    recording_dir: Path | None = None
    limits: CallLimits = attrs.field(factory=CallLimits)
    provider_limits: Limits = attrs.field(factory=Limits)

    @property
    def audio_in(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.input_format]

    @property
    def audio_out(self) -> AudioFormat:
        return WIRE_FORMATS[self.session.output_format]
