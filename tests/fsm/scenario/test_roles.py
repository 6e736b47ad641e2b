"""Data made up by role: whatever the ledger knows, an event by role is what it was asked to be."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm.machine.ledgers.realtime import CLASSIFY, IDENTITIES, Ledger
from fsm.scenario.roles import Fresh, role_data

LEDGER = Ledger(
    talk_key="*", create="ts_create_response_4", response="resp_now", open_responses=("resp_now",),
    ended_responses=("resp_old",), turns=(("item_a", "committed"), ("item_b", "stopped"), ("item_c", "started")),
    calls=("call_a", "call_b"), running=("call_b",), unechoed=(("ts_send_tool_output_3", "call_a"),),
)  # fmt: skip
ALL = [(identity, tag) for identity, tags in IDENTITIES.items() for tag in tags]


def fresh() -> Fresh:
    count: Counter[str] = Counter()

    def made(kind: str) -> str:
        count[kind] += 1
        return f"{kind}_{count[kind]}"

    return made


@pytest.mark.parametrize(("identity", "tag"), ALL)
def test_every_variant_can_be_made_where_the_ids_allow_it(identity: str, tag: str) -> None:
    ledger = LEDGER._replace(create=None) if tag == "found" else LEDGER  # with a create out it is taken for ours
    data = role_data(identity, "event", tag, ledger, fresh())
    assert data is not None
    assert CLASSIFY[identity](ledger, data)[0] == tag


def test_a_response_shown_by_its_item_is_found_only_while_no_create_is_out() -> None:
    assert role_data("response_created", "event", "found", LEDGER, fresh()) is None
    assert role_data("response_created", "event", "begun", LEDGER._replace(create=None), fresh()) is None


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
    assert role_data(identity, "event", tag, Ledger(), fresh()) is None
