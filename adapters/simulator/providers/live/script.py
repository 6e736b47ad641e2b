"""What the simulated model hears, says and delegates, and what goes wrong: values. Never when (core.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import cattrs
import yaml


@attrs.frozen(kw_only=True)
class LiveRule:
    """What the model does where `heard` stands in what it was told or has heard; the first rule that fits counts."""

    heard: str = ""
    say: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Function calls of the response that work is delegated to: name and arguments."""
    asks_client: bool = False
    """It delegates to the application, and says what that answers."""
    then: str = ""
    """What it says of what came of it."""


FaultKind = Literal[
    "no_start", "reject_start", "close", "close_for_content", "expire", "mute", "fail_response", "never_complete",
    "refuse_continuation", "drop_continuation", "ignore_appends", "reject_key",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class LiveFault:
    """One thing that goes wrong: in which session (0: in every one), and from when on its timeline on."""

    kind: FaultKind
    session: int = 1
    at_ms: int = 0


@attrs.frozen(kw_only=True)
class LiveScenario:
    """Times are milliseconds of the session's timeline."""

    user_turns: tuple[str, ...] = ()
    """What the caller says, turn by turn: the simulator hears speech, not words."""
    rules: tuple[LiveRule, ...] = ()
    otherwise: str = "I understand. Let me help you with that."
    faults: tuple[LiveFault, ...] = ()
    commentary_ms: int = 850
    instructions_ms: int = 1200
    think_ms: int = 400
    yields_after_ms: int = 600
    """How long the caller may talk over the model before it stops; 0: it goes on."""
    lasts_s: int = 7200

    def rule(self, text: str) -> LiveRule:
        """What is done about a text."""
        lower = text.lower()
        found = (rule for rule in self.rules if rule.heard and rule.heard.lower() in lower)
        return next(found, LiveRule(say=self.otherwise))


def load_live_scenario(path: Path) -> LiveScenario:
    """A scenario from a YAML file. ValueError says which key is wrong."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(document, LiveScenario)
    except cattrs.BaseValidationError as error:
        raise ValueError(f"{path}: {'; '.join(cattrs.transform_error(error))}") from None
