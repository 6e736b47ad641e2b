"""What one call needs to know, as values. Never where it was configured (adapters.settings.config)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from adapters.lines.line import CallData
from adapters.tools import Tool
from fsm.language.spec import Spec


@attrs.frozen(kw_only=True)
class CallLimits:
    """Bounds and deadlines of one call."""

    mailbox_events: int = 1024
    caller_audio_kept_ms: int = 8000
    agent_audio_queued_ms: int = 600_000
    silence_hold_ms: int = 2000
    """Local silence after which the caller's turn is presumed to be over; longer than the provider's own wait."""
    silence_threshold_dbfs: float = -45.0
    min_speech_ms: int | None = None
    """Local speech from which the caller is taken to speak, whatever the provider says; None: as the spec says."""
    hang_up_s: float = 5.0


MIN_SPEECH_MS: Final = 300
"""Where nobody says: neither an operator nor a figure of the spec's by this name."""


def min_speech_ms(spec: Spec, limits: CallLimits) -> int:
    """The operator's, else the spec's, else ours."""
    return limits.min_speech_ms or spec.figures.get("min_speech_ms", MIN_SPEECH_MS)


@attrs.frozen(kw_only=True)
class CallSettings:
    """Shared by all calls of a server; nothing here changes while calls run."""

    greeting: str | None = None
    """What to say first, as an instruction to the model; None: nothing, the caller speaks first."""
    talk_key: str = "*"
    """The key that opens and closes a turn, where the spec has the caller hold turns."""
    turns: Mapping[str, str] = attrs.field(factory=dict)
    """What the spec leaves to the operator, by setting (`setting:` of a context variable)."""
    say: Mapping[str, str] = attrs.field(factory=dict)
    """What to say by the names of the spec, each as an instruction to the model."""
    half_duplex: bool = False
    """Only one side is heard at a time: nobody interrupts the agent, and neither does its echo."""
    tools: Mapping[str, Tool] = attrs.field(factory=dict)
    effects: Mapping[str, Tool] = attrs.field(factory=dict)
    """The functions bound to effects for the application, by effect."""
    journal_dir: Path | None = None
    recording_dir: Path | None = None
    limits: CallLimits = attrs.field(factory=CallLimits)

    def with_words(self, fill: Callable[[str], str]) -> CallSettings:
        """The same for one call, whose words are filled into the greeting and into what is to be said."""
        greeting = self.greeting and fill(self.greeting)
        say = {name: fill(text) for name, text in self.say.items()}
        same = greeting == self.greeting and say == self.say
        return self if same else attrs.evolve(self, greeting=greeting, say=say)


def start_context(spec: Spec, settings: CallSettings, data: CallData) -> dict[str, str]:
    """What a call's machine starts with: the spec's own, then the operator's choice, then what the line says."""
    said = {name: data.variables[name] for name in spec.call_data if name in data.variables}
    known = {name: value for name, value in said.items() if value in spec.variable(spec.settings[name]).domain}
    return spec.start_context(has_greeting=settings.greeting is not None, settings={**settings.turns, **known})
