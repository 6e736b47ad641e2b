"""What an operator names is hidden, what is long is cut, and neither costs more than what is kept."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fsm.journal.journal import WireLine, encode
from fsm.journal.scrub import HIDDEN, Scrubber, scrub, shortened


def scrubbed(value: object, **settings: Any) -> Any:
    return Scrubber(**settings)(value)


def test_fields_are_hidden_by_name_at_any_depth_and_within_the_arguments_of_a_tool() -> None:
    event = {
        "type": "response.function_call_arguments.done",
        "Name": "Ada",
        "arguments": json.dumps({"card": {"number": "4111"}, "city": "Bonn"}),
        "items": [{"number": 7}],
    }
    found = scrubbed(event, keys=frozenset({"name", "number"}))
    assert found["Name"] == HIDDEN and found["items"] == [{"number": HIDDEN}]
    assert json.loads(found["arguments"]) == {"card": {"number": HIDDEN}, "city": "Bonn"}
    assert scrub(event) == event


@pytest.mark.parametrize("text", ["no JSON", '"a text"', "[" * 5000, "{"])
def test_arguments_that_are_not_an_object_stay_a_text(text: str) -> None:
    assert scrubbed({"arguments": text}, keys=frozenset({"number"})) == {"arguments": text}


def test_arguments_too_long_to_be_kept_whole_are_hidden_where_fields_are() -> None:
    text = json.dumps({"number": "4" * 200})
    assert scrubbed({"output": text}, keys=frozenset({"number"}), longest=100) == {"output": HIDDEN}
    assert scrubbed({"output": text}, longest=100)["output"].endswith(f"({len(text)} characters)")


def test_patterns_are_hidden_in_any_text() -> None:
    digits = (re.compile(r"\b\d{13,19}\b"),)
    event = {"transcript": "It is 4111111111111111, I think.", "content": [{"text": "call 110"}]}
    assert scrubbed(event, patterns=digits) == {
        "transcript": f"It is {HIDDEN}, I think.", "content": [{"text": "call 110"}]
    }  # fmt: skip


def test_a_long_text_is_cut_between_words_and_says_how_long_it_was() -> None:
    text = "word " * 1000
    assert shortened(text, 52) == f"{('word ' * 10).rstrip()}... (5000 characters)"
    assert shortened("x" * 600, 500) == f"{'x' * 244}... (600 characters)"
    assert shortened("short", 500) == "short" and shortened(text, None) == text


def test_no_part_of_a_secret_is_left_where_a_text_is_cut() -> None:
    secret = "sk-proj-0123456789"
    for longest in range(300, 330):
        cut = scrubbed("a " * 150 + secret + " b" * 400, longest=longest)
        assert "sk-" not in cut, longest


def test_an_event_of_more_values_than_are_kept_is_cut_and_says_so() -> None:
    assert scrubbed(list(range(10)), most=4) == [0, 1, 2, 3, "... 6 more"]
    assert scrubbed({"a": 1, "b": 2, "c": 3}, most=2) == {"a": 1, "b": 2, "...": "1 more"}
    wide = {"items": [{"n": index} for index in range(100_000)]}
    assert len(json.dumps(scrubbed(wide, most=100))) < 2000


def test_a_line_of_a_journal_is_as_short_as_it_may_be() -> None:
    event = {"type": "x", "text": "word " * 200_000, "deep": [[["y"] * 50_000]]}
    assert len(encode(WireLine(0, "in", event), Scrubber(longest=1000, most=100))) < 4000
