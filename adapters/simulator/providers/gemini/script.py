"""What the simulated model hears, says and calls, and what goes wrong: values. Never when (core.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import cattrs
import yaml


@attrs.frozen(kw_only=True)
class GeminiRule:
    """What the model does where `heard` stands in what it was told or has heard; the first rule that fits counts."""

    heard: str = ""
    say: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Function calls: name and arguments."""
    then: str = ""
    """What it says of what came of them."""


FaultKind = Literal[
    "no_setup", "reject_setup", "refuse_handle", "close", "go_away", "empty_turn", "failed_turn", "cut_short",
    "no_turn_complete", "late_audio", "interrupt_twice", "twice_called", "nameless_call", "cancel_calls",
    "silent_after_tool", "phantom_turn",
]  # fmt: skip
"""cut_short: a turn is complete in mid-sentence. phantom_turn: audio behind a call. nameless_call: without an id."""


@attrs.frozen(kw_only=True)
class GeminiFault:
    """One thing that goes wrong: in which connection (0: in every one), from when on, and how often (0: always)."""

    kind: FaultKind
    connection: int = 1
    at_ms: int = 0
    times: int = 1
    code: int = 1011
    """Of `close`."""


@attrs.frozen(kw_only=True)
class GeminiScenario:
    """Times are milliseconds since the connection began."""

    user_turns: tuple[str, ...] = ()
    """What the caller says, turn by turn: the simulator hears speech, not words."""
    rules: tuple[GeminiRule, ...] = ()
    otherwise: str = "I understand. Let me help you with that."
    faults: tuple[GeminiFault, ...] = ()
    think_ms: int = 400
    burst: int = 10
    """How much faster than speech audio is sent."""
    binary: bool = True
    """JSON comes in binary frames."""
    strict_audio: bool = True
    """Audio while a blocking call is open closes with 1008 (reported, not documented)."""
    lasts_ms: int = 600_000
    warns_ms: int = 50_000
    """How long before its end a connection is told to go away."""

    def rule(self, text: str) -> GeminiRule:
        """What is done about a text; what stands behind a colon is taken for words to be said."""
        lower = text.lower()
        for rule in self.rules:
            if rule.heard and rule.heard.lower() in lower:
                return rule
        _, colon, words = text.partition(": ")
        return GeminiRule(say=words if colon else self.otherwise)


def load_gemini_scenario(path: Path) -> GeminiScenario:
    """A scenario from a YAML file. ValueError says which key is wrong."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(document, GeminiScenario)
    except cattrs.BaseValidationError as error:
        raise ValueError(f"{path}: {'; '.join(cattrs.transform_error(error))}") from None
