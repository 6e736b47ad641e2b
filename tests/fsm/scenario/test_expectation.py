"""What a script expects of a whole call: how it is read, how it is judged, and what is said where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fsm.scenario.expectation import Expectation, ExpectationError, number_fits, read_expectation

WORDS = ("answers", "longest_silence_ms", "heard", "heard_percent")
EVENTS = ("spoke", "heard_agent")
TIMES = {"spoke": (1000.0, 5000.0), "heard_agent": (1400.0, 9000.0)}


def times(name: str) -> Sequence[float]:
    return TIMES.get(name, ())


def read(data: object) -> Expectation:
    return read_expectation(data, WORDS, EVENTS)


@pytest.mark.parametrize(
    ("wanted", "actual", "fits"),
    [
        (2, 2, True),
        (2, 3, False),
        ("< 3000", 2999.5, True),
        ("< 3000", 3000, False),
        (">= 1", 1, True),
        ("< 3000", None, False),
        ("none", None, False),
        (None, None, True),
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        ({"a": "> 90"}, {"a": 100, "b": 3}, True),
        ({"a": "> 90"}, {"b": 100}, False),
        ({"a": "> 90"}, 100, False),
    ],
)
def test_a_value_fits_what_is_wanted(wanted: object, actual: object, fits: bool) -> None:
    assert number_fits(wanted, actual) is fits


def test_what_is_not_as_expected_is_told_with_what_was_so() -> None:
    expected = read(
        {
            "summary": {"answers": 2, "longest_silence_ms": "< 3000"},
            "deadlines": [{"of": "spoke", "comes": "heard_agent", "within_ms": 500}],
        }
    )
    assert expected.checks == ("answers", "longest_silence_ms", "heard_agent after spoke")
    found = [str(each) for each in expected.mismatches({"answers": 1, "longest_silence_ms": 100}, times)]
    assert found == [
        "answers: expected 2, actual 1",
        "heard_agent after spoke at 5000 ms: expected within 500 ms, actual after 4000 ms",
    ]


def test_a_deadline_after_what_never_happened_is_not_kept() -> None:
    expected = read({"deadlines": [{"of": "heard_agent", "comes": "spoke", "within_ms": 9}]})
    assert [each.actual for each in expected.mismatches({}, lambda _name: ())] == ["never"]
    assert [each.actual for each in expected.mismatches({}, times)] == ["after 3600 ms", "never"]


def test_a_number_that_was_not_counted_is_said() -> None:
    [found] = Expectation({"answers": 1}).mismatches({"turns": 1}, times)
    assert str(found) == "answers: expected 1, actual no such number; there are turns"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "expect: a mapping is expected"),
        ({}, "expect: a mapping is expected"),
        ({"answers": 1}, "expect: 'answers' is not a key of it; there are summary, deadlines; is it meant to stand in"),
        ({"sumary": {}}, "expect: 'sumary' is not a key of it"),
        ({"summary": 1}, "expect.summary: a mapping is expected"),
        ({"summary": {"anwsers": 1}}, "expect.summary: there is no 'anwsers'; did you mean 'answers'?"),
        ({"summary": {"xyz": 1}}, "expect.summary: there is no 'xyz'; there are answers, heard"),
        ({"summary": {"answers": "<2s"}}, "expect.summary.answers: '<2s' is not a bound"),
        ({"summary": {"heard_percent": {"a": "> lots"}}}, "expect.summary.heard_percent.a: '> lots' is not a bound"),
        ({"deadlines": {}}, "expect.deadlines: a list is expected"),
        ({"deadlines": [{"of": "spoke"}]}, r"expect.deadlines[0]: a deadline has 'of', 'comes' and 'within_ms'"),
        ({"deadlines": [{"of": "x", "comes": "spoke", "within_ms": 1}]}, "expect.deadlines[0].of: there is no 'x'"),
        (
            {"deadlines": [{"of": "spoke", "comes": "spoke", "within_ms": "1"}]},
            "expect.deadlines[0].within_ms: milliseconds are expected, not '1'",
        ),
    ],
)
def test_what_is_wrong_with_an_expectation_is_said_with_its_place(data: object, words: str) -> None:
    with pytest.raises(ExpectationError) as wrong:
        read(data)
    assert words in str(wrong.value)
