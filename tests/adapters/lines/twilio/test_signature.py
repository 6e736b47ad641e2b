"""Signatures against vectors that others have published, and against anything a byte away from them."""

from __future__ import annotations

import pytest

from adapters.lines.twilio.signature import is_signed, signature

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", "To": "+18005551212"}
DOCUMENTED = [  # (number of the caller, signature): Twilio's documentation, and its libraries' tests
    ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
]


def form(caller: str) -> list[tuple[str, str]]:
    return list({**CALL, "Caller": caller, "From": caller}.items())


@pytest.mark.parametrize(("caller", "expected"), DOCUMENTED)
def test_signatures_are_those_of_the_documentation(caller: str, expected: str) -> None:
    assert signature("12345", URL, form(caller)) == expected
    assert is_signed("12345", expected, URL, form(caller))
    assert is_signed("12345", expected, URL, reversed(form(caller)))  # their order is ours to make


@pytest.mark.parametrize(
    ("token", "given", "url", "caller"),
    [
        ("12346", DOCUMENTED[0][1], URL, DOCUMENTED[0][0]),
        ("12345", DOCUMENTED[1][1], URL, DOCUMENTED[0][0]),
        ("12345", DOCUMENTED[0][1], URL + "&a=b", DOCUMENTED[0][0]),
        ("12345", DOCUMENTED[0][1], URL.replace("https", "http"), DOCUMENTED[0][0]),
        ("12345", "", URL, DOCUMENTED[0][0]),
        ("12345", "ä\udcff", URL, DOCUMENTED[0][0]),
        ("12345", DOCUMENTED[0][1][:-1], URL, DOCUMENTED[0][0]),
    ],
)
def test_anything_else_is_refused(token: str, given: str, url: str, caller: str) -> None:
    assert not is_signed(token, given, url, form(caller))


@pytest.mark.parametrize("url", ["wss://a.example/audio", "wss://a.example:443/audio"])
@pytest.mark.parametrize("signed", ["wss://a.example/audio", "wss://a.example:443/audio"])
def test_the_usual_port_may_be_signed_or_not(url: str, signed: str) -> None:
    assert is_signed("12345", signature("12345", signed), url)


def test_another_port_may_be_left_out_and_no_other_be_said() -> None:
    assert is_signed("1", signature("1", "https://a.example/x"), "https://a.example:8443/x")
    assert is_signed("1", signature("1", "https://[::1]/x"), "https://[::1]:8443/x")
    assert not is_signed("1", signature("1", "https://a.example:444/x"), "https://a.example:8443/x")
    assert not is_signed("1", signature("1", "https://a.example/x"), "https://a.example:port/x")


def test_a_field_of_two_values_counts_with_both() -> None:
    assert signature("1", "u", [("a", "2"), ("a", "1"), ("a", "1")]) == signature("1", "ua1a2")
