"""Who is meant, at the corners no story comes by: servers that leave ids out, bounds."""

from __future__ import annotations

from fsm.language.ledger import Classify
from fsm.machine.ledgers.call import UNKNOWN_RESPONSE
from fsm.machine.ledgers.realtime import PROTOCOL
from fsm.machine.ledgers.realtime.ids import Ledger


def classify(identity: str) -> Classify[Ledger]:
    return PROTOCOL.identities[identity].classify


def test_responses_without_an_id_are_each_a_new_one() -> None:
    created, done = classify("response_created"), classify("response_done")
    ledger = Ledger()
    for _ in range(2):
        tag, ledger = created(ledger, {"tag": None})
        assert (tag, ledger.responses.current, ledger.responses.open) == ("own", UNKNOWN_RESPONSE, (UNKNOWN_RESPONSE,))
    assert created(ledger, {}) == ("known", ledger)  # an item that names no response shows nothing
    tag, ledger = done(ledger, {"status": "completed", "outputs": 1})
    assert (tag, ledger.responses.current, ledger.responses.open) == ("completed", None, ())


def test_a_turn_comes_once_in_each_phase_and_the_oldest_is_forgotten() -> None:
    started, stopped = classify("turn_started"), classify("turn_stopped")
    ledger = Ledger()
    for number in range(9):
        tag, ledger = started(ledger, {"item_id": f"item_{number}"})
        assert tag == "new"
    assert started(ledger, {"item_id": "item_4"}) == ("again", ledger)
    tag, ledger = stopped(ledger, {"item_id": "item_4"})
    assert (tag, ledger.turns[-1], len(ledger.turns)) == ("new", ("item_4", "stopped"), 8)
    assert started(ledger, {"item_id": "item_0"})[0] == "new"


def test_a_turn_that_is_settled_is_known_when_its_commit_comes() -> None:
    ledger = Ledger(turns=(("item_a", "stopped"), ("item_b", "started")))
    settle = PROTOCOL.recipes["settle_turn"].make
    made, settled = settle("settle_turn", ledger, None, {})
    assert (made, settled.turns) == ((), (("item_a", "committed"), ("item_b", "started")))
    assert settle("settle_turn", settled, None, {}) == ((), settled)


def test_where_there_are_too_many_ids_the_newest_are_known() -> None:
    called, ledger = classify("tool_called"), Ledger()
    for number in range(65):
        tag, ledger = called(ledger, {"call_id": f"call_{number}"})
        assert tag == "new"
    assert called(ledger, {"call_id": "call_64"}) == ("seen", ledger)
    assert called(ledger, {"call_id": "call_1"}) == ("seen", ledger)
    assert called(ledger, {"call_id": "call_0"})[0] == "new"  # the oldest was forgotten
