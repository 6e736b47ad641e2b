"""Who is meant, at the corners no story comes by: servers that leave ids out, bounds."""

from __future__ import annotations

from fsm.machine.ledgers.realtime import CLASSIFY, RECIPES, UNKNOWN_RESPONSE, Ledger, item_rejected


def test_responses_without_an_id_are_each_a_new_one() -> None:
    created, done = CLASSIFY["response_created"], CLASSIFY["response_done"]
    ledger = Ledger()
    for _ in range(2):
        tag, ledger = created(ledger, {"tag": None})
        assert (tag, ledger.response, ledger.open_responses) == ("own", UNKNOWN_RESPONSE, (UNKNOWN_RESPONSE,))
    assert created(ledger, {}) == ("known", ledger)  # an item that names no response shows nothing
    tag, ledger = done(ledger, {"status": "completed", "outputs": 1})
    assert (tag, ledger.response, ledger.open_responses) == ("completed", None, ())


def test_a_turn_comes_once_in_each_phase_and_the_oldest_is_forgotten() -> None:
    started, stopped = CLASSIFY["turn_started"], CLASSIFY["turn_stopped"]
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
    made, settled = RECIPES["settle_turn"]("settle_turn", ledger, None, {})
    assert (made, settled.turns) == ((), (("item_a", "committed"), ("item_b", "started")))
    assert RECIPES["settle_turn"]("settle_turn", settled, None, {}) == ((), settled)


def test_where_there_are_too_many_ids_the_newest_are_known() -> None:
    called, ledger = CLASSIFY["tool_called"], Ledger()
    for number in range(65):
        tag, ledger = called(ledger, {"call_id": f"call_{number}"})
        assert tag == "new"
    assert called(ledger, {"call_id": "call_64"}) == ("seen", ledger)
    assert called(ledger, {"call_id": "call_1"}) == ("seen", ledger)
    assert called(ledger, {"call_id": "call_0"})[0] == "new"  # the oldest was forgotten


def test_an_answer_to_a_tool_that_is_rejected_is_sent_once_more_and_then_told() -> None:
    rejected = item_rejected
    (sent,), ledger = RECIPES["send_output"]("send_tool_output", Ledger(), None, {"call_id": "call_1", "output": "9"})
    assert rejected(ledger, {"event_id": "ts_other_1"}) == ("other", ledger)
    tag, ledger = rejected(ledger, {"event_id": sent["event_id"]})
    (again,), ledger = RECIPES["resend_output"]("resend_tool_output", ledger, None, {})
    assert (tag, again) == ("first", {"event_id": "ts_resend_tool_output_2", "call_id": "call_1", "output": "9"})
    tag, ledger = rejected(ledger, {"event_id": again["event_id"]})
    (told,), ledger = RECIPES["tell_output"]("tell_tool_output", ledger, None, {})
    name = "ts_tell_tool_output_3"
    assert (tag, told) == ("final", {"event_id": name, "item_id": name, "call_id": "call_1", "output": "9"})
    tag, ledger = rejected(ledger, {"event_id": name})  # nothing more can be done
    assert (tag, ledger.unechoed, ledger.outputs) == ("ours", (), ())
    for recipe in ("resend_output", "tell_output"):
        assert RECIPES[recipe]("x", ledger, None, {}) == ((), ledger)


def test_an_answer_to_a_tool_that_is_shown_is_not_kept() -> None:
    _, ledger = RECIPES["send_output"]("send_tool_output", Ledger(), None, {"call_id": "call_1", "output": "9"})
    assert CLASSIFY["echo"](ledger, {"call_id": "call_1"})[1].outputs == ()
    for recipe in ("forget_echoes", "leave"):
        assert RECIPES[recipe]("x", ledger, None, {})[1].outputs == ()
