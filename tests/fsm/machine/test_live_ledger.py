"""The ids of a GPT-Live call: each variant from data made up by role, and what the recipes make of the ids."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm.language.ledger import Data, Fresh
from fsm.machine.ledgers import LEDGERS
from fsm.machine.ledgers.call import Keys, Responses, Tools
from fsm.machine.ledgers.live import PROTOCOL
from fsm.machine.ledgers.live.ids import LiveIds, OpenCall, Work
from fsm.machine.ledgers.live.recipes import FAILED, TOO_MANY_TOOLS, TOOL_OVERDUE

ROUND = Work(open=("deleg_1",), calls=(OpenCall("call_a", "deleg_1"), OpenCall("call_b", "deleg_1", "{}")))
LEDGER = LiveIds(
    keys=Keys("*"), tools=Tools(("call_a", "call_b"), ("call_a",)),
    responses=Responses(current="speech_2", answered="speech_1", ended=("speech_1",)), work=ROUND, serial=7,
)  # fmt: skip
ALONE = LEDGER.with_work(Work(open=("deleg_1",)))
CONTINUED = LEDGER.with_work(ROUND._replace(is_continued=True))
IDLE = LEDGER.with_work(Work())

LEDGERS_OF = {
    ("delegation_ended", "failed"): ALONE,
    ("delegation_ended", "among"): CONTINUED,
    ("delegation_continued", "ours"): CONTINUED,
    ("continuation_rejected", "free"): IDLE,
}
"""Where another situation than LEDGER is needed for the variant."""
ALL = [(identity, tag) for identity, known in PROTOCOL.identities.items() for tag in known.variants]


def fresh() -> Fresh:
    count: Counter[str] = Counter()

    def made(kind: str) -> str:
        count[kind] += 1
        return f"{kind}_{count[kind] + 100}"

    return made


def role_data(identity: str, tag: str, ledger: LiveIds) -> Data | None:
    return PROTOCOL.identities[identity].role(tag, ledger, fresh())


def made(recipe: str, ledger: LiveIds, literal: str | None = None, **data: object) -> tuple[list[Data], LiveIds]:
    """The arguments of each effect that a recipe gives, and the ids after it."""
    effects, after = PROTOCOL.recipes[recipe].make("send", ledger, literal, data)
    return [dict(each) for each in effects], after


@pytest.mark.parametrize(("identity", "tag"), ALL)
def test_every_variant_can_be_made_where_the_ids_allow_it(identity: str, tag: str) -> None:
    ledger = LEDGERS_OF.get((identity, tag), LEDGER)
    data = role_data(identity, tag, ledger)
    assert data is not None
    assert PROTOCOL.identities[identity].classify(ledger, data)[0] == tag


@pytest.mark.parametrize(
    ("identity", "tag", "ledger"),
    [
        ("voice_began", "again", LiveIds()),
        ("voice_ended", "current", LiveIds()),
        ("delegation_continued", "ours", LEDGER),
        ("delegation_continued", "known", CONTINUED),
        ("delegation_ended", "completed", LiveIds()),
        ("delegation_ended", "among", ALONE),
        ("delegation_ended", "failed", LEDGER.with_work(ROUND._replace(calls=(OpenCall("call_c", "deleg_2"),)))),
        ("continuation_rejected", "free", LEDGER),
        ("tool_called", "seen", LiveIds()),
        ("tool_called", "new", IDLE),
    ],
)
def test_nothing_is_made_up_where_the_call_knows_no_such_id(identity: str, tag: str, ledger: LiveIds) -> None:
    assert role_data(identity, tag, ledger) is None


def test_a_delegation_without_an_id_is_no_work_of_ours() -> None:
    classify = PROTOCOL.identities["delegation_created"].classify
    assert classify(IDLE, {"target": "client"}) == ("other", IDLE)


def test_a_failed_response_takes_its_calls_with_it() -> None:
    ended = {"delegation_id": "deleg_1", "how": "response.failed"}
    tag, after = PROTOCOL.identities["delegation_ended"].classify(LEDGER, ended)
    assert (tag, after.work) == ("failed", Work())


def test_every_output_of_a_round_goes_out_once_in_the_order_of_the_calls() -> None:
    _, ledger = made("keep_output", LEDGER, call_id="call_a", output="[1]")
    effects, after = made("outputs", ledger)
    assert [(each["call_id"], each["output"]) for each in effects] == [("call_a", "[1]"), ("call_b", "{}")]
    assert [each["event_id"] for each in effects] == ["ts_send_8", "ts_send_9"]
    assert after.work.calls == () and made("outputs", after)[0] == []


def test_a_call_that_is_refused_or_overdue_has_an_output_that_says_so() -> None:
    _, refused = made("keep_refusal", LEDGER, call_id="call_a")
    _, overdue = made("keep_overdue", LEDGER)
    assert refused.work.calls[0].output == TOO_MANY_TOOLS
    assert [each.output for each in overdue.work.calls] == [TOOL_OVERDUE, "{}"]


def test_delegations_to_the_application_are_answered_by_name_else_the_oldest() -> None:
    asked = LEDGER.with_work(Work(inquiries=("deleg_1", "deleg_2", "deleg_3")))
    effects, after = made("answer", asked, delegation_id="deleg_2", text="Found.")
    assert [(each["delegation_id"], each["text"]) for each in effects] == [("deleg_2", "Found.")]
    effects, after = made("answer", after, delegation_id="deleg_9")
    assert [each["delegation_id"] for each in effects] == ["deleg_1"] and after.work.inquiries == ("deleg_3",)


def test_one_too_many_is_the_newest_and_an_overdue_one_is_every_one() -> None:
    asked = LEDGER.with_work(Work(inquiries=("deleg_1", "deleg_2")))
    effects, after = made("no_answer", asked, "too_many")
    assert [each["delegation_id"] for each in effects] == ["deleg_2"] and after.work.inquiries == ("deleg_1",)
    effects, after = made("no_answer", asked, "overdue")
    assert [each["delegation_id"] for each in effects] == ["deleg_1", "deleg_2"] and after.work.inquiries == ()
    effects, _ = made("no_answer", IDLE, "failed")
    assert [(each["delegation_id"], each["text"]) for each in effects] == [(None, "failed")]


def test_a_wish_is_kept_for_the_request_that_says_it() -> None:
    effects, noted = made("note_wish", LEDGER, text="Say that we close at five.")
    assert effects == [] and noted.wish == "Say that we close at five."
    (asked,), _ = made("request", noted, "say")
    assert (asked["cause"], asked["instructions"]) == ("say", "Say that we close at five.")
    (asked,), _ = made("request", noted, "greeting")
    assert asked["instructions"] is None
    assert made("take_turn", noted) == ([], noted)


def test_a_notice_says_what_failed_and_digits_are_sent_once() -> None:
    assert made("notice", LEDGER)[0][0]["text"] == FAILED
    pressed = LEDGER.with_keys(LEDGER.keys._replace(digits="42"))
    (sent,), after = made("digits", pressed)
    assert sent["digits"] == "42" and after.keys == Keys("*")


def test_work_of_the_session_ends_with_it_and_inquiries_outlive_a_round() -> None:
    asked = LEDGER.with_work(ROUND._replace(inquiries=("deleg_3",)))
    assert made("forget_delegations", asked)[1].work == Work(inquiries=("deleg_3",))
    left = made("leave", asked)[1]
    assert left.work == Work() and left.responses.answered == "speech_2"
    assert made("continuation", LEDGER)[1].work.is_continued


def test_what_can_come_is_decided_by_these_ids_alone() -> None:
    decisive = PROTOCOL.decisive
    assert decisive(LEDGER) == decisive(LEDGER._replace(serial=99))
    assert len({decisive(each) for each in (LEDGER, ALONE, CONTINUED, IDLE)}) == 4


def test_an_error_names_its_effect_by_our_id_alone() -> None:
    assert LEDGERS["live"] is PROTOCOL and LiveIds().create is None and LEDGER.running == ("call_a",)
    assert PROTOCOL.effect_of("ts_start_session_7") == "start_session"
    assert PROTOCOL.effect_of("theirs_7") is None
