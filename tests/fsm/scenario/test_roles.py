"""Data made up by role: whatever the ledger knows, an event by role is what it was asked to be."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm.language.ledger import Data, Fresh
from fsm.machine.ledgers.call import Keys, Responses, Tools
from fsm.machine.ledgers.realtime import PROTOCOL
from fsm.machine.ledgers.realtime.ids import Ledger, Sent, ToolAnswers

LEDGER = Ledger(
    keys=Keys("*"), tools=Tools(("call_a", "call_b"), ("call_b",)),
    responses=Responses("ts_create_response_4", "resp_now", open=("resp_now",), ended=("resp_old",)),
    sent=Sent(
        4,
        (("ts_send_digits_1", "item_d"), ("ts_send_tool_output_2", "call_a"), ("ts_send_tool_output_3", "call_b")),
        answers=ToolAnswers((("call_a", "{}"), ("call_b", "{}")), rejected=("call_b",)),
    ),
    turns=(("item_a", "committed"), ("item_b", "stopped"), ("item_c", "started")),
)  # fmt: skip
SAID = LEDGER.with_turns((("item_a", "committed"),))
NO_CREATE = LEDGER.with_responses(LEDGER.responses._replace(create=None))
ALL = [(identity, tag) for identity, known in PROTOCOL.identities.items() for tag in known.variants]


def fresh() -> Fresh:
    count: Counter[str] = Counter()

    def made(kind: str) -> str:
        count[kind] += 1
        return f"{kind}_{count[kind]}"

    return made


def role_data(identity: str, tag: str, ledger: Ledger) -> Data | None:
    return PROTOCOL.identities[identity].role(tag, ledger, fresh())


@pytest.mark.parametrize(("identity", "tag"), ALL)
def test_every_variant_can_be_made_where_the_ids_allow_it(identity: str, tag: str) -> None:
    ledgers = {"found": NO_CREATE, "blank": SAID}  # with a create out it is taken for ours; the last turn is committed
    ledger = ledgers.get(tag, LEDGER)
    data = role_data(identity, tag, ledger)
    assert data is not None
    assert PROTOCOL.identities[identity].classify(ledger, data)[0] == tag


def test_a_response_shown_by_its_item_is_found_only_while_no_create_is_out() -> None:
    assert role_data("response_created", "found", LEDGER) is None
    assert role_data("response_created", "begun", NO_CREATE) is None


@pytest.mark.parametrize(
    ("identity", "tag"),
    [
        ("response_created", "ours"),
        ("response_done", "completed"),
        ("create_rejected", "busy"),
        ("create_failed", "ours"),
        ("tool_called", "seen"),
        ("tool_returned", "pending"),
        ("echo", "ours"),
        ("turn_committed", "expected"),
        ("playout_started", "current"),
        ("key", "talk"),
    ],
)
def test_nothing_is_made_up_where_the_call_knows_no_such_id(identity: str, tag: str) -> None:
    assert role_data(identity, tag, Ledger()) is None
