"""Who is meant, at the corners no story comes by: servers that leave ids out, bounds."""

from __future__ import annotations

from fsm.language.ledger import Classify, Made
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


def test_a_transcript_without_a_word_is_one_of_the_last_turn_or_of_none() -> None:
    transcribed = classify("transcribed")
    ledger = Ledger(turns=(("item_a", "committed"), ("item_b", "committed")))
    assert transcribed(ledger, {"item_id": "item_b", "transcript": " \n"}) == ("blank", ledger)
    for data in (
        {"item_id": "item_a", "transcript": ""},
        {"item_id": "item_a", "transcript": "Hello."},
        {"item_id": "item_b"},
        {"item_id": "item_b", "transcript": 7},
        {"transcript": ""},
    ):
        assert transcribed(ledger, data) == ("other", ledger), data
    assert transcribed(ledger, {"item_id": "item_b", "transcript": "Hello."}) == ("words", ledger)
    for phase, words, nothing in (("started", "words", "other"), ("stopped", "words", "other")):
        other = Ledger(turns=(("item_a", phase),))
        assert transcribed(other, {"item_id": "item_a", "transcript": "Hello."})[0] == words
        assert transcribed(other, {"item_id": "item_a", "transcript": ""})[0] == nothing
    assert transcribed(Ledger(), {"transcript": ""})[0] == "other"
    assert transcribed(Ledger(turns=(("", "committed"),)), {"transcript": ""})[0] == "blank"  # a server that names none


def made(recipe: str, ledger: Ledger, **data: object) -> Made[Ledger]:
    return PROTOCOL.recipes[recipe].make("send_tool_output", ledger, None, data)


def test_an_answer_to_a_tool_that_is_rejected_is_sent_once_more_and_then_told() -> None:
    (sent,), ledger = PROTOCOL.recipes["send_output"].make(
        "send_tool_output", Ledger(), None, {"call_id": "call_1", "output": "9"}
    )
    assert classify("item_rejected")(ledger, {"event_id": "ts_other_1"}) == ("other", ledger)
    tag, ledger = classify("item_rejected")(ledger, {"event_id": sent["event_id"]})
    (again,), ledger = PROTOCOL.recipes["resend_output"].make("resend_tool_output", ledger, None, {})
    assert (tag, again) == ("output", {"event_id": "ts_resend_tool_output_2", "call_id": "call_1", "output": "9"})
    tag, ledger = classify("item_rejected")(ledger, {"event_id": again["event_id"]})
    (told,), ledger = PROTOCOL.recipes["tell_output"].make("tell_tool_output", ledger, None, {})
    name = "ts_tell_tool_output_3"
    assert (tag, told) == ("output_again", {"event_id": name, "item_id": name, "call_id": "call_1", "output": "9"})
    tag, ledger = classify("item_rejected")(ledger, {"event_id": name})  # nothing more can be done
    assert (tag, ledger.sent.unechoed, ledger.sent.answers.unshown) == ("ours", (), ())
    for recipe in ("resend_output", "tell_output"):
        assert PROTOCOL.recipes[recipe].make("x", ledger, None, {}) == ((), ledger)


def test_an_answer_to_a_tool_that_is_shown_is_not_kept() -> None:
    _, ledger = PROTOCOL.recipes["send_output"].make(
        "send_tool_output", Ledger(), None, {"call_id": "call_1", "output": "9"}
    )
    assert classify("echo")(ledger, {"call_id": "call_1"})[1].sent.answers.unshown == ()
    for recipe in ("forget_echoes", "leave"):
        assert PROTOCOL.recipes[recipe].make("x", ledger, None, {})[1].sent.answers.unshown == ()
