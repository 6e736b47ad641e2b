"""The names in a scenario against a spec: events, states, effects, values. A typo is reported before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from fsm.language.problem import Place, Problems, suggestion
from fsm.language.spec import Spec
from fsm.machine.wire import knows
from fsm.scenario.scenario import EffectMatch, Scenario, ScenarioStep


def event_names(spec: Spec) -> set[str]:
    """What `event:` may say: a base name with its data, or a variant whose data is made up."""
    return {w.base or w.name for w in spec.vocabulary.events.values()} | set(spec.vocabulary.events) | set(spec.events)


def check_names(scenario: Scenario, spec: Spec, problems: Problems) -> None:
    """Reports every name of the scenario that the spec does not have."""
    check = _Check(spec, problems)
    for name, value in scenario.context.items():
        check.value(name, value, scenario.place)
    check.effects(scenario.never, scenario.place)
    for step in scenario.steps:
        check.step(step)
    play = scenario.play
    if play is not None:
        for state in play.states:
            check.name(state, spec.states, "state", scenario.place)
        for deadline in play.deadlines:
            known = {*check.events, *check.sent}
            for name in (deadline.of, deadline.comes):
                check.name(name, known, "event or effect", deadline.place)


class _Check:
    def __init__(self, spec: Spec, problems: Problems) -> None:
        self.spec, self.problems = spec, problems
        self.events = event_names(spec)
        self.sent = {word.sends or word.name for word in spec.vocabulary.effects.values()}

    def name(self, name: str, known: Iterable[str], kind: str, place: Place) -> None:
        if name not in set(known):
            message = f"'{self.spec.name}' has no {kind} '{name}'"
            self.problems.add(place, "unknown-name", message, suggestion(name, known))

    def effects(self, matches: Iterable[EffectMatch], place: Place) -> None:
        for match in matches:
            self.name(match.name, self.sent, "effect", place)

    def value(self, name: str, value: str, place: Place) -> None:
        variables = {v.name: v for v in self.spec.variables[1:]}
        self.name(name, variables, "slot or context variable", place)
        if name in variables and value not in variables[name].domain:
            hint = suggestion(value, variables[name].domain)
            self.problems.add(place, "unknown-name", f"'{name}' is never '{value}'", hint)

    def step(self, step: ScenarioStep) -> None:
        if step.does == "event":
            self.name(step.name, self.events, "event", step.place)
        elif step.does == "wire" and not knows(self.spec.vocabulary, step.name):
            known = {*self.spec.vocabulary.wire, *self.spec.vocabulary.noise, "error"}
            message = f"'{step.name}' is not a wire event of the vocabulary"
            self.problems.add(step.place, "unknown-name", message, suggestion(step.name, known))
        expect = step.expect
        if expect.state is not None:
            self.name(expect.state, self.spec.states, "state", step.place)
        if expect.variant is not None:
            self.name(expect.variant, self.events, "event", step.place)
        for name, value in expect.values.items():
            self.value(name, value, step.place)
        self.effects((*(expect.effects or ()), *expect.includes, *expect.never), step.place)
