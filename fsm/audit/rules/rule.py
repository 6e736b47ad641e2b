"""The shape of a rule: an id, what it means, which lines of a spec forbid it, how it judges which observations.

What a rule says is a finding only where the log shows harm (a rejection, a missing or a second answer, a silence,
talk-over, audio after a flush); what is merely unwise is a note.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from fsm.audit import realtime_errors
from fsm.audit.conversation import LoggedConversation, ProviderError
from fsm.audit.observed import Observed
from fsm.audit.record import Evidence
from fsm.audit.spec_links import SpecLink


@attrs.frozen
class RuleJudgement:
    """What a rule says of an observation. `key` tells apart what is to be counted apart; `text` is one sentence."""

    harm: bool
    text: str
    evidence: tuple[Evidence, ...]
    key: str = ""
    at_ms: float | None = None  # when it was, if not when it was noticed


O = TypeVar("O", bound=Observed)  # noqa: E741
Judge = Callable[[O, LoggedConversation], RuleJudgement | None]
Judges = dict[type[Observed], Judge[Any]]


@attrs.frozen
class AuditRule:
    """A rule as data. `title` is the headline, `why` what it does to a call, `instead` what turnspec does."""

    id: str
    title: str
    why: str
    instead: str
    judges: Judges
    links: tuple[SpecLink, ...] = ()


def on(kind: type[O], judge: Judge[O]) -> Judges:
    """A judge of one kind of observation; several are joined by `|`."""
    return {kind: judge}


def lines(*found: Evidence | None) -> tuple[Evidence, ...]:
    """The evidence there is, in the order of the log, each line once."""
    return tuple(sorted(dict.fromkeys(e for e in found if e is not None and e.line), key=lambda e: e.line))


def explained(error: ProviderError) -> str:
    """An error in one sentence: what the provider said, and what that means."""
    meaning = realtime_errors.of_error(error)
    field = f" (field {error.param})" if error.param and error.param not in error.message else ""
    said = error.message or error.code or "an error of which the log has the name alone"
    return f"{said}{field}" + (f" - {meaning}" if meaning else "")
