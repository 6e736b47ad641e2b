"""A journal as a run of a spec in its world, step by step: more is compared than a wire can show. Never a test.

Every step's event has to be one that the world tells there, in the very variant that the ledger found, playout, tools
and caller included; the spec answers it, and the world makes of its effects what it does for the verifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from fsm.journal.journal import WAITED, Journal, StepLine
from fsm.language.spec import Spec
from fsm.machine.table import TurnMachine
from fsm.verify.tables import BITS, MASK, Tables
from fsm.world.binding import Binding, MoveWay, WorldSettings, emitted
from fsm.world.code import Values
from fsm.world.queues import QueueChange, Queues
from fsm.world.reader import TOP
from fsm.world.world import World
from tools.acceptance.search import State


class _NoJudge:
    def of_control(self, values: object) -> int:
        del values
        return 0

    of_world = of_control


class Stepwise:
    """One journal; `run` gives the first step that the world cannot tell, None if it can tell all of them."""

    def __init__(self, journal: Journal, spec: Spec, world: World, assume: Mapping[str, str], losses: int = 0) -> None:
        self.journal, self.spec, self.world = journal, spec, world
        defaults = {a.name: a.default for a in world.assumptions.values()}
        capacities = {c.name: c.capacity for c in world.channels}
        bounds = {**dict.fromkeys(world.bounds, TOP), "losses": losses}
        self.binding = Binding(spec, world, WorldSettings({**defaults, **assume}, bounds, capacities))
        self.tables = Tables(TurnMachine(spec), self.binding, _NoJudge())
        first = self.tables.start()
        self.control = first >> 2 * BITS
        self.budgets = [world.variable(n).index for n in world.budgets if n != "losses_left"]
        self.states = self._closed({(self.tables.worlds[first >> BITS & MASK], self.tables.queues[first & MASK])})
        self.told = {t.event for m in self.binding.moves for t in emitted(m.acts)}
        self.compared = 0

    def run(self) -> StepLine | None:
        for line in self.journal.steps[1:]:
            event = self._event(line)
            if event is None:
                continue
            found = self.states if event.startswith("timer.") else self._telling(event)
            if not found:
                return line
            macro = self.tables.step(self.control, self.tables.event(event))
            self.control = macro.control
            self.states = self._closed(self._after_effects(found, self.tables.sequences[macro.effects]))
            self.compared += 1
        return None

    def _event(self, line: StepLine) -> str | None:
        """What the world would have to tell; None for what the machine did by itself, or what reaches no state."""
        word = self.spec.vocabulary.events.get(line.variant)
        if line.cause == WAITED or (word is None and not line.variant.startswith("timer.")):
            return None
        if word is None or word.name in self.told:
            return line.variant
        if word.noise is not None:
            return None
        return next(name for name in self.told if self.spec.vocabulary.events[name].instead == word.name)

    # --- the world ----------------------------------------------------------------------------------------------------

    def _ways(self, state: State) -> Iterator[tuple[MoveWay, State]]:
        values, queues = state
        options = list(self.binding.options(values))
        for channel, code in enumerate(q[0] if q else 0 for q in queues):
            if code:
                options += self.binding.received(values, self.tables.names[channel, code])
        for way, after in options:
            moved = None if self._is_held(way, queues) else self._moved(queues, way.changes, way.answers)
            if moved is not None:
                yield way, (self._refilled(after), moved)

    def _is_held(self, way: MoveWay, queues: Queues) -> bool:
        names = {self.tables.names[channel, code] for channel, queue in enumerate(queues) for code in queue}
        return bool(names) if way.held_by is None else bool(names & way.held_by)

    def _moved(self, queues: Queues, changes: tuple[QueueChange, ...], answers: bool) -> Queues | None:
        after = self.tables.applied(queues, changes, answers)
        return None if isinstance(after, int) else after

    def _refilled(self, values: Values) -> Values:
        after = bytearray(values)
        for index in self.budgets:
            after[index] = TOP
        return bytes(after)

    def _telling(self, event: str) -> set[State]:
        return {after for state in self.states for way, after in self._ways(state) if way.event == event}

    def _after_effects(self, states: set[State], effects: tuple[tuple[str, str | None], ...]) -> set[State]:
        found = set()
        for values, queues in states:
            for way, after in self.binding.effects(values, effects) if effects else ():
                moved = self._moved(queues, way.changes, True)
                if moved is not None:
                    found.add((self._refilled(after), moved))
        return found if effects else states

    def _closed(self, states: set[State]) -> set[State]:
        found, waiting = set(states), list(states)
        while waiting:
            for way, after in self._ways(waiting.pop()):
                if way.event is None and after not in found:
                    found.add(after)
                    waiting.append(after)
        return found


@attrs.frozen
class Compared:
    """What came of a journal step by step."""

    steps: int
    stop: StepLine | None


def compared(
    journal: Journal, spec: Spec, world: World, assume: Mapping[str, str] | None = None, losses: int = 0
) -> Compared:
    """A journal, whole."""
    lossy = {"events_may_be_lost": "yes"} if losses else {}
    ear = {"provider_goes_mute": "yes"} if "caller.spoke" in spec.vocabulary.events else {}  # or nobody hears it but us
    stepwise = Stepwise(journal, spec, world, {**lossy, **ear, **(assume or {})}, losses)
    stop = stepwise.run()
    return Compared(stepwise.compared, stop)
