"""SIP headers as the data of a call: numbers, names that decide nothing, and whatever a caller may write there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lines.sideband.sip import number_of, variables_of


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("sip:+491@sip.example.com", "+491"),
        ('"Ann, <sip:+666@x>" <sip:+491@sip.example.com;user=phone>;tag=ab', "+491"),
        ("<tel:+49-30-123;phone-context=x>", "+49-30-123"),
        ("SIPS:alice:secret@example.com", "alice"),
        ("sip:%2B491@example.com", "+491"),
        ("sip:%0D%0Ax@example.com", "x"),
        ("sip:example.com:5060", "example.com"),
        ("Anonymous <sip:anonymous@anonymous.invalid>", "anonymous"),
        ("", ""),
        ("+491", ""),
        ("sip:", ""),
    ],
)
def test_the_number_of_an_address(value: str, number: str) -> None:
    assert number_of(value) == number


def test_a_header_can_never_be_a_variable_that_decides() -> None:
    assert variables_of({"agent": "night", "x-tenant": "7"}) == {"sip.agent": "night", "sip.x-tenant": "7"}


@given(st.text(max_size=2_000) | st.text('<>sip:@;"%+\r\n', max_size=300))
def test_whatever_a_caller_writes_there_is_a_short_printable_text(value: str) -> None:
    for text in (value, f"<sip:{value}@example.com>", f"sip:{value}"):
        number = number_of(text)
        assert len(number) <= 256 and (number.isprintable() or not number)
