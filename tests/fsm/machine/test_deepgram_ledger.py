"""The ids of a call over Deepgram's Voice Agent: each variant from data made up by role, and what the recipes make."""

from __future__ import annotations

import pytest

from fsm.language.ledger import Data
from fsm.machine.ledgers.call import Keys, Responses, Tools
from fsm.machine.ledgers.deepgram import PROTOCOL
from fsm.machine.ledgers.deepgram.ids import AgentIds, NamedCall
from fsm.machine.ledgers.deepgram.recipes import FAILED, TOO_MANY_TOOLS, TOOL_OVERDUE

IDS = AgentIds(
    keys=Keys("*"), tools=Tools(("call_a", "call_b"), ("call_a", "call_b")),
    responses=Responses(current="answer_2", answered="answer_1", ended=("answer_1",)),
    calls=(NamedCall("call_a", "weather"), NamedCall("call_b", "order_status")),
)  # fmt: skip
QUIET = IDS._replace(responses=Responses(answered="answer_2"))
ALL = [(identity, tag) for identity, known in PROTOCOL.identities.items() for tag in known.variants]


def role_data(identity: str, tag: str, ids: AgentIds) -> Data | None:
    return PROTOCOL.identities[identity].role(tag, ids, lambda kind: f"{kind}_9")


def made(recipe: str, ids: AgentIds, literal: str | None = None, **data: object) -> tuple[list[Data], AgentIds]:
    """The arguments of each effect that a recipe gives, and the ids after it."""
    effects, after = PROTOCOL.recipes[recipe].make("send", ids, literal, data)
    return [dict(each) for each in effects], after


@pytest.mark.parametrize(("identity", "tag"), ALL)
def test_every_variant_can_be_made_where_the_ids_allow_it(identity: str, tag: str) -> None:
    ids = QUIET if (identity, tag) == ("user_started", "alone") else IDS
    data = role_data(identity, tag, ids)
    assert data is not None
    assert PROTOCOL.identities[identity].classify(ids, data)[0] == tag


@pytest.mark.parametrize(
    ("identity", "tag"),
    [
        ("user_started", "over"), ("voice_began", "again"), ("voice_ended", "current"), ("tool_called", "seen"),
        ("tool_withdrawn", "running"),
    ],
)  # fmt: skip
def test_nothing_is_made_up_where_the_call_knows_no_such_id(identity: str, tag: str) -> None:
    assert role_data(identity, tag, AgentIds()) is None


def test_a_call_is_answered_by_id_and_name_once() -> None:
    (answer,), after = made("output", IDS, call_id="call_a", output="[1]")
    assert answer == {"call_id": "call_a", "name": "weather", "output": "[1]"}
    assert after.calls == (NamedCall("call_b", "order_status"),)
    (refused,), _ = made("refusal", IDS, call_id="call_b")
    assert refused["output"] == TOO_MANY_TOOLS
    late, after = made("overdue", IDS)
    assert [(each["name"], each["output"]) for each in late] == [
        ("weather", TOOL_OVERDUE),
        ("order_status", TOOL_OVERDUE),
    ]
    assert after.calls == ()


def test_a_withdrawn_call_is_named_and_one_without_an_id_is_none() -> None:
    assert made("withdraw", IDS, call_id="call_a")[0] == [{"call_ids": ["call_a"]}]
    assert made("withdraw", IDS)[0] == [{"call_ids": []}]


def test_a_wish_is_kept_for_the_request_that_says_it() -> None:
    nothing, noted = made("note_wish", IDS, text="We close at five.")
    assert nothing == [] and made("take_turn", noted) == ([], noted)
    assert made("request", noted, "say")[0] == [{"cause": "say", "instructions": "We close at five."}]
    assert made("request", noted, "greeting")[0] == [{"cause": "greeting", "instructions": None}]


def test_notices_digits_and_the_end_of_a_session() -> None:
    assert made("notice", IDS)[0] == [{"text": FAILED}]
    (sent,), after = made("digits", IDS.with_keys(IDS.keys._replace(digits="42")))
    assert sent == {"digits": "42"} and after.keys == Keys("*")
    left = made("leave", IDS)[1]
    assert left.calls == () and left.responses.answered == "answer_2"


def test_what_can_come_is_decided_by_these_ids_alone() -> None:
    assert PROTOCOL.decisive(IDS) == PROTOCOL.decisive(IDS._replace(wish="x"))
    assert PROTOCOL.decisive(IDS) != PROTOCOL.decisive(QUIET)
    assert IDS.create is None and IDS.running == ("call_a", "call_b") and IDS.with_target("desk").target == "desk"
    assert PROTOCOL.effect_of("anything") is None
