"""A scenario played with the machine alone, in virtual time: armed deadlines come due in order, nothing else passes.

Every line is looked at after all that came of it, events that had waited included. What the spec calls impossible fails
a scenario that does not expect it. Never here: files, sockets, a real clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs

from fsm.errors import LocalError
from fsm.language.problem import Place
from fsm.machine.machine import Effect, Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.wire import read_wire
from fsm.scenario.expectation import Mismatch
from fsm.scenario.roles import role_data
from fsm.scenario.scenario import EffectMatch, Expect, Scenario, ScenarioStep, plain_text

MAX_FIRED = 1000  # deadlines within one line


@attrs.frozen
class StoryLine:
    """A line of the story as it went: when, what, what it was taken for, what came of it."""

    at_ms: int
    what: str
    steps: tuple[Step, ...]
    state: str

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(effect for step in self.steps for effect in step.effects)

    def __str__(self) -> str:
        came = ", ".join(f"{s.variant} {s.outcome}" for s in self.steps)
        did = " ".join(map(shown_effect, self.effects))
        return f"{self.at_ms:>7} ms  {self.what:<40} {came} -> {self.state}" + (f"  [{did}]" if did else "")


@attrs.frozen
class Failure:
    """Where a scenario fails, and the steps up to there. `rows` are lines of the spec that decided in the last line."""

    place: Place
    step: str
    mismatches: tuple[Mismatch, ...]
    rows: tuple[str, ...] = ()
    story: tuple[str, ...] = ()


@attrs.frozen
class Result:
    """How a scenario went with one spec. `steps` are all steps of the machine, for the coverage."""

    scenario: Scenario
    spec: str
    steps: tuple[Step, ...]
    failure: Failure | None = None

    @property
    def name(self) -> str:
        return f"{self.spec}: {self.scenario.name}"


def shown_effect(effect: Effect) -> str:
    """An effect as a spec would write it."""
    literal = next((effect.args[key] for key in ("cause", "name") if key in effect.args), None)
    return f"{effect.name}({literal})" if literal is not None and effect.name != "run_tool" else effect.name


class CannotPlayError(LocalError):
    """A line that cannot be played as written."""


def run_scenario(machine: TurnSpecMachine, scenario: Scenario) -> Result:
    """Plays a scenario to its end or to its first line that fails. Never raises for what a scenario says."""
    return Runner(machine, scenario).run()


class Runner:
    """One call in virtual time. For one use."""

    def __init__(self, machine: TurnSpecMachine, scenario: Scenario) -> None:
        self.machine, self.scenario = machine, scenario
        self.now_ms = 0
        self.due: dict[str, tuple[int, int, int]] = {}  # at ms, in order of arming, epoch
        self.steps: list[Step] = []
        self.story: list[StoryLine] = []
        self.never: list[EffectMatch] = []
        self.ids: Counter[str] = Counter()
        self.sent: list[Effect] = []
        self.armings = 0
        self._take("call.started", machine.start(talk_key=scenario.talk_key, **scenario.context))

    def run(self) -> Result:
        for number, line in enumerate(self.scenario.steps):
            if number == self.scenario.given:
                self.never += self.scenario.never
            before = len(self.story)
            try:
                mismatches = self._line(line)
            except CannotPlayError as wrong:
                mismatches = [Mismatch("the line", str(line), str(wrong))]
            if mismatches:
                return self._result(self._failure(line, mismatches, before))
        return self._result(None)

    def _result(self, failure: Failure | None) -> Result:
        return Result(self.scenario, self.machine.spec.name, tuple(self.steps), failure)

    def _failure(self, line: ScenarioStep, mismatches: Sequence[Mismatch], before: int) -> Failure:
        decided = [step for each in self.story[before:] for step in each.steps]
        rows = dict.fromkeys(f"{row.place}: {row.id}" for step in decided for row in step.reaction.path)
        return Failure(line.place, str(line), tuple(mismatches), tuple(rows), tuple(map(str, self.story)))

    # --- a line -------------------------------------------------------------------------------------------------------

    def _line(self, line: ScenarioStep) -> list[Mismatch]:
        before = len(self.story)
        self.never += line.expect.never
        if line.does == "within":
            self._until(line)
        elif line.does == "after":
            self._pass(line.ms)
        elif line.does != "look":
            self._play(line)
        lines = self.story[before:]
        steps = [step for each in lines for step in each.steps]
        effects = [effect for step in steps for effect in step.effects]
        named = [each.steps[0] for each in lines if each.steps]
        return [*compare(line.expect, self.snapshot, named, effects, self), *self._forbidden(line, steps, effects)]

    def _forbidden(self, line: ScenarioStep, steps: Sequence[Step], effects: Sequence[Effect]) -> list[Mismatch]:
        found = [
            Mismatch("never", f"no {match}", shown_effect(effect))
            for match in self.never
            for effect in effects
            if self.resolved(match).fits(effect)
        ]
        if line.expect.outcome == "impossible":
            return found
        wrong = [step for step in steps if step.outcome == "impossible"]
        return [*found, *(Mismatch("outcome", "what can happen", f"impossible: {step.reason}") for step in wrong)]

    def play(self, line: ScenarioStep) -> bool:
        """Plays a line without looking at what comes of it; False where it cannot be played, or cannot happen."""
        known = len(self.steps)
        try:
            self._play(line)
        except CannotPlayError:
            return False
        return all(step.outcome != "impossible" for step in self.steps[known:])

    def _play(self, line: ScenarioStep) -> None:
        data = {key: self._resolve(value) for key, value in line.data.items()}
        if line.does == "wire":
            events = read_wire(self.machine.spec.vocabulary, {"type": line.name, **_nested(data)})
            if not events:
                self._take(line.name, ())
            for event in events:
                self._step(event, line.name)
        elif line.name.startswith("timer."):
            self._fire(line.name.removeprefix("timer."))
        else:
            self._step(self.event(line.name, data if line.has_data else None), line.name)

    def event(self, name: str, data: Mapping[str, object] | None = None) -> Event:
        """The event of this name; for a variant, with data that makes it one (`data` has the last word)."""
        vocabulary = self.machine.spec.vocabulary
        word = vocabulary.events.get(name)
        if word is None:
            return Event(name, data or {})
        made = role_data(vocabulary, word, self.snapshot.ledger, self._fresh)
        if made is None:
            raise CannotPlayError(f"nothing could be '{name}' here: the ids of the call do not allow it")
        return Event(word.base or name, {**made, **(data or {})})

    def _fresh(self, kind: str) -> str:
        self.ids[kind] += 1
        return f"{kind}_{self.ids[kind]}"

    def _step(self, event: Event, what: str) -> None:
        self._take(what, self.machine.advance(self.snapshot, event))

    def _take(self, what: str, steps: Sequence[Step]) -> None:
        for step in steps:
            self.steps.append(step)
            self.sent += step.effects
            for name in step.stop:
                self.due.pop(name, None)
            for timer in step.start:
                self.armings += 1
                self.due[timer.name] = (self.now_ms + timer.after_ms, self.armings, timer.epoch)
        if steps:
            self.snapshot: Snapshot = steps[-1].snapshot
        self.story.append(StoryLine(self.now_ms, what, tuple(steps), self.snapshot.state))

    # --- time ---------------------------------------------------------------------------------------------------------

    def _fire(self, name: str) -> None:
        if name not in self.due:
            armed = ", ".join(sorted(self.due)) or "none"
            raise CannotPlayError(f"the deadline '{name}' is not armed; armed: {armed}")
        at_ms, _, epoch = self.due.pop(name)
        self.now_ms = max(self.now_ms, at_ms)
        self._step(Event(f"timer.{name}", {"epoch": epoch}), f"timer.{name}")

    def _pass(self, ms: int) -> None:
        until_ms = self.now_ms + ms
        for _ in range(MAX_FIRED):
            if not self._fire_next(until_ms):
                break
        self.now_ms = until_ms

    def _until(self, line: ScenarioStep) -> None:
        """Lets time pass until what is expected has come, at most `ms`; a state counts if it is there already."""
        until_ms, before = self.now_ms + line.ms, len(self.story)
        for _ in range(MAX_FIRED):
            effects = [effect for each in self.story[before:] for effect in each.effects]
            if not any(_what_came(line.expect, self.snapshot, effects, self)):
                return
            if not self._fire_next(until_ms):
                break
        self.now_ms = until_ms

    def _fire_next(self, until_ms: int) -> bool:
        """The next deadline due by then, if there is one."""
        if not self.due:
            return False
        name = min(self.due, key=lambda each: self.due[each])
        if self.due[name][0] > until_ms:
            return False
        self._fire(name)
        return True

    # --- ids ----------------------------------------------------------------------------------------------------------

    def resolved(self, match: EffectMatch) -> EffectMatch:
        return attrs.evolve(match, args={key: self._resolve(value) for key, value in match.args.items()})

    def _resolve(self, value: object) -> object:
        """`$effect`: the event id of the last effect of that name; `$effect~1` of the one before; `$effect.arg`."""
        if isinstance(value, Mapping):
            return {key: self._resolve(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._resolve(each) for each in value]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        path, _, back = value[1:].partition("~")
        name, _, arg = path.partition(".")
        found = [effect for effect in self.sent if effect.name == name]
        if (back and not back.isdigit()) or len(found) <= int(back or 0):
            raise CannotPlayError(f"'{value}': no such effect has been sent yet")
        return found[-1 - int(back or 0)].args.get(arg or "event_id")


def _nested(data: Mapping[str, object]) -> dict[str, object]:
    """`{response.id: r1}` as `{response: {id: r1}}`."""
    nested: dict[str, object] = {}
    for path, value in data.items():
        *parents, last = path.split(".")
        here = nested
        for name in parents:
            inner = here.setdefault(name, {})
            if not isinstance(inner, dict):
                raise CannotPlayError(f"'{path}': '{name}' is already a value")
            here = inner
        here[last] = value
    return nested


def compare(
    expect: Expect,
    snapshot: Snapshot,
    named: Sequence[Step],
    effects: Sequence[Effect],
    runner: Runner,
) -> list[Mismatch]:
    """What is not as expected. `named` are the steps of the line's own events, without those that had waited."""
    return [*_what_came(expect, snapshot, effects, runner), *_what_it_was(expect, named), *_values(expect, runner)]


def _what_came(expect: Expect, snapshot: Snapshot, effects: Sequence[Effect], runner: Runner) -> Iterator[Mismatch]:
    """The state and the effects: what a line may wait for."""
    if expect.state not in (None, snapshot.state):
        yield Mismatch("state", str(expect.state), snapshot.state)
    if expect.effects is not None:
        wanted = [runner.resolved(match) for match in expect.effects]
        if len(wanted) != len(effects) or not all(m.fits(e) for m, e in zip(wanted, effects, strict=True)):
            yield Mismatch("effects", " ".join(map(str, wanted)) or "none", _detailed(wanted, effects))
    if expect.includes:
        rest = iter(effects)
        wanted = [runner.resolved(match) for match in expect.includes]
        if not all(any(match.fits(effect) for effect in rest) for match in wanted):
            yield Mismatch("includes", " ".join(map(str, wanted)), _detailed(wanted, effects))


def _what_it_was(expect: Expect, named: Sequence[Step]) -> Iterator[Mismatch]:
    """What the line's events were taken for, and what was decided about them."""
    if expect.outcome is not None and expect.outcome not in {step.outcome for step in named}:
        last = named[-1] if named else None
        actual = f"{last.outcome}{f': {last.reason}' if last.reason else ''}" if last else "no event at all"
        yield Mismatch("outcome", expect.outcome, actual)
    if expect.variant is not None and expect.variant not in {step.variant for step in named}:
        yield Mismatch("variant", expect.variant, ", ".join(s.variant for s in named) or "no event at all")


def _values(expect: Expect, runner: Runner) -> Iterator[Mismatch]:
    """Slots and context variables as they are now."""
    for name, value in expect.values.items():
        variable = runner.machine.spec.variable(name)
        is_now = variable.domain[runner.snapshot.control.values[variable.index]]
        if is_now != value:
            yield Mismatch(name, value, is_now)


def _detailed(wanted: Sequence[EffectMatch], effects: Sequence[Effect]) -> str:
    """The effects, with their arguments where arguments were asked for."""
    if not any(match.args for match in wanted):
        return " ".join(map(shown_effect, effects)) or "none"
    return " ".join(f"{e.name}: {{{', '.join(f'{k}: {plain_text(v)}' for k, v in e.args.items())}}}" for e in effects)
