"""The step benchmark at its smallest: its contenders do the same, and it runs. What it measures is nobody's test."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bench import hand_table
from bench.step import Contenders, main
from bench.targets import HAND, OURS, STOCK
from fsm.machine.ledgers.realtime.ids import Ledger
from fsm.machine.machine import Event, Snapshot


@pytest.fixture(scope="module")
def contenders() -> Contenders:
    return Contenders()


def test_the_contenders_do_the_same(contenders: Contenders) -> None:
    """A change of the spec that the conversation meets has to be made in bench/hand_table.py as well."""
    contenders.compare()


def _next(random_: random.Random, snapshot: Snapshot, number: int) -> Event:
    """Something that may happen now, or that may not: late, twice, of another turn, of nobody's response."""
    ledger = snapshot.ledger
    assert isinstance(ledger, Ledger)
    responses = ledger.responses
    turn = random_.choice([f"item_{number}", *[item for item, _ in ledger.turns]])
    response = random_.choice([f"resp_{number}", responses.current or "resp_0", *responses.open])
    item = {"item_id": "item_x", "response_id": response, "content_index": 0}
    cut = {**item, "heard_ms": random_.randrange(3000), "received_ms": random_.randrange(3000)}
    call = random_.choice([f"call_{number}", *ledger.running, *[name for _, name in ledger.sent.unechoed]])
    status = random_.choice(["completed", "completed", "cancelled"])
    event = random_.choice(_EVENTS)
    return Event(event, {
        "item_id": turn, "response_id": response, "items": random_.choice([[], [cut]]), "call_id": call, "name": "tool",
        "arguments": "{}", "output": "{}", "status": status, "reason": "turn_detected", "outputs": 1,
        "tag": random_.choice([None, ledger.create]),
    })  # fmt: skip


_TURN_EVENTS = ("speech_started", "speech_stopped", "committed")
_EVENTS = (
    *[f"input_audio_buffer.{name}" for name in _TURN_EVENTS], "response.created", "response.created", "response.done",
    "response.done", "tool.called", "tool.called", "tool.returned", "tool.returned", "conversation.item.added",
    "playout.started", "playout.progressed", "playout.drained", "playout.flushed",
)  # fmt: skip


def _opened() -> Iterator[Event]:
    yield from map(Event, ("provider.opened", "session.created", "session.updated"))


@pytest.mark.parametrize("seed", range(20))
def test_the_table_by_hand_does_the_same_on_random_walks(contenders: Contenders, seed: int) -> None:
    """Also where the conversation does not come by: every cell that the table has, whatever happened before."""
    random_ = random.Random(seed)
    snapshot, hand, taken = contenders.ours.start()[-1].snapshot, hand_table.start(), 0
    for event in _opened():
        step = contenders.ours.step(snapshot, event)
        snapshot, hand = step.snapshot, contenders.same_by_hand(hand, step)
    for number in range(400):
        step = contenders.ours.step(snapshot, _next(random_, snapshot, number))
        try:
            hand = contenders.same_by_hand(hand, step)
        except KeyError:
            continue  # not among the cells by hand: it did not happen
        snapshot = step.snapshot
        taken += step.outcome == "taken"
    step = contenders.ours.step(snapshot, Event("caller.hung_up"))
    contenders.same_by_hand(hand, step)
    assert taken > 50


def test_the_conversation_has_what_it_claims(contenders: Contenders) -> None:
    names = [event.name for event in contenders.events]
    assert names.count("tool.returned") == 2
    assert names.count("input_audio_buffer.speech_started") >= 5
    assert {"playout.started", "playout.progressed", "playout.flushed", "playout.drained"} <= set(names)


def test_it_prints_a_table() -> None:
    result = CliRunner().invoke(main, ["--rounds", "2", "--calls", "2"])
    assert result.exit_code == 0, result.output
    assert "median of 2 rounds" in result.output
    assert all(who in result.output for who in (HAND, OURS, STOCK))
