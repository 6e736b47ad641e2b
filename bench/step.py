"""What a step costs, beside a table written by hand and beside stock `transitions`, on the same conversation.

The contenders take turns, round by round, so that a busy moment hits all of them; a contender's cost is the median of
its rounds, a ratio the median of the ratios within a round. Before anything is timed every step of the three is
compared: outcome, state, effects with their arguments, deadlines to start and to stop.
"""

from __future__ import annotations

import gc
import statistics
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns

import attrs
import click

from adapters.specs import load_spec
from bench import hand_table
from bench.conversation import conversation
from bench.report import Progress, console, machine_lines
from bench.stock import StockMachine
from bench.targets import shown, step_lines
from fsm.machine.machine import Effect, Event, Snapshot, Step, Timer, TurnSpecMachine

SPEC = Path(__file__).with_name("spec") / "server_vad.yaml"
"""As it was when the table by hand was written."""
ROUNDS = 300
CALLS = 100


@attrs.frozen
class Round:
    """Nanoseconds an event, of one round through the conversation."""

    ours: float
    hand: float
    stock: float


@attrs.frozen
class MeasuredSteps:
    """Of the steps, medians of all rounds; and the ratios."""

    events: int
    ours_ns: float
    hand_ns: float
    stock_ns: float
    of_hand: float
    stock_of_ours: float
    decision_ns: float
    stock_decision_ns: float
    cold_ns: float


class Contenders:
    """The three machines, and one conversation for all of them."""

    def __init__(self) -> None:
        self.ours = TurnSpecMachine(load_spec(SPEC).spec)
        self.stock = StockMachine(self.ours.spec)
        self.events = conversation(self.ours)

    def compare(self) -> None:
        """ValueError: a contender does something else."""
        snapshot, hand, stock = self.ours.start()[-1].snapshot, hand_table.start(), self.stock.start()
        names = [variable.name for variable in self.ours.spec.variables]
        for event in self.events:
            step = self.ours.step(snapshot, event)
            snapshot = step.snapshot
            hand = self.same_by_hand(hand, step)
            outcome, made, start, stop = self.stock.step(stock, event)
            _same(event, "stock", (outcome, made, sorted(start), sorted(stop)), _told(step))
            _same(
                event,
                "stock",
                dict(zip(names, stock.values, strict=True)),
                dict(zip(names, snapshot.control.values, strict=True)),
            )

    def same_by_hand(self, hand: hand_table.HandSnapshot, step: Step) -> hand_table.HandSnapshot:
        """The hand table's next snapshot. ValueError: it does something else; KeyError: it has no such cell."""
        hand, outcome, effects, start, stop = hand_table.step(hand, step.event)
        _same(step.event, "by hand", (outcome, list(effects), sorted(start), sorted(stop)), _told(step))
        _same(step.event, "by hand", _facts(hand), _values(step.snapshot, self.ours))
        _same(step.event, "by hand", dict(hand.armed), dict(step.snapshot.armed))
        return hand

    def round(self) -> Round:
        each = len(self.events)
        return Round(self._ours() / each, self._hand() / each, self._stock() / each)

    def _ours(self) -> int:
        step, snapshot = self.ours.step, self.ours.start()[-1].snapshot
        began = perf_counter_ns()
        for event in self.events:
            snapshot = step(snapshot, event).snapshot
        return perf_counter_ns() - began

    def _hand(self) -> int:
        step, snapshot = hand_table.step, hand_table.start()
        began = perf_counter_ns()
        for event in self.events:
            snapshot = step(snapshot, event)[0]
        return perf_counter_ns() - began

    def _stock(self) -> int:
        step, call = self.stock.step, self.stock.start()
        began = perf_counter_ns()
        for event in self.events:
            step(call, event)
        return perf_counter_ns() - began

    def decision(self) -> tuple[float, float]:
        """Nanoseconds an event of the decision alone, ours and stock: which row, from the state and the event.

        Ours looks up what an earlier call has worked out (`TurnSpecMachine.plans`), as every call but a process's first
        does. The library asks conditions and runs callbacks; what these do is in its time, for there is no deciding
        without them.
        """
        plans, snapshot = self.ours.plans, self.ours.start()[-1].snapshot
        asked = []
        for event in self.events:
            step = self.ours.step(snapshot, event)
            asked.append((step.variant, snapshot.control))
            snapshot = step.snapshot
        began = perf_counter_ns()
        for name, control in asked:
            plans[name, control]
        ours = perf_counter_ns() - began
        call, machine, spent = self.stock.start(), self.stock.machine, 0
        for event, (name, _) in zip(self.events, asked, strict=True):
            call.data = event.data
            chosen = machine.events[name].trigger
            began = perf_counter_ns()
            chosen(call)
            spent += perf_counter_ns() - began
        return ours / len(self.events), spent / len(self.events)


def _same(event: Event, who: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"{event.name}: {who} differs: {found} instead of {expected}")


def _told(step: Step) -> tuple[str, list[Effect], list[Timer], list[str]]:
    return step.outcome, list(step.effects), sorted(step.start), sorted(step.stop)


def _facts(hand: hand_table.HandSnapshot) -> dict[str, str]:
    words = {True: "yes", False: "no"}
    facts = {name: words[value] if isinstance(value, bool) else str(value) for name, value in hand.facts.items()}
    return facts | {"state": hand.state}


def _values(snapshot: Snapshot, machine: TurnSpecMachine) -> dict[str, str]:
    pairs = zip(machine.spec.variables, snapshot.control.values, strict=True)
    return {variable.name: variable.domain[value] for variable, value in pairs}


def _cold_ns(events: Sequence[Event]) -> float:
    """The first conversation of a process, when no reaction is known yet."""
    machine = TurnSpecMachine(load_spec(SPEC).spec)
    snapshot = machine.start()[-1].snapshot
    began = perf_counter_ns()
    for event in events:
        snapshot = machine.step(snapshot, event).snapshot
    return (perf_counter_ns() - began) / len(events)


def measure(rounds: int) -> MeasuredSteps:
    """Compares the contenders, warms them up, and times them."""
    contenders = Contenders()
    contenders.compare()
    for _ in range(3):
        contenders.round()
    gc.collect()
    gc.freeze()
    made = [contenders.round() for _ in range(rounds)]
    decisions = [contenders.decision() for _ in range(max(rounds // 10, 1))]
    return MeasuredSteps(
        events=len(contenders.events),
        ours_ns=statistics.median(r.ours for r in made),
        hand_ns=statistics.median(r.hand for r in made),
        stock_ns=statistics.median(r.stock for r in made),
        of_hand=statistics.median(r.ours / r.hand for r in made),
        stock_of_ours=statistics.median(r.stock / r.ours for r in made),
        decision_ns=statistics.median(ours for ours, _ in decisions),
        stock_decision_ns=statistics.median(stock for _, stock in decisions),
        cold_ns=_cold_ns(contenders.events),
    )


def state_bytes(calls: int) -> dict[str, float]:
    """Bytes a call in the middle of a conversation, its ids included, by contender."""
    contenders = Contenders()
    ours, stock = contenders.ours, contenders.stock

    def by_ours(events: Sequence[Event]) -> object:
        snapshot = ours.start()[-1].snapshot
        for event in events:
            snapshot = ours.step(snapshot, event).snapshot
        return snapshot

    def by_hand(events: Sequence[Event]) -> object:
        snapshot = hand_table.start()
        for event in events:
            snapshot = hand_table.step(snapshot, event)[0]
        return snapshot

    def by_stock(events: Sequence[Event]) -> object:
        call = stock.start()
        for event in events:
            stock.step(call, event)
        return call

    players: dict[str, Callable[[Sequence[Event]], object]] = {"ours": by_ours, "hand": by_hand, "stock": by_stock}
    return {name: _held_bytes(ours, play, calls) for name, play in players.items()}


def _held_bytes(machine: TurnSpecMachine, play: Callable[[Sequence[Event]], object], calls: int) -> float:
    play(conversation(machine, 0)[:-30])
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    kept = [play(conversation(machine, seed)[:-30]) for seed in range(1, calls + 1)]
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / len(kept)


@attrs.frozen
class StepsAndBytes:
    """All that was measured: of steps, and the bytes of a call by contender."""

    rounds: int
    steps: MeasuredSteps
    held: Mapping[str, float]


def measure_all(rounds: int = ROUNDS, calls: int = CALLS) -> StepsAndBytes:
    return StepsAndBytes(rounds, measure(rounds), state_bytes(calls))


def show(found: StepsAndBytes) -> None:
    """Prints all of it, and what it says of the promises."""
    title = f"A step: {found.steps.events} events of one conversation, median of {found.rounds} rounds"
    console().print(shown(title, step_lines(found.steps, found.held)))


@click.command(help=__doc__)
@click.option(
    "--rounds", default=ROUNDS, show_default=True, help="Rounds through the conversation, for each contender."
)
@click.option("--calls", default=CALLS, show_default=True, help="Calls whose memory is measured.")
def main(rounds: int, calls: int) -> None:
    for line in machine_lines():
        console().print(line, highlight=False)
    Progress(rounds * 0.004 + 10).step("steps")
    show(measure_all(rounds, calls))


if __name__ == "__main__":
    main()
