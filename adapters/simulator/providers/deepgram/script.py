"""What the simulated agent hears, says and calls, and what goes wrong: values. Never when (core.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs


@attrs.frozen(kw_only=True)
class AgentRule:
    """What the model does where `heard` stands in what it has heard; the first rule that fits counts."""

    heard: str = ""
    say: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """All in one request: name and arguments."""
    then: str = ""
    """What it says when every call has its output."""


FaultKind = Literal[
    "no_welcome", "no_applied", "reject_settings", "close", "going_away", "mute", "no_audio_done", "refuse_injections",
    "false_alarm", "expiring",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class AgentFault:
    """One thing that goes wrong: in which session (0: in every one), and how long after the settings."""

    kind: FaultKind
    session: int = 1
    at_ms: int = 0


@attrs.frozen(kw_only=True)
class AgentScenario:
    """Times are milliseconds."""

    user_turns: tuple[str, ...] = ()
    """What the caller says, turn by turn: the simulator hears speech, not words."""
    rules: tuple[AgentRule, ...] = ()
    otherwise: str = "I understand. Let me help you with that."
    faults: tuple[AgentFault, ...] = ()
    end_of_turn_ms: int = 500
    confirm_ms: int = 300
    """From the silence to the user's text; what is called before that is speculative."""
    think_ms: int = 700
    burst: int = 4
    """How much faster than it plays audio is sent."""
    late_ms: int = 160
    """Of a dropped answer, that still comes after UserStartedSpeaking."""
    idle_ms: int = 10_000

    def rule(self, text: str) -> AgentRule:
        """What is done about a text."""
        lower = text.lower()
        found = (rule for rule in self.rules if rule.heard and rule.heard.lower() in lower)
        return next(found, AgentRule(say=self.otherwise))
