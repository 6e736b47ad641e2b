"""Faults of a bridge by name: which there are, which of them fail a run, how they are told. Nothing is measured."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from fsm.errors import LocalError

CALLER_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not-connected": "nobody took the call",
        "dropped": "Asterisk would have dropped the call for what the other side did",
        "call-died": "the other side ended the call in the middle of the script",
        "agent-silent": "the agent was never heard",
        "waited-in-vain": "a wait of the script did not come true",
        "turn-unanswered": "the caller spoke, and the agent was not heard any more",
        "barge-in-ignored": "the caller spoke over the agent, and the agent went on",
        "dead-air": "neither was heard for too long",
        "not-as-expected": "something of `expect:` is not so",
    }
)
PROVIDER_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "nobody-came": "no client connected",
        "refused": "a client connected and was refused: key, model, dialect",
        "rejected": "the provider rejected what the client sent",
        "careless": "the client did what a careful one does not",
        "not-as-expected": "something of `expect:` is not so",
    }
)
CERTAIN: Final = (
    "not-connected", "dropped", "call-died", "agent-silent", "waited-in-vain", "nobody-came", "refused", "rejected",
    "careless", "not-as-expected",
)  # fmt: skip
"""What fails a run unless somebody says otherwise. The others depend on how long is too long."""
ALL, NONE = "all", "none"


class FaultNameError(LocalError, ValueError):
    """A fault that does not exist."""


@attrs.frozen
class CallFault:
    """A fault: its name, one sentence, when (ms of the call)."""

    kind: str
    text: str
    at_ms: float | None = None

    def __str__(self) -> str:
        at = "" if self.at_ms is None else f"{self.at_ms / 1000:.2f} s: "
        return f"{self.kind}: {at}{self.text}"


@attrs.frozen
class JudgeLimits:
    """How long is too long, in milliseconds."""

    barge_in_ms: float = 1_500.0
    """From the caller's first sound over the agent to the agent's last."""
    silence_ms: float = 5_000.0
    """Of both; and how long an answer may take."""


def chosen(text: str, known: Iterable[str]) -> frozenset[str]:
    """The faults of `--fail-on`: names with commas between them, `all` or `none`. FaultNameError names the unknown."""
    names, known = [name.strip() for name in text.split(",") if name.strip()], tuple(known)
    if names == [ALL]:
        return frozenset(known)
    if names == [NONE]:
        return frozenset()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}; or all, or none"
            raise FaultNameError(f"there is no fault '{name}'; {hint}")
    return frozenset(names)


def told(faults: Sequence[CallFault], failing: Iterable[str]) -> list[str]:
    """A line for each fault; of those that fail nothing, that too."""
    failing = frozenset(failing)
    return [f"{'fault' if each.kind in failing else 'note'}: {each}" for each in faults]
