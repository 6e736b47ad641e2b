"""The data of requests: declared by type, the same for all variants, and what is said of data that is none of it."""

from __future__ import annotations

import pytest

from fsm.language.request_data import SPELLINGS, complaint
from tests.fsm.bundle import NAMES, machine
from tests.fsm.language.mini import HOUSE, WORDS, load_mini

FIELDS = {"text": "text", "count": "number", "urgent": "optional flag"}


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"text": "", "count": 0}, ""),
        ({"text": "a", "count": 1.5, "urgent": False}, ""),
        ({"count": 1}, "data.text is missing: a text"),
        ({"text": None, "count": 1}, "data.text is not a text"),
        ({"text": "a", "count": "1"}, "data.count is not a number"),
        ({"text": "a", "count": True}, "data.count is not a number"),
        ({"text": "a", "count": float("nan")}, "data.count is not a number"),
        ({"text": "a", "count": float("inf")}, "data.count is not a number"),
        ({"text": "a", "count": 10**400}, ""),
        ({"text": "a", "count": 1, "urgent": 1}, "data.urgent is not a flag"),
        ({"text": "a", "count": 1, "urgent": None}, "data.urgent is not a flag"),
        ({"text": "a", "count": 1, "x\ny": 1}, "data.x?y is not a field of this request (known: text, count, urgent)"),
    ],
)
def test_what_is_wrong_is_said_by_field(data: dict[str, object], wrong: str) -> None:
    assert complaint(FIELDS, data) == wrong


def test_a_request_without_declared_data_takes_none() -> None:
    assert complaint({}, {}) == ""
    assert complaint({}, {"a": 1}) == "data.a is not a field of this request (known: no field)"


def test_a_vocabulary_declares_it_for_all_variants() -> None:
    spec = load_mini(
        HOUSE.replace("tea.requested", "tea.requested.*"),
        WORDS.replace(
            "tea.requested: {from: request}",
            "tea.requested: {from: request, data: {sugar: optional number}, identity: transfer_requested,"
            " variants: {named: {}, nobody: {}}}",
        ),
    ).spec
    assert spec.vocabulary.data_of("tea.requested") == {"sugar": "optional number"}
    assert spec.vocabulary.data_of("visit.requested") == {} == spec.vocabulary.data_of("no.such")
    assert "tea.requested" in spec.vocabulary.requests


def test_every_request_of_the_bundled_specs_says_what_comes_with_it() -> None:
    for name in NAMES:
        vocabulary = machine(name).spec.vocabulary
        assert vocabulary.data_of("application.say_requested") == {"text": "text"}
        for request in vocabulary.requests:
            assert set(vocabulary.data_of(request).values()) <= set(SPELLINGS)
            assert vocabulary.data_of(request), request
