"""What explains what: findings in the order of causes, and for what the caller noticed the likely cause before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

_SESSION: Final = (
    "refused", "beta-shape", "update-rejected", "update-early", "update-lost", "voice-change", "format-mismatch",
    "session-expired", "closed", "settings-misplaced", "ending-overlooked",
)  # fmt: skip
_CLIENT: Final = (
    "create-per-commit", "create-per-tool", "create-while-active", "create-while-owed", "create-twice",
    "create-rejected", "create-refused", "create-crowd", "tool-loop", "tool-answered-twice", "tool-unanswered",
    "tool-round-unasked", "tool-unknown", "turn-cut-off", "commit", "cancel-of-nothing", "error", "partial-batch",
    "continuation-without-outputs", "output-void", "delegation-unanswered",
    "call-unanswered", "call-answered-in-vain", "call-blocked",
)  # fmt: skip
_ANSWERS: Final = (
    "self-interruption", "phantom-turns", "response-failed", "answer-not-heard", "answer-silent", "answer-incomplete",
    "response-never-done", "create-unanswered", "turn-endless", "transcription-failed",
    "turn-empty",
)  # fmt: skip
_NOTICED: Final = (
    "turn-unanswered",
    "dead-air",
    "no-greeting",
    "turn-answered-twice",
    "talk-over",
    "audio-after-flush",
    "live-silence",
    "drift",
    "audio-after-cut",
    "answer-owed",
)
BANDS: Final[Mapping[str, int]] = {
    rule: band for band, rules in enumerate((_SESSION, _CLIENT, _ANSWERS, _NOTICED)) for rule in rules
}
"""Of the session, of what the client does, of how answers go, of what the caller notices: first explains last."""
_LAST: Final = 3
_WITHIN_MS: Final = 30_000.0  # of a cause, unless it is one of the whole session
_SOON_MS: Final = 1000.0  # what is seen together may be told in any order


class Ranked(Protocol):
    """A group of findings, as far as its place among the others needs."""

    @property
    def rule_id(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def moments(self) -> Sequence[tuple[str, float]]: ...  # (call, at_ms) of the cases kept


G = TypeVar("G", bound=Ranked)


def ranked(groups: Sequence[G]) -> list[G]:
    """Causes before what they cause; of one kind the most frequent first."""
    return sorted(groups, key=lambda group: (BANDS.get(group.rule_id, _LAST), -group.count, group.moments[0][1]))


def cause_of(group: G, groups: Sequence[G]) -> G | None:
    """The likely cause of a group: one of an earlier band that came before it in the same call, the nearest."""
    band = BANDS.get(group.rule_id, _LAST)
    call, at_ms = group.moments[0]
    found: list[tuple[float, G]] = []
    for other in groups if band >= _LAST - 1 else ():
        theirs = BANDS.get(other.rule_id, _LAST)
        if theirs >= band:
            continue
        for where, when in other.moments:
            is_near = at_ms - when <= _WITHIN_MS or theirs == 0
            if where == call and when <= at_ms + _SOON_MS and is_near:
                found.append((abs(at_ms - when), other))
    return min(found, key=lambda each: each[0])[1] if found else None
