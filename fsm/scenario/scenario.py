"""Scenarios as typed values: what happens to a call, and what the machine must make of it. Nothing here runs or reads.

A scenario is played with the machine alone, in virtual time (fsm.scenario.runner), or by both simulators over the wire
(adapters.scenario.wire).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from fsm.language.problem import NOWHERE, Place
from fsm.machine.machine import Effect

Does = Literal["event", "wire", "after", "within", "look"]
OUTCOMES = ("taken", "stayed", "deferred", "ignored", "refused", "impossible")


@attrs.frozen
class EffectMatch:
    """An effect as it is expected: `name`, `name(literal)` as a spec writes it, or `name: {arg: value}`, partially."""

    name: str
    literal: str | None = None
    args: Mapping[str, object] = attrs.field(factory=dict)

    def __str__(self) -> str:
        if self.args:
            return f"{self.name}: {{{', '.join(f'{k}: {v}' for k, v in self.args.items())}}}"
        return f"{self.name}({self.literal})" if self.literal is not None else self.name

    def fits(self, effect: Effect) -> bool:
        if effect.name != self.name:
            return False
        if self.literal is not None and self.literal not in map(plain_text, effect.args.values()):
            return False
        return all(key in effect.args and fits(wanted, effect.args[key]) for key, wanted in self.args.items())


def plain_text(value: object) -> str:
    """A value as YAML would write it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def fits(wanted: object, actual: object) -> bool:
    """Is `actual` what was wanted? Of a mapping, what is wanted; of a list, every item; else by its text in YAML."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(k in actual and fits(w, actual[k]) for k, w in wanted.items())
    if isinstance(wanted, list | tuple):
        same_length = isinstance(actual, list | tuple) and len(actual) == len(wanted)
        return same_length and all(fits(w, a) for w, a in zip(wanted, actual, strict=True))  # type: ignore[call-overload]
    return plain_text(wanted) == plain_text(actual)


@attrs.frozen
class Expect:
    """What must be so after a step. `effects` is exact and in order; `includes` in order, others may stand between."""

    state: str | None = None
    effects: tuple[EffectMatch, ...] | None = None
    includes: tuple[EffectMatch, ...] = ()
    outcome: str | None = None
    variant: str | None = None
    values: Mapping[str, str] = attrs.field(factory=dict)
    never: tuple[EffectMatch, ...] = ()


@attrs.frozen
class ScenarioStep:
    """One line. `does`: an event or a wire event by `name` with `data`; `ms` pass; at most `ms` until it is so."""

    does: Does
    name: str = ""
    data: Mapping[str, object] = attrs.field(factory=dict)
    has_data: bool = False
    ms: int = 0
    expect: Expect = attrs.field(factory=Expect)
    place: Place = attrs.field(default=NOWHERE, eq=False)

    def __str__(self) -> str:
        if self.does in ("after", "within"):
            return f"{self.does}_ms: {self.ms}"
        return f"{self.does}: {self.name}" if self.name else "as it is"


@attrs.frozen
class WireDeadline:
    """Over the wire: within `within_ms` of each `of` (an event variant or an effect) comes `comes`, one too."""

    of: str
    comes: str
    within_ms: int
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class WirePlay:
    """A scenario over the wire: the simulators' own formats as plain values, and what must come of the call.

    `tools`: what each tool gives, `{name: {output: text, after_ms: n, deadline_ms: n}}`; `effects`: what comes of each
    effect for the application. `session`: settings of the provider session.
    `places`: of `states` and of each number of the summary.
    """

    caller: Mapping[str, object]
    provider: Mapping[str, object]
    session: Mapping[str, object]
    tools: Mapping[str, object] = attrs.field(factory=dict)
    effects: Mapping[str, object] = attrs.field(factory=dict)
    states: tuple[str, ...] = ()
    exact_states: bool = False
    summary: Mapping[str, object] = attrs.field(factory=dict)
    deadlines: tuple[WireDeadline, ...] = ()
    places: Mapping[str, Place] = attrs.field(factory=dict, eq=False)


@attrs.frozen
class Scenario:
    """One story. `specs` are names as written; the first `given` of the steps lead there, `never` begins after them."""

    name: str
    specs: tuple[str, ...]
    steps: tuple[ScenarioStep, ...] = ()
    given: int = 0
    never: tuple[EffectMatch, ...] = ()
    talk_key: str = ""
    context: Mapping[str, str] = attrs.field(factory=dict)
    play: WirePlay | None = None
    about: str = ""
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Unreachable:
    """A claim: no run reaches what `pattern` (with `*`) names, because. A scenario that does disproves it."""

    specs: tuple[str, ...]
    pattern: str
    reason: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class ScenarioFile:
    """What one file holds."""

    file: str
    scenarios: tuple[Scenario, ...]
    unreachable: tuple[Unreachable, ...] = ()
