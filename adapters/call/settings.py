"""What one call needs to know, as values. Never where it was configured (adapters.settings.config)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from adapters.tools import Tool


@attrs.frozen(kw_only=True)
class CallLimits:
    """Bounds and deadlines of one call."""

    mailbox_events: int = 1024
    caller_audio_kept_ms: int = 8000
    agent_audio_queued_ms: int = 600_000
    silence_hold_ms: int = 2000
    """Local silence after which the caller's turn is presumed to be over; longer than the provider's own wait."""
    silence_threshold_dbfs: float = -45.0
    min_speech_ms: int = 300
    """Local speech from which the caller is taken to speak, whatever the provider says."""
    hang_up_s: float = 5.0


@attrs.frozen(kw_only=True)
class CallSettings:
    """Shared by all calls of a server; nothing here changes while calls run."""

    greeting: str | None = None
    """What to say first, as an instruction to the model; None: nothing, the caller speaks first."""
    talk_key: str = "*"
    """The key that opens and closes a turn, where the spec has the caller hold turns."""
    turns: Mapping[str, str] = attrs.field(factory=dict)
    """What the spec leaves to the operator, by setting (`setting:` of a context variable)."""
    half_duplex: bool = False
    """Only one side is heard at a time: nobody interrupts the agent, and neither does its echo."""
    tools: Mapping[str, Tool] = attrs.field(factory=dict)
    journal_dir: Path | None = None
    recording_dir: Path | None = None
    limits: CallLimits = attrs.field(factory=CallLimits)
